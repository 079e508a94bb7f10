/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_WALK_H
#define RUNTIME_BUILD_WALK_H

/*
 * walk.h - a tree of files looked at by all processors at once: kinds, owners, and the content of
 * each file as a digest, read only where a statcache does not know it.
 *
 * A no-change build asks the kernel for the state of every file of the context, and that is nearly
 * all that it does. The threads are gone when walk_tree() returns.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "common/error.h"

#include "runtime/build/ignore.h"
#include "runtime/build/statcache.h"

struct walk_entry {
	char *name; /* in its folder; "" of the root */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	dev_t rdev;
	bool left_out;
	const unsigned char
		*digest;            /* of a file: bytes and capabilities; the cache's or @fresh's */
	struct walk_fresh *fresh;   /* of a file that was read; owned */
	char *target;               /* of a link; owned */
	struct walk_folder *inside; /* of a folder; owned */
	struct error *failure;      /* it could not be looked at; owned */
};

/* What was read just now. */
struct walk_fresh {
	struct stat st; /* from before */
	unsigned char digest[STATCACHE_DIGEST];
};

struct walk_folder {
	struct walk_entry *entries; /* sorted by name */
	size_t count;
	/* while it is being walked */
	char *path; /* below the root */
	unsigned int depth, parts;
	int fd;
	struct walk_folder *next;
};

struct walk_filter {
	const struct ignore *ignore; /* may be NULL; matched against @path and what is below */
	const char *path;
	const struct ignore *exclude; /* may be NULL; matched against paths below the root */
};

/* All below @fd, an O_PATH fd of any kind of file. @known may be NULL. Failures are told by the
 * entries. */
void walk_tree(int fd, const struct walk_filter *filter, struct statcache *known,
	       struct walk_entry *ret);
void walk_entry_done(struct walk_entry *entry);

#endif
