/* SPDX-License-Identifier: Apache-2.0 */
#include "client_print.h"

#include <string.h>

#include "table.h"

#define INDENT 2
#define EVIDENCE_NAME_MAX 32

static void print_verdict(FILE *out, const json_t *answer, unsigned int width)
{
	static const struct {
		const char *state, *sentence;
	} states[] = {
		{"suspect", "It is a suspect, and not condemned"},
		{"queued", "It is condemned and waits for its turn"},
		{"spared", "It is spared"},
		{"reaping", "It is being reaped"},
		{"deferred", "Its release has begun"},
		{"reaped", "It was reaped"},
		{"healed", "It went away or recovered by itself"},
		{"failed", "Its release failed"},
	};
	const char *state = client_text(answer, "state"), *reason = client_text(answer, "reason");
	const char *sentence = NULL;
	_cleanup_buffer_ struct buffer line = {0};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(state, states[i].state) == 0)
			sentence = states[i].sentence;
	}
	buffer_add_format(&line, "%s%s", sentence ? sentence : "Its state is ", sentence ? "" : state);
	if (*reason)
		buffer_add_format(&line, " (%s)", reason);
	if (*client_text(answer, "detail"))
		buffer_add_format(&line, ": %s", client_text(answer, "detail"));
	buffer_add_char(&line, '.');
	if (json_object_get(answer, "age_ms")) {
		buffer_add_text(&line, " Its age is ");
		client_add_value(&line, "age_ms", json_object_get(answer, "age_ms"));
		buffer_add_char(&line, '.');
	}
	if (*client_text(answer, "action"))
		buffer_add_format(&line, " The action for it is %s.", client_text(answer, "action"));
	if (*client_text(answer, "namespace"))
		buffer_add_format(&line, " It lives in %s.", client_text(answer, "namespace"));
	text_print_paragraph(out, buffer_text(&line), 0, width);
}

static int name_width(const char *name, const json_t *value)
{
	size_t length = client_name_length(name, value);

	return length < EVIDENCE_NAME_MAX ? (int)length : EVIDENCE_NAME_MAX;
}

static void print_evidence(FILE *out, const json_t *evidence)
{
	int widest = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)evidence, name, value) widest =
		name_width(name, value) > widest ? name_width(name, value) : widest;
	if (widest)
		fputs("\nEvidence\n", out);
	json_object_foreach((json_t *)evidence, name, value)
	{
		_cleanup_buffer_ struct buffer line = {0};
		int width = name_width(name, value);

		buffer_add_format(&line, "%.*s%*s", width, name, widest - width + INDENT, "");
		client_add_value(&line, name, value);
		fprintf(out, "%*s", INDENT, "");
		text_print(out, buffer_text(&line));
		fputc('\n', out);
	}
}

static const char *verdict_text(const json_t *holds)
{
	return json_is_true(holds) ? "yes" : json_is_false(holds) ? "NO" : "?";
}

static void print_conditions(FILE *out, const json_t *conditions)
{
	int widest = 0;

	if (json_array_size(conditions))
		fputs("\nConditions\n", out);
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		int width = (int)strnlen(client_text(json_array_get(conditions, i), "name"), EVIDENCE_NAME_MAX);

		widest = width > widest ? width : widest;
	}
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		const json_t *condition = json_array_get(conditions, i);
		_cleanup_buffer_ struct buffer line = {0};

		const char *name = client_text(condition, "name"), *text = client_text(condition, "text");

		buffer_add_format(&line, "%-3s  %-*.*s%s%s", verdict_text(json_object_get(condition, "holds")),
				  *text ? widest : 0, EVIDENCE_NAME_MAX, name, *text ? "  " : "", text);
		fprintf(out, "%*s", INDENT, "");
		text_print(out, buffer_text(&line));
		fputc('\n', out);
	}
}

static void print_owners(FILE *out, const json_t *owners)
{
	static const char *const words[] = {"unit", "container", "pod"};

	fputs("\nOwners\n", out);
	if (!json_array_size(owners))
		fprintf(out, "%*snone was found\n", INDENT, "");
	for (size_t i = 0; i < json_array_size(owners); i++) {
		const json_t *owner = json_array_get(owners, i);

		fprintf(out, "%*s", INDENT, "");
		text_print(out, client_text(owner, "comm"));
		fprintf(out, "[%" JSON_INTEGER_FORMAT "]  ", client_number(owner, "pid"));
		text_print(out, *client_text(owner, "exe") ? client_text(owner, "exe") : "(executable unknown)");
		fprintf(out, ", uid %" JSON_INTEGER_FORMAT, client_number(owner, "uid"));
		for (size_t word = 0; word < sizeof(words) / sizeof(words[0]); word++) {
			if (!*client_text(owner, words[word]))
				continue;
			fprintf(out, ", %s ", words[word]);
			text_print(out, client_text(owner, words[word]));
		}
		fputc('\n', out);
	}
}

static void print_history(FILE *out, const json_t *history)
{
	static const char *const words[] = {"event", "reason", "error"};

	if (json_array_size(history))
		fputs("\nHistory\n", out);
	for (size_t i = 0; i < json_array_size(history); i++) {
		const json_t *entry = json_array_get(history, i);

		fprintf(out, "%*s", INDENT, "");
		text_print(out, client_text(entry, "time"));
		for (size_t word = 0; word < sizeof(words) / sizeof(words[0]); word++) {
			if (!*client_text(entry, words[word]))
				continue;
			fputs("  ", out);
			text_print(out, client_text(entry, words[word]));
		}
		if (client_number(entry, "count") > 1)
			fprintf(out, "  (%" JSON_INTEGER_FORMAT " times)", client_number(entry, "count"));
		fputc('\n', out);
	}
}

int client_print_explain(FILE *out, const json_t *answer, unsigned int width)
{
	text_print(out, client_text(answer, "resource"));
	fputs(" (", out);
	text_print(out, client_text(answer, "plugin"));
	fputs(", id ", out);
	text_print(out, client_text(answer, "id"));
	fputs(")\n\n", out);
	print_verdict(out, answer, width);
	print_evidence(out, json_object_get(answer, "evidence"));
	print_conditions(out, json_object_get(answer, "conditions"));
	if (json_object_get(answer, "owners") || !json_object_get(answer, "conditions"))
		print_owners(out, json_object_get(answer, "owners"));
	print_history(out, json_object_get(answer, "history"));
	if (*client_text(answer, "advice")) {
		fputs("\nAdvice\n", out);
		text_print_paragraph(out, client_text(answer, "advice"), INDENT, width);
	}
	return 0;
}

int client_print_resume(FILE *out, const json_t *answer, unsigned int width)
{
	_cleanup_buffer_ struct buffer line = {0};

	buffer_add_format(&line,
			  json_is_true(json_object_get(answer, "resumed")) ? "%s reaps again" : "%s was not resumed",
			  client_text(answer, "plugin"));
	if (*client_text(answer, "message"))
		buffer_add_format(&line, ": %s", client_text(answer, "message"));
	text_print_paragraph(out, buffer_text(&line), 0, width);
	return 0;
}
