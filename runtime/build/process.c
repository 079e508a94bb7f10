// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A step's own process: a mount namespace of its own with a small tmpfs, in which trees of layers
 * are put together. It is the first of a pid namespace, so that nothing it started outlives it,
 * and it dies with the builder.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/rootpath.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/build/cache.h"
#include "runtime/container/rootfs.h"
#include "runtime/image/layer.h"

/* Mounts that the host makes later shall not come in, nor ours go out. */
static int own_mounts(struct error *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return error_errno(err, "make a mount namespace for the step");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, "make the step's mounts private");
	return 0;
}

static int open_scratch(struct step_room *room, struct error *err)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), fd = -EBADF;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "make a tmpfs for the step");
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
	if (fd < 0 ||
	    move_mount(fd, "", room->staging, room->step->scratch, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, "mount the step's tmpfs");
	room->scratch = fs_open_dir(room->staging, room->step->scratch, err);
	return room->scratch < 0 ? room->scratch : 0;
}

int room_open(struct step_room *room, struct error *err)
{
	struct build *build = room->build;
	int r = own_mounts(err);

	if (r < 0)
		return r;
	/* All anew: overlayfs takes only directories of the mount namespace it is made in. */
	room->base = fs_open_dir(AT_FDCWD, build->with->root, err);
	if (room->base < 0)
		return room->base;
	room->layers = fs_open_dir(room->base, "layers", err);
	if (room->layers < 0)
		return room->layers;
	room->staging = fs_open_dir(room->layers, build->staging.name, err);
	if (room->staging < 0)
		return room->staging;
	return open_scratch(room, err);
}

static int open_upper(struct step_room *room, struct error *err)
{
	_cleanup_free_ char *work = str_printf("%s.work", room->step->staged);

	room->upper = fs_open_dir(room->staging, room->step->staged, err);
	if (room->upper < 0)
		return room->upper;
	room->work = fs_mkdir_open(room->staging, work, 0700, err);
	return room->work < 0 ? room->work : 0;
}

int room_directory(struct step_room *room, char **ret_name, struct error *err)
{
	_cleanup_free_ char *name = str_printf("d%u", room->next++);
	int fd = fs_mkdir_open(room->scratch, name, 0755, err);

	if (fd >= 0 && ret_name)
		*ret_name = TAKE_PTR(name);
	return fd;
}

static int open_layer(struct step_room *room, const struct tree *tree, struct error *err)
{
	const char *staged = map_get(&room->build->staging.layers, tree->chain);
	int fd = staged ? openat(room->staging, staged, O_PATH | O_DIRECTORY | O_CLOEXEC)
			: openat(room->layers, tree->chain, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "layer %s", tree->chain);
	return fd;
}

int room_open_layers(struct step_room *room, const struct tree *tree, int **ret_fds,
		     size_t *ret_count, struct error *err)
{
	int *fds = NULL;
	size_t count = 0;

	for (; tree; tree = tree->below) {
		int fd = open_layer(room, tree, err);

		if (fd < 0) {
			free(fds);
			return fd;
		}
		*array_add(fds, count) = fd;
	}
	if (room->skeleton >= 0)
		*array_add(fds, count) = room->skeleton;
	if (!count) {
		int fd = room_directory(room, NULL, err);

		if (fd < 0)
			return fd;
		*array_add(fds, count) = fd;
	}
	*ret_fds = fds;
	*ret_count = count;
	return 0;
}

