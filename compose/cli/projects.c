/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compose/cli/projects.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/target.h"
#include "compose/control/requests.h"

static void add_names(const char *base, char ***names)
{
	_cleanup_free_ char *path = str_printf("%s/projects", base);
	_cleanup_strv_ char **found = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_list(AT_FDCWD, path, &found, &ignored) < 0)
		return;
	strv_foreach(name, found)
	{
		if (name[0] != '.' && !strv_contains(*names, name))
			strv_append(names, name);
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **projects_list(void)
{
	char **names = NULL;

	add_names(paths_runtime(), &names);
	add_names(paths_root(), &names);
	if (names)
		qsort(names, strv_length(names), sizeof(*names), compare);
	return names;
}

char **projects_images_in_use(void)
{
	_cleanup_strv_ char **projects = projects_list();
	char **images = NULL;

	strv_foreach(project, projects)
	{
		struct target target = {.name = project};
		_cleanup_json_ json_t *containers = NULL;
		struct error ignored = ERROR_INIT;
		json_t *container;
		size_t i;

		if (target_containers(&target, true, NULL, &containers, &ignored) < 0)
			continue;
		json_array_foreach(containers, i, container) {
			const char *id = json_get_string(container, "image_id");

			if (id && !strv_contains(images, id))
				strv_append(&images, id);
		}
	}
	return images;
}
