/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_line.h"

#include <string.h>

#include "escape.h"

/* A further key of an object that has one already. `key` needs no escaping. */
static void add_key(struct buffer *buffer, const char *key)
{
	buffer_add(buffer, ",\"", 2);
	buffer_add_text(buffer, key);
	buffer_add(buffer, "\":", 2);
}

static void add_string(struct buffer *buffer, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	add_key(buffer, key);
	escape_json(buffer, value);
}

static void add_field_name(struct buffer *buffer, const struct gb_field *field, const char *unit)
{
	escape_json(buffer, field->name);
	if (*unit && !buffer->failed) {
		buffer->length--; /* the closing quote */
		buffer_add_text(buffer, unit);
		buffer_add_char(buffer, '"');
	}
	buffer_add_char(buffer, ':');
}

/* "name":value. No integer leaves the range of int64_t: readers refuse more. */
static void add_field(struct buffer *buffer, const struct gb_field *field)
{
	switch ((enum gb_field_type)field->type) {
	case GB_FIELD_INTEGER:
		add_field_name(buffer, field, "");
		buffer_add_integer(buffer, (int64_t)field->value);
		return;
	case GB_FIELD_DURATION:
		add_field_name(buffer, field, "_ms");
		buffer_add_unsigned(buffer, field->value / GB_MILLISECOND);
		return;
	case GB_FIELD_BYTES:
		add_field_name(buffer, field, "_bytes");
		buffer_add_unsigned(buffer, field->value > INT64_MAX ? INT64_MAX : field->value);
		return;
	case GB_FIELD_TEXT:
		add_field_name(buffer, field, "");
		escape_json(buffer, field->text);
		return;
	case GB_FIELD_BOOL:
		add_field_name(buffer, field, "");
		buffer_add_text(buffer, field->value ? "true" : "false");
		return;
	}
	add_field_name(buffer, field, "");
	buffer_add_text(buffer, "null");
}

static void add_fields(struct buffer *buffer, const struct gb_field *fields, uint32_t count)
{
	buffer_add_char(buffer, '{');
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			buffer_add_char(buffer, ',');
		add_field(buffer, &fields[i]);
	}
	buffer_add_char(buffer, '}');
}

static void add_owner(struct buffer *buffer, const struct gb_owner *owner)
{
	buffer_add_text(buffer, "{\"pid\":");
	buffer_add_integer(buffer, owner->pid);
	add_string(buffer, "comm", owner->comm);
	add_string(buffer, "exe", owner->exe);
	add_key(buffer, "uid");
	buffer_add_unsigned(buffer, owner->uid);
	add_string(buffer, "unit", owner->unit);
	add_string(buffer, "container", owner->container);
	add_string(buffer, "pod", owner->pod);
	add_string(buffer, "cgroup", owner->cgroup);
	if (owner->flags & GB_OWNER_ENDED)
		buffer_add_text(buffer, ",\"ended\":true");
	buffer_add_char(buffer, '}');
}

static void add_owners(struct buffer *buffer, const struct gb_owner *const *owners, uint32_t count)
{
	buffer_add_char(buffer, '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			buffer_add_char(buffer, ',');
		add_owner(buffer, owners[i]);
	}
	buffer_add_char(buffer, ']');
}

static void add_subject(struct buffer *buffer, const struct event *event)
{
	add_string(buffer, "plugin", event->plugin);
	add_string(buffer, "id", event->id);
	add_string(buffer, "resource", event->resource);
	if (event->has_age) {
		add_key(buffer, "age_ms");
		buffer_add_unsigned(buffer, event->age_ns / GB_MILLISECOND);
	}
	add_string(buffer, "action", event->action);
	if (event->evidence_count) {
		add_key(buffer, "evidence");
		add_fields(buffer, event->evidence, event->evidence_count);
	}
	if (event->owner_count || !strncmp(event->name, "ghost.", 6)) {
		add_key(buffer, "owners");
		add_owners(buffer, event->owners, event->owner_count);
	}
	if (event->ns && event->ns->kind != GB_NS_NONE) {
		add_key(buffer, "namespace");
		buffer_add_char(buffer, '"');
		journal_line_ns(buffer, event->ns);
		buffer_add_char(buffer, '"');
	}
}

void journal_line_json(struct buffer *buffer, const struct event *event, uint64_t realtime_ns,
		       struct journal_stamp *stamp)
{
	buffer_add_text(buffer, "{\"time\":\"");
	journal_line_time(buffer, realtime_ns, false, stamp);
	buffer_add_text(buffer, "Z\"");
	add_string(buffer, "event", event->name);
	add_subject(buffer, event);
	add_string(buffer, "reason", event->reason);
	if (event->error) {
		const char *text = strerrordesc_np(-event->error);

		add_string(buffer, "error", text ? text : "unknown error");
		add_key(buffer, "errno");
		buffer_add_integer(buffer, -event->error);
	}
	add_string(buffer, "message", event->message);
	for (uint32_t i = 0; i < event->field_count; i++) {
		buffer_add_char(buffer, ',');
		add_field(buffer, &event->fields[i]);
	}
	buffer_add_text(buffer, "}\n");
}

/* The text is ours and valid: jansson fails for lack of memory alone. */
static json_t *parse(struct buffer *buffer)
{
	json_t *json = buffer->failed ? NULL : json_loadb(buffer->data, buffer->length, JSON_DECODE_ANY, NULL);

	buffer_fini(buffer);
	return json;
}

json_t *journal_json_owners(const struct gb_owner *const *owners, uint32_t count)
{
	struct buffer buffer = {0};

	add_owners(&buffer, owners, count);
	return parse(&buffer);
}

json_t *journal_json_fields(const struct gb_field *fields, uint32_t count)
{
	struct buffer buffer = {0};

	add_fields(&buffer, fields, count);
	return parse(&buffer);
}

json_t *journal_json_text(const char *text)
{
	struct buffer buffer = {0};

	escape_json(&buffer, text);
	return parse(&buffer);
}

json_t *journal_json_ns(const struct gb_ns *ns)
{
	struct buffer buffer = {0};

	if (!ns || ns->kind == GB_NS_NONE)
		return json_null();
	buffer_add_char(&buffer, '"');
	journal_line_ns(&buffer, ns);
	buffer_add_char(&buffer, '"');
	return parse(&buffer);
}

json_t *journal_json_time(uint64_t realtime_ns)
{
	struct journal_stamp stamp = {0};
	struct buffer buffer = {0};

	buffer_add_char(&buffer, '"');
	journal_line_time(&buffer, realtime_ns, false, &stamp);
	buffer_add_text(&buffer, "Z\"");
	return parse(&buffer);
}
