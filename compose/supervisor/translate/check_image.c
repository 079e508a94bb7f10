// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/translate/check_image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/container/birth.h"

#include "compose/control/place.h"
#include "compose/supervisor/observe.h"

#define ID_DIGITS_MAX 10

struct image_tree {
	char *id;
	int fd; /* negative: it cannot be had */
};

/* What one service's look at its image is about. */
struct look {
	struct check_room *room;
	const struct check_wish *wish;
	const struct service *service;
	const struct image *image;
};

void image_trees_done(struct check_room *room)
{
	for (size_t i = 0; i < room->tree_count; i++) {
		free(room->trees[i].id);
		cleanup_close_fd(&room->trees[i].fd);
	}
	free(TAKE_PTR(room->trees));
	room->tree_count = 0;
}

/* One for all services of an image, and only if one of them needs it. */
static int tree_of(const struct look *look)
{
	struct check_room *room = look->room;
	struct error ignored = ERROR_INIT;
	struct image_tree *tree;

	for (size_t i = 0; i < room->tree_count; i++)
		if (str_equal(room->trees[i].id, look->image->id))
			return room->trees[i].fd;
	tree = array_add(room->trees, room->tree_count);
	tree->id = alloc_string(look->image->id);
	tree->fd = translate_image_tree(room->supervisor->images, look->image, &ignored);
	return tree->fd;
}

/* Whether what is mounted on @target is there instead of what the image has at @path. */
static bool hides(const char *target, const char *path)
{
	size_t length = strlen(target);

	while (length && target[length - 1] == '/')
		length--;
	return strncmp(target, path, length) == 0 && (!path[length] || path[length] == '/');
}

static bool file_hides(const struct file_reference *files, size_t count, const char *folder,
		       const char *path)
{
	for (size_t i = 0; i < count; i++) {
		const char *given = files[i].target ?: files[i].source;
		_cleanup_free_ char *target =
			given[0] == '/' ? alloc_string(given) : str_printf("%s/%s", folder, given);

		if (hides(target, path))
			return true;
	}
	return false;
}

/* @itself: what is mounted on @path itself counts as well. */
static bool is_hidden(const struct look *look, const char *path, bool itself)
{
	const struct service *service = look->service;

	if (service->volumes_from)
		return true;
	for (size_t i = 0; i < service->volume_count; i++) {
		const char *target = service->volumes[i].target;

		if (hides(target, path) && (itself || strcmp(target, path) != 0))
			return true;
	}
	strv_foreach(text, service->tmpfs) {
		_cleanup_free_ char *target = alloc_string_n(text, strcspn(text, ":"));

		if (hides(target, path))
			return true;
	}
	strv_foreach(target, look->image->volumes)
		if (hides(target, path) && (itself || strcmp(target, path) != 0))
			return true;
	return file_hides(service->secrets, service->secret_count, "/run/secrets", path) ||
	       file_hides(service->configs, service->config_count, "", path);
}

static bool mounts_nothing(const struct look *look)
{
	const struct service *service = look->service;

	return !service->volume_count && !service->tmpfs && !service->volumes_from &&
	       !service->secret_count && !service->config_count && !look->image->volumes;
}

