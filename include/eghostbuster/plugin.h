/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eghostbuster/plugin.h - the contract between ghostbuster and its plugins.
 *
 * All that a plugin may include. A plugin is one shared object, NAME.so, that exports one constant data symbol, made by
 * GB_PLUGIN(). It links nothing of the daemon (`-Wl,-z,defs` passes): what the daemon offers is handed to open() as a table
 * of functions. No type of another library crosses this header, so a plugin may bring its own libbpf.
 *
 *
 * WORDS
 *
 *   resource   a kernel object of a kind: a socket, a lock, a segment
 *   suspect    a resource that a plugin tracks because it might become a ghost
 *   ghost      a suspect that the plugin's staleness policy has condemned, with evidence
 *   proof      what reap() checks again at the moment of release, because kernel ids are reused
 *   owner      a process that holds the resource; there may be several
 *   spare      to leave a ghost or suspect alone, with a reason
 *   heal       the resource went away or recovered by itself before it was reaped
 *
 *
 * LIFECYCLE
 *
 *   (the file is read, the descriptor checked: no code of the plugin has run yet)
 *        |
 *      open(host, config) ----- negative errno ----> never called again
 *        |
 *        v
 *      scan() <------------------------------+  first at once, to see what was there before the daemon;
 *        |  GB_MORE: called again soon        |  later at the moment that the last complete scan named,
 *        |  GB_DONE: names the next moment    |  or on the user's request (SIGUSR1)
 *        v                                    |
 *   [guard, in the daemon: exempt? observe?   |  dispatch(fd): a watched descriptor is ready
 *    rate limit? circuit breaker?]            |  reconfigure(config): a reload changed its options
 *        |                                    |
 *      reap(ghosts the guard let pass) -------+  never called in observe mode
 *        |                                       explain(key): the user asks why
 *      close()                                   ended(pid): how did that owner end?
 *
 * THREADS. Every callback runs on one and the same thread and is never re-entered, also not while the callback is inside
 * of a function of the host. A callback must not block: scan() and reap() get a moment by which they should return, and
 * may return GB_MORE with their place kept. The one exception is the function given to gb_host.ns_run, which runs on a
 * thread of the daemon while the callback waits.
 *
 * RETURN VALUES. 0 (GB_DONE) or a negative errno; scan() and reap() also GB_MORE. A callback that fails logs nothing:
 * the daemon says it, once. Outputs are untouched on failure.
 *
 * OWNERSHIP. What a callback is given is the daemon's, and valid until the callback returns, unless said otherwise below.
 * What a plugin gives to a function of the host is the plugin's; the host copies before it returns. The descriptor and all
 * that it points to must be constant data of the shared object.
 *
 * TIME is CLOCK_MONOTONIC in nanoseconds, the clock of bpf_ktime_get_ns(): a machine that slept does not age its resources.
 *
 *
 * EXAMPLE (tests/abi/example.c compiles it; plugins/README.md explains it line by line)
 *
 *   #include <eghostbuster/plugin.h>
 *
 *   struct config { uint64_t timeout_ns; };
 *
 *   static const struct gb_option options[] = {
 *       GB_OPTION_DURATION("timeout", struct config, timeout_ns, "60s", 1 * GB_SECOND, 30 * GB_DAY, "age of a ghost"),
 *   };
 *
 *   static int example_open(const struct gb_host *host, const void *config, void **ret_state) { ... }
 *   static int example_scan(void *state, struct gb_scan *scan) { ... }
 *   static void example_close(void *state) { ... }
 *
 *   GB_PLUGIN(.name = "example", .version = "1.0", .summary = "finds examples", .roles = GB_ROLE_DETECTOR,
 *             .options = options, .option_count = GB_COUNT(options), .option_size = sizeof(options[0]),
 *             .config_size = sizeof(struct config),
 *             .open = example_open, .scan = example_scan, .close = example_close);
 */
#ifndef EGHOSTBUSTER_PLUGIN_H
#define EGHOSTBUSTER_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#error "the plugin ABI is C: compile the plugin as C, or wrap the C++ parts behind it"
#endif

/* ---- Version ------------------------------------------------------------------------------------------------------ */

#define GB_ABI_MAGIC UINT32_C(0x50424745) /* "EGBP" read as little-endian bytes */
#define GB_ABI_MAJOR 1

