/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: the resource, the evidence, the reasons. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fl.h"
#include "process.h"

#define HOLDERS_NAMED 16
#define DESCRIPTORS_NAMED 4 /* of one process */

const char *fl_verdict_reason(enum fl_verdict verdict)
{
	switch (verdict) {
	case FL_GHOST:
		return NULL;
	case FL_TOO_YOUNG:
		return "too-young";
	case FL_NOT_CONTENDED:
		return "not-contended";
	case FL_ACQUISITION_UNKNOWN:
		return "acquisition-unknown";
	case FL_SEVERAL_TAKERS:
		return "several-takers";
	case FL_PARENT_UNKNOWN:
		return "parent-unknown";
	case FL_TAKER_ALIVE:
		return "taker-alive";
	case FL_NO_HOLDER:
		return "no-holder";
	case FL_MAPPED_ONLY:
		return "mapped-only";
	case FL_HELD_ELSEWHERE:
		return "held-elsewhere";
	case FL_MAPPINGS_UNKNOWN:
		return "mappings-unknown";
	case FL_HOLDER_UNKNOWN:
		return "holder-unknown";
	case FL_TAKER_HOLDS:
		return "taker-holds";
	case FL_PARENT_HOLDS:
		return "parent-holds";
	case FL_HOLDER_OLDER:
		return "holder-older";
	case FL_SAME_PROGRAM:
		return "same-program";
	case FL_HOLDER_USES:
		return "holder-uses-it";
	case FL_TOO_MANY_HOLDERS:
		return "too-many-holders";
	case FL_HOLDER_STOPPED_NOW:
		return "holder-stopped";
	case FL_HOLDER_TRACED_NOW:
		return "holder-traced";
	case FL_HOLDER_FROZEN_NOW:
		return "holder-frozen";
	}
	return "unknown";
}

static const char *way_text(enum fl_way way)
{
	switch (way) {
	case FL_WAY_TOOK:
		return "took it";
	case FL_WAY_FOR_IT:
		return "had it taken";
	case FL_WAY_SHARED:
		return "had it before, or received";
	case FL_WAY_FORKED:
		return "forked, or received";
	case FL_WAY_EXECED:
		return "exec'ed, or received";
	case FL_WAY_RECEIVED:
		return "received, or marked close-on-exec";
	case FL_WAY_MAPPED:
		return "mapped by itself";
	case FL_WAY_UNKNOWN:
		return "unknown how";
	}
	return "unknown how";
}

static const char *kind_text(uint8_t kind)
{
	return kind == FL_FLOCK ? "flock" : kind == FL_OFD ? "ofd" : "posix";
}

struct text {
	char bytes[1024];
	size_t length;
};

static void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void text_add(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->bytes) - text->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text->bytes + text->length, room, format, args);
	va_end(args);
	if (length > 0)
		text->length += (size_t)length < room ? (size_t)length : room - 1;
}

static unsigned long long seconds(uint64_t now_ns, uint64_t since_ns)
{
	return now_ns > since_ns ? (now_ns - since_ns) / GB_SECOND : 0;
}

static void process_add(struct fl *fl, struct text *text, int32_t tgid, uint64_t start_ns, const char *name)
{
	struct gb_owner owner = {.struct_size = sizeof(owner), .comm = ""};

	if (fl->host->owner(fl->host, tgid, start_ns ? fl_start_ticks(start_ns) : 0, &owner) == 0 && owner.comm[0])
		name = owner.comm;
	text_add(text, "%.15s[%d]", name[0] ? name : "?", tgid);
}

/* What decides of a process: the first of its holdings that is rightful, else the first. */
static const struct fl_record *telling_of(const struct fl_record *held, size_t count, const struct fl_slot *acquisition)
{
	for (size_t i = 0; i < count && acquisition; i++)
		if (fl_judge_holding(&held[i], acquisition) != FL_GHOST)
			return &held[i];
	return held;
}

/* One process: "nginx[812] fd 9, 10, mapped (exec'ed, or received)". */
static void holder_add(struct fl *fl, const struct fl_case *seen, const struct fl_record *held, size_t count,
		       struct text *text)
{
	const struct fl_slot *acquisition = seen->acquisition_known ? &seen->acquisition : NULL;
	const char *before = " fd ";
	size_t descriptors = 0;

