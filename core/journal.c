/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "journal_line.h"

#define FLUSH_BYTES (64 * 1024) /* written in one go, and kept allocated while idle */
#define PATIENCE_MS 100         /* for a reader that takes nothing */
#define FAREWELL_MS 1000

struct journal {
	int fd;
	bool is_socket, is_file;
	bool torn;  /* the last byte that went out was not the end of a line */
	bool stuck; /* the reader took nothing for PATIENCE_MS, and nothing since */
	enum journal_format format;
	journal_clock clock;
	struct journal_stamp stamp;
	struct buffer out; /* whole lines; of the first one, `sent` bytes may be gone */
	size_t sent;
	uint64_t lost, lost_said;
	size_t note_end;     /* where in `out` the last "journal.lost" ends; 0 when none waits */
	uint64_t note_value; /* `lost` when it was written */
};

int journal_new(int fd, enum journal_format format, journal_clock clock, struct journal **ret_journal)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	struct stat st;

	if (!journal)
		return -ENOMEM;
	journal->fd = fd;
	journal->format = format;
	journal->clock = clock ? clock : clock_wall_ns;
	if (!fstat(fd, &st)) {
		journal->is_socket = S_ISSOCK(st.st_mode);
		journal->is_file = S_ISREG(st.st_mode);
	}
	tzset();
	*ret_journal = journal;
	return 0;
}

void journal_set_format(struct journal *journal, enum journal_format format)
{
	journal->format = format;
}

uint64_t journal_lost(const struct journal *journal)
{
	return journal->lost;
}

/* Waits until the descriptor takes bytes (or fails to): -EAGAIN when it does not within the time. */
static int wait_writable(const struct journal *journal, int timeout_ms)
{
	struct pollfd pollfd = {.fd = journal->fd, .events = POLLOUT};

	if (journal->is_file)
		return 0;
	return poll(&pollfd, 1, timeout_ms) > 0 ? 0 : -EAGAIN;
}

/*
 * At most so many bytes as go without blocking, though the descriptor may be in blocking mode: its mode is shared with
 * other processes, so it is left alone. A pipe that is ready has room for PIPE_BUF; a socket can be asked not to wait.
 */
static ssize_t write_some(const struct journal *journal)
{
	const char *at = journal->out.data + journal->sent;
	size_t length = journal->out.length - journal->sent, most = journal->is_file ? FLUSH_BYTES : PIPE_BUF;

	if (journal->is_socket)
		return send(journal->fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(journal->fd, at, length < most ? length : most);
}

static void took(struct journal *journal, size_t length)
{
	journal->sent += length;
	journal->torn = journal->out.data[journal->sent - 1] != '\n';
	journal->stuck = false;
	if (journal->note_end && journal->sent >= journal->note_end) {
		journal->lost_said = journal->note_value;
		journal->note_end = 0;
	}
}

/* Forgets what has gone out, and gives a big buffer back. */
static void compact(struct journal *journal)
{
	struct buffer *out = &journal->out;

	if (!journal->sent)
		return;
	out->length -= journal->sent;
	memmove(out->data, out->data + journal->sent, out->length);
	journal->note_end -= journal->note_end ? journal->sent : 0;
	journal->sent = 0;
	if (!out->length && out->size > FLUSH_BYTES)
		buffer_fini(out);
}

/*
 * The lines that wait cannot be written: they are lost, and counted. The rest of a line that is half out is kept, so
 * that it becomes whole when the disk has room again, or the FIFO (which keeps what it has) another reader.
 */
static void drop_waiting(struct journal *journal)
{
	struct buffer *out = &journal->out;
	const char *at, *end;

	compact(journal);
	at = out->data;
	end = out->data + out->length;
	if (journal->torn && at < end)
		at = (const char *)memchr(at, '\n', out->length) + 1;
	out->length = (size_t)(at - out->data);
	for (; at < end; at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1)
		journal->lost++;
	if (journal->note_end > out->length) {
		journal->note_end = 0;
		journal->lost--; /* the note itself is no event */
	}
}

int journal_flush(struct journal *journal)
{
	int error = 0;

	while (journal->sent < journal->out.length && !error) {
		ssize_t length;

		error = wait_writable(journal, 0);
		if (error)
			break;
		length = write_some(journal);
		if (length > 0)
			took(journal, (size_t)length);
		else if (!length || (errno != EINTR && errno != EAGAIN))
			error = length ? -errno : -EIO;
		else if (errno == EAGAIN)
			error = -EAGAIN;
	}
	if (error && error != -EAGAIN) {
		drop_waiting(journal);
		return 0;
	}
	compact(journal);
	return error;
}

static void add_line(struct journal *journal, const struct event *event)
{
	uint64_t now_ns = event->realtime_ns ? event->realtime_ns : journal->clock();

	if (journal->format == JOURNAL_JSON)
		journal_line_json(&journal->out, event, now_ns, &journal->stamp);
	else
		journal_line_text(&journal->out, event, now_ns, &journal->stamp);
}

static void add_note(struct journal *journal)
{
	const struct gb_field field = {
		.name = "lost", .type = GB_FIELD_INTEGER, .value = journal->lost - journal->lost_said};
	const struct event event = {.name = "journal.lost", .fields = &field, .field_count = 1};

	add_line(journal, &event);
	journal->note_end = journal->out.length;
	journal->note_value = journal->lost;
}

/* The line, and before it what has to be said about lost ones. -ENOBUFS: neither, there is no room. */
static int try_write(struct journal *journal, const struct event *event)
{
	size_t length = journal->out.length;
	bool noted = journal->lost > journal->lost_said && !journal->note_end;

	if (noted)
		add_note(journal);
	add_line(journal, event);
	if (!journal->out.failed && journal->out.length - journal->sent <= JOURNAL_PENDING_MAX)
		return 0;
	journal->out.failed = false;
	journal->out.length = length;
	if (noted)
		journal->note_end = 0;
	return -ENOBUFS;
}

/* One more chance for a reader that is slow, none for one that takes nothing: -EAGAIN. */
static int wait_for_reader(struct journal *journal)
{
	size_t before = journal->out.length - journal->sent;

	if (!before || journal->stuck)
		return -EAGAIN;
	if (!wait_writable(journal, PATIENCE_MS))
		journal_flush(journal);
	journal->stuck = journal->out.length - journal->sent == before;
	return journal->stuck ? -EAGAIN : 0;
}

int journal_write(struct journal *journal, const struct event *event)
{
	int error = try_write(journal, event);

	if (error) {
		journal_flush(journal);
		error = try_write(journal, event);
	}
	while (error && !wait_for_reader(journal))
		error = try_write(journal, event);
	if (error) {
		journal->lost++;
		return error;
	}
	if (journal->out.length - journal->sent >= FLUSH_BYTES && !journal->stuck)
		journal_flush(journal);
	return 0;
}

void journal_free(struct journal *journal)
{
	uint64_t until_ns = clock_now_ns() + FAREWELL_MS * (uint64_t)GB_MILLISECOND;

	if (!journal)
		return;
	while (journal_flush(journal) == -EAGAIN) {
		uint64_t now_ns = clock_now_ns();

		if (now_ns >= until_ns || wait_writable(journal, (int)((until_ns - now_ns) / GB_MILLISECOND) + 1))
			break;
	}
	buffer_fini(&journal->out);
	free(journal);
}
