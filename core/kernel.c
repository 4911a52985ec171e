/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <eghostbuster/plugin.h>

#include "capability.h"
#include "cleanup.h"

static long call_bpf(int command, union bpf_attr *attr, unsigned int size)
{
	return syscall(SYS_bpf, command, attr, size);
}

const struct kernel_probe kernel_probe_host = {.btf_path = KERNEL_BTF_PATH, .bpf = call_bpf};

static bool check_btf(const struct kernel_probe *probe, struct problems *problems)
{
	_cleanup_close_ int fd = open(probe->btf_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint16_t magic = 0;

	if (fd < 0 && errno == ENOENT)
		problems_add(problems, NULL, 0,
			     "this kernel has no BTF (%s is missing): boot a kernel built with "
			     "CONFIG_DEBUG_INFO_BTF=y",
			     probe->btf_path);
	else if (fd < 0)
		problems_add(problems, NULL, 0,
			     "cannot read the kernel's BTF (%s: %s): run as root, with /sys readable", probe->btf_path,
			     strerror(errno));
	else if (read(fd, &magic, sizeof(magic)) != sizeof(magic) || magic != BTF_MAGIC)
		problems_add(problems, NULL, 0,
			     "%s is not the kernel's BTF (found 0x%04x at its start, want 0x%04x): mount sysfs on /sys",
			     probe->btf_path, magic, BTF_MAGIC);
	else
		return true;
	return false;
}

/* Makes the smallest map there is and forgets it. */
/*
 * Before 5.11 BPF memory is charged to RLIMIT_MEMLOCK, of all of root's processes together, and a full one reads EPERM.
 * Later kernels charge the cgroup, and may refuse to raise the limit, which does not matter then.
 */
static void raise_memlock(void)
{
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
}

static bool check_bpf(const struct kernel_probe *probe, struct problems *problems)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(uint32_t);
	attr.max_entries = 1;
	raise_memlock();
	fd = (int)probe->bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd >= 0) {
		close(fd);
		return true;
	}
	if (errno == ENOSYS)
		problems_add(problems, NULL, 0,
			     "this kernel has no bpf(2): boot a kernel built with CONFIG_BPF_SYSCALL=y");
	else if (errno == EPERM)
		problems_add(problems, NULL, 0,
			     "the kernel refuses bpf(2) (%s): run as root, with CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN "
			     "before Linux 5.8); in a container also allow bpf in its seccomp profile",
			     strerror(errno));
	else
		problems_add(problems, NULL, 0,
			     "the kernel cannot make a BPF map (%s): give the daemon more memory (its cgroup's "
			     "memory.max; before Linux 5.11: ulimit -l)",
			     strerror(errno));
	return false;
}

/* A kernel that knows the command complains of the descriptor, an older one of the command. */
static bool check_iterators(const struct kernel_probe *probe, struct problems *problems)
{
	char release[KERNEL_RELEASE_SIZE];
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = (uint32_t)-1;
	fd = (int)probe->bpf(BPF_ITER_CREATE, &attr, sizeof(attr));
	if (fd < 0 && errno == EBADF)
		return true;
	cleanup_close(&fd);
	kernel_release(release);
	problems_add(problems, NULL, 0, "this kernel (%s) has no BPF iterators: boot Linux 5.8 or later", release);
	return false;
}

int kernel_check(const struct kernel_probe *probe, uint32_t features, struct problems *problems)
{
	const uint32_t known = GB_KERNEL_BTF | GB_KERNEL_BPF_ITER;
	bool good = true, answers;

	if (features & GB_KERNEL_BTF)
		good = check_btf(probe, problems) && good;
	if (features) {
		answers = check_bpf(probe, problems);
		good = answers && good;
		/* Whoever may not call bpf(2) learns nothing about its commands. */
		if (answers && features & GB_KERNEL_BPF_ITER)
			good = check_iterators(probe, problems) && good;
	}
	if (features & ~known) {
		problems_add(problems, NULL, 0,
			     "a plugin needs kernel features that this daemon does not know (bits 0x%x): upgrade "
			     "eghostbuster",
			     features & ~known);
		good = false;
	}
	return good ? 0 : -EOPNOTSUPP;
}

int kernel_check_privileges(uint64_t capabilities, struct problems *problems)
{
	char missing_text[CAPABILITY_TEXT_SIZE];
	uint64_t missing = 0;
	int result = capability_have(capabilities, &missing);

	if (result == 0)
		return 0;
	if (result != -EPERM) {
		problems_add(problems, NULL, 0, "cannot read the daemon's own capabilities (%s): mount proc on /proc",
			     strerror(-result));
		return -EPERM;
	}
	capability_text(missing, missing_text);
	problems_add(problems, NULL, 0,
		     "the daemon lacks %s: run it as root (uid %u now) and let neither the container nor "
		     "CapabilityBoundingSet= of its unit take that away",
		     missing_text, (unsigned int)getuid());
	return -EPERM;
}

void kernel_release(char ret_release[KERNEL_RELEASE_SIZE])
{
	struct utsname name;

	snprintf(ret_release, KERNEL_RELEASE_SIZE, "%s", uname(&name) == 0 ? name.release : "unknown");
}
