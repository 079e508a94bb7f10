// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build_output_split.c - files of several platforms: a folder each, side by side in one folder or
 * in one archive. The builds run at once, so that each writes an archive of its own first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/platform.h"

#include "compose/cli/build/build_output.h"

#define END_MARK  1024 /* of a tar: two blocks of zeros */
#define COPY_SIZE (1 << 20)

struct build_output_part {
	char *name; /* "linux_arm_v7" */
	int fd;
};

/* As buildx names them: what a platform is without saying so is left away. */
static int name_of(const char *platform, char **ret, struct error *err)
{
	_cleanup_json_ json_t *object = json_object();
	const char *architecture, *variant;
	char *text;

	if (platform_describe(platform, object, err) < 0)
		return -err->code;
	architecture = json_get_string(object, "architecture");
	variant = json_get_string(object, "variant");
	if ((str_equal(architecture, "arm64") && str_equal(variant, "v8")) ||
	    (str_equal(architecture, "amd64") && str_equal(variant, "v1")))
		json_object_del(object, "variant");
	text = platform_text(object);
	for (char *c = text; *c; c++)
		*c = *c == '/' ? '_' : *c;
	*ret = text;
	return 0;
}

static int open_part(const struct build_output_to *to, struct build_output_part *part,
		     struct error *err)
{
	char folder[] = "/var/tmp/berth-XXXXXX";

	if (to->kind == BUILD_TO_FOLDER) {
		if (mkdirat(to->fd, part->name, 0755) < 0 && errno != EEXIST)
			return error_errno(err, "output: %s/%s", to->path, part->name);
		part->fd =
			openat(to->fd, part->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return part->fd < 0 ? error_errno(err, "output: %s/%s", to->path, part->name) : 0;
	}
	part->fd = open("/var/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (part->fd >= 0)
		return 0;
	part->fd = mkostemp(folder, O_CLOEXEC);
	if (part->fd < 0)
		return error_errno(err, "output: a file in /var/tmp");
	(void)unlink(folder);
	return 0;
}

int build_output_split(struct build_output_to *to, struct build_job *jobs, size_t count,
		       struct error *err)
{
	if ((count < 2 && !to->split) || (to->kind != BUILD_TO_FOLDER && to->kind != BUILD_TO_TAR))
		return 0;
	to->parts = new_array(struct build_output_part, count);
	for (size_t i = 0; i < count; i++)
		to->parts[i].fd = -EBADF;
	to->part_count = count;
	for (size_t i = 0; i < count; i++) {
		struct build_output_part *part = &to->parts[i];

		if (name_of(jobs[i].options.platform, &part->name, err) < 0)
			return -err->code;
		for (size_t j = 0; j < i; j++)
			if (!strcmp(to->parts[j].name, part->name))
				return error_set(err, EINVAL,
						 "--platform: %s is there twice: its files would "
						 "mix",
						 part->name);
		if (open_part(to, part, err) < 0)
			return -err->code;
		jobs[i].options.output_fd = part->fd;
		jobs[i].options.output_prefix = part->name;
	}
	return 0;
}

static int append(int from, uint64_t size, int to, struct error *err)
{
	_cleanup_free_ char *buffer = alloc(COPY_SIZE);
	uint64_t done = 0;

	while (done < size) {
		uint64_t left = size - done;
		ssize_t n = pread(from, buffer, left < COPY_SIZE ? left : COPY_SIZE, (off_t)done);
		int r;

		if (n <= 0)
			return n < 0 ? error_errno(err, "read the archive")
				     : error_set(err, EIO, "the archive became shorter");
		r = fd_write_all(to, buffer, (size_t)n);
		if (r < 0)
			return error_code(err, r, "write the archive");
		done += (uint64_t)n;
	}
	return 0;
}

int build_output_append(struct build_output_to *to, struct error *err)
{
	for (size_t i = 0; i < to->part_count; i++) {
		uint64_t end = i + 1 < to->part_count ? END_MARK : 0;
		struct stat st;

		if (fstat(to->parts[i].fd, &st) < 0)
			return error_errno(err, "%s", to->parts[i].name);
		if (append(to->parts[i].fd, (uint64_t)st.st_size - end, to->fd, err) < 0)
			return -err->code;
	}
	return 0;
}

void build_output_forget_parts(struct build_output_to *to)
{
	for (size_t i = 0; i < to->part_count; i++) {
		cleanup_close_fd(&to->parts[i].fd);
		free(to->parts[i].name);
	}
	free(to->parts);
	to->parts = NULL;
	to->part_count = 0;
}
