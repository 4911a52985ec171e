/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A laboratory on the real kernel: network namespaces of its own, processes in them that do what a test says, a daemon
 * scoped to them, and independent looks at the truth. Nothing of the machine is touched: the test lives in a mount
 * namespace of its own, with an empty /run, and all processes die with the test.
 *
 * Environment: GHOSTBUSTER and GHOSTBUSTER_PLUGINS name the daemon and the folder of its plugins (the build tree's
 * otherwise); EGHOSTBUSTER_TEST_OPEN_SCOPE=1 leaves the scope open (for a machine that is all the tests' own);
 * EGHOSTBUSTER_TEST_METHODS names the methods that this kernel must be able to ("iterator,sock_diag"): found by looking at
 * the kernel otherwise, as EGHOSTBUSTER_TEST_LACKS does with those that it cannot; EGHOSTBUSTER_TEST_IN_PLACE says that
 * the daemon and its plugins lie where only root can write, so that they need no copying; EGHOSTBUSTER_TEST_SHARE=1 has
 * the tests of a program share a daemon, see lab_share(); EGHOSTBUSTER_TEST_PATIENCE is how many times longer than on a
 * real machine anything is waited for.
 *
 * Whatever fails in here fails the test: nothing returns an error unless it says so.
 */
#ifndef TESTS_SYSTEM_LAB_H
#define TESTS_SYSTEM_LAB_H

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LAB_DIR "/run/lab" /* in the test's own /run */
#define LAB_PLUGINS \
	LAB_DIR "/plugins" /* a copy, or the folder itself: its path is trusted wherever the build tree is */
#define LAB_PROGRAM LAB_DIR "/ghostbuster"
#define LAB_PATIENCE_MS lab_patience_ms() /* how long anything is waited for before it counts as lost */

/* ---- the laboratory itself (lab.c) -------------------------------------------------------------------------------- */

/* Called once in each test's process, before anything else. */
void lab_open(void);

/* Says why (with the text of `error` unless 0) and ends the test; in an actor, the actor. lab_on_failure replaces the printing and the exit in the test. */
void lab_fail(const char *file, int line, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5), noreturn));
extern void (*lab_on_failure)(const char *text);
#define lab_require(condition, ...) ((condition) ? (void)0 : lab_fail(__FILE__, __LINE__, 0, __VA_ARGS__))
#define lab_works(condition, ...) ((condition) ? (void)0 : lab_fail(__FILE__, __LINE__, errno, __VA_ARGS__))

unsigned int lab_patience_ms(void);
uint64_t lab_now_ms(void); /* CLOCK_MONOTONIC */
void lab_sleep_ms(unsigned int ms);
bool lab_open_scope(void);
bool lab_has_method(const char *method);
void lab_write_file(const char *path, mode_t mode, const char *text);
void lab_append(char **text, size_t *size, const char *bytes, size_t count); /* allocates */
void lab_sysctl(const char *path, const char *value); /* of the namespace that the caller is in */

/* A fork that dies with its parent; 0 in the child. */
pid_t lab_fork(void);

/* The exit code of a child, or -SIGNAL. */
int lab_wait_exit(pid_t pid);

/* Up to two descriptors with some bytes (lab_pass.c): 0 or -errno; whether all of it came. */
long lab_pass(int channel, const void *bytes, size_t size, const int *fds, size_t count);
bool lab_take(int channel, void *bytes, size_t size, int *fds, size_t count, int flags);

/* ---- actors (lab_actor.c): processes that do what they are told ---------------------------------------------------- */

#define LAB_ARGS 5

/* What an actor can do: runs in the actor's process; 0 or more, or -errno. */
typedef long (*lab_deed)(const long *args);

struct lab_actor {
	pid_t pid;
	int control; /* the test's end */
};

struct lab_net;

/* A child called `comm` in `net`; in a new network namespace, with lo up, when `net` is NULL. */
void lab_actor_start(struct lab_actor *actor, const struct lab_net *net, const char *comm);
void lab_actor_kill(struct lab_actor *actor);
void lab_actor_end(struct lab_actor *actor); /* lets it exit with 0: to be killed right after a reaping is evidence */
bool lab_actor_died(const struct lab_actor *actor, int *ret_status); /* waits; the status of waitpid(2) */

