// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/watch/watch_tree.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "compose/cli/watch/watch_rules.h"

#define DEPTH_MAX   256
#define BUFFER_SIZE 65536
/* No IN_MODIFY: a file is taken once its writer closed it, not half written. */
#define EVENTS                                                                              \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | \
	 IN_ONLYDIR)

int watch_tree_init(struct watch_tree *tree, const struct watch_tree_ops *ops, void *data,
		    struct error *err)
{
	*tree = (struct watch_tree){.ops = ops, .data = data};
	tree->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (tree->fd < 0 && errno == EMFILE)
		return error_set(
			err, EMFILE,
			"watch: the kernel allows this user no more that watch, or us no more "
			"open files; raise the sysctl fs.inotify.max_user_instances, or "
			"`ulimit -n`");
	return tree->fd < 0 ? error_errno(err, "inotify") : 0;
}

void watch_tree_done(struct watch_tree *tree)
{
	for (size_t i = 0; i < tree->directory_count; i++)
		free(tree->directories[i]);
	free(tree->directories);
	strv_free(tree->roots);
	map_done(&tree->known, NULL);
	if (tree->fd >= 0)
		close(tree->fd);
	*tree = (struct watch_tree){.fd = -EBADF};
}

static bool is_covered(const struct watch_tree *tree, const char *path)
{
	strv_foreach(root, tree->roots) {
		if (watch_path_below(root, path))
			return true;
	}
	return false;
}

static void tell(struct watch_tree *tree, const char *path)
{
	if (!is_covered(tree, path))
		return;
	map_set(&tree->known, path, tree);
	tree->ops->changed(tree->data, path);
}

static int watch_directory(struct watch_tree *tree, const char *path, struct error *err)
{
	int wd = inotify_add_watch(tree->fd, path, EVENTS);

	/* It went again since it was seen. */
	if (wd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -ENOENT;
	if (wd < 0 && errno == ENOSPC)
		return error_set(err, ENOSPC,
				 "watch %s: the kernel allows no more watches; raise the sysctl "
				 "fs.inotify.max_user_watches, or leave folders out with 'ignore'",
				 path);
	if (wd < 0)
		return error_errno(err, "watch %s", path);
	while (tree->directory_count <= (size_t)wd)
		*array_add(tree->directories, tree->directory_count) = NULL;
	free(tree->directories[wd]);
	tree->directories[wd] = alloc_string(path);
	return 0;
}

static char *joined(const char *directory, const char *name)
{
	return str_printf("%s/%s", !strcmp(directory, "/") ? "" : directory, name);
}

/* @report: what is in there is new to whoever we tell. Watched first, so that nothing is missed. */
static int add_below(struct watch_tree *tree, const char *path, bool report, int depth,
		     struct error *err)
{
	_cleanup_strv_ char **names = NULL;
	struct error gone = ERROR_INIT;
	int r;

	if (depth > DEPTH_MAX || tree->ops->prune(tree->data, path))
		return 0;
	r = watch_directory(tree, path, err);
	if (r < 0)
		return err->code ? r : 0;
	if (fs_list(AT_FDCWD, path, &names, &gone) < 0)
		return 0;
	strv_foreach(name, names) {
		_cleanup_free_ char *child = joined(path, name);
		struct stat st;

		if (lstat(child, &st) < 0)
			continue;
		map_set(&tree->known, child, tree);
		if (report)
			tree->ops->changed(tree->data, child);
		if (S_ISDIR(st.st_mode) && add_below(tree, child, report, depth + 1, err) < 0)
			return -err->code;
	}
	return 0;
}

int watch_tree_add(struct watch_tree *tree, const char *root, struct error *err)
{
	const char *slash = strrchr(root, '/');
	struct stat st;
	int r = 0;

	strv_append(&tree->roots, root);
	if (slash && slash[1]) {
		_cleanup_free_ char *parent =
			slash == root ? alloc_string("/")
				      : alloc_string_n(root, (size_t)(slash - root));

		r = watch_directory(tree, parent, err);
	}
	if (r < 0 && err->code)
		return r;
	map_set(&tree->known, root, tree);
	if (stat(root, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	return add_below(tree, root, false, 0, err);
}

/* The folder was moved away or removed: what was below it is gone with it. */
static void drop_below(struct watch_tree *tree, const char *path)
{
	_cleanup_strv_ char **below = NULL;

	for (size_t i = 0; i < tree->directory_count; i++)
		if (tree->directories[i] && watch_path_below(path, tree->directories[i]))
			(void)inotify_rm_watch(tree->fd, (int)i);
	map_foreach(entry, &tree->known)
		if (watch_path_below(path, entry->key))
			strv_append(&below, entry->key);
	strv_foreach(gone, below)
		tree->ops->changed(tree->data, gone);
}

/* Events were lost: everything there is and everything there was may have changed. */
static int look_at_all(struct watch_tree *tree, struct error *err)
{
	_cleanup_strv_ char **known = NULL;

	map_foreach(entry, &tree->known)
		strv_append(&known, entry->key);
	strv_foreach(path, known)
		tree->ops->changed(tree->data, path);
	strv_foreach(root, tree->roots) {
		struct stat st;

		if (stat(root, &st) == 0 && S_ISDIR(st.st_mode) &&
		    add_below(tree, root, true, 0, err) < 0)
			return -err->code;
	}
	return 0;
}

static bool is_way_to_root(const struct watch_tree *tree, const char *path)
{
	strv_foreach(root, tree->roots) {
		if (!strcmp(root, path))
			return true;
	}
	return false;
}

static int take_event(struct watch_tree *tree, const struct inotify_event *event, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	const char *directory;

	if (event->mask & IN_Q_OVERFLOW)
		return look_at_all(tree, err);
	if (event->wd < 0 || (size_t)event->wd >= tree->directory_count ||
	    !tree->directories[event->wd])
		return 0;
	if (event->mask & IN_IGNORED) {
		free(tree->directories[event->wd]);
		tree->directories[event->wd] = NULL;
		return 0;
	}
	directory = tree->directories[event->wd];
	if (!event->len || !event->name[0])
		return 0;
	path = joined(directory, event->name);
	if (!is_covered(tree, path))
		return 0;
	/* A chmod of a folder is told by the folder above as well as by itself. */
	tell(tree, path);
	if (!(event->mask & IN_ISDIR) && !is_way_to_root(tree, path))
		return 0;
	if (event->mask & (IN_MOVED_FROM | IN_DELETE))
		drop_below(tree, path);
	else if (event->mask & (IN_CREATE | IN_MOVED_TO))
		return add_below(tree, path, true, 0, err);
	return 0;
}

int watch_tree_read(struct watch_tree *tree, struct error *err)
{
	_Alignas(struct inotify_event) char buffer[BUFFER_SIZE];
	ssize_t n;

	while ((n = read(tree->fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;
			int r = take_event(tree, event, err);

			if (r < 0)
				return r;
			at += sizeof(*event) + event->len;
		}
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return error_errno(err, "inotify");
	return 0;
}
