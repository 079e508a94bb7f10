// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * COPY, ADD and WORKDIR: files put upon the stage's layers.
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
#include "common/path.h"
#include "common/rootpath.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/container/birth.h"
#include "runtime/container/rootfs.h"
#include "runtime/image/layer.h"

/* The stage's files, to be written to. */
static int open_target(struct step_room *room, bool alone, struct error *err)
{
	struct rootfs_spec spec = {.upper_fd = room->upper,
				   .work_fd = room->work,
				   .userns_fd = -EBADF,
				   .becomes_layer = true};
	_cleanup_free_ int *layers = NULL;
	bool own;
	int r = room_open_layers(room, alone ? NULL : room->step->below, &layers, &spec.layer_count,
				 err);

	if (r < 0)
		return r;
	spec.layer_fds = layers;
	return rootfs_make(&spec, &own, err);
}

static int64_t now_of(const struct build *build)
{
	return build->epoch_nsec < 0 ? units_now_nsec() : build->epoch_nsec;
}

/* A number alone is the group's as well, whatever group the user has. */
static char *owner_words(const char *owner)
{
	return owner[strspn(owner, "0123456789")] ? alloc_string(owner)
						  : str_printf("%s:%s", owner, owner);
}

/* "app", "1000", "1000:1000", "app:extra": names are those of the stage. */
static int find_owner(struct step_room *room, int target, const char *owner,
		      struct copying *copying, struct error *err)
{
	_cleanup_free_ char *both = owner_words(owner);
	_cleanup_close_ int view = -EBADF;
	struct account account = {0};
	int r;

	copying->set_owner = true;
	if (room->step->copy.link) {
		/* Upon nothing there is no passwd: the stage's is meant. */
		view = room_open_tree(room, room->step->below, err);
		if (view < 0)
			return view;
		target = view;
	}
	r = account_find(target, both, NULL, &account, err);
	if (r < 0)
		return error_wrap(err, "--chown=%s", room->step->copy.chown);
	copying->uid = account.uid;
	copying->gid = account.gid;
	return 0;
}

static bool is_folder(int root, const char *path)
{
	_cleanup_close_ int fd = rootpath_open_raw(root, path, O_PATH | O_DIRECTORY, 0);

	return fd >= 0;
}

/* Where a file called @name goes. */
static char *file_target(const struct copy_spec *copy, int target, const char *name)
{
	if (!copy->is_directory && !is_folder(target, copy->destination))
		return alloc_string(copy->destination);
	return str_printf("%s/%s", strcmp(copy->destination, "/") ? copy->destination : "", name);
}

/* ADD of an archive: 1 when it was one and is unpacked. */
static int try_unpack(struct step_room *room, struct copying *copying, const char *source,
		      bool wanted, struct error *err)
{
	const struct copy_spec *copy = &room->step->copy;
	_cleanup_close_ int fd =
		rootpath_open_raw(copying->source_root, source, O_RDONLY | O_NONBLOCK, 0);
	_cleanup_free_ char *name = str_printf("%s.unpack%u", room->step->staged, room->next++);
	_cleanup_close_ int folder = -EBADF;
	struct copying inner = *copying;
	struct layer_result layer;
	struct error failure = ERROR_INIT;
	struct stat st;
	int r;

	if (!wanted || fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    !context_is_archive(fd))
		return 0;
	folder = fs_mkdir_open(room->staging, name, 0755, err);
	if (folder < 0)
		return folder;
	r = layer_unpack(fd, folder, -1, &layer, &failure);
	if (r < 0 || layer.entries == 0) {
		/* A compressed file that holds no tar is a file like others. */
		(void)fs_remove_tree(room->staging, name, err);
		if (r < 0 && (failure.code == ENOSPC || failure.code == EDQUOT)) {
			*err = failure;
			return -err->code;
		}
		error_clear(err);
		return 0;
	}
	inner.source_root = folder;
	inner.ignore = inner.exclude = NULL;
	inner.links = (struct map){0};
	/* Its own owners, unless others are asked for. */
	inner.set_owner = copy->chown != NULL;
	r = copying_path(&inner, "", copy->destination, true, err);
	copying_done(&inner);
	return r < 0 ? r : 1;
}