/*
 * The newest minor that this header describes. A plugin may `#define GB_ABI_MINOR` to an older one before it includes
 * this header: it then stays loadable on an older daemon, and the slots newer than that do not exist for it. Slots are
 * only ever appended, each behind `#if GB_ABI_MINOR >= n`.
 *
 *   1: gb_ghost.former      2: gb_host.aftermath, GB_OPTION_TYPE_MASK      3: gb_plugin.ended
 */
#define GB_ABI_MINOR_NEWEST 3
#ifndef GB_ABI_MINOR
#define GB_ABI_MINOR GB_ABI_MINOR_NEWEST
#endif
#if GB_ABI_MINOR > GB_ABI_MINOR_NEWEST
#error "GB_ABI_MINOR is newer than this header: install a newer eghostbuster, or define an older minor"
#endif

/* ---- Small things ------------------------------------------------------------------------------------------------- */

#define GB_COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

#define GB_MILLISECOND INT64_C(1000000)
#define GB_SECOND (1000 * GB_MILLISECOND)
#define GB_MINUTE (60 * GB_SECOND)
#define GB_HOUR (60 * GB_MINUTE)
#define GB_DAY (24 * GB_HOUR)

/* What scan() and reap() return beside a negative errno. */
#define GB_DONE 0
#define GB_MORE 1 /* the place is kept: call again soon */

enum gb_level { GB_LOG_ERROR = 3, GB_LOG_WARNING = 4, GB_LOG_INFO = 6, GB_LOG_DEBUG = 7 }; /* the levels of syslog(3) */

/* ---- Options: declared, not parsed -------------------------------------------------------------------------------- */

/*
 * The daemon reads eghostbuster.cfg and `--set PLUGIN.KEY=VALUE`, checks every value against this table, says what is
 * wrong with file and line, fills in defaults, and writes the values into the plugin's own struct.
 *
 *   type                     the field at `offset`      in the file
 *   GB_OPTION_TYPE_BOOL          bool                       true
 *   GB_OPTION_TYPE_INTEGER       int64_t                    42
 *   GB_OPTION_TYPE_SIZE          uint64_t, bytes            "64M" (k, M, G, T are powers of 1024), or a number of bytes
 *   GB_OPTION_TYPE_DURATION      uint64_t, nanoseconds      "90s", "1h30m" (ms, s, m, h, d), or a number of seconds
 *   GB_OPTION_TYPE_STRING        const char *, or NULL      "text"
 *   GB_OPTION_TYPE_ENUM          int32_t, index in choices  "report"
 *   GB_OPTION_TYPE_STRINGS       struct gb_strings          ("a", "b")
 *   GB_OPTION_TYPE_GROUPS        struct gb_groups           ({ ... }, { ... })
 *   GB_OPTION_TYPE_RANGE         struct gb_range            8080, or "8000-8999"
 *   GB_OPTION_TYPE_CIDR          struct gb_cidr             "10.0.0.0/8", "2001:db8::/32", "192.0.2.1"
 *   GB_OPTION_TYPE_MASK          struct gb_mask             5432001, "0x52e2c1", or "0xae000000/0xff000000" (ABI 1.2)
 *
 * A string option with `min` below `max` takes a whole number without quotes, too, as its decimal text; the plugin checks
 * what it means. (Elsewhere a number is refused: 012 would silently become "12".)
 */
enum gb_option_type {
	GB_OPTION_TYPE_BOOL = 1,
	GB_OPTION_TYPE_INTEGER,
	GB_OPTION_TYPE_SIZE,
	GB_OPTION_TYPE_DURATION,
	GB_OPTION_TYPE_STRING,
	GB_OPTION_TYPE_ENUM,
	GB_OPTION_TYPE_STRINGS,
	GB_OPTION_TYPE_GROUPS,
	GB_OPTION_TYPE_RANGE,
	GB_OPTION_TYPE_CIDR,
	GB_OPTION_TYPE_MASK,
};

struct gb_strings {
	const char *const *items;
	uint32_t count;
};

struct gb_range {
	int64_t first, last; /* inclusive; first > last when the option is not set */
};

struct gb_cidr {
	uint8_t family;      /* AF_INET, AF_INET6; 0 when the option is not set */
	uint8_t prefix_len;  /* bits */
	uint8_t address[16]; /* network order; IPv4 in the first 4; the bits behind the prefix are 0 */
};

