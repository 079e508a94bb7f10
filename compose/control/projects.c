// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/control/projects.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
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
static int add_records(const char *project, json_t *records, struct error *err)
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
		struct error why = ERROR_INIT;
		json_t *record = NULL;

		/* A folder without a record was never a container; a broken one has no layers. */
		if (json_read(AT_FDCWD, file, RECORD_MAX, &record, &why) < 0)
			continue;
		json_put_bool(record, "running", runs(record));
		json_put_string(record, "project_name", project);
		json_array_append_new(records, record);
	}
	return r < 0 ? r : 0;
}

int projects_bare_records(json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *records = json_array();
	_cleanup_strv_ char **projects = NULL;
	int r = projects_list(&projects, err);

	strv_foreach(project, projects) {
		r = r < 0 ? r : add_records(project, records, err);
		if (r < 0)
			return error_wrap(err, "what project %s uses cannot be told", project);
	}
	*ret = TAKE_PTR(records);
	return r;
}

/* The project that a container was made from. */
static int read_model(const json_t *record, json_t **ret, struct error *err)
{
	_cleanup_free_ char *state =
		paths_project_state(json_get_string(record, "project_name") ?: "");
	_cleanup_free_ char *path =
		str_printf("%s/accepted/%s.json", state, json_get_string(record, "project") ?: "");

	return json_read(AT_FDCWD, path, PROJECT_BYTES_MAX, ret, err);
}

/* The record names anonymous volumes; those that have a name stand in the project. */
static void add_volumes(json_t *record, const json_t *model)
{
	const json_t *service = json_object_get(json_object_get(model, "services"),
						json_get_string(record, "service") ?: "");
	const json_t *volumes = json_object_get(model, "volumes");
	json_t *list = json_object_get(record, "volumes"), *mount;
	size_t i;

	if (!list) {
		list = json_array();
		json_object_set_new(record, "volumes", list);
	}
	json_array_foreach(json_object_get(service, "volumes"), i, mount) {
		const char *source = json_get_string(mount, "source");
		const char *name = json_get_string(json_object_get(volumes, source ?: ""), "name");

		if (source && str_equal(json_get_string(mount, "type"), "volume"))
			json_array_append_new(
				list, name ? json_string(name)
					   : json_sprintf("%s_%s",
							  json_get_string(record, "project_name"),
							  source));
	}
}

int projects_records(json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *records = NULL, *model = NULL;
	const char *known = NULL; /* hash of @model */
	json_t *record;
	size_t i;

	if (projects_bare_records(&records, err) < 0)
		return -err->code;
	json_array_foreach(records, i, record) {
		const char *hash = json_get_string(record, "project");

		if (!known || !str_equal(known, hash)) {
			json_decref(model);
			model = NULL;
			known = hash;
			if (read_model(record, &model, err) < 0)
				return error_wrap(err, "what container %s uses cannot be told",
						  json_get_string(record, "name") ?: "");
		}
		add_volumes(record, model);
	}
	*ret = TAKE_PTR(records);
	return 0;
}

const json_t *projects_user_of(const json_t *records, const char *key, const char *name)
{
	json_t *record, *item;
	size_t i, j;

	json_array_foreach((json_t *)records, i, record)
		json_array_foreach(json_object_get(record, key), j, item)
			if (str_equal(json_string_value(item), name))
				return record;
	return NULL;
}

/* The records are read anew: a container may have been made since they were last looked at. */
int projects_check_volume_unused(void *unused, const char *name, struct error *err)
{
	_cleanup_json_ json_t *records = NULL;
	const json_t *user;

	(void)unused;
	if (projects_records(&records, err) < 0)
		return -err->code;
	user = projects_user_of(records, "volumes", name);
	return user ? error_set(err, EBUSY, "remove %s: volume is in use - [%s]", name,
				json_get_string(user, "name") ?: "")
		    : 0;
}
