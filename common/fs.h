/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_FS_H
#define COMMON_FS_H

/*
 * fs.h - files and directories below a directory fd that we own.
 *
 * For trees that a container or an archive can influence see rootpath.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error.h"

enum fs_durability {
	/*
	 * As FS_ATOMIC, for what is soon to be removed: ext4 and others begin to write a file to
	 * the disk when it is renamed over another, which takes ten times as long as all the rest.
	 */
	FS_FLEETING,
	FS_ATOMIC,  /* readers see the old or the new; after a power cut possibly neither */
	FS_DURABLE, /* and it is on the disk when this returns */
};

/* Replaces file @name by rename. mode 0644 unless said. */
int fs_replace(int dirfd, const char *name, const void *data, size_t size,
	       enum fs_durability durability, struct error *err);

/*
 * Whole file as a NUL-terminated string (*ret_size without the NUL; may be NULL).
 * -ENOENT: there is none. -EFBIG: more than @limit bytes.
 */
int fs_read(int dirfd, const char *name, size_t limit, char **ret_data, size_t *ret_size,
	    struct error *err);

/* Writes @data to a file of proc, sys or cgroup in one write(). 0 or -errno. */
int fs_write_knob(int dirfd, const char *name, const char *data);

/* mkdir -p; then an O_PATH-free directory fd. */
int fs_mkdir_path(const char *path, mode_t mode, struct error *err);
/* One level below @dirfd; an existing directory is fine. Directory fd, or -errno. */
int fs_mkdir_open(int dirfd, const char *name, mode_t mode, struct error *err);
/* A new directory PREFIX + random hex; its name in *ret_name. Directory fd. */
int fs_mkdir_unique(int dirfd, const char *prefix, char **ret_name, struct error *err);
int fs_open_dir(int dirfd, const char *name, struct error *err);

/* Removes a file or a whole tree, never following links; what is not there is fine. */
int fs_remove_tree(int dirfd, const char *name, struct error *err);

/* Names in a directory, without . and .., sorted. -ENOENT: no such directory. */
int fs_list(int dirfd, const char *name, char ***ret_names, struct error *err);

/* Takes a lock (flock) on file @name, waiting; the fd holds it until it is closed. */
int fs_lock(int dirfd, const char *name, struct error *err);

/* Random bytes as lower-case hex: 2 * @bytes digits and NUL into @buffer. */
void fs_random_hex(char *buffer, size_t bytes);

#endif
