// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/projects.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/control/requests.h"

#define RECORD_MAX (1 << 20)

static int add_names(const char *base, char ***names, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/projects", base);
	_cleanup_strv_ char **found = NULL;
	int r = fs_list(AT_FDCWD, path, &found, err);

	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return error_wrap(err, "the projects of this machine");
	strv_foreach(name, found) {
		if (name[0] != '.' && !strv_contains(*names, name))
			strv_append(names, name);
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int projects_list(char ***ret, struct error *err)
{
	_cleanup_strv_ char **names = NULL;

	if (add_names(paths_runtime(), &names, err) < 0 || add_names(paths_root(), &names, err) < 0)
		return -err->code;
	if (names)
		qsort(names, strv_length(names), sizeof(*names), compare);
	*ret = TAKE_PTR(names);
	return 0;
}

struct users {
	struct image_user *items;
	size_t count;
};

static void add_user(struct users *users, const char *image_id, const char *container, bool running)
{
	struct image_user *user;

	if (!image_id)
		return;
	user = array_add(users->items, users->count);
	user->image_id = alloc_string(image_id);
	user->container = alloc_string(container ?: "");
	user->running = running;
}

static bool runs(const json_t *record)
{
	pid_t pid = (pid_t)json_get_int(record, "pid", 0);
	int fd;

	if (pid <= 0 || !str_equal(json_get_string(record, "boot_id"), process_boot_id()))
		return false;
	fd = process_adopt(pid, (uint64_t)json_get_int(record, "start_ticks", 0));
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * The records are the truth: a supervisor writes them before anything else happens, and asking it
 * could not be answered while it waits for an image that is being removed.
 */
static int add_recorded(const char *project, struct users *users, struct error *err)
{
	_cleanup_free_ char *state = paths_project_state(project);
	_cleanup_free_ char *path = str_printf("%s/containers", state);
	_cleanup_strv_ char **ids = NULL;
	int r = fs_list(AT_FDCWD, path, &ids, err);

	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	strv_foreach(id, ids) {
		_cleanup_free_ char *file = str_printf("%s/%s/record.json", path, id);
		_cleanup_json_ json_t *record = NULL;
		struct error why = ERROR_INIT;
		const char *target, *name;
		json_t *image;
		bool running;

		/* A folder without a record was never a container; a broken one has no layers. */
		if (json_read(AT_FDCWD, file, RECORD_MAX, &record, &why) < 0)
			continue;
		name = json_get_string(record, "name");
		running = runs(record);
		add_user(users, json_get_string(record, "image_id"), name, running);
		json_object_foreach(json_object_get(record, "image_volumes"), target, image)
			add_user(users, json_string_value(image), name, running);
	}
	return r < 0 ? r : 0;
}

static int list_users(void *data, struct image_user **ret, size_t *ret_count, struct error *err)
{
	_cleanup_strv_ char **projects = NULL;
	struct users users = {0};
	int r = projects_list(&projects, err);

	(void)data;
	strv_foreach(project, projects) {
		r = r < 0 ? r : add_recorded(project, &users, err);
		if (r < 0) {
			image_users_free(users.items, users.count);
			return error_wrap(err,
					  "which images project %s uses cannot be told, so "
					  "none is removed",
					  project);
		}
	}
	*ret = users.items;
	*ret_count = users.count;
	return r;
}

const struct image_users projects_image_users = {.list = list_users};
