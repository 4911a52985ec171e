/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's notification socket (sd_notify(3)); without one, nothing happens. */
#ifndef CORE_NOTIFY_H
#define CORE_NOTIFY_H

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

#endif
