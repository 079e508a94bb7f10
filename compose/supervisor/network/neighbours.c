// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/network/neighbours.h"

#include <fcntl.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/control/requests.h"
#include "compose/model/shapes.h"

#define RECORD_MAX (4 << 20)

static bool is_meant(const json_t *record, const char *name)
{
	const char *id = json_get_string(record, "id"), *own = json_get_string(record, "name");
	size_t length = strlen(name);

	return str_equal(own, name) || (id && length >= 12 && strncmp(id, name, length) == 0);
}

static void take_anonymous(const json_t *record, struct mapping *ret)
{
	const char *target;
	json_t *name;

	json_object_foreach(json_object_get(record, "anonymous"), target, name)
		mapping_add(ret, target, json_string_value(name));
}

static int take(const char *project, const json_t *record, struct neighbour *ret, struct error *err)
{
	pid_t pid = (pid_t)json_get_int(record, "pid", 0);

	ret->id = alloc_string(json_get_string(record, "id"));
	ret->name = alloc_string(json_get_string(record, "name"));
	ret->state = alloc_string(project);
	ret->service = alloc_string(json_get_string(record, "service"));
	ret->model = alloc_string(json_get_string(record, "project"));
	take_anonymous(record, &ret->anonymous);
	ret->attachment = json_incref(json_object_get(record, "attachment"));
	if (pid > 0 && str_equal(json_get_string(record, "boot_id"), process_boot_id()))
		ret->pidfd = process_adopt(pid, (uint64_t)json_get_int(record, "start_ticks", 0));
	if (ret->pidfd < 0)
		return error_set(err, ESRCH, "container %s does not run", ret->name);
	return 0;
}

/* 1: it is not one of these. */
static int look_in(int projects, const char *project, const char *name, struct neighbour *ret,
		   struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/containers", project);
	_cleanup_strv_ char **ids = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_list(projects, path, &ids, &ignored) < 0)
		return 1;
	strv_foreach(id, ids) {
		_cleanup_free_ char *file = str_printf("%s/%s/record.json", path, id);
		_cleanup_json_ json_t *record = NULL;

		error_clear(&ignored);
		if (json_read(projects, file, RECORD_MAX, &record, &ignored) >= 0 &&
		    is_meant(record, name))
			return take(project, record, ret, err);
	}
	return 1;
}

int neighbour_find(const char *name, struct neighbour *ret, struct error *err)
{
	_cleanup_free_ char *root = str_printf("%s/projects", paths_root());
	_cleanup_strv_ char **projects = NULL;
	_cleanup_close_ int dir = fs_open_dir(AT_FDCWD, root, err);

	*ret = (struct neighbour){.pidfd = -EBADF};
	if (dir < 0 || fs_list(dir, ".", &projects, err) < 0)
		return -err->code;
	strv_foreach(project, projects) {
		int r = look_in(dir, project, name, ret, err);

		if (r <= 0)
			return r;
	}
	return error_set(err, ENOENT, "there is no container %s, in this project or another", name);
}

void neighbour_done(struct neighbour *neighbour)
{
	free(neighbour->id);
	free(neighbour->name);
	free(neighbour->state);
	free(neighbour->service);
	free(neighbour->model);
	mapping_release(&neighbour->anonymous);
	json_decref(neighbour->attachment);
	cleanup_close_fd(&neighbour->pidfd);
}

int neighbour_project(const struct neighbour *neighbour, struct project **ret, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/projects/%s/accepted/%s.json", paths_root(),
					       neighbour->state, neighbour->model ?: "");
	_cleanup_json_ json_t *json = NULL;
	int r = json_read(AT_FDCWD, path, PROJECT_BYTES_MAX, &json, err);

	if (r >= 0)
		r = project_from_json(json, ret, err);
	return r < 0 ? error_wrap(err, "what container %s was made from", neighbour->name) : 0;
}
