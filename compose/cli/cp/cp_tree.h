/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CP_CP_TREE_H
#define COMPOSE_CLI_CP_CP_TREE_H

/*
 * cp_tree.h - files copied from one place to another, by docker's rules for what is whose.
 *
 * Neither side may be trusted: each step is one name below an open directory, no link is followed,
 * and nothing but regular files is opened.
 */

#include <stdbool.h>

#include "common/error.h"

struct cp_place {
	int root;         /* of a container; AT_FDCWD: this machine */
	const char *path; /* as the user wrote it, without the service */
};

struct cp_options {
	bool archive;     /* keep owners */
	bool follow_link; /* a source that is a link: what it leads to */
};

/* As openat2() in the container, as open() here. */
int cp_open(const struct cp_place *place, const char *path, int flags, struct error *err);

int cp_tree(const struct cp_place *from, const struct cp_place *to,
	    const struct cp_options *options, struct error *err);

/* What O_PATH @source is, as @name below the directory @dir. */
int cp_object(int source, int dir, const char *name, const struct cp_options *options,
	      struct error *err);

/* A tar of what is at @from, to @fd; and one from @fd, below the directory @to. */
int cp_tar_write(const struct cp_place *from, const struct cp_options *options, int fd,
		 struct error *err);
int cp_tar_read(int fd, const struct cp_place *to, const struct cp_options *options,
		struct error *err);

/* The last name of a path: "b" of "/a/b/"; "." where there is none. New string. */
char *cp_base_name(const char *path);

/* One object @name below directory @dir as @st says; regular files come back open for writing. */
struct stat;
int cp_make(int dir, const char *name, const struct stat *st, const char *link_target,
	    const struct cp_options *options, struct error *err);
/* Mode, owner and time, at the end. */
int cp_finish(int dir, const char *name, const struct stat *st, const struct cp_options *options,
	      struct error *err);

#endif
