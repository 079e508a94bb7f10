// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/projects.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/client.h"
#include "compose/cli/keeper_start.h"
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

static void add_once(char ***images, const char *id)
{
	if (id && !strv_contains(*images, id))
		strv_append(images, id);
}

/* What nobody supervises has its records on disk; asking them starts no supervisor. */
static int add_recorded(const char *project, char ***images, struct error *err)
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

		/* A folder without a record was never a container; a broken one has no layers. */
		if (json_read(AT_FDCWD, file, RECORD_MAX, &record, &why) >= 0)
			add_once(images, json_get_string(record, "image_id"));
	}
	return r < 0 ? r : 0;
}

static int add_told(const char *project, char ***images, struct error *err)
{
	_cleanup_json_ json_t *arguments = json_pack("{s:b}", "all", 1), *reply = NULL;
	json_t *container;
	size_t i;
	int r = client_call(project, CLIENT_START_FOR_STATE, REQUEST_PS, arguments, &reply, err);

	/* It went while we asked. */
	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	json_array_foreach(json_object_get(reply, "containers"), i, container) {
		add_once(images, json_get_string(container, "image_id"));
	}
	return r;
}

/* A socket without a listener is what a killed supervisor left. */
static bool has_supervisor(const char *project)
{
	int fd = keeper_connect(project);

	if (fd >= 0)
		close(fd);
	return fd != -ENOENT && fd != -ECONNREFUSED;
}

int projects_images_in_use(char ***ret, struct error *err)
{
	_cleanup_strv_ char **projects = NULL, **images = NULL;

	if (projects_list(&projects, err) < 0)
		return -err->code;
	strv_foreach(project, projects) {
		int r = has_supervisor(project) ? add_told(project, &images, err) : 0;

		if (r >= 0)
			r = add_recorded(project, &images, err);
		if (r < 0)
			return error_wrap(err,
					  "which images project %s uses cannot be told, so "
					  "none is removed",
					  project);
	}
	*ret = TAKE_PTR(images);
	return 0;
}