/* Starts a deed; waits for its result; both. A dead actor fails the test. */
void lab_begin(const struct lab_actor *actor, lab_deed deed, const long args[LAB_ARGS]);
long lab_end(const struct lab_actor *actor);
long lab_call(const struct lab_actor *actor, lab_deed deed, const long args[LAB_ARGS]);
#define lab_do(actor, deed, ...) lab_call((actor), (deed), (const long[LAB_ARGS]){__VA_ARGS__})
#define lab_start(actor, deed, ...) lab_begin((actor), (deed), (const long[LAB_ARGS]){__VA_ARGS__})
/* As lab_do(), and an error fails the test. */
#define lab_must(actor, deed, ...) \
	lab_checked(__FILE__, __LINE__, #deed, lab_call((actor), (deed), (const long[LAB_ARGS]){__VA_ARGS__}))
long lab_checked(const char *file, int line, const char *what, long result);

/* ---- deeds (lab_deeds.c, lab_holders.c) ---------------------------------------------------------------------------- */

enum lab_family { LAB_IPV4, LAB_IPV6, LAB_MAPPED, LAB_MPTCP }; /* MAPPED: IPv4 to a dual-stack listener */

long deed_nothing(const long *args);
long deed_listen(const long *args);   /* family, port, backlog -> fd */
long deed_connect(const long *args);  /* family, port, source port or 0 -> fd */
long deed_accept(const long *args);   /* listener -> fd */
long deed_port(const long *args);     /* fd -> its local port */
long deed_shutdown(const long *args); /* fd: half-closes it */
long deed_close(const long *args);    /* fd */
long deed_reset(const long *args);    /* fd: closes with an RST */

/* Bytes follow a pattern, so that the reader can tell whether all came, in order. */
long deed_send(const long *args);        /* fd, count, offset in the pattern -> sent by one send() */
long deed_fill(const long *args);        /* fd -> sent until the queue was full */
long deed_stream(const long *args);      /* fd, count, pause in ms: one byte a pause, then close -> sent */
long deed_recv(const long *args);        /* fd -> one recv(); does not wait */
long deed_read_to_end(const long *args); /* fd, offset -> read; -EILSEQ when the pattern is broken */
long deed_poll(const long *args);        /* fd, ms -> what epoll reports (EPOLLIN, ...) or 0 */
long deed_error(const long *args);       /* fd -> SO_ERROR */
long deed_option(const long *args);      /* fd, level, option, int value */
long deed_nonblocking(const long *args); /* fd, on or off */
long deed_default_sigpipe(const long *args);
long deed_setuid(const long *args); /* uid */

/* Other ways to hold a socket. */
long deed_fork_holder(const long *args); /* enum lab_comm -> pid of a child that holds all that the actor holds */
long deed_stash(const long *args);       /* fd: closed, but in flight in a UNIX socket */
long deed_uring(const long *args);       /* fd: closed, but registered in an io_uring */
long deed_tls(const long *args);         /* fd: kTLS; -ENOENT where the kernel has none */
long deed_trace(const long *args);       /* pid: attaches as a debugger would, and stops it */
long deed_untrace(const long *args);     /* pid */

enum lab_comm { LAB_COMM_PLAIN, LAB_COMM_EXEMPT };
#define LAB_EXEMPT "lab-exempt"

/* ---- network namespaces (lab_net.c) -------------------------------------------------------------------------------- */

struct lab_net {
	struct lab_actor keeper; /* a process in it; pid 0 when a named one has none any more */
	char name[32];           /* under /run/netns; "" when it has none */
	char path[64];
};

void lab_net_make(struct lab_net *net);
void lab_net_make_named(struct lab_net *net, const char *name); /* as `ip netns add` does */
void lab_net_delete(struct lab_net *net);                       /* as `ip netns del` does; its keeper ends */

/* Gives `net` an id in `observer`, by which its end can be seen without holding it. */
void lab_net_watch(const struct lab_net *observer, const struct lab_net *net, int id);
bool lab_net_alive(const struct lab_net *observer, int id);

/* The truth, from the namespace's /proc/net/tcp and tcp6, not from the daemon. */
enum { LAB_GONE = 0, LAB_ESTABLISHED = 1, LAB_LISTEN = 10, LAB_CLOSE_WAIT = 8 };

struct lab_socket {
	int state;
	unsigned long send_queue, receive_queue, inode;
};

/* The socket with these ports; `remote` 0 for a listener. State LAB_GONE when there is none. */
struct lab_socket lab_net_socket(const struct lab_net *net, unsigned int local, unsigned int remote);
unsigned int lab_net_count(const struct lab_net *net, unsigned int local, int state);
void lab_net_wait_state(const struct lab_net *net, unsigned int local, unsigned int remote, int state);

/* ---- connections: the scenes that most tests play (lab_scene.c) ---------------------------------------------------- */

/* A server and a client in one namespace, with a listener. */
struct lab_scene {
	struct lab_net net;
	struct lab_actor server, client;
	enum lab_family family;
	unsigned int port;
	int listener; /* in the server */
};

struct lab_connection {
	int server_fd, client_fd;
	unsigned int local, remote; /* ports, as the server sees them */
};

void lab_scene_make(struct lab_scene *scene, enum lab_family family, unsigned int port);
void lab_scene_in(struct lab_scene *scene, enum lab_family family, unsigned int port); /* net is made already */
void lab_scene_named(struct lab_scene *scene, enum lab_family family, unsigned int port, const char *server_comm);
void lab_scene_connect(struct lab_scene *scene, unsigned int source_port, struct lab_connection *ret_connection);

/* A connection that the client closed, the server saw the end of, and forgot: a ghost to be. */
void lab_scene_leak(struct lab_scene *scene, struct lab_connection *ret_connection);

/* A connection whose client has only half-closed and still listens. The server has not read the end. */
void lab_scene_half_close(struct lab_scene *scene, struct lab_connection *ret_connection);

int lab_scene_state(const struct lab_scene *scene, const struct lab_connection *connection);
void lab_scene_end(struct lab_scene *scene);

/* ---- the daemon (lab_daemon.c) ------------------------------------------------------------------------------------- */

/*
 * Guard options that keep the breaker out of a test: an actor that is killed because its part is over, shortly after a
 * reaping, would count as one that died of it.
 */
#define LAB_CALM "owner_grace = \"0s\"; "

struct lab_setup {
	const char *name;    /* of its folder under LAB_DIR; "daemon" when NULL */
	const char *timeout; /* "2s" when NULL */
	const char *method;  /* not set when NULL */
	const char *options; /* more options of tcp_close_wait: "action = \"report\";" */
	const char *guard;   /* options of the guard; LAB_CALM when NULL */
	const char *more;    /* more options of ghostbuster: "mode = \"observe\";" */
	const char *arg[6];  /* more arguments */
	bool summary;        /* as it is installed: in a storm the journal has counts instead of lines */
	bool no_getfd;       /* the kernel refuses it pidfd_getfd() with EPERM, as Yama with ptrace_scope 3 does */
	bool no_info;        /* a pidfd does not tell it how the process ended, as before Linux 6.15 */
	bool own;            /* not shared: see lab_share() */
	const struct lab_net *net[4];
};

struct lab_daemon {
	pid_t pid; /* 0 when it does not run */
	int out, err;
	char dir[64], config[96], control[96];
	json_t *events; /* array of all journal lines */
	char *line;     /* a begun line of the journal */
	size_t line_size;
	char *said; /* all of its standard error */
	size_t said_size;
	bool shared; /* see lab_share() */
};

void lab_daemon_configure(struct lab_daemon *daemon, const struct lab_setup *setup); /* writes the file only */
void lab_daemon_spawn(struct lab_daemon *daemon, const struct lab_setup *setup);     /* does not wait for it */
void lab_daemon_start(struct lab_daemon *daemon, const struct lab_setup *setup);     /* until daemon.ready */
void lab_daemon_again(struct lab_daemon *daemon, const struct lab_setup *setup);     /* with the file that is there */
void lab_daemon_reload(struct lab_daemon *daemon);                              /* the same, by the one that runs */
void lab_daemon_listen(struct lab_daemon *daemon, pid_t pid, int out, int err); /* to one that runs */

/*
 * For a configuration of another kind: the paths, by the name of its folder or NULL; then, once the file is written, until
 * daemon.ready. One that is shared is reloaded instead, unless `anew`: for what was there before the daemon.
 */
void lab_daemon_name(struct lab_daemon *daemon, const char *name);
void lab_daemon_begin(struct lab_daemon *daemon, bool anew);

int lab_daemon_exit(struct lab_daemon *daemon);                   /* waits; as lab_wait_exit() */
void lab_daemon_stop(struct lab_daemon *daemon);                  /* SIGTERM; must exit with 0 */
void lab_daemon_pump(struct lab_daemon *daemon, unsigned int ms); /* takes in what it says for so long */
#define LAB_HEAR_MS 200
void lab_daemon_hear(struct lab_daemon *daemon, unsigned int ms); /* the same, until it has said something */

/* Which events of the journal are meant; what is 0 or NULL is not asked. */
struct lab_match {
	const char *event, *reason, *action;
	unsigned int local, remote; /* ports in "resource" */
	pid_t owner;
};

#define LAB_MATCH(...) (&(const struct lab_match){__VA_ARGS__})
unsigned int lab_daemon_count(const struct lab_daemon *daemon, const struct lab_match *match);
/* Waits until there are `count`; the last of them (borrowed). */
json_t *lab_daemon_wait(struct lab_daemon *daemon, unsigned int count, const struct lab_match *match);
json_t *lab_daemon_expect(struct lab_daemon *daemon, const struct lab_match *match);
/* What such a wait ends with in vain: fails with all that the daemon said, its status, and the journal's end. */
void lab_daemon_give_up(struct lab_daemon *daemon, const char *what, unsigned int wanted, unsigned int found);
void lab_daemon_wait_said(struct lab_daemon *daemon, const char *text); /* on standard error */

/* ---- commands (lab_ask.c) ------------------------------------------------------------------------------------------ */

/* Runs a program to its end (`argv[0]` is a path). Output is allocated. The exit code. */
int lab_run(const char *const *argv, char **ret_out, char **ret_err);

/* `ghostbuster COMMAND --json` against the daemon; the caller's reference. `argument` may be NULL. */
json_t *lab_daemon_ask(const struct lab_daemon *daemon, const char *command, const char *argument);
/* The first member of that name, at any depth, that is a number; -1 when there is none. */
long lab_number_in(const json_t *value, const char *name);
/* A number of the plugin's in `status`; -1 when there is none of this name. */
long lab_daemon_number(const struct lab_daemon *daemon, const char *name);

/* ---- one daemon for all tests of a program (lab_share.c) ----------------------------------------------------------- */

/*
 * With EGHOSTBUSTER_TEST_SHARE=1 the tests of a program that allows it (lab_main_shared()) find the daemon that the test
 * before has left, with its configuration reloaded and all that it has learned: as one that has run for long. Without, each
 * test starts its own, as one that has just been installed.
 */
void lab_share(void);
bool lab_share_end(void); /* false: it did not stop as it must */
bool lab_shares(void);
void lab_share_tidy(void); /* removes the files of the test before */

/*
 * A name for the scope that is the same in each test, or the plugins would begin anew: a link in the daemon's folder to
 * `target`, which changes. `link` has room for 128 bytes, and is what is returned.
 */
const char *lab_share_link(const struct lab_daemon *daemon, size_t number, const char *target, char *link);

/* Its configuration is written: until it has reloaded, or, with `anew`, is ready. */
void lab_share_order(struct lab_daemon *daemon, bool anew);
void lab_share_give_back(struct lab_daemon *daemon);

#endif