/* A number of 32 bits (a negative one by its bits), or all numbers that are equal to `value` in the bits of `mask`. */
struct gb_mask {
	uint32_t value, mask; /* no bit of the value outside of the mask; mask 0 when the option is not set */
};

/*
 * One list of groups, such as `rules`. Each group is a struct of `item_size` bytes whose first member must be a struct
 * gb_group: it tells which members the file set, so that an unset one can fall back to the plugin's own option.
 */
struct gb_groups {
	const void *items;
	uint32_t count;
	uint32_t item_size;
};

struct gb_group {
	uint64_t present; /* bit i: the i-th member option was set */
	const char *file; /* where the group stands, for messages; NULL from --set */
	uint32_t line;
	uint32_t reserved;
};

#define GB_OPTION_MEMBERS_MAX 64 /* members of one group: bits of gb_group.present */

struct gb_option {
	const char *key; /* [a-z][a-z0-9_]*, at most 63 bytes; "enabled" belongs to the daemon */
	uint32_t type;   /* enum gb_option_type */
	uint32_t offset; /* of the field in the config struct (or in the group's struct) */
	/* As it would stand in the file without quotes; NULL: unset (false, 0, no string, an empty list), also not checked. */
	const char *default_text;
	int64_t min, max;           /* inclusive, in the field's unit; for integer, size, duration, range and mask */
	const char *const *choices; /* for an enumeration: NULL-terminated */
	const char *help;           /* one line, without a full stop */
	/* For a list of groups: the options of one group. No groups inside of groups. */
	const struct gb_option *members;
	uint32_t member_count;
	uint32_t item_size;
};

#define GB_OPTION_BOOL(key_, struct_, field_, default_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_BOOL, .offset = offsetof(struct_, field_), \
		.default_text = (default_), .help = (help_) \
	}
#define GB_OPTION_INTEGER(key_, struct_, field_, default_, min_, max_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_INTEGER, .offset = offsetof(struct_, field_), \
		.default_text = (default_), .min = (min_), .max = (max_), .help = (help_) \
	}
#define GB_OPTION_SIZE(key_, struct_, field_, default_, min_, max_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_SIZE, .offset = offsetof(struct_, field_), \
		.default_text = (default_), .min = (min_), .max = (max_), .help = (help_) \
	}
#define GB_OPTION_DURATION(key_, struct_, field_, default_, min_, max_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_DURATION, .offset = offsetof(struct_, field_), \
		.default_text = (default_), .min = (min_), .max = (max_), .help = (help_) \
	}
#define GB_OPTION_STRING(key_, struct_, field_, default_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_STRING, .offset = offsetof(struct_, field_), \
		.default_text = (default_), .help = (help_) \
	}
#define GB_OPTION_ENUM(key_, struct_, field_, default_, choices_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_ENUM, .offset = offsetof(struct_, field_), \
		.default_text = (default_), .choices = (choices_), .help = (help_) \
	}
#define GB_OPTION_STRINGS(key_, struct_, field_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_STRINGS, .offset = offsetof(struct_, field_), .help = (help_) \
	}
#define GB_OPTION_GROUPS(key_, struct_, field_, members_, item_struct_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_GROUPS, .offset = offsetof(struct_, field_), \
		.members = (members_), .member_count = GB_COUNT(members_), .item_size = sizeof(item_struct_), \
		.help = (help_) \
	}
#define GB_OPTION_RANGE(key_, struct_, field_, default_, min_, max_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_RANGE, .offset = offsetof(struct_, field_), \
		.default_text = (default_), .min = (min_), .max = (max_), .help = (help_) \
	}
#define GB_OPTION_CIDR(key_, struct_, field_, default_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_CIDR, .offset = offsetof(struct_, field_), \
		.default_text = (default_), .help = (help_) \
	}

#define GB_OPTION_MASK(key_, struct_, field_, default_, min_, max_, help_) \
	{ \
		.key = (key_), .type = GB_OPTION_TYPE_MASK, .offset = offsetof(struct_, field_), \
		.default_text = (default_), .min = (min_), .max = (max_), .help = (help_) \
	}

/* ---- Owners ------------------------------------------------------------------------------------------------------- */

