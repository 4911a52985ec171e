/* SPDX-License-Identifier: Apache-2.0 */
#include "never.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

/* Matched against the whole path; a container's files stand under some folder in front, hence the leading stars. */
static const char *const never[] = {
	/* package managers */
	"*/var/lib/dpkg/*",
	"*/var/cache/apt/*",
	"*/var/lib/apt/*",
	"*/var/cache/debconf/*",
	"*/var/lib/rpm/*",
	"*/usr/lib/sysimage/rpm/*",
	"*/var/lib/dnf/*",
	"*/var/cache/dnf/*",
	"*/var/lib/yum/*",
	"*/run/yum.pid",
	"*/run/dnf*",
	"*/run/rpm*",
	"*/.rpm.lock",
	"*/var/lib/pacman/*",
	"*/lib/apk/db/*",
	"*/run/apk/*",
	"*/run/zypp.pid",
	"*/var/lib/snapd/*",
	"*/run/snapd/*",
	"*/var/lib/flatpak/*",
	"*/nix/var/nix/*",
	"*/etc/.pwd.lock",
	"*/etc/passwd*",
	"*/etc/shadow*",
	"*/etc/group*",
	"*/etc/gshadow*",
	/* databases */
	"*.sqlite",
	"*.sqlite3",
	"*.sqlite-*",
	"*.sqlite3-*",
	"*.db",
	"*.db3",
	"*.db-wal",
	"*.db-shm",
	"*.db-journal",
	"*.mdb",
	"*.ldb",
	"*.kch",
	"*.gdbm",
	"*.rdb",
	"*.ibd",
	"*/ibdata*",
	"*/ib_logfile*",
	"*/postmaster.pid",
	"*/var/lib/postgresql/*",
	"*/var/lib/mysql/*",
	"*/var/lib/mongodb/*",
	"*/mongod.lock",
	"*/var/lib/redis/*",
	"*/var/lib/ldap/*",
	"*/var/lib/etcd/*",
	"*/LOCK", /* leveldb, rocksdb */
	/* mail spools */
	"*/var/mail/*",
	"*/var/spool/mail/*",
	"*/var/spool/postfix/*",
	"*/var/spool/exim*",
	"*/var/spool/mqueue/*",
	"*/var/lib/postfix/*",
	"*/Maildir/*",
	"*/dovecot*",
	"*.mbox",
	/* volumes and disk images */
	"*/run/lvm/*",
	"*/run/lock/lvm/*",
	"*/etc/lvm/*",
	"*/var/lock/lvm/*",
	"/dev/*",
	"*/run/dmeventd*",
	"*/run/multipathd*",
	"*/etc/multipath/*",
	"*/run/cryptsetup/*",
	"*/var/lib/libvirt/*",
	"*.qcow",
	"*.qcow2",
	"*.img",
	"*.raw",
	"*.vmdk",
	"*.vdi",
	"*.vhd",
	"*.vhdx",
	"*.iso",
	/* the ones that containers and the boot stand on */
	"*/var/lib/docker/*",
	"*/var/lib/containerd/*",
	"*/var/lib/containers/*",
	"*/var/lib/kubelet/*",
	"*/run/systemd/*",
	"*/run/udev/*",
	"*/run/xtables.lock",
	"*/boot/*",
	/* what nobody else may write to at the same time */
	"*/.git/*",
};

struct file_system {
	uint64_t magic;
	const char *reason; /* NULL: a local one */
};

#define NETWORK "network-file-system"

/* Of include/uapi/linux/magic.h and the file systems' own sources. */
static const struct file_system file_systems[] = {
	{0x6969, NETWORK},     /* NFS */
	{0x517b, NETWORK},     /* SMB */
	{0xff534d42, NETWORK}, /* CIFS */
	{0xfe534d42, NETWORK}, /* SMB2 */
	{0x65735546, NETWORK}, /* FUSE */
	{0x00c36400, NETWORK}, /* Ceph */
	{0x01021997, NETWORK}, /* 9p */
	{0x01161970, NETWORK}, /* GFS2 */
	{0x7461636f, NETWORK}, /* OCFS2 */
	{0x0bd00bd0, NETWORK}, /* Lustre */
	{0x5346414f, NETWORK}, /* AFS */
	{0x6b414653, NETWORK}, /* kAFS */
	{0x73757245, NETWORK}, /* Coda */
	{0x564c, NETWORK},     /* NCP */
	{0x786f4256, NETWORK}, /* vboxsf */
	{0xbacbacbc, NETWORK}, /* vmhgfs */
	{0x47504653, NETWORK}, /* GPFS */
	{0x19830326, NETWORK}, /* BeeGFS */
	{0xef53, NULL},        /* ext2, ext3, ext4 */
	{0x58465342, NULL},    /* XFS */
	{0x9123683e, NULL},    /* btrfs */
	{0x01021994, NULL},    /* tmpfs */
	{0x858458f6, NULL},    /* ramfs */
	{0x794c7630, NULL},    /* overlayfs */
	{0xf2f52010, NULL},    /* F2FS */
	{0x2fc12fc1, NULL},    /* ZFS */
	{0xca451a4e, NULL},    /* bcachefs */
	{0x3153464a, NULL},    /* JFS */
	{0x52654973, NULL},    /* reiserfs */
	{0x3434, NULL},        /* NILFS */
	{0x4d44, NULL},        /* FAT */
	{0x2011bab0, NULL},    /* exFAT */
};

const char *fl_never_path(const char *path)
{
	if (!path || path[0] != '/')
		return "path-unknown";
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (fnmatch(never[i], path, 0) == 0)
			return "protected-path";
	return NULL;
}

const char *fl_never_file_system(uint64_t magic)
{
	for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++)
		if (file_systems[i].magic == (magic & 0xffffffff))
			return file_systems[i].reason;
	return "unknown-file-system";
}
