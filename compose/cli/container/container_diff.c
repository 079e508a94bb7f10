// SPDX-License-Identifier: GPL-2.0-or-later

/* `container diff`: what a container has written, compared with its image. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/overlay.h"
#include "common/str.h"

#include "runtime/image/image.h"

#include "compose/cli/command.h"
#include "compose/cli/container/container_record.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"

#define DEPTH_MAX 256

DEFINE_CLEANUP(struct image_store *, image_store_close);

/* A walk over the uppermost layer. @layers: those of the image, topmost first. */
struct walk {
	int *layers;
	size_t layer_count;
	char **lines;
};

/* What kernels before 6.7 and later ones leave for a file that was removed. */
static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool is_opaque(int dir, const char *path)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char value = 0;

	return fd >= 0 && fgetxattr(fd, overlay_note(OVERLAY_OPAQUE), &value, 1) == 1 &&
	       value == 'y';
}

/* Whether layers below have a say on @path, seen from this one: 1 it is here, 0 ask on, -1 not. */
static int look_in(int layer, const char *path)
{
	_cleanup_free_ char *part = alloc_string(path);

	for (char *slash = part;; slash++) {
		struct stat st;
		bool last;

		slash = strchr(slash, '/');
		last = !slash;
		if (slash)
			*slash = '\0';
		if (fstatat(layer, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
		if (is_whiteout(&st))
			return -1;
		if (last)
			return 1;
		if (!S_ISDIR(st.st_mode))
			return -1;
		/* What is not in it here is nowhere below. */
		if (is_opaque(layer, part)) {
			*slash = '/';
			return fstatat(layer, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? 1 : -1;
		}
		*slash = '/';
	}
}

static bool image_has(const struct walk *walk, const char *path)
{
	for (size_t i = 0; i < walk->layer_count; i++) {
		int r = look_in(walk->layers[i], path);

		if (r)
			return r > 0;
	}
	return false;
}

/* Where berth itself mounts something: no change of the container's. */
static bool is_ours(const char *path)
{
	static const char *const ours[] = {
		"dev", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf", ".dockerenv"};

	array_foreach(one, ours)
		if (!strcmp(*one, path))
			return true;
	return false;
}

static void add(struct walk *walk, char kind, const char *path)
{
	strv_take(&walk->lines, str_printf("%c /%s", kind, path));
}

static int visit(struct walk *walk, int dir, const char *path, int depth, struct error *err);

static int visit_entry(struct walk *walk, int dir, const char *name, const char *path, int depth,
		       struct error *err)
{
	_cleanup_close_ int inside = -EBADF;
	struct stat st;

	if (is_ours(path) || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (is_whiteout(&st)) {
		add(walk, 'D', path);
		return 0;
	}
	add(walk, image_has(walk, path) ? 'C' : 'A', path);
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return 0;
	inside = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return inside < 0 ? error_errno(err, "%s", path)
			  : visit(walk, inside, path, depth + 1, err);
}

static int visit(struct walk *walk, int dir, const char *path, int depth, struct error *err)
{
	_cleanup_strv_ char **names = NULL;
	int r = fs_list(dir, ".", &names, err);

	strv_foreach(name, names) {
		_cleanup_free_ char *below =
			path[0] ? str_printf("%s/%s", path, name) : alloc_string(name);

		if (r >= 0)
			r = visit_entry(walk, dir, name, below, depth, err);
	}
	return r < 0 ? r : 0;
}

/* A directory is changed when something below it is, or itself: the upper layer has it then. */
static int compare(const struct container_record *record, struct walk *walk, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_free_ char *path = str_printf("%s/upper", record->folder);
	_cleanup_close_ int upper = fs_open_dir(AT_FDCWD, path, err);

	if (upper < 0)
		return upper;
	if (!record->image)
		return error_set(err, ENOENT, "its image %s is no longer here",
				 json_get_string(record->container, "image_id"));
	if (store_here_open(&store, err) < 0 ||
	    image_open_layers(store, record->image, &walk->layers, &walk->layer_count, err) < 0)
		return -err->code;
	return visit(walk, upper, "", 0, err);
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_container_record_ struct container_record record = {0};
	_cleanup_json_ json_t *container = NULL;
	struct error err = ERROR_INIT;
	struct walk walk = {0};
	int r = machine_find(argv[0], &container, &err);

	if (r >= 0)
		r = container_record_read(container, &record, &err);
	if (r >= 0 && compare(&record, &walk, &err) < 0)
		r = error_wrap(&err, "container %s", argv[0]);
	strv_foreach(line, walk.lines)
		if (r >= 0)
			puts(line);
	for (size_t i = 0; i < walk.layer_count; i++)
		close(walk.layers[i]);
	free(walk.layers);
	strv_free(walk.lines);
	return r < 0 ? output_fail(args, &err) : 0;
}

const struct command command_container_diff = {
	.name = "diff",
	.operands = "CONTAINER",
	.summary = "Show which files a container has added (A), changed (C) and deleted (D)",
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
