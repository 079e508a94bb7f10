/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_RUNTIME_IMAGE_TARBALL_H
#define TESTS_UNIT_RUNTIME_IMAGE_TARBALL_H

/*
 * tarball.h - tars written by hand, so that they can say what no honest program would write.
 */

#include <stddef.h>
#include <sys/types.h>

struct tar_row {
	char type; /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' dir, '6' fifo
		    */
	const char *path, *content; /* of a file; the target of a link */
	mode_t mode;                /* 0: 0644 or 0755 */
	uid_t uid;
	gid_t gid;
	unsigned int major, minor;
	const char *xattr, *value; /* by a pax header */
	size_t value_size;         /* 0: a text */
	long mtime;                /* 0: 1000000000 */
};

/* The archive in an anonymous file, at its start. */
int tarball_make(const struct tar_row *rows, size_t count);
/* Appends one entry; tarball_end() closes the archive with its two empty blocks. */
void tarball_add(int fd, const struct tar_row *row);
void tarball_end(int fd);

#define TARBALL(...)                                        \
	tarball_make((const struct tar_row[]){__VA_ARGS__}, \
		     sizeof((const struct tar_row[]){__VA_ARGS__}) / sizeof(struct tar_row))

#endif
