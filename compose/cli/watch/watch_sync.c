// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/watch/watch_sync.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/container/container_root.h"
#include "compose/cli/cp/cp_tree.h"

/* "/a/b" is "b" in "/a"; NULL: the root itself. */
static char *split(const char *path, char **ret_parent)
{
	char *name = cp_base_name(path);
	size_t end = strlen(path);

	if (!strcmp(name, ".") || !strcmp(name, "..")) {
		free(name);
		return NULL;
	}
	while (end > 0 && path[end - 1] == '/')
		end--;
	*ret_parent = alloc_string_n(path, end - strlen(name));
	return name;
}

/* Removing what is mounted there would take the mount away from the container. */
static bool is_mount(int dir, const char *name)
{
	struct statx st;

	return statx(dir, name, AT_SYMLINK_NOFOLLOW, 0, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static int remove_there(int root, const char *parent, const char *name, struct error *err)
{
	_cleanup_close_ int dir = rootpath_open_raw(root, parent, O_RDONLY | O_DIRECTORY, 0);

	if (dir == -ENOENT || dir == -ENOTDIR)
		return 0;
	if (dir < 0)
		return error_set(err, -dir, "open %s", parent);
	if (is_mount(dir, name))
		return error_set(err, EBUSY, "it stays, for it is mounted there");
	return fs_remove_tree(dir, name, err);
}

/* What is of another kind makes room: a folder became a file, a link a folder. */
static int make_room(int dir, const char *name, const struct stat *st, const struct stat *there,
		     struct error *err)
{
	if ((st->st_mode & S_IFMT) == (there->st_mode & S_IFMT))
		return 0;
	return fs_remove_tree(dir, name, err);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && S_ISREG(a->st_mode) && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * Beside its place, and then into it: a reader meets the old one or the new one. @there: what is
 * there already, whose owner it keeps, or NULL.
 */
static int replace(int source, int dir, const char *name, const struct stat *st,
		   const struct stat *there, struct error *err)
{
	struct cp_options options = {.archive = there != NULL};
	_cleanup_free_ char *beside = NULL;
	struct stat wanted = *st;
	char digits[17];
	int r;

	fs_random_hex(digits, 8);
	beside = str_printf(".berth-%s", digits);
	r = cp_object(source, dir, beside, &(struct cp_options){0}, err);
	if (r >= 0 && there) {
		wanted.st_uid = there->st_uid;
		wanted.st_gid = there->st_gid;
		r = cp_finish(dir, beside, &wanted, &options, err);
	}
	if (r >= 0 && renameat(dir, beside, dir, name) < 0)
		r = error_errno(err, "replace '%s'", name);
	if (r < 0)
		(void)unlinkat(dir, beside, 0);
	return r;
}

static int write_there(int source, const struct stat *st, int root, const char *parent,
		       const char *name, bool compare, struct error *err)
{
	_cleanup_close_ int way = rootpath_mkdirs(root, parent[0] ? parent : "/", 0755, err);
	_cleanup_close_ int dir = -EBADF;
	struct cp_options options = {0};
	struct stat there;
	bool exists, mounted;

	if (way < 0)
		return way;
	dir = openat(way, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(err, "open %s", parent);
	exists = fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
	if (exists && compare && is_same(st, &there))
		return 0;
	mounted = exists && is_mount(dir, name);
	if (exists && !mounted && make_room(dir, name, st, &there, err) < 0)
		return -err->code;
	if (S_ISREG(st->st_mode) && !mounted)
		return replace(source, dir, name, st,
			       exists && S_ISREG(there.st_mode) ? &there : NULL, err);
	if (!S_ISDIR(st->st_mode))
		return cp_object(source, dir, name, &options, err);
	/* What is in a folder comes by itself. */
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "make '%s'", name);
	return cp_finish(dir, name, st, &options, err);
}

static int bring(const struct watch_copy *copy, int root, bool compare, struct error *err)
{
	_cleanup_free_ char *parent = NULL, *name = split(copy->to, &parent);
	_cleanup_close_ int source = open(copy->from, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (!name)
		return 0;
	if (source < 0 && errno != ENOENT && errno != ENOTDIR)
		return error_errno(err, "%s", copy->from);
	if (source < 0)
		return remove_there(root, parent, name, err);
	if (fstat(source, &st) < 0)
		return error_errno(err, "%s", copy->from);
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (write_there(source, &st, root, parent, name, compare, err) < 0)
		return error_wrap(err, "%s", copy->to);
	return 0;
}

/* What cannot be written keeps nothing else from its place; the first such is told. */
static void bring_all(const json_t *container, int root, const struct watch_copy *copies,
		      size_t count, bool compare, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct error why = ERROR_INIT;

		if (bring(&copies[i], root, compare, &why) == 0 || err->code)
			continue;
		*err = why;
		error_wrap(err, "container %s", json_get_string(container, "name"));
	}
}

int watch_sync(const char *project, const json_t *containers, const struct watch_copy *copies,
	       size_t count, bool compare, struct error *err)
{
	json_t *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		const char *path = "/";
		_cleanup_close_ int root = -EBADF;

		if (!container_is_running(container) || json_get_bool(container, "oneoff", false))
			continue;
		root = container_root_open(project, container, &path, err);
		if (root < 0)
			return error_wrap(err, "container %s", json_get_string(container, "name"));
		bring_all(container, root, copies, count, compare, err);
	}
	return -err->code;
}
