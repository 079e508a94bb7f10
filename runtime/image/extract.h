/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_EXTRACT_H
#define RUNTIME_IMAGE_EXTRACT_H

/*
 * extract.h - entries of a layer's archive applied to a directory: the inside of layer_unpack().
 *
 * extract.c says which object an entry makes and where; entry.c makes it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/map.h"

#include "runtime/image/archive.h"

#define EXTRACT_ENTRIES_MAX UINT64_C(20000000)
#define EXTRACT_NAME_MAX    255

struct extract_limits {
	uint64_t bytes, entries;
};

/* What the file system of @dir has to give. */
void extract_limits_of(int dir, struct extract_limits *ret);

/* What several archives that are unpacked side by side have used up of it; in shared memory. */
struct extract_usage {
	_Atomic uint64_t bytes, entries;
};

struct extract_directory {
	char *path;
	struct timespec mtime;
};

struct extract {
	const struct libarchive *lib;
	struct tar_reader *reader;
	int root;

	/* The directory of the last entry; names come mostly in runs. */
	char *parent_path;
	int parent;
	bool parent_plain; /* what is made in it belongs to root, and has the mode asked for */

	/* Their times are set last, since every file made inside changes them. */
	struct extract_directory *directories;
	size_t directory_count;
	struct map opaque; /* paths of directories that hide what lower layers have there */

	struct extract_limits limits;
	struct extract_usage *usage;
	struct extract_usage own_usage; /* unless it is shared */
	uint64_t bytes, entries;        /* of this archive */
};

void extract_init(struct extract *extract, struct tar_reader *reader, int root,
		  const struct extract_limits *limits);
void extract_done(struct extract *extract);
/* All entries until the end of the archive. */
int extract_run(struct extract *extract, struct error *err);

/*
 * Makes what @entry describes as @name in the directory extract->parent. -EEXIST, for a file, and
 * without @err: something is in its way.
 */
int entry_make(struct extract *extract, struct archive_entry *entry, const char *name,
	       struct error *err);

/* Opens a directory below the root, links followed but never out of it. O_PATH fd or -errno. */
int extract_open_directory(const struct extract *extract, const char *path);
/* "./a//b/" to "a/b" in place. -EXDEV: it has a "..", -ENAMETOOLONG, -EINVAL. */
int extract_clean_path(char *path);
void extract_forget_parent(struct extract *extract);

#endif
