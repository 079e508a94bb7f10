// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A context that comes as bytes, on standard input or from an address: a tar of any usual
 * compression, unpacked into staging by the process that unpacks layers, or a Dockerfile alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/str.h"

#include "runtime/build/build.h"
#include "runtime/image/layer.h"

#define COPY_SIZE (256 << 10)

bool context_is_archive(int fd)
{
	static const struct {
		const char *bytes;
		size_t at, size;
	} magics[] = {
		{"ustar", 257, 5},
		{"\x1f\x8b\x08", 0, 3},
		{"BZh", 0, 3},
		{"\xfd"
		 "7zXZ",
		 0, 5},
		{"\x28\xb5\x2f\xfd", 0, 4},
	};
	off_t here = lseek(fd, 0, SEEK_CUR);
	char buffer[512];
	ssize_t n = pread(fd, buffer, sizeof(buffer), here < 0 ? 0 : here);

	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (n >= (ssize_t)(magics[i].at + magics[i].size) &&
		    !memcmp(buffer + magics[i].at, magics[i].bytes, magics[i].size))
			return true;
	return false;
}

/* A file in staging that has no name any more. */
static int open_spool(struct build *build, struct error *err)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int made = -EBADF;
	int fd;

	if (build_open_staging(build, err) < 0)
		return -err->code;
	made = staging_file(&build->staging, &name, err);
	if (made < 0)
		return made;
	fd = openat(build->staging.dir, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open a file for the build context");
	(void)unlinkat(build->staging.dir, name, 0);
	return fd;
}

/* What cannot be sought in is put into a file first. */
static int spool(struct build *build, int fd, struct error *err)
{
	_cleanup_close_ int file = open_spool(build, err);
	_cleanup_free_ char *buffer = NULL;
	ssize_t n;

	if (file < 0)
		return file;
	buffer = alloc(COPY_SIZE);
	while ((n = read(fd, buffer, COPY_SIZE)) != 0) {
		int r;

		if (n < 0 && errno == EINTR && !(build->with->cancelled && *build->with->cancelled))
			continue;
		if (n < 0)
			return errno == EINTR ? error_set(err, ECANCELED, "interrupted")
					      : error_errno(err, "read the build context");
		r = fd_write_all(file, buffer, (size_t)n);
		if (r < 0)
			return error_code(err, r, "store the build context");
	}
	if (lseek(file, 0, SEEK_SET) < 0)
		return error_errno(err, "read the build context");
	return TAKE_FD(file);
}

static int unpack(struct build *build, struct context *context, int fd, struct error *err)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int dir = -EBADF;
	struct layer_result layer;

	if (build_open_staging(build, err) < 0)
		return -err->code;
	dir = staging_directory(&build->staging, &name, err);
	if (dir < 0)
		return dir;
	if (layer_unpack(fd, dir, -1, &layer, err) < 0)
		return error_wrap(err, "%s", context->name);
	free(context->path);
	context->path = str_printf("%s/layers/%s/%s", build->with->root, build->staging.name, name);
	context->dir = TAKE_FD(dir);
	return 0;
}

static int read_text(struct build *build, const struct context *context, int fd, struct error *err)
{
	_cleanup_free_ char *text = alloc(DOCKERFILE_MAX + 2);
	ssize_t n = fd_read_full(fd, text, DOCKERFILE_MAX + 1);

	if (n < 0)
		return error_code(err, (int)n, "read %s", context->name);
	if (n > DOCKERFILE_MAX)
		return error_set(err, EFBIG,
				 "%s: neither a tar archive, nor a Dockerfile, which has at most "
				 "%d MB",
				 context->name, DOCKERFILE_MAX >> 20);
	text[n] = '\0';
	if (n == 0)
		return error_set(err, EINVAL,
				 "%s: it is empty; a tar archive or a Dockerfile is "
				 "needed",
				 context->name);
	if (memchr(text, '\0', (size_t)n) || !str_is_utf8(text, (size_t)n))
		return error_set(err, EINVAL,
				 "%s: neither a tar archive nor the text of a "
				 "Dockerfile",
				 context->name);
	build->dockerfile_text = TAKE_PTR(text);
	return 0;
}

/* @fd can be sought in. */
static int take(struct build *build, struct context *context, int fd, struct error *err)
{
	if (context_is_archive(fd))
		return unpack(build, context, fd, err);
	if (context == &build->context && build->options->dockerfile)
		return error_set(err, EINVAL,
				 "%s is no tar archive: there is nothing that %s could be in",
				 context->name, build->options->dockerfile);
	return read_text(build, context, fd, err);
}

int context_from_stream(struct build *build, struct context *context, int fd, struct error *err)
{
	_cleanup_close_ int file = -EBADF;

	if (lseek(fd, 0, SEEK_CUR) >= 0)
		return take(build, context, fd, err);
	file = spool(build, fd, err);
	return file < 0 ? file : take(build, context, file, err);
}

int context_from_url(struct build *build, struct context *context, const char *url,
		     struct error *err)
{
	_cleanup_close_ int file = open_spool(build, err);
	char hex[SHA256_HEX_SIZE];
	long modified;

	if (file < 0)
		return file;
	if (fetch_url(url, file, hex, &modified, err) < 0)
		return error_wrap(err, "%s", context->name);
	if (lseek(file, 0, SEEK_SET) < 0)
		return error_errno(err, "read %s", context->name);
	return take(build, context, file, err);
}
