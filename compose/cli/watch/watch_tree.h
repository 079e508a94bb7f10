/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_WATCH_WATCH_TREE_H
#define COMPOSE_CLI_WATCH_WATCH_TREE_H

/*
 * watch_tree.h - folders of this machine by inotify, with all that is below them: which paths
 * changed.
 *
 * What is told is that something happened at a path, not what: whoever is told looks what stands
 * there. So files that are written, replaced by rename, moved in or away, folders that appear with
 * something in them already, and a queue that overflowed are all the same. A root is watched
 * through the folder above it as well: it may be a file, and it may go and come back.
 */

#include <stdbool.h>

#include "common/error.h"
#include "common/map.h"

struct watch_tree_ops {
	void (*changed)(void *data, const char *path);
	/* Nothing below the folder matters. */
	bool (*prune)(void *data, const char *path);
};

struct watch_tree {
	int fd;
	const struct watch_tree_ops *ops;
	void *data;
	char **roots;
	char **directories; /* by watch descriptor; NULL: none of ours */
	size_t directory_count;
	struct map known; /* every path that was seen below a root; the gone ones stay */
};

/* @ops and @data must outlive it. */
int watch_tree_init(struct watch_tree *tree, const struct watch_tree_ops *ops, void *data,
		    struct error *err);
void watch_tree_done(struct watch_tree *tree);

/* @root: absolute. -ENOSPC: the kernel allows no more watches; the message says what to do. */
int watch_tree_add(struct watch_tree *tree, const char *root, struct error *err);

/* Reads what the kernel has to tell; calls changed(). */
int watch_tree_read(struct watch_tree *tree, struct error *err);

#endif
