// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/image/confine.h"
#include "runtime/image/extract.h"

/* What stays free whatever an image wants; of a small disk, a part of it. */
#define RESERVE_BYTES (UINT64_C(32) << 20)
#define RESERVE_PART  32

void extract_limits_of(int dir, struct extract_limits *ret)
{
	struct statvfs fs;
	uint64_t reserve;

	*ret = (struct extract_limits){.bytes = UINT64_MAX, .entries = EXTRACT_ENTRIES_MAX};
	if (fstatvfs(dir, &fs) < 0)
		return;
	ret->bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	reserve = ret->bytes / RESERVE_PART;
	ret->bytes -= reserve < RESERVE_BYTES ? reserve : RESERVE_BYTES;
	/* btrfs and others count no inodes. */
	if (fs.f_files && fs.f_favail < ret->entries)
		ret->entries = fs.f_favail;
}

struct unpacking {
	int fd, dir, copy_fd;
	struct extract_limits limits;
};

static int unpack_entries(struct tar_reader *reader, const struct unpacking *job,
			  struct layer_result *result, struct strbuf *output, struct error *err)
{
	struct extract extract;
	int r;

	extract_init(&extract, reader, job->dir, &job->limits);
	r = extract_run(&extract, err);
	if (r == 0)
		r = tar_reader_finish(reader, result->diff_hex, err);
	result->archive_bytes = reader->bytes;
	result->tree_bytes = extract.bytes;
	result->entries = extract.entries;
	strbuf_add_n(output, result, sizeof(*result));
	map_foreach(opaque, &extract.opaque)
		strbuf_add_n(output, opaque->key, strlen(opaque->key) + 1);
	extract_done(&extract);
	return r;
}

/* In the confined child. Its output: the result, then the opaque directories, each with its NUL. */
static int unpack(void *data, struct strbuf *output, struct error *err)
{
	const struct unpacking *job = data;
	struct layer_result result = {0};
	struct tar_reader reader;
	struct fd_source source;
	int r;

	fd_source_init(&source, job->fd);
	r = tar_reader_open(&reader, &source.base, job->copy_fd, err);
	if (r == 0) {
		reader.limit = job->limits.bytes;
		r = unpack_entries(&reader, job, &result, output, err);
		tar_reader_close(&reader);
	}
	fd_source_done(&source);
	return r;
}

/* Done out here: trusted.* attributes take CAP_SYS_ADMIN, which the child has not. */
static int mark_opaque(int dir, const char *path, struct error *err)
{
	_cleanup_close_ int fd =
		rootpath_open(dir, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP) {
		error_clear(err); /* replaced further on in the archive */
		return 0;
	}
	if (fd < 0)
		return fd;
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return error_errno(err, "mark '%.200s' as opaque", path);
	return 0;
}

int layer_unpack(int fd, int dir, int copy_fd, struct layer_result *ret, struct error *err)
{
	const int keep[] = {fd, copy_fd};
	struct unpacking job = {.fd = fd, .dir = dir, .copy_fd = copy_fd};
	const struct confined confined = {
		.dir = dir, .keep = keep, .keep_count = 2, .run = unpack, .data = &job};
	_cleanup_strbuf_ struct strbuf output = {0};
	int r;

	extract_limits_of(dir, &job.limits);
	r = confined_run(&confined, &output, err);
	if (r < 0)
		return r;
	if (output.length < sizeof(*ret))
		return error_set(err, EIO, "unpacking ended before its time");
	memcpy(ret, output.data, sizeof(*ret));
	ret->diff_hex[SHA256_HEX_SIZE - 1] = '\0';
	for (size_t at = sizeof(*ret); r == 0 && at < output.length;
	     at += strlen(output.data + at) + 1)
		r = mark_opaque(dir, output.data + at, err);
	return r;
}
