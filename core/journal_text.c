/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_line.h"

#include <string.h>

#include "escape.h"

#define CONTAINER_DIGITS 12 /* enough to tell one from another, and what `docker ps` shows */
#define OTHER_OWNERS_MAX 8  /* in a line; JSON has all */

static void add_value(struct buffer *buffer, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	buffer_add_char(buffer, ' ');
	buffer_add_text(buffer, name);
	buffer_add_char(buffer, '=');
	escape_value(buffer, value);
}

/* Bare, as people read it, unless it could pass for NAME=VALUE or for the beginning of the message. */
static void add_bare(struct buffer *buffer, const char *text)
{
	if (!text || !*text)
		return;
	buffer_add_char(buffer, ' ');
	if (strpbrk(text, "=\"") || strstr(text, " -- "))
		escape_value(buffer, text);
	else
		escape_text(buffer, text, 0);
}

static void add_field(struct buffer *buffer, const struct gb_field *field)
{
	buffer_add_char(buffer, ' ');
	escape_value(buffer, field->name);
	buffer_add_text(buffer, field->type == GB_FIELD_BYTES ? "_bytes=" : "=");
	switch ((enum gb_field_type)field->type) {
	case GB_FIELD_INTEGER:
		buffer_add_integer(buffer, (int64_t)field->value);
		return;
	case GB_FIELD_DURATION:
		buffer_add_duration(buffer, field->value);
		return;
	case GB_FIELD_BYTES:
		buffer_add_unsigned(buffer, field->value);
		return;
	case GB_FIELD_TEXT:
		escape_value(buffer, field->text);
		return;
	case GB_FIELD_BOOL:
		buffer_add_text(buffer, field->value ? "true" : "false");
		return;
	}
	buffer_add_char(buffer, '?');
}

/* comm[pid]; comm is at most 15 bytes, but whoever fills the struct may err. */
static void add_process(struct buffer *buffer, const struct gb_owner *owner)
{
	char name[64];

	snprintf(name, sizeof(name), "%.40s[%d]", owner->comm, owner->pid);
	escape_value(buffer, name);
}

static void add_owners(struct buffer *buffer, const struct event *event)
{
	const struct gb_owner *first = event->owner_count ? event->owners[0] : NULL;
	char container[CONTAINER_DIGITS + 1];

	if (!first)
		return;
	buffer_add_text(buffer, " owner=");
	add_process(buffer, first);
	if (first->flags & GB_OWNER_ENDED)
		buffer_add_text(buffer, " ended=true");
	add_value(buffer, "exe", first->exe);
	add_value(buffer, "unit", first->unit);
	snprintf(container, sizeof(container), "%s", first->container ? first->container : "");
	add_value(buffer, "container", container);
	add_value(buffer, "pod", first->pod);
	if (event->owner_count < 2)
		return;
	buffer_add_text(buffer, " owners=");
	buffer_add_unsigned(buffer, event->owner_count);
	for (uint32_t i = 1; i < event->owner_count && i <= OTHER_OWNERS_MAX; i++) {
		buffer_add_text(buffer, " also=");
		add_process(buffer, event->owners[i]);
	}
}

static void add_error(struct buffer *buffer, int error)
{
	const char *name = strerrorname_np(-error), *text = strerrordesc_np(-error);
	char both[128];

	snprintf(both, sizeof(both), "%s: %s", name ? name : "?", text ? text : "unknown error");
	add_value(buffer, "error", both);
}

void journal_line_text(struct buffer *buffer, const struct event *event, uint64_t realtime_ns,
		       struct journal_stamp *stamp)
{
	journal_line_time(buffer, realtime_ns, true, stamp);
	add_bare(buffer, event->name);
	add_bare(buffer, event->plugin);
	add_bare(buffer, event->resource);
	if (event->has_age) {
		buffer_add_text(buffer, " age=");
		buffer_add_duration(buffer, event->age_ns);
	}
	add_value(buffer, "action", event->action);
	add_value(buffer, "reason", event->reason);
	if (event->error)
		add_error(buffer, event->error);
	add_owners(buffer, event);
	for (uint32_t i = 0; i < event->evidence_count; i++)
		add_field(buffer, &event->evidence[i]);
	for (uint32_t i = 0; i < event->field_count; i++)
		add_field(buffer, &event->fields[i]);
	if (event->ns && event->ns->kind != GB_NS_NONE) {
		buffer_add_text(buffer, " namespace=");
		journal_line_ns(buffer, event->ns);
	}
	add_value(buffer, "id", event->id);
	if (event->message && *event->message) {
		buffer_add_text(buffer, " -- ");
		escape_text(buffer, event->message, 0);
	}
	buffer_add_char(buffer, '\n');
}