enum gb_owner_flag {
	GB_OWNER_STOPPED = 1 << 0, /* by a job-control signal */
	GB_OWNER_TRACED = 1 << 1,  /* by a debugger, strace, CRIU */
	GB_OWNER_FROZEN =
		1 << 2, /* by the cgroup freezer, v1 or v2 (docker pause); unset as well when no cgroupfs is mounted */
	GB_OWNER_KERNEL = 1 << 3, /* a kernel thread */
	GB_OWNER_ENDED = 1 << 4,  /* it is gone: one of gb_ghost.former, as the plugin remembers it (ABI 1.1) */
};

/* A process, as the host sees it. Strings are never NULL ("" when unknown) and hold bytes that the process chose. */
struct gb_owner {
	uint32_t struct_size;
	int32_t pid; /* thread group id in the daemon's pid namespace */
	uint64_t
		start_ticks; /* field 22 of /proc/PID/stat, clock ticks since boot: with the pid it names a process for good */
	uint32_t uid;        /* real uid, in the daemon's user namespace */
	uint32_t flags;                    /* enum gb_owner_flag, at the time of the look-up */
	uint64_t netns_inode, ipcns_inode; /* 0 when not readable */
	const char *comm;                  /* at most 15 bytes, as in /proc/PID/comm */
	const char *exe;                   /* /proc/PID/exe, without " (deleted)" */
	const char *cgroup;                /* the cgroup v2 path, else the systemd or first v1 path */
	const char *unit;      /* the innermost systemd unit: "nginx.service"; of a user manager also: "app.service" */
	const char *container; /* 64 hex digits of docker, containerd, CRI-O or podman */
	const char *pod;       /* Kubernetes pod uid, with dashes */
};

/*
 * What a rule or an exemption may ask of an owner. The words mean the same in guard.exempt and in every plugin's rules:
 * put one of these into the group's struct and GB_OWNER_MATCH_OPTIONS() into its options. All that is set must match.
 */
struct gb_owner_match {
	const char *comm;      /* equal */
	const char *exe;       /* shell wildcards, fnmatch(3) without FNM_PATHNAME: "*" matches "/" too */
	const char *unit;      /* shell wildcards */
	const char *container; /* equal, or the first 12 or more hex digits */
	const char *cgroup;    /* shell wildcards */
	const char *netns;     /* a name under /run/netns, or a path such as /proc/PID/ns/net */
	int64_t uid;           /* -1: not asked */
};

/* Seven options; the group's struct is STRUCT and its struct gb_owner_match is called FIELD. */
#define GB_OWNER_MATCH_OPTIONS(struct_, field_) \
	GB_OPTION_STRING("comm", struct_, field_.comm, NULL, "the owner's command name"), \
		GB_OPTION_STRING("exe", struct_, field_.exe, NULL, "the owner's executable (wildcards)"), \
		GB_OPTION_INTEGER("uid", struct_, field_.uid, "-1", -1, 4294967294, \
				  "the owner's user id; -1 for any"), \
		GB_OPTION_STRING("unit", struct_, field_.unit, NULL, "the owner's systemd unit (wildcards)"), \
		GB_OPTION_STRING("container", struct_, field_.container, NULL, \
				 "the owner's container id, 12 digits or more"), \
		GB_OPTION_STRING("cgroup", struct_, field_.cgroup, NULL, "the owner's cgroup path (wildcards)"), \
		GB_OPTION_STRING("netns", struct_, field_.netns, NULL, \
				 "network namespace: a name in /run/netns or a path")

/* A process that holds a ghost, as a detector reports it. */
struct gb_holder {
	int32_t pid;          /* thread group id in the daemon's pid namespace */
	int32_t fd;           /* one of its descriptors for the resource; -1 when there is none */
	uint64_t start_ticks; /* as in gb_owner; 0 when not known */
};

/* ---- Namespaces --------------------------------------------------------------------------------------------------- */

enum gb_ns_kind { GB_NS_NONE = 0, GB_NS_NET, GB_NS_IPC };

struct gb_ns {
	uint32_t kind;     /* enum gb_ns_kind */
	int32_t pid;       /* a hint, tried first: a process that is believed to be in it; 0 when none is known */
	uint64_t inode;    /* st_ino of /proc/PID/ns/net, `ns.inum` in the kernel */
	int32_t socket_fd; /* a second hint: a descriptor of `pid` for a socket of the network namespace, when the process
			    * itself may live elsewhere (ioctl SIOCGSKNS on a duplicate); -1 when none is known */
	uint32_t reserved;
};

