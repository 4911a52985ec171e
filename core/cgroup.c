/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <string.h>

#define CONTAINER_DIGITS 64

/* A piece of the text; not NUL-terminated. */
struct span {
	const char *start;
	size_t length;
};

static bool span_equal(struct span span, const char *text)
{
	return span.length == strlen(text) && memcmp(span.start, text, span.length) == 0;
}

static bool span_ends_with(struct span span, const char *end)
{
	size_t length = strlen(end);

	return span.length >= length && memcmp(span.start + span.length - length, end, length) == 0;
}

static bool span_cut_end(struct span *span, const char *end)
{
	if (!span_ends_with(*span, end))
		return false;
	span->length -= strlen(end);
	return true;
}

/* False, and `to` untouched, when it does not fit. */
static bool span_copy(struct span span, char *to, size_t size)
{
	if (span.length >= size)
		return false;
	memcpy(to, span.start, span.length);
	to[span.length] = '\0';
	return true;
}

/* Takes the next piece up to `separator` off `rest`. */
static bool span_next(struct span *rest, char separator, struct span *ret_piece)
{
	const char *end;

	if (!rest->start)
		return false;
	end = memchr(rest->start, separator, rest->length);
	if (!end) {
		*ret_piece = *rest;
		*rest = (struct span){0};
		return true;
	}
	*ret_piece = (struct span){rest->start, (size_t)(end - rest->start)};
	rest->length -= ret_piece->length + 1;
	rest->start = end + 1;
	return true;
}

static bool is_hex(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
			return false;
	return true;
}

/* ---- Lines: "ID:CONTROLLERS:PATH"; the path may hold colons ---- */

struct line {
	struct span id, controllers, path;
};

static bool line_next(struct span *text, struct line *ret_line)
{
	struct span line;

	while (span_next(text, '\n', &line)) {
		struct span rest = line;

		if (!span_next(&rest, ':', &ret_line->id) || !span_next(&rest, ':', &ret_line->controllers) ||
		    !rest.start || rest.length == 0 || rest.start[0] != '/')
			continue;
		/* So the kernel marks a removed cgroup that a zombie is still in. */
		span_cut_end(&rest, " (deleted)");
		ret_line->path = rest;
		return true;
	}
	return false;
}

static bool line_is_v2(const struct line *line)
{
	return span_equal(line->id, "0") && line->controllers.length == 0;
}

static bool line_has_controller(const struct line *line, const char *controller)
{
	struct span rest = line->controllers, one;

	while (span_next(&rest, ',', &one))
		if (span_equal(one, controller))
			return true;
	return false;
}

static struct span text_span(const char *text)
{
	return (struct span){text, strlen(text)};
}

static struct span choose_path(const char *text)
{
	struct span rest = text_span(text), v2 = {0}, named = {0}, first = {0}, any = {0};
	struct line line;

	while (line_next(&rest, &line)) {
		if (!any.start)
			any = line.path;
		if (line.path.length <= 1 || line.path.length >= CGROUP_PATH_SIZE)
			continue;
		if (line_is_v2(&line))
			v2 = line.path;
		else if (line_has_controller(&line, "name=systemd"))
			named = line.path;
		else if (!first.start)
			first = line.path;
	}
	if (v2.start)
		return v2;
	if (named.start)
		return named;
	return first.start ? first : any;
}

/* ---- Components of a path ---- */

static bool unit_valid(struct span name)
{
	static const char *const kinds[] = {".service", ".scope", ".socket", ".mount", ".swap"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_ends_with(name, kinds[i]))
			return name.length > strlen(kinds[i]);
	return false;
}

/*
 * docker-ID.scope, cri-containerd-ID.scope, crio-ID, libpod-ID.scope, plain ID, and "SLICE:cri-containerd:ID", which
 * containerd leaves when it and runc disagree on the driver. conmon, podman's and CRI-O's monitor, carries the id of the
 * container beside it and is none.
 */
static bool component_container(struct span component, struct span *ret_id)
{
	struct span before;

	span_cut_end(&component, ".scope");
	if (component.length < CONTAINER_DIGITS)
		return false;
	before = (struct span){component.start, component.length - CONTAINER_DIGITS};
	if (!is_hex(component.start + before.length, CONTAINER_DIGITS))
		return false;
	if (before.length > 0 && !span_ends_with(before, "-") && !span_ends_with(before, ":"))
		return false;
	if (span_ends_with(before, "conmon-"))
		return false;
	*ret_id = (struct span){component.start + before.length, CONTAINER_DIGITS};
	return true;
}

static bool pod_uid_valid(struct span uid)
{
	static const size_t dashes[] = {8, 13, 18, 23};
	char digits[CGROUP_POD_SIZE];
	char dash;

	if (uid.length == 32)
		return is_hex(uid.start, uid.length);
	if (uid.length != CGROUP_POD_SIZE - 1)
		return false;
	dash = uid.start[dashes[0]];
	if (dash != '-' && dash != '_')
		return false;
	memcpy(digits, uid.start, uid.length);
	for (size_t i = 0; i < sizeof(dashes) / sizeof(dashes[0]); i++) {
		if (digits[dashes[i]] != dash)
			return false;
		digits[dashes[i]] = '0';
	}
	return is_hex(digits, uid.length);
}

/* "podUID" (cgroupfs) or "...kubepods-burstable-podUID_WITH_UNDERSCORES.slice" (systemd). */
static bool component_pod(struct span component, struct span *ret_uid)
{
	static const size_t lengths[] = {36, 32};
	struct span piece = component, rest = component;

	span_next(&rest, ':', &piece);
	span_cut_end(&piece, ".slice");
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct span uid, before;

		if (piece.length < lengths[i] + strlen("pod"))
			continue;
		before = (struct span){piece.start, piece.length - lengths[i]};
		uid = (struct span){piece.start + before.length, lengths[i]};
		if (!pod_uid_valid(uid) || !(span_equal(before, "pod") || span_ends_with(before, "-pod")))
			continue;
		*ret_uid = uid;
		return true;
	}
	return false;
}

static void path_inspect(struct span path, struct cgroup *cgroup, bool want_unit)
{
	struct span component, id;

	while (span_next(&path, '/', &component)) {
		if (want_unit && unit_valid(component))
			span_copy(component, cgroup->unit, sizeof(cgroup->unit));
		if (component_container(component, &id))
			span_copy(id, cgroup->container, sizeof(cgroup->container));
		if (component_pod(component, &id)) {
			span_copy(id, cgroup->pod, sizeof(cgroup->pod));
			for (char *at = cgroup->pod; (at = strchr(at, '_'));)
				*at = '-';
		}
	}
}

void cgroup_parse(const char *text, struct cgroup *ret)
{
	struct span path = choose_path(text), rest = text_span(text);
	struct line line;

	ret->path[0] = ret->unit[0] = ret->container[0] = ret->pod[0] = '\0';
	if (!path.start || !span_copy(path, ret->path, sizeof(ret->path)))
		return;
	path_inspect(path, ret, true);
	while (!ret->container[0] && line_next(&rest, &line))
		path_inspect(line.path, ret, false);
}

bool cgroup_controller_path(const char *text, const char *controller, char ret_path[CGROUP_PATH_SIZE])
{
	struct span rest = text_span(text);
	struct line line;

	while (line_next(&rest, &line))
		if (controller[0] ? line_has_controller(&line, controller) : line_is_v2(&line))
			return span_copy(line.path, ret_path, CGROUP_PATH_SIZE);
	return false;
}
