// SPDX-License-Identifier: GPL-2.0-or-later
#include "tarball.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 512

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155];
	char padding[12];
};

static void put(int fd, const void *data, size_t size)
{
	if (write(fd, data, size) != (ssize_t)size)
		abort();
}

static void put_content(int fd, const char *data, size_t size)
{
	static const char zeros[BLOCK];

	put(fd, data, size);
	if (size % BLOCK)
		put(fd, zeros, BLOCK - size % BLOCK);
}

static void put_header(int fd, const struct tar_row *row, char type, const char *name, size_t size)
{
	struct header header = {.type = type, .magic = "ustar", .version = {'0', '0'}};
	unsigned int sum = 0;
	mode_t mode = row->mode ? row->mode : type == '5' ? 0755 : 0644;

	memcpy(header.name, name, strnlen(name, sizeof(header.name)));
	snprintf(header.mode, sizeof(header.mode), "%07o", mode & 07777);
	snprintf(header.uid, sizeof(header.uid), "%07o", row->uid);
	snprintf(header.gid, sizeof(header.gid), "%07o", row->gid);
	snprintf(header.size, sizeof(header.size), "%011zo", size);
	snprintf(header.mtime, sizeof(header.mtime), "%011lo",
		 row->mtime ? row->mtime : 1000000000L);
	snprintf(header.major, sizeof(header.major), "%07o", row->major);
	snprintf(header.minor, sizeof(header.minor), "%07o", row->minor);
	if (type == '1' || type == '2')
		memcpy(header.link, row->content, strnlen(row->content, sizeof(header.link)));
	memset(header.checksum, ' ', sizeof(header.checksum));
	for (size_t i = 0; i < sizeof(header); i++)
		sum += ((unsigned char *)&header)[i];
	snprintf(header.checksum, sizeof(header.checksum), "%06o", sum);
	put(fd, &header, sizeof(header));
}

static void put_pax(int fd, const struct tar_row *row)
{
	size_t value = row->value_size ? row->value_size : strlen(row->value);
	size_t rest = strlen(" SCHILY.xattr.=\n") + strlen(row->xattr) + value;
	size_t length = rest + (rest + 2 > 99 ? 3 : 2);
	char line[300];
	int n = snprintf(line, sizeof(line), "%zu SCHILY.xattr.%s=", length, row->xattr);

	memcpy(line + n, row->value, value);
	line[(size_t)n + value] = '\n';
	put_header(fd, row, 'x', "pax", length);
	put_content(fd, line, length);
}

void tarball_add(int fd, const struct tar_row *row)
{
	size_t size = row->type == '0' && row->content ? strlen(row->content) : 0;

	if (row->xattr)
		put_pax(fd, row);
	put_header(fd, row, row->type, row->path, size);
	put_content(fd, row->content, size);
}

void tarball_end(int fd)
{
	static const char zeros[2 * BLOCK];

	put(fd, zeros, sizeof(zeros));
}

int tarball_make(const struct tar_row *rows, size_t count)
{
	int fd = memfd_create("tarball", MFD_CLOEXEC);

	for (size_t i = 0; i < count; i++)
		tarball_add(fd, &rows[i]);
	tarball_end(fd);
	lseek(fd, 0, SEEK_SET);
	return fd;
}