/* ---- Ghosts ------------------------------------------------------------------------------------------------------- */

enum gb_field_type {
	GB_FIELD_INTEGER = 1, /* value */
	GB_FIELD_DURATION,    /* value, nanoseconds; written as NAME_ms */
	GB_FIELD_BYTES,       /* value; written as NAME_bytes */
	GB_FIELD_TEXT,        /* text, any bytes: the journal escapes them */
	GB_FIELD_BOOL,        /* value, 0 or 1 */
};

/* One piece of evidence. */
struct gb_field {
	const char *name; /* [a-z][a-z0-9_]* */
	uint32_t type;    /* enum gb_field_type */
	uint32_t reserved;
	uint64_t value;
	const char *text;
};

#define GB_PROOF_MAX 128
#define GB_EVIDENCE_MAX 32
#define GB_HOLDERS_MAX 64 /* report the first ones and say in the evidence how many there are */
#define GB_FORMER_MAX 8

/*
 * A ghost (given to gb_host.ghost) or a suspect that is due and was spared by the policy (gb_host.spare).
 * `key` names the resource for as long as it lives and is not reused soon after (a socket cookie): a second report with
 * the same key is the same ghost, seen again; its newer evidence, holders and proof replace the older.
 */
struct gb_ghost {
	uint32_t struct_size;
	uint32_t port; /* local port, for exemptions by port; 0 when the kind has none */
	uint64_t key;
	const char *resource; /* one line for people: "tcp 127.0.0.1:8080 -> 127.0.0.1:51234" */
	const char *path;     /* for exemptions by path; NULL when the kind has none */
	const char *action;   /* how it is to be released: "destroy"; "report": never given to reap() */
	uint64_t age_ns;
	struct gb_ns ns; /* that it lives in; kind GB_NS_NONE when the kind has none */
	const struct gb_field *evidence;
	uint32_t evidence_count;
	uint32_t holder_count;
	const struct gb_holder *holders;
	const void *proof;   /* opaque to the host; handed back to reap() */
	uint64_t proof_size; /* bytes, at most GB_PROOF_MAX */
#if GB_ABI_MINOR >= 1
	/*
	 * Processes that are gone and to which the resource leads back: who created it, who used it last. Exemptions by
	 * owner hold for them, too, and they are named behind the holders. All that the plugin remembers of them is
	 * filled in; start_ticks 0 and an uid of UINT32_MAX are not known, neither are "" strings. The host copies.
	 */
	const struct gb_owner *const *former;
	uint32_t former_count; /* at most GB_FORMER_MAX */
	uint32_t former_reserved;
#endif
};

enum gb_outcome {
	GB_PENDING = 0, /* not decided yet: what reap() leaves when it returns GB_MORE */
	GB_REAPED,      /* released, and looked up again: it is gone */
	GB_HEALED,      /* it had gone or recovered before the release */
	GB_SPARED,      /* the proof holds no longer: `detail` is the reason, a word with hyphens */
	GB_DEFERRED,    /* begun, and ends later: gb_host.settle() tells how */
	GB_FAILED,      /* `error` is the negative errno, `detail` (or NULL) a few words more */
};

struct gb_reap_item {
	uint64_t key;
	const char *action;
	const void *proof;
	uint64_t proof_size;
	/* Set by reap(): */
	uint32_t outcome; /* enum gb_outcome */
	int32_t error;
	const char *detail; /* must live until the next callback */
};

struct gb_settlement {
	uint32_t struct_size;
	uint32_t outcome; /* enum gb_outcome, but not GB_DEFERRED */
	uint64_t key;
	int32_t error;
	uint32_t reserved;
	const char *action; /* what released it, when that is not the ghost's own action; or NULL */
	const char *detail; /* as in gb_reap_item */
};

enum gb_aftermath_flag {
	GB_AFTERMATH_UNSURE = 1 << 0, /* a kernel id may have been reused: it may be so */
};

