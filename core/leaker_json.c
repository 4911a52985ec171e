/* SPDX-License-Identifier: Apache-2.0 */
/* The leakers, ranked, as an answer. */
#include "clock.h"
#include "journal.h"
#include "leaker.h"
#include "owner.h"
#include "word.h"

#define MS_NS UINT64_C(1000000)

static int compare(const struct leaker *a, const struct leaker *b)
{
	if (a->ghosts != b->ghosts)
		return a->ghosts > b->ghosts ? -1 : 1;
	if (a->reaped != b->reaped)
		return a->reaped > b->reaped ? -1 : 1;
	if (a->found != b->found)
		return a->found > b->found ? -1 : 1;
	return (a->last_wall_ns < b->last_wall_ns) - (a->last_wall_ns > b->last_wall_ns);
}

static int compare_pointers(const void *a, const void *b)
{
	return compare(*(const struct leaker *const *)a, *(const struct leaker *const *)b);
}

static void put_number(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX));
}

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		json_object_set_new(object, key, journal_json_text(text));
}

/* How close its processes are to their limit: the closest, and the first to have none left. */
static void put_files(json_t *object, const struct leakers *leakers, const struct leaker *leaker, uint64_t now_ns)
{
	struct process_files worst = {0};
	uint64_t runs_out_ns = UINT64_MAX;
	int32_t pid = 0;

	for (uint8_t i = 0; i < leaker->process_count; i++) {
		const struct leaker_process *process = &leaker->processes[i];
		struct process_files files;
		uint64_t left_ns;

		if (leakers->files(process->pid, process->start_ticks, &files) < 0)
			continue;
		left_ns = leaker_runs_out_ns(process, &files, now_ns);
		runs_out_ns = left_ns < runs_out_ns ? left_ns : runs_out_ns;
		if (pid && (double)files.open * (double)worst.limit <= (double)worst.open * (double)files.limit)
			continue;
		worst = files;
		pid = process->pid;
	}
	if (!pid)
		return;
	put_number(object, "files_pid", (uint64_t)pid);
	put_number(object, "files_open", worst.open);
	if (worst.limit != UINT64_MAX) {
		put_number(object, "files_limit", worst.limit);
		put_number(object, "files_percent",
			   worst.limit ? (uint64_t)(100.0 * (double)worst.open / (double)worst.limit) : 100);
	}
	if (runs_out_ns != UINT64_MAX)
		put_number(object, "runs_out_ms", runs_out_ns / MS_NS);
}

static json_t *pids_json(const struct leaker *leaker)
{
	json_t *list = json_array();

	for (uint8_t i = 0; i < leaker->process_count; i++)
		json_array_append_new(list, json_integer(leaker->processes[i].pid));
	return list;
}

static json_t *classes_json(const struct leaker *leaker)
{
	json_t *object = json_object();

	for (uint8_t i = 0; i < leaker->class_count; i++)
		put_number(object, word_text(leaker->classes[i].name), leaker->classes[i].found);
	return object;
}

static json_t *leaker_json(const struct leakers *leakers, const struct leaker *leaker, uint64_t now_ns, bool files)
{
	const struct gb_owner *owner = &leaker->owner->public;
	json_t *object = json_object();

	put_text(object, "plugin", word_text(leaker->plugin));
	put_text(object, "comm", owner->comm);
	put_text(object, "exe", owner->exe);
	put_number(object, "uid", owner->uid);
	put_text(object, "unit", owner->unit);
	put_text(object, "container", owner->container);
	put_text(object, "pod", owner->pod);
	json_object_set_new(object, "pids", pids_json(leaker));
	put_number(object, "ghosts", leaker->ghosts);
	if (leaker->ghosts)
		put_number(object, "oldest_ms", leaker->oldest_ns / MS_NS);
	put_number(object, "found", leaker->found);
	put_number(object, "reaped", leaker->reaped);
	put_number(object, "reacted", leaker->reacted);
	put_number(object, "dead", leaker->dead);
	put_number(object, "healed", leaker->healed);
	put_number(object, "spared", leaker->spared);
	put_number(object, "failed", leaker->failed);
	json_object_set_new(object, "classes", classes_json(leaker));
	put_number(object, "rate_hour", leaker_rate_hour(leakers, leaker, now_ns));
	if (leakers->files && files)
		put_files(object, leakers, leaker, now_ns);
	json_object_set_new(object, "first", journal_json_time(leaker->first_wall_ns));
	json_object_set_new(object, "last", journal_json_time(leaker->last_wall_ns));
	return object;
}

json_t *leakers_json(const struct leakers *leakers, size_t limit, uint64_t now_ns, uint64_t until_ns)
{
	const struct leaker *ranked[LEAKERS_MAX];
	json_t *list = json_array();
	size_t count = 0;

	for (const struct leaker *leaker = leakers->by_key; leaker; leaker = leaker->hh.next)
		ranked[count++] = leaker;
	qsort(ranked, count, sizeof(ranked[0]), compare_pointers);
	for (size_t i = 0; i < count && i < limit; i++)
		json_array_append_new(list,
				      leaker_json(leakers, ranked[i], now_ns, i == 0 || clock_now_ns() < until_ns));
	return json_pack("{s:o,s:I}", "leakers", list, "total", (json_int_t)count);
}