	process_add(fl, text, held->tgid, held->start_ns, "");
	for (size_t i = 0; i < count; i++) {
		if (held[i].fd < 0 || descriptors++ >= DESCRIPTORS_NAMED)
			continue;
		text_add(text, "%s%d", before, held[i].fd);
		before = ", ";
	}
	if (descriptors > DESCRIPTORS_NAMED)
		text_add(text, " and %zu more", descriptors - DESCRIPTORS_NAMED);
	if (held->fd < 0) /* mappings are sorted before */
		text_add(text, descriptors ? ", mapped" : " mapped");
	text_add(text, " (%s)",
		 seen->lock.kind == FL_POSIX ? "took it"
					     : way_text(fl_way_of(telling_of(held, count, acquisition), acquisition)));
}

/* All of them, and the list for the host, with a descriptor each where there is one; returns how many processes there are. */
static uint32_t holders_list(struct fl *fl, const struct fl_case *seen, struct gb_holder *list, struct text *text)
{
	const struct fl_record *held = seen->holdings;
	uint32_t processes = 0;
	size_t count;

	for (size_t i = 0; i < seen->holding_count; i += count, held += count, processes++) {
		for (count = 1; i + count < seen->holding_count && held[count].tgid == held->tgid;)
			count++;
		if (processes < GB_HOLDERS_MAX)
			list[processes] = (struct gb_holder){.pid = held->tgid,
							     .fd = held[count - 1].fd,
							     .start_ticks = fl_start_ticks(held->start_ns)};
		if (processes >= HOLDERS_NAMED)
			continue;
		text_add(text, processes ? "; " : "");
		holder_add(fl, seen, held, count, text);
	}
	if (processes > HOLDERS_NAMED)
		text_add(text, "; and %u more", processes - HOLDERS_NAMED);
	return processes;
}

static void waits_add(struct fl *fl, const struct fl_case *seen, struct text *text, uint64_t now_ns)
{
	for (size_t i = 0; i < seen->wait_count && i < FL_CASE_WAITS; i++) {
		const struct fl_waiting *waiting = seen->waits[i];
		const struct fl_wait *wait = &waiting->wait;

		if (i)
			text_add(text, "; ");
		process_add(fl, text, wait->tgid, wait->start_ns, wait->comm);
		if (waiting->tid == FL_REFUSED)
			text_add(text, " refused %llu s ago, %llu times since %llu s", seconds(now_ns, wait->last_ns),
				 (unsigned long long)wait->count, seconds(now_ns, wait->since_ns));
		else
			text_add(text, " waits %s%llu s", waiting->standing ? "at least " : "",
				 seconds(now_ns, wait->since_ns));
	}
	if (seen->wait_count > FL_CASE_WAITS)
		text_add(text, "; and %zu more", seen->wait_count - FL_CASE_WAITS);
}

static bool holds(const struct fl_case *seen, int32_t process)
{
	bool is = seen->lock.kind == FL_POSIX && process == seen->lock.tgid;

	for (size_t i = 0; i < seen->holding_count && !is; i++)
		is = seen->holdings[i].tgid == process;
	return is;
}

/* "a[1] waits 5 s for b[2], which waits 3 s for a[1]: a cycle"; true when it is one. */
static bool chain_add(struct fl *fl, const struct fl_case *seen, struct text *text, uint64_t now_ns)
{
	const struct fl_edge *first = NULL;
	struct fl_chain chain;

	for (size_t i = 0; i < fl->edge_count; i++)
		if (fl->edges[i].inode == seen->lock.inode && fl->edges[i].dev == seen->lock.dev &&
		    holds(seen, fl->edges[i].holder) && (!first || fl->edges[i].since_ns < first->since_ns))
			first = &fl->edges[i];
	if (!first)
		return false;
	fl_chain_follow(fl->edges, fl->edge_count, first, &chain);
	process_add(fl, text, first->waiter, 0, "");
	for (size_t i = 0; i < chain.count; i++) {
		text_add(text, "%s waits %llu s for ", i ? ", which" : "", seconds(now_ns, chain.steps[i]->since_ns));
		process_add(fl, text, chain.steps[i]->holder, 0, "");
	}
	text_add(text, "%s", chain.cycle ? ": a cycle" : chain.cut ? ", and so on" : "");
	return chain.cycle;
}

static void resource_add(const struct fl_case *seen, struct text *text)
{
	const struct fl_record *lock = &seen->lock;

	text_add(text, "%s %.900s", kind_text(lock->kind), seen->path[0] ? seen->path : "(path unknown)");
	if (lock->kind == FL_FLOCK || (lock->start == 0 && lock->end == FL_END_OF_FILE))
		return;
	if (lock->end == FL_END_OF_FILE)
		text_add(text, " [%lld-]", (long long)lock->start);
	else
		text_add(text, " [%lld-%lld]", (long long)lock->start, (long long)lock->end);
}