/* What one process made of what was reaped from it, as one look at its descriptors found (gb_host.aftermath). */
struct gb_aftermath {
	uint32_t struct_size;
	uint32_t flags; /* enum gb_aftermath_flag */
	int32_t pid;
	uint32_t reserved;
	uint64_t start_ticks; /* as in gb_owner */
	uint64_t reacted;     /* resources that it, or who shared them with it, let go of; those not told of before */
	uint64_t dead;        /* descriptors that it holds now for resources that were reaped */
};

struct gb_reap {
	uint32_t struct_size;
	uint32_t count;
	struct gb_reap_item *items; /* the same array, at the same address, until reap() returns GB_DONE */
	uint64_t until_ns;          /* return by this moment, if need be with GB_MORE */
};

enum gb_scan_flag {
	GB_SCAN_FIRST = 1 << 0, /* nothing was seen yet: find what was there before */
	GB_SCAN_ASKED = 1 << 1, /* the user asked: look again at what was spared, too */
};

struct gb_scan {
	uint32_t struct_size;
	uint32_t flags;    /* enum gb_scan_flag; the same for every slice of a scan */
	uint64_t now_ns;   /* the host's clock at the start of this slice */
	uint64_t until_ns; /* return by this moment, if need be with GB_MORE */
	/* Set by scan() when it returns GB_DONE: the next moment at which anything could expire. Nothing tracked: a whole
	 * timeout from now. The daemon sleeps until then; there is no polling interval. */
	uint64_t next_ns;
};

/* ---- The host: what the daemon offers ----------------------------------------------------------------------------- */

/*
 * Given to open(), valid until close() returns, and only on the plugin's thread. A function behind `struct_size` does not
 * exist: GB_HOST_HAS(host, name) tells.
 */
struct gb_host {
	uint32_t struct_size;
	uint16_t abi_major, abi_minor;
	void *core; /* the host's own */