static int copy_one(struct step_room *room, struct copying *copying, const char *source,
		    struct error *err)
{
	const struct copy_spec *copy = &room->step->copy;
	_cleanup_close_ int fd = rootpath_open_raw(copying->source_root, source, O_PATH, 0);
	_cleanup_free_ char *target = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_code(err, fd < 0 ? fd : -errno, "%s", source);
	if (copy->add && (!copy->set_unpack || copy->unpack)) {
		r = try_unpack(room, copying, source, true, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (copy->parents) {
		target = str_printf(
			"%s/%s", strcmp(copy->destination, "/") ? copy->destination : "", source);
		return copying_path(copying, source, target, false, err);
	}
	if (S_ISDIR(st.st_mode))
		return copying_path(copying, source, copy->destination, true, err);
	target = file_target(copy, copying->target_root, path_last(source));
	return copying_path(copying, source, target, false, err);
}

/* "a/./b/c" with --parents: only what follows the dot is kept; taken care of by a root there. */
static int copy_paths(struct step_room *room, struct copying *copying, struct error *err)
{
	const struct copy_spec *copy = &room->step->copy;
	size_t copied = 0;

	strv_foreach(pattern, copy->paths) {
		_cleanup_strv_ char **paths = NULL;
		const char *pivot = copy->parents ? strstr(pattern, "/./") : NULL;
		int root = copying->source_root, r;
		_cleanup_close_ int inner = -EBADF;

		if (pivot && pivot > pattern) {
			_cleanup_free_ char *folder =
				alloc_string_n(pattern, (size_t)(pivot - pattern));

			inner = rootpath_open(root, folder, O_RDONLY | O_DIRECTORY, 0, err);
			if (inner < 0)
				return inner;
			pattern = (char *)pivot + 3;
		}
		copying->source_root = inner >= 0 ? inner : root;
		r = glob_paths(copying->source_root, copying->ignore, pattern, &paths, err);
		if (r == 0 && !paths && !glob_is_pattern(pattern))
			r = glob_fail(room->step, copying->source_root, copying->ignore, pattern,
				      err);
		strv_foreach(path, paths) {
			if (r < 0)
				break;
			r = copy_one(room, copying, path, err);
			/* As BuildKit: files of two sources are never one. */
			copying_done(copying);
			copied++;
		}
		copying->source_root = root;
		if (r < 0)
			return r;
	}
	if (!copied && copy->paths && !copy->file_count && !copy->remotes)
		return glob_fail(room->step, copying->source_root, copying->ignore, copy->paths[0],
				 err);
	return 0;
}

static int copy_files(struct step_room *room, struct copying *copying, struct error *err)
{
	const struct copy_spec *copy = &room->step->copy;
	struct copying inner = *copying;
	int r = 0;

	if (!copy->file_count)
		return 0;
	inner.ignore = inner.exclude = NULL;
	inner.source_root = room_directory(room, NULL, err);
	if (inner.source_root < 0)
		return inner.source_root;
	if (!copy->chown) {
		inner.set_owner = true;
		inner.uid = inner.gid = 0;
	}
	for (size_t i = 0; r == 0 && i < copy->file_count; i++) {
		_cleanup_free_ char *target =
			file_target(copy, copying->target_root, copy->files[i].name);
		const char *content = copy->files[i].content;

		r = fs_replace(inner.source_root, copy->files[i].name, content, strlen(content),
			       FS_ATOMIC, err);
		if (r == 0) {
			const struct timespec times[2] = {
				{0, UTIME_OMIT},
				{copying->now_nsec / 1000000000, copying->now_nsec % 1000000000}};

			(void)utimensat(inner.source_root, copy->files[i].name, times, 0);
			r = copying_path(&inner, copy->files[i].name, target, false, err);
		}
	}
	copying_done(&inner);
	close(inner.source_root);
	return r;
}

/* What was fetched lies in staging, each source in a folder of its own: "NAME.fetch/0/file". */
static int copy_remotes(struct step_room *room, struct copying *copying, struct error *err)
{
	const struct copy_spec *copy = &room->step->copy;
	_cleanup_free_ char *name = str_printf("%s.fetch", room->step->scratch);
	_cleanup_close_ int fetched = -EBADF;
	struct copying inner = *copying;
	int r = 0;

	if (!copy->remotes)
		return 0;
	fetched = fs_open_dir(room->staging, name, err);
	if (fetched < 0)
		return fetched;
	inner.ignore = NULL;
	if (!copy->chown) {
		inner.set_owner = true;
		inner.uid = inner.gid = 0;
	}
	for (size_t i = 0; r == 0 && copy->remotes[i]; i++) {
		_cleanup_free_ char *folder = str_printf("%zu", i);
		_cleanup_close_ int dir = fs_open_dir(fetched, folder, err);
		_cleanup_strv_ char **names = NULL;

		if (dir < 0 || fs_list(dir, ".", &names, err) < 0)
			return -err->code;
		inner.source_root = dir;
		if (fetch_is_git(copy->remotes[i]))
			r = copying_path(&inner, "", copy->destination, true, err);
		else if (!copy->unpack ||
			 (r = try_unpack(room, &inner, names[0], true, err)) == 0) {
			_cleanup_free_ char *target =
				file_target(copy, copying->target_root, names[0]);

			r = copying_path(&inner, names[0], target, false, err);
		}
		r = r > 0 ? 0 : r;
	}
	copying_done(&inner);
	return r;
}

int step_copy(struct step_room *room, struct error *err)
{
	const struct copy_spec *copy = &room->step->copy;
	_cleanup_close_ int target = open_target(room, copy->link, err), source = -EBADF;
	struct copying copying = {.target_root = target,
				  .exclude = copy->exclude.count ? &copy->exclude : NULL,
				  .chmod = copy->chmod,
				  .now_nsec = now_of(room->build)};
	int r = 0;

	if (target < 0)
		return target;
	if (copy->chown)
		r = find_owner(room, target, copy->chown, &copying, err);
	else if (copy->source.kind == SOURCE_CONTEXT)
		copying.set_owner = true; /* root's, whoever checked it out */
	if (r == 0 && copy->source.kind != SOURCE_NONE) {
		source = room_open_source(room, &copy->source, &copying.ignore, err);
		if (source < 0)
			return source;
		copying.source_root = source;
		r = copy_paths(room, &copying, err);
	}
	if (r == 0)
		r = copy_files(room, &copying, err);
	if (r == 0)
		r = copy_remotes(room, &copying, err);
	copying_done(&copying);
	return r;
}

/* The folder, and those above it that are missing, of the user that is set. */
int step_workdir(struct step_room *room, struct error *err)
{
	_cleanup_close_ int target = open_target(room, false, err);
	struct copying copying = {.target_root = target, .now_nsec = now_of(room->build)};

	struct account account = {0};

	if (target < 0)
		return target;
	if (*room->step->user) {
		_cleanup_free_ char *owner = owner_words(room->step->user);

		if (account_find(target, owner, NULL, &account, err) < 0)
			return error_wrap(err, "USER %s", room->step->user);
		copying.set_owner = true;
		copying.uid = account.uid;
		copying.gid = account.gid;
	}
	return copying_make_parents(&copying, room->step->cwd, true, err);
}