/* Links lead elsewhere, and there something may be mounted. */
static bool crosses_link(int tree, const char *path)
{
	char part[PATH_MAX];

	for (const char *end = path; *end;) {
		struct stat st;

		end += strspn(end, "/");
		end += strcspn(end, "/");
		snprintf(part, sizeof(part), ".%.*s", (int)(end - path), path);
		if (fstatat(tree, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
		if (S_ISLNK(st.st_mode))
			return true;
	}
	return false;
}

/* Whether what the container will have at @path (clean, absolute) is what the image has there. */
static bool is_images_own(const struct look *look, int tree, const char *path)
{
	return !is_hidden(look, path, true) && (mounts_nothing(look) || !crosses_link(tree, path));
}

/* Digits need no entry; see runtime/container/account.c. */
static bool is_number(const char *text, size_t length)
{
	return length && length <= ID_DIGITS_MAX && strspn(text, "0123456789") >= length;
}

static bool user_needs_files(const char *user)
{
	size_t name = strcspn(user, ":");
	const char *group = user[name] ? user + name + 1 : "";

	return (name && !is_number(user, name)) || (*group && !is_number(group, strlen(group)));
}

static int find_account(const struct look *look, int tree, const char *user, char *const *groups,
			struct error *err)
{
	struct account account;

	if (account_find(tree, user, (const char *const *)groups, &account, err) >= 0)
		return 0;
	return error_wrap(err, "image %s", look->service->image);
}

static int check_user(const struct look *look, struct error *err)
{
	const struct service *service = look->service;
	const char *user = service->user ?: look->image->user ?: "";
	bool named = user_needs_files(user), grouped = false;
	int tree;

	strv_foreach(group, service->group_add)
		grouped = grouped || !is_number(group, strlen(group));
	if (!named && !grouped)
		return 0;
	tree = tree_of(look);
	if (tree < 0 || !is_images_own(look, tree, "/etc/passwd") ||
	    !is_images_own(look, tree, "/etc/group"))
		return 0;
	if (named && find_account(look, tree, user, NULL, err) < 0)
		return place_under(err, "user", NULL);
	if (grouped && find_account(look, tree, "0", service->group_add, err) < 0)
		return place_under(err, "group_add", NULL);
	return 0;
}

static int check_directory(const struct look *look, struct error *err)
{
	const char *given = look->service->working_dir;
	_cleanup_free_ char *path = given && *given ? path_clean(given) : NULL;
	_cleanup_close_ int fd = -EBADF;
	int tree = path ? tree_of(look) : -EBADF;

	if (tree < 0 || !is_images_own(look, tree, path))
		return 0;
	fd = rootpath_open_raw(tree, path, O_PATH | O_DIRECTORY, 0);
	if (fd != -ENOTDIR)
		return 0;
	error_code(err, fd, "working directory %s: image %s", path, look->service->image);
	return place_under(err, "working_dir", NULL);
}

/* 1: the container can have no such file; 0: it has, or may have one. */
static int lacks(const struct look *look, int tree, const char *given)
{
	_cleanup_free_ char *path = path_clean(given);
	_cleanup_close_ int fd = -EBADF;

	if (!is_images_own(look, tree, path))
		return 0;
	fd = rootpath_open_raw(tree, path, O_PATH, 0);
	return fd == -ENOENT || fd == -ENOTDIR;
}

static const char *search_path(const struct look *look)
{
	const struct mapping *environment = &look->service->environment;

	for (size_t i = 0; i < environment->count; i++)
		if (str_equal(environment->items[i].key, "PATH"))
			return environment->items[i].value ?: "";
	return strv_env_get(look->image->env, "PATH") ?: TRANSLATE_DEFAULT_PATH;
}

static bool is_nowhere(const struct look *look, int tree, const char *name)
{
	_cleanup_strv_ char **folders = strv_split(search_path(look), ":");

	strv_foreach(folder, folders) {
		_cleanup_free_ char *path = str_printf("%s/%s", folder, name);

		/* A relative one is the working directory's. */
		if (folder[0] != '/' || !lacks(look, tree, path))
			return false;
	}
	return folders != NULL;
}

/*
 * A first container fails at its start, with the code that Docker has for it. One that runs is not
 * to be lost for one that cannot.
 */
static int check_program(const struct look *look, struct error *err)
{
	const struct service *service = look->service;
	_cleanup_strv_ char **words = NULL;
	int tree;

	if (!look->wish->replaces || !look->wish->started)
		return 0;
	words = translate_arguments(service, look->image);
	tree = words ? tree_of(look) : -EBADF;
	if (tree < 0)
		return 0;
	if (words[0][0] == '/' && lacks(look, tree, words[0]))
		error_set(err, ENOENT, "image %s: exec: \"%s\": stat %s: no such file or directory",
			  service->image, words[0], words[0]);
	else if (words[0][0] && !strchr(words[0], '/') && is_nowhere(look, tree, words[0]))
		error_set(err, ENOENT, "image %s: exec: \"%s\": executable file not found in $PATH",
			  service->image, words[0]);
	if (!err->code)
		return 0;
	return place_under(err, service->entrypoint.args ? "entrypoint" : "command", NULL);
}

static int check_target(const struct look *look, size_t index, struct error *err)
{
	const struct mount *mount = &look->service->volumes[index];
	int directory = -ENOENT, tree;
	_cleanup_close_ int fd = -EBADF;
	char number[24];
	struct stat st;

	if (mount->type == MOUNT_BIND)
		directory = check_bind_is_directory(look->room, look->service, mount);
	if (directory < 0 || is_hidden(look, mount->target, false))
		return 0;
	tree = tree_of(look);
	if (tree < 0 || (crosses_link(tree, mount->target) && look->service->volume_count > 1))
		return 0;
	fd = rootpath_open_raw(tree, mount->target, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) == directory)
		return 0;
	error_set(err, directory ? ENOTDIR : EISDIR,
		  directory ? "%s: %s is a directory%s, which cannot be mounted there: image %s "
			      "has a file"
			    : "%s: %s is a file%s, which cannot be mounted there: image %s has a "
			      "directory",
		  mount->target, mount->source,
		  access(mount->source, F_OK) < 0 ? " that would be made" : "",
		  look->service->image);
	snprintf(number, sizeof(number), "%zu", index);
	return place_under(err, "volumes", number, NULL);
}

int check_image_of(struct check_room *room, const struct check_wish *wish, struct error *err)
{
	struct error ignored = ERROR_INIT;
	struct look look = {room, wish, wish->service, NULL};
	int r;

	if (wish->oneoff || !wish->service->image)
		return 0;
	look.image = observe_service_image(room->supervisor, wish->service, &ignored);
	if (!look.image)
		return 0;
	r = wish->started ? check_user(&look, err) : 0;
	for (size_t i = 0; r == 0 && wish->started && i < wish->service->volume_count; i++)
		r = check_target(&look, i, err);
	if (r == 0)
		r = check_directory(&look, err);
	return r == 0 ? check_program(&look, err) : r;
}