	/* A diagnostic for the person who runs the daemon (standard error), not an event of the journal. Saves errno. */
	void (*log)(const struct gb_host *host, enum gb_level level, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

	/* CLOCK_MONOTONIC, nanoseconds. */
	uint64_t (*now_ns)(const struct gb_host *host);

	/* Asks for a scan at `when_ns`, if that is earlier than the moment that the last scan named. */
	int (*wake_at)(const struct gb_host *host, uint64_t when_ns);

	/* dispatch() is called when `fd` has one of `events` (EPOLLIN, ...). The descriptor stays the plugin's: unwatch it
	 * before closing it. -EEXIST, -ENOENT, or as epoll_ctl(2). */
	int (*watch)(const struct gb_host *host, int fd, uint32_t events);
	int (*unwatch)(const struct gb_host *host, int fd);

	/* From scan() or dispatch(). A ghost for the guard; -EINVAL when it breaks a bound above. */
	int (*ghost)(const struct gb_host *host, const struct gb_ghost *ghost);

	/* From scan() or dispatch(). The policy spares a due suspect, or a former ghost, because of `reason`: a word with
	 * hyphens ("holder-stopped"). The journal says it once for each resource and reason. */
	int (*spare)(const struct gb_host *host, const struct gb_ghost *suspect, const char *reason);

	/* The resource that was reported or spared before has gone or recovered. An unknown key is no error. */
	int (*heal)(const struct gb_host *host, uint64_t key);

	/* From scan() or dispatch(). What became of a ghost for which reap() said GB_DEFERRED; GB_PENDING puts it back into
	 * the queue, with the proof that was reported last. -ENOENT when none such is known: it was let go meanwhile. */
	int (*settle)(const struct gb_host *host, const struct gb_settlement *settlement);

	/* Calls `fn` with each key that was reported or spared and is not yet healed or reaped, so that a plugin needs no
	 * list of its own; stops at the first value other than 0 and returns it. `fn` may call heal(). */
	int (*each_known)(const struct gb_host *host, int (*fn)(uint64_t key, void *arg), void *arg);

	/* The process `pid`. `start_ticks` 0 asks for whoever has the pid now; -ESRCH when it is gone or is another by now.
	 * The strings live until the callback returns. */
	int (*owner)(const struct gb_host *host, int32_t pid, uint64_t start_ticks, struct gb_owner *ret_owner);

	/* 1 when all that is set in `match` holds for `owner`, else 0. `ns` (may be NULL) is the resource's own network
	 * namespace and then stands for the owner's. */
	int (*owner_matches)(const struct gb_host *host, const struct gb_owner_match *match,
			     const struct gb_owner *owner, const struct gb_ns *ns);

	/* Whether the configuration's scope has it. Nothing outside of the scope may be tracked, reported or reaped. */
	int (*ns_in_scope)(const struct gb_host *host, const struct gb_ns *ns); /* 1 or 0 */
	int (*path_in_scope)(const struct gb_host *host, const char *path);     /* 1 or 0 */

	/* Whether the scope names namespaces of this kind at all: 1, or 0 when every one is in scope. */
	int (*ns_scoped)(const struct gb_host *host, uint32_t kind);

	/* Calls `fn` for each namespace of `kind` in scope; stops at the first value other than 0 and returns it. Cheap when
	 * the scope names namespaces of this kind: just those. Else all that a process lives in or /run/netns names: this
	 * walks /proc and is for the first scan and for repairs, not for every one. */
	int (*ns_each)(const struct gb_host *host, uint32_t kind, int (*fn)(const struct gb_ns *ns, void *arg),
		       void *arg);

	/* Runs fn(arg) on a thread inside of the namespace and returns what it returns; -ESRCH when the namespace is gone.
	 * Meant for opening things there (a netlink socket, an iterator), which may then be used outside; what is opened
	 * must be closed before the scan or reap ends, or a dead container's namespace is kept alive. */
	int (*ns_run)(const struct gb_host *host, const struct gb_ns *ns, int (*fn)(void *arg), void *arg);

	/* Shown by `ghostbuster status` (and later metrics): a number, or a fact in words such as the method that was
	 * chosen. `name` is [a-z][a-z0-9_]*; at most 32 of each for a plugin. -ENOSPC, -EINVAL. */
	int (*number)(const struct gb_host *host, const char *name, uint64_t value);
	int (*fact)(const struct gb_host *host, const char *name, const char *text);

#if GB_ABI_MINOR >= 2
	/*
	 * From scan() or dispatch(). Where a release leaves something with its owner (a descriptor): what became of it, some
	 * seconds later and whenever it is looked at again. Of each process that holds some, with every look, and once more
	 * when it holds none any longer. The daemon adds it up by owner, and writes a line in the journal when it changes, at
	 * most one a minute for a process that goes on. -ESRCH when the process has ended: nothing is counted, it need not be
	 * told of again. -EINVAL.
	 */
	int (*aftermath)(const struct gb_host *host, const struct gb_aftermath *aftermath);
#endif
};

#define GB_HOST_HAS(host, member) \
	(offsetof(struct gb_host, member) + sizeof((host)->member) <= (host)->struct_size && (host)->member)

/* ---- Explaining --------------------------------------------------------------------------------------------------- */

/*
 * Given to explain(): what the user asks about, and how to answer. Every text is copied; any bytes, one line, at most 4096.
 */
struct gb_explain {
	uint32_t struct_size;
	uint32_t reserved;
	void *core; /* the host's own */

	/* The user named no ghost, but a resource, as gb_ghost.resource words it: `key` is 0 then, and the plugin first
	 * calls identify(). NULL: it is about `key`. */
	const char *resource;

	/* Which resource it is. Only, and at most once, when `resource` is set. */
	int (*identify)(const struct gb_explain *explain, uint64_t key, uint64_t age_ns);

	/* One condition of the policy, in the order in which it judges: 1 holds, 0 does not, -1 not known. The resource is a
	 * ghost when all of them hold. `name` is a word with hyphens ("send-queue"), `text` the facts ("64 bytes are not
	 * sent"), or NULL. At most 64: -ENOSPC, -EINVAL. */
	int (*condition)(const struct gb_explain *explain, const char *name, int holds, const char *text);

