// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/str.h"

#define RANDOM_NAME_BYTES 8

void fs_random_hex(char *buffer, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t random[64];

	for (size_t done = 0; done < bytes;) {
		size_t n = bytes - done < sizeof(random) ? bytes - done : sizeof(random);

		/* Up to 256 bytes come whole and without EINTR once the pool is seeded. */
		if (getrandom(random, n, 0) != (ssize_t)n)
			continue;
		for (size_t i = 0; i < n; i++, done++) {
			buffer[2 * done] = digits[random[i] >> 4];
			buffer[2 * done + 1] = digits[random[i] & 15];
		}
	}
	buffer[2 * bytes] = '\0';
}

/* "dir/.new-HEX" beside "dir/name". */
static char *staging_name(const char *name)
{
	const char *slash = strrchr(name, '/');
	int directory = slash ? (int)(slash - name) + 1 : 0;
	char hex[2 * RANDOM_NAME_BYTES + 1];

	fs_random_hex(hex, RANDOM_NAME_BYTES);
	return str_printf("%.*s.new-%s", directory, name, hex);
}

static int sync_directory_of(int dirfd, const char *name)
{
	_cleanup_free_ char *directory = NULL;
	_cleanup_close_ int fd = -EBADF;
	const char *slash = strrchr(name, '/');

	if (!slash)
		directory = alloc_string(".");
	else
		directory = alloc_string_n(name, slash == name ? 1 : (size_t)(slash - name));
	fd = openat(dirfd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int write_new(int dirfd, const char *name, const void *data, size_t size, bool sync)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, size);
	if (r == 0 && sync && fsync(fd) < 0)
		r = -errno;
	/* Network file systems tell of a full disk only here. */
	if (close(TAKE_FD(fd)) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	return r;
}

int fs_replace(int dirfd, const char *name, const void *data, size_t size,
	       enum fs_durability durability, struct error *err)
{
	_cleanup_free_ char *staging = staging_name(name);
	int r;

	r = write_new(dirfd, staging, data, size, durability == FS_DURABLE);
	if (r == 0 && durability == FS_FLEETING &&
	    renameat2(dirfd, staging, dirfd, name, RENAME_EXCHANGE) == 0)
		return unlinkat(dirfd, staging, 0) < 0 ? error_errno(err, "write %s", name) : 0;
	if (r == 0 && renameat(dirfd, staging, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dirfd, staging, 0);
		return error_code(err, r, "write %s", name);
	}
	if (durability == FS_DURABLE) {
		r = sync_directory_of(dirfd, name);
		if (r < 0)
			return error_code(err, r, "write %s to the disk", name);
	}
	return 0;
}

/* Reads to the end into @text, at most @limit bytes. Files of proc and sys say size 0. */
static int read_up_to(int fd, size_t limit, struct strbuf *text)
{
	struct stat status;
	size_t expected = 4096;

	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
		expected = (size_t)status.st_size < limit ? (size_t)status.st_size : limit;
	for (;;) {
		ssize_t n;

		/* One byte more than it should be, so that the next read sees the end. */
		strbuf_reserve(text, expected + 1);
		n = fd_read_full(fd, text->data + text->length, expected + 1);
		if (n < 0)
			return (int)n;
		text->length += (size_t)n;
		text->data[text->length] = '\0';
		if (text->length > limit)
			return -EFBIG;
		if ((size_t)n <= expected)
			return 0;
		expected = text->length;
	}
}

int fs_read(int dirfd, const char *name, size_t limit, char **ret_data, size_t *ret_size,
	    struct error *err)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	_cleanup_strbuf_ struct strbuf text = {0};
	int r;

	if (fd < 0)
		return error_errno(err, "read %s", name);
	r = read_up_to(fd, limit, &text);
	if (r == -EFBIG)
		return error_set(err, EFBIG, "%s: larger than the %zu bytes allowed", name, limit);
	if (r < 0)
		return error_code(err, r, "read %s", name);
	if (ret_size)
		*ret_size = text.length;
	*ret_data = strbuf_take(&text);
	return 0;
}

int fs_write_knob(int dirfd, const char *name, const char *data)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = write(fd, data, strlen(data));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int fs_lock(int dirfd, const char *name, struct error *err)
{
	for (;;) {
		_cleanup_close_ int fd = -EBADF;
		struct stat status;

		fd = openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return error_errno(err, "open the lock %s", name);
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return error_errno(err, "lock %s", name);
		/* Whoever had it may have removed the file: then others lock a new one. */
		if (fstat(fd, &status) == 0 && status.st_nlink > 0)
			return TAKE_FD(fd);
	}
}