static void proof_fill(const struct fl_case *seen, const struct fl_treatment *treatment, struct fl_proof *proof)
{
	const struct fl_record *lock = &seen->lock;

	*proof = (struct fl_proof){
		.file = lock->file,
		.inode = lock->inode,
		.dev = lock->dev,
		.start = lock->start,
		.end = lock->end,
		.kind = lock->kind,
		.taken_ns = seen->acquisition.taken_ns,
		.taker = seen->acquisition.taker.tgid,
		.taker_start_ns = seen->acquisition.taker.start_ns,
		.timeout_ns = treatment->timeout_ns,
		.action = (uint8_t)treatment->action,
		.signal = (uint8_t)treatment->signal,
		.signal_to = (uint8_t)treatment->signal_to,
		.holders_digest = fl_holders_digest(seen->holdings, seen->holding_count),
		.fd = -1,
	};
	for (size_t i = 0; i < seen->holding_count && proof->fd < 0; i++) {
		proof->pid = seen->holdings[i].tgid;
		proof->fd = seen->holdings[i].fd;
	}
}

static const char *const action_names[] = {
	[FL_ACTION_REPORT] = "report", [FL_ACTION_UNLOCK] = "unlock", [FL_ACTION_SIGNAL] = "signal"};

void fl_case_tell(struct fl *fl, const struct fl_case *seen, const struct fl_treatment *treatment, const char *finding,
		  const char *reason)
{
	static struct gb_holder holders[GB_HOLDERS_MAX];
	static struct text resource, held, waiting, taker, parent, chain; /* one thread, never re-entered */
	uint64_t now_ns = fl_now(fl);
	const struct fl_slot *taken = &seen->acquisition;
	uint32_t processes, count;
	struct fl_proof proof;
	bool cycle;

	resource.length = held.length = waiting.length = taker.length = parent.length = chain.length = 0;
	resource_add(seen, &resource);
	held.bytes[0] = waiting.bytes[0] = chain.bytes[0] = 0;
	processes = holders_list(fl, seen, holders, &held);
	waits_add(fl, seen, &waiting, now_ns);
	cycle = chain_add(fl, seen, &chain, now_ns);
	text_add(&taker, "%.15s[%d] (%s)", taken->taker.comm, taken->taker.tgid, seen->taker_alive ? "alive" : "gone");
	text_add(&parent, "%.15s[%d]", taken->parent.comm, taken->parent.tgid);
	proof_fill(seen, treatment, &proof);

	const struct gb_field evidence[] = {
		{.name = "kind", .type = GB_FIELD_TEXT, .text = kind_text(seen->lock.kind)},
		{.name = "mode", .type = GB_FIELD_TEXT, .text = seen->lock.type == FL_READ ? "shared" : "exclusive"},
		{.name = "finding", .type = GB_FIELD_TEXT, .text = finding},
		{.name = "holders", .type = GB_FIELD_INTEGER, .value = processes},
		{.name = "held_by", .type = GB_FIELD_TEXT, .text = held.bytes},
		{.name = "waiters", .type = GB_FIELD_INTEGER, .value = seen->wait_count},
		{.name = "kept_out", .type = GB_FIELD_TEXT, .text = waiting.bytes},
		{.name = "kept_out_for", .type = GB_FIELD_DURATION, .value = seen->kept_ns},
		{.name = "inode", .type = GB_FIELD_INTEGER, .value = seen->lock.inode},
		{.name = "cycle", .type = GB_FIELD_BOOL, .value = cycle},
		{.name = "chain", .type = GB_FIELD_TEXT, .text = chain.bytes},
		/* Only when the taking was seen: */
		{.name = "taken_by", .type = GB_FIELD_TEXT, .text = taker.bytes},
		{.name = "taken_for", .type = GB_FIELD_TEXT, .text = parent.bytes},
	};

	count = GB_COUNT(evidence) - (seen->acquisition_known ? 0 : 2);
	struct gb_ghost ghost = {
		.struct_size = sizeof(ghost),
		.key = seen->key,
		.resource = resource.bytes,
		.path = seen->path[0] ? seen->path : NULL,
		.action = action_names[treatment->action],
		.age_ns = seen->age_ns,
		.ns = {.kind = GB_NS_NONE, .socket_fd = -1},
		.evidence = evidence,
		.evidence_count = count,
		.holders = holders,
		.holder_count = processes < GB_HOLDERS_MAX ? processes : GB_HOLDERS_MAX,
		.proof = &proof,
		.proof_size = sizeof(proof),
	};
	if (reason)
		fl->host->spare(fl->host, &ghost, reason);
	else
		fl->host->ghost(fl->host, &ghost);
}