	/* What the person in charge may do about it, in sentences; a second one is put behind the first. */
	int (*advice)(const struct gb_explain *explain, const char *text);
};

/* ---- The descriptor ----------------------------------------------------------------------------------------------- */

enum gb_role {
	GB_ROLE_DETECTOR = 1 << 0, /* finds ghosts: needs scan */
	GB_ROLE_REAPER = 1 << 1,   /* releases them: needs reap */
};

/* What the daemon checks before open(), so that a lack is said the same way for every plugin. */
enum gb_kernel_feature {
	GB_KERNEL_BTF = 1 << 0,      /* /sys/kernel/btf/vmlinux */
	GB_KERNEL_BPF_ITER = 1 << 1, /* BPF iterators: Linux 5.8 */
};

/*
 * The first 16 bytes (magic to flags) are frozen for ever; the rest only grows at the end. The daemon reads it from the
 * file before any code of the plugin runs, and copies min(struct_size, its own size) once.
 */
struct gb_plugin {
	uint32_t magic;       /* GB_ABI_MAGIC */
	uint16_t abi_major;   /* equal to the daemon's */
	uint16_t abi_minor;   /* at most the daemon's */
	uint32_t struct_size; /* of this struct, as the plugin was compiled; at most the symbol's size */
	uint32_t flags;       /* none is defined: 0 */

	const char *name;    /* [a-z][a-z0-9_]*, at most 31 bytes; the file is NAME.so */
	const char *version; /* the plugin's own */
	const char *summary; /* one line, without a full stop */

	uint32_t roles;           /* enum gb_role, at least one */
	uint32_t kernel_features; /* enum gb_kernel_feature: what it cannot do without */
	uint64_t capabilities; /* 1 << CAP_...: what it needs after open(); the daemon drops all that no plugin needs */

	const struct gb_option *options;
	uint32_t option_count;
	uint32_t option_size; /* sizeof(struct gb_option), as the plugin was compiled */
	uint64_t config_size; /* of the struct that the options' offsets are in */

	/* Starts: loads, attaches. `config` lives until close() returns or reconfigure() returns 0. Required. */
	int (*open)(const struct gb_host *host, const void *config, void **ret_state);

	/* One slice of looking for ghosts. Required of a detector. */
	int (*scan)(void *state, struct gb_scan *scan);

	/* One slice of releasing: check the proof once more, release, verify. Sets each item's outcome. Required of a
	 * reaper. A negative errno fails every item that is still pending. Before reconfigure() and close() the daemon lets
	 * it finish, for some seconds; what is undecided then is given up. */
	int (*reap)(void *state, struct gb_reap *reap);

	/* A watched descriptor is ready. Required of a plugin that watches any. */
	int (*dispatch)(void *state, int fd, uint32_t events);

	/* A reload changed the options: take the new ones, keep what is tracked. A negative errno keeps the old ones.
	 * Optional: without it the daemon closes and opens the plugin again. */
	int (*reconfigure)(void *state, const void *config);

	/* Releases all that open() made, detaches, leaves nothing behind. Required. */
	void (*close)(void *state);

	/* The user asks why the resource `key` (or `explain->resource`) is a ghost, or is not; or what became of one that was
	 * reaped. Says how each condition of the policy stands now, without changing anything; a fresh look if that is
	 * quick, at most some milliseconds. -ENOENT when the plugin knows no such resource. Optional: the daemon then shows
	 * the evidence and history alone. */
	int (*explain)(void *state, uint64_t key, const struct gb_explain *explain);

#if GB_ABI_MINOR >= 3
	/*
	 * The process `pid` that started at `start_ticks` (as in gb_owner) has ended, within seconds after something that it
	 * held was reaped, and the kernel did not tell the daemon how: before Linux 6.15 it does so only while nobody has
	 * waited for the process. Sets *ret_status, as waitpid(2) gives it, from what the plugin's own programs saw. Asked
	 * once, and not inside of another callback; at most some microseconds. -ENOENT when the plugin does not know.
	 * Optional: without it any such end is taken for one that the reaping caused.
	 */
	int (*ended)(void *state, int32_t pid, uint64_t start_ticks, int32_t *ret_status);
#endif
};

#define GB_PLUGIN(...) \
	extern const struct gb_plugin gb_plugin; \
	__attribute__((visibility("default"), used)) \
	const struct gb_plugin gb_plugin = {.magic = GB_ABI_MAGIC, \
					    .abi_major = GB_ABI_MAJOR, \
					    .abi_minor = GB_ABI_MINOR, \
					    .struct_size = sizeof(struct gb_plugin), \
					    .flags = 0, \
					    __VA_ARGS__}

_Static_assert(offsetof(struct gb_plugin, flags) == 12 && offsetof(struct gb_plugin, name) == 16,
	       "the first 16 bytes of the descriptor are frozen");

#endif
