/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A warden beside the tests of a program: it is the parent of the daemon that they share, since a test is a process that ends.
 * A test orders the daemon and gets the reading ends of its pipes; it gives the daemon back, and whoever does not has failed:
 * what he leaves is not trusted by the next.
 */
#include "lab.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum order { ORDER_NEW, ORDER_RELOAD, ORDER_GIVE_BACK };

struct answer {
	pid_t pid;
	bool reloads; /* else it has just begun */
};

static pid_t warden;
static int line; /* to the warden, or to the tests */

bool lab_shares(void)
{
	return warden > 0;
}

/* ---- the warden --------------------------------------------------------------------------------------------------- */

static struct lab_daemon shared;

static void assert_lives(void)
{
	lab_daemon_pump(&shared, 0);
	lab_require(waitpid(shared.pid, NULL, WNOHANG) == 0, "the daemon ended by itself; it said:\n%s", shared.said);
}

static void forget_what_it_said(void)
{
	json_decref(shared.events);
	shared.events = json_array();
	shared.said_size = 0;
	shared.said[0] = '\0';
}

/* Takes in all that the test before did not. */
static void reload(void)
{
	assert_lives();
	while (shared.line_size)
		lab_daemon_pump(&shared, 10);
	forget_what_it_said();
	kill(shared.pid, SIGHUP);
}

static void hand_over(bool reloads)
{
	struct answer answer = {.pid = shared.pid, .reloads = reloads};
	int fds[] = {shared.out, shared.err};

	lab_works(lab_pass(line, &answer, sizeof(answer), fds, 2) == 0, "the tests' line");
}

static void warden_main(void)
{
	enum order order;
	bool lent = false;

	while (recv(line, &order, sizeof(order), 0) == sizeof(order)) {
		if (order == ORDER_GIVE_BACK) {
			assert_lives();
			lent = false;
			lab_works(send(line, &order, sizeof(order), 0) == sizeof(order), "the tests' line");
			continue;
		}
		if (shared.pid && lent) {
			kill(shared.pid, SIGKILL);
			lab_daemon_exit(&shared);
		} else if (shared.pid && order == ORDER_NEW) {
			lab_daemon_stop(&shared);
		}
		lent = true;
		if (shared.pid) {
			reload();
			hand_over(true);
		} else {
			lab_daemon_again(&shared, &(struct lab_setup){0});
			hand_over(false);
		}
	}
	if (shared.pid && !lent)
		lab_daemon_stop(&shared);
	_exit(EXIT_SUCCESS);
}

void lab_share(void)
{
	int ends[2];

	if (!getenv("EGHOSTBUSTER_TEST_SHARE") || geteuid() != 0)
		return;
	lab_open();
	lab_works(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	warden = lab_fork();
	line = ends[warden ? 0 : 1];
	close(ends[warden ? 1 : 0]);
	if (warden)
		return;
	lab_daemon_name(&shared, NULL);
	warden_main();
}

bool lab_share_end(void)
{
	if (!lab_shares())
		return true;
	close(line);
	return lab_wait_exit(warden) == 0;
}

/* ---- a test ------------------------------------------------------------------------------------------------------- */

/* All but the daemon's. */
static int unlink_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	static const char *const stay[] = {LAB_PROGRAM, LAB_PLUGINS, LAB_DIR "/daemon"};

	(void)status;
	for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
		if (strncmp(path, stay[i], strlen(stay[i])) == 0)
			return 0;
	return ftw->level == 0 ? 0 : type == FTW_DP ? rmdir(path) : unlink(path);
}

void lab_share_tidy(void)
{
	lab_works(nftw(LAB_DIR, unlink_one, 16, FTW_DEPTH | FTW_PHYS) == 0, "emptying " LAB_DIR);
}

const char *lab_share_link(const struct lab_daemon *daemon, size_t number, const char *target, char *link)
{
	snprintf(link, 128, "%s/scope-%zu", daemon->dir, number);
	unlink(link);
	lab_works(symlink(target, link) == 0, "%s", link);
	return link;
}

/*
 * Before config.reloaded it has looked: at what this test has made, which may be old enough to be acted upon, and at what the
 * test before has left, which is gone with its processes.
 */
static void forget_the_test_before(struct lab_daemon *daemon)
{
	static const char *const ours[] = {"ghost.found", "ghost.spared", "ghost.reaped", "ghost.failed"};
	bool reloaded = false;

	for (size_t i = 0; !reloaded;) {
		const char *event = json_string_value(json_object_get(json_array_get(daemon->events, i), "event"));
		bool is_ours = false;

		reloaded = strcmp(event, "config.reloaded") == 0;
		for (size_t n = 0; n < sizeof(ours) / sizeof(ours[0]); n++)
			is_ours |= strcmp(event, ours[n]) == 0;
		if (is_ours)
			i++;
		else
			json_array_remove(daemon->events, i);
	}
}

void lab_share_order(struct lab_daemon *daemon, bool anew)
{
	enum order order = anew ? ORDER_NEW : ORDER_RELOAD;
	struct answer answer;
	int fds[2];

	lab_works(send(line, &order, sizeof(order), 0) == sizeof(order), "the warden's line");
	lab_require(lab_take(line, &answer, sizeof(answer), fds, 2, MSG_CMSG_CLOEXEC),
		    "the warden has no daemon to give");
	lab_daemon_listen(daemon, answer.pid, fds[0], fds[1]);
	lab_daemon_expect(daemon, LAB_MATCH(.event = answer.reloads ? "config.reloaded" : "daemon.ready"));
	if (answer.reloads)
		forget_the_test_before(daemon);
}

void lab_share_give_back(struct lab_daemon *daemon)
{
	enum order order = ORDER_GIVE_BACK;

	do
		lab_daemon_pump(daemon, 10);
	while (daemon->line_size);
	lab_works(send(line, &order, sizeof(order), 0) == sizeof(order), "the warden's line");
	lab_require(recv(line, &order, sizeof(order), 0) == sizeof(order), "the daemon did not live to the test's end");
	daemon->pid = 0;
}
