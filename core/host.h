/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon offers to a plugin: struct gb_host, with everything that comes from the plugin checked. */
#ifndef CORE_HOST_H
#define CORE_HOST_H

struct plugin;

/* Fills plugin->host. */
void host_init(struct plugin *plugin);

/* Forgets what the plugin asked for: watched descriptors, numbers, facts. */
void host_fini(struct plugin *plugin);

#endif
