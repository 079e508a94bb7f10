// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of one group. Syscalls only: the child of a birth uses some of these. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/fd.h"

#include "runtime/container/cgroup/internal.h"

static int open_file(int hierarchy, const char *group, const char *file, int flags)
{
	char path[4096];
	int fd;

	if (hierarchy < 0)
		return -ENOENT;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", group, file) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = openat(hierarchy, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int group_write(int hierarchy, const char *group, const char *file, const char *value)
{
	_cleanup_close_ int fd = open_file(hierarchy, group, file, O_WRONLY);

	if (fd < 0)
		return fd;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

ssize_t group_read(int hierarchy, const char *group, const char *file, char *buffer, size_t size)
{
	_cleanup_close_ int fd = open_file(hierarchy, group, file, O_RDONLY);
	ssize_t used = fd < 0 ? fd : fd_read_full(fd, buffer, size - 1);

	if (used >= 0)
		buffer[used] = 0;
	return used;
}

int64_t group_read_int(int hierarchy, const char *group, const char *file, int64_t otherwise)
{
	char text[64], *end;
	ssize_t n = group_read(hierarchy, group, file, text, sizeof(text));
	unsigned long long value;

	if (n <= 0 || text[0] < '0' || text[0] > '9') /* "max", or there is none */
		return otherwise;
	value = strtoull(text, &end, 10);
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* Where @key starts a word and ends before @separator. */
static const char *find_key(const char *text, const char *key, char separator)
{
	size_t length = strlen(key);

	for (const char *at = text; (at = strstr(at, key)); at += length)
		if ((at == text || at[-1] == '\n' || at[-1] == ' ') && at[length] == separator)
			return at + length + 1;
	return NULL;
}

uint64_t keyed_value(const char *text, const char *key)
{
	const char *value = find_key(text, key, ' ');

	return value ? strtoull(value, NULL, 10) : 0;
}

uint64_t keyed_sum(const char *text, const char *key)
{
	uint64_t sum = 0;

	while ((text = find_key(text, key, '=')))
		sum += strtoull(text, NULL, 10);
	return sum;
}
