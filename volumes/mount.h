/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VOLUMES_MOUNT_H
#define VOLUMES_MOUNT_H

/*
 * mount.h - detached mounts by the kernel's mount API: fds, attached nowhere, gone when closed.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

struct bind_options {
	bool read_only;
	bool recursive;           /* submounts come along (Docker's default) */
	bool read_only_recursive; /* and are read-only as well where the kernel can */
	bool require_read_only_recursive;
	bool create;             /* a missing source is made: a directory, root's, 0755 */
	const char *propagation; /* NULL: rprivate; "shared", "rslave", ... */
};

/* @path on the host. *ret_directory: it is one. -ENOENT: missing and not create. */
int mount_bind(const char *path, const struct bind_options *options, bool *ret_directory,
	       struct error *err);

struct tmpfs_options {
	int64_t size_bytes; /* 0: the kernel's default (half of memory) */
	int64_t inodes;     /* 0: the kernel's default */
	mode_t mode;        /* 0: 01777 */
	uid_t uid;
	gid_t gid;
	bool read_only, exec, suid, dev; /* default: noexec, nosuid, nodev, as Docker */
};

int mount_tmpfs(const struct tmpfs_options *options, struct error *err);
/* "size=64m,mode=1777,uid=1,gid=2,ro,exec" of `tmpfs:`. -EINVAL names the word. */
int tmpfs_options_parse(const char *text, struct tmpfs_options *ret, struct error *err);

/* One file on a small tmpfs: a secret or a config. */
struct file_content {
	const void
		*data; /* or, when NULL, copied from @source_path (at most 500 KiB as in Docker) */
	size_t size;
	const char *source_path;
	uid_t uid;
	gid_t gid;
	mode_t mode; /* 0: 0444 */
};

/* A detached read-only mount whose root is that file: ready to be moved onto its target. */
int mount_file(const struct file_content *content, struct error *err);

/* An existing directory or file below @dirfd (hosts, resolv.conf, layers) as a detached mount. */
int mount_clone(int dirfd, const char *name, bool read_only, struct error *err);

#endif
