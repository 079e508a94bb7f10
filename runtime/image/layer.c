// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/overlay.h"
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

struct layer_job {
	struct layer_options options;
	struct extract_limits limits;
	struct confined_child child;
};

static int unpack_entries(struct tar_reader *reader, const struct layer_job *job,
			  struct layer_result *result, struct strbuf *opaque, struct error *err)
{
	struct extract extract;
	int r;

	extract_init(&extract, reader, job->options.dir, &job->limits);
	if (job->options.usage)
		extract.usage = job->options.usage;
	r = extract_run(&extract, err);
	result->tree_bytes = extract.bytes;
	result->entries = extract.entries;
	map_foreach(path, &extract.opaque)
		strbuf_add_n(opaque, path->key, strlen(path->key) + 1);
	extract_done(&extract);
	return r;
}

/* Its digest is known, or will be that of the bytes as they were read. */
static bool digest_elsewhere(const struct layer_job *job, const struct tar_reader *reader)
{
	return reader->plain.as_is && (job->options.diff_hex || job->options.digest);
}

static int unpack_reader(struct tar_reader *reader, const struct layer_job *job,
			 struct layer_result *result, struct strbuf *opaque, struct error *err)
{
	int r = tar_reader_read_ahead(reader, err);

	if (r < 0)
		return r;
	reader->limit = job->limits.bytes;
	reader->no_digest = digest_elsewhere(job, reader);
	if (!job->options.verify_only)
		r = unpack_entries(reader, job, result, opaque, err);
	if (r == 0)
		r = tar_reader_finish(reader, result->diff_hex, err);
	result->archive_bytes = reader->bytes;
	return r;
}

static int unpack_source(struct fd_source *source, const struct layer_job *job,
			 struct layer_result *result, struct strbuf *opaque, struct error *err)
{
	struct tar_reader reader;
	int r = tar_reader_open(&reader, &source->base, job->options.copy_fd, err);
	bool elsewhere;

	if (r < 0)
		return r;
	r = unpack_reader(&reader, job, result, opaque, err);
	elsewhere = digest_elsewhere(job, &reader);
	tar_reader_close(&reader);
	if (r == 0)
		r = fd_source_finish(source, result->blob_hex, err);
	if (elsewhere)
		memcpy(result->diff_hex,
		       job->options.digest ? result->blob_hex : job->options.diff_hex,
		       SHA256_HEX_SIZE);
	return r;
}

/* In the confined child. Its output: the result, then the opaque directories, each with its NUL. */
static int unpack(void *data, struct strbuf *output, struct error *err)
{
	_cleanup_strbuf_ struct strbuf opaque = {0};
	const struct layer_job *job = data;
	struct layer_result result = {0};
	struct fd_source source;
	int r;

	fd_source_init(&source, job->options.fd);
	if (job->options.part)
		fd_source_part(&source, job->options.offset, job->options.size);
	if (job->options.digest)
		fd_source_digest(&source, job->options.blob_fd);
	r = unpack_source(&source, job, &result, &opaque, err);
	fd_source_done(&source);
	strbuf_add_n(output, &result, sizeof(result));
	if (opaque.length)
		strbuf_add_n(output, opaque.data, opaque.length);
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
	if (fsetxattr(fd, overlay_note(OVERLAY_OPAQUE), "y", 1, 0) < 0)
		return error_errno(err, "mark '%.200s' as opaque", path);
	return 0;
}

int layer_start(const struct layer_options *options, struct layer_job **ret, struct error *err)
{
	const int keep[] = {options->fd, options->blob_fd, options->copy_fd};
	struct layer_job *job = new (struct layer_job);
	const struct confined confined = {
		.dir = options->dir, .keep = keep, .keep_count = 3, .run = unpack, .data = job};
	int r;

	job->options = *options;
	extract_limits_of(options->dir, &job->limits);
	/* What is made in it shall have the modes of the archive. */
	(void)fremovexattr(options->dir, "system.posix_acl_default");
	r = confined_start(&confined, &job->child, err);
	if (r < 0)
		free(job);
	else
		*ret = job;
	return r;
}

int layer_job_fd(const struct layer_job *job)
{
	return job->child.fd;
}

void layer_cancel(struct layer_job *job)
{
	if (job)
		confined_kill(&job->child);
	free(job);
}

int layer_end(struct layer_job *job, struct layer_result *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf output = {0};
	int dir = job->options.dir;
	int r = confined_end(&job->child, &output, err);

	free(job);
	if (r < 0)
		return r;
	if (output.length < sizeof(*ret))
		return error_set(err, EIO, "unpacking ended before its time");
	memcpy(ret, output.data, sizeof(*ret));
	ret->diff_hex[SHA256_HEX_SIZE - 1] = '\0';
	ret->blob_hex[SHA256_HEX_SIZE - 1] = '\0';
	for (size_t at = sizeof(*ret); r == 0 && at < output.length;
	     at += strlen(output.data + at) + 1)
		r = mark_opaque(dir, output.data + at, err);
	return r;
}

int layer_unpack(int fd, int dir, int copy_fd, struct layer_result *ret, struct error *err)
{
	const struct layer_options options = {
		.fd = fd, .dir = dir, .blob_fd = -EBADF, .copy_fd = copy_fd};
	struct layer_job *job;
	int r = layer_start(&options, &job, err);

	return r < 0 ? r : layer_end(job, ret, err);
}