int room_open_tree(struct step_room *room, const struct tree *tree, struct error *err)
{
	struct rootfs_spec spec = {
		.upper_fd = -EBADF, .work_fd = -EBADF, .read_only = true, .userns_fd = -EBADF};
	_cleanup_free_ char *name = NULL;
	_cleanup_free_ int *fds = NULL;
	_cleanup_close_ int place = -EBADF, fd = -EBADF;
	int skeleton = room->skeleton, r;
	bool own;

	place = room_directory(room, &name, err);
	if (place < 0 || !tree)
		return place < 0 ? place : TAKE_FD(place);
	room->skeleton = -EBADF;
	r = room_open_layers(room, tree, &fds, &spec.layer_count, err);
	room->skeleton = skeleton;
	if (r < 0)
		return r;
	spec.layer_fds = fds;
	fd = rootfs_make(&spec, &own, err);
	if (fd < 0)
		return fd;
	/* Attached, since only then parts of it can be cloned (before Linux 6.15). */
	if (!own && move_mount(fd, "", room->scratch, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, "mount the layers");
	if (own)
		return TAKE_FD(fd);
	return fs_open_dir(room->scratch, name, err);
}

const struct tree *source_tree(const struct source *source)
{
	return source->kind == SOURCE_STAGE ? stage_tree(source->stage) : source->tree;
}

int room_open_source(struct step_room *room, const struct source *source,
		     const struct ignore **ret_ignore, struct error *err)
{
	int fd;

	*ret_ignore = NULL;
	if (source->kind != SOURCE_CONTEXT)
		return room_open_tree(room, source_tree(source), err);
	*ret_ignore = &source->context->ignore;
	fd = open(source->context->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "%s", source->context->name) : fd;
}

/* Beside the builder nobody else holds the other ends of the step's pipes. */
void step_process_begin(struct build *build, const struct step *step)
{
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "berth-build");
	/* The first process of a pid namespace gets no signal that it has no handler for. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0);
	for (size_t i = 0; i < build->step_count; i++) {
		if (build->steps[i] == step)
			continue;
		cleanup_close_fd(&build->steps[i]->log_fd);
		cleanup_close_fd(&build->steps[i]->result_fd);
		cleanup_close_fd(&build->steps[i]->lock_fd);
	}
}

void step_process_finish(struct step_report *report, int result_fd)
{
	(void)fd_write_all(result_fd, report, sizeof(*report));
	_exit(report->err.code ? 1 : 0);
}

void room_init(struct step_room *room, struct build *build, struct step *step, int log_fd)
{
	*room = (struct step_room){.build = build,
				   .step = step,
				   .log_fd = log_fd,
				   .base = -EBADF,
				   .layers = -EBADF,
				   .staging = -EBADF,
				   .scratch = -EBADF,
				   .upper = -EBADF,
				   .work = -EBADF,
				   .skeleton = -EBADF};
}

/* Of the sources that are layers: their content, so that the same files from a new layer count as
 * the same. */
static int digest_trees(struct step_room *room, struct sha256 *sha, struct error *err)
{
	const struct copy_spec *copy = &room->step->copy;
	const struct ignore *ignore;
	struct digest digest = {.owners = true, .exclude = &copy->exclude};
	char hex[SHA256_HEX_SIZE];
	_cleanup_close_ int root = -EBADF;

	if (copy->source.kind == SOURCE_NONE || copy->source.kind == SOURCE_CONTEXT)
		return 0;
	root = room_open_source(room, &copy->source, &ignore, err);
	if (root < 0)
		return root;
	digest.root = root;
	sha256_init(&digest.sha);
	strv_foreach(pattern, copy->paths) {
		_cleanup_strv_ char **paths = NULL;

		if (glob_paths(root, NULL, pattern, &paths, err) < 0)
			return -err->code;
		if (!paths && !glob_is_pattern(pattern))
			return glob_fail(room->step, root, NULL, pattern, err);
		strv_foreach(path, paths)
			if (digest_path(&digest, path, err) < 0)
				return -err->code;
	}
	sha256_hex(&digest.sha, hex);
	sha256_update(sha, hex, sizeof(hex));
	return 0;
}

void step_process_prepare(struct build *build, struct step *step, int result_fd, int log_fd)
{
	struct step_report report = {0};
	struct step_room room;
	struct sha256 sha;
	int r;

	step_process_begin(build, step);
	room_init(&room, build, step, log_fd);
	sha256_init(&sha);
	r = room_open(&room, &report.err);
	if (r == 0)
		r = digest_trees(&room, &sha, &report.err);
	if (r == 0 && step->copy.remotes)
		r = fetch_remotes(&room, &sha, &report.err);
	sha256_hex(&sha, report.content);
	step_process_finish(&report, result_fd);
}

static int do_step(struct step_room *room, struct step_report *report, struct error *err)
{
	switch (room->step->op) {
	case STEP_RUN:
		return step_run(room, report, err);
	case STEP_COPY:
		return step_copy(room, err);
	default:
		return step_workdir(room, err);
	}
}

/* What it wrote becomes a layer. */
static int seal(struct step_room *room, struct step_report *report, struct error *err)
{
	const struct build *build = room->build;
	int64_t latest = build->epoch_nsec < 0 ? INT64_MAX : build->epoch_nsec;
	_cleanup_close_ int below = -EBADF, blob = -EBADF;
	struct layer_result layer;
	int r;

	if (room->step->below) {
		below = room_open_tree(room, room->step->below, err);
		if (below < 0)
			return below;
	}
	if (room->step->staged_blob) {
		blob = openat(room->staging, room->step->staged_blob, O_WRONLY | O_CLOEXEC);
		if (blob < 0)
			return error_errno(err, "open the layer's blob");
	}
	r = layer_seal(room->upper, below, latest, blob, &layer, &report->changed, err);
	if (r < 0)
		return error_wrap(err, "make a layer");
	memcpy(report->layer.diff, layer.diff_hex, SHA256_HEX_SIZE);
	report->layer.archive_bytes = layer.archive_bytes;
	report->layer.tree_bytes = layer.tree_bytes;
	return 0;
}

void step_process_run(struct build *build, struct step *step, int result_fd, int log_fd)
{
	struct step_report report = {0};
	struct step_room room;
	int r;

	step_process_begin(build, step);
	room_init(&room, build, step, log_fd);
	if (step->lock_fd >= 0) {
		while (flock(step->lock_fd, LOCK_EX) < 0 && errno == EINTR)
			;
		report.found = cache_has(build->dir, step->key);
		if (report.found)
			step_process_finish(&report, result_fd);
	}
	r = room_open(&room, &report.err);
	if (r == 0)
		r = open_upper(&room, &report.err);
	if (r == 0)
		r = do_step(&room, &report, &report.err);
	if (r == 0)
		(void)seal(&room, &report, &report.err);
	step_process_finish(&report, result_fd);
}
