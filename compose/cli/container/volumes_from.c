// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/container/volumes_from.h"

#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/machine.h"
#include "compose/cli/run/run_service.h"

static void put(json_t *project, json_t *service, const json_t *mount, bool read_only)
{
	const char *type = json_get_string(mount, "type") ?: "";
	const char *target = json_get_string(mount, "destination") ?: "";
	bool volume = str_equal(type, "volume");
	const char *source = json_get_string(mount, volume ? "name" : "source");
	json_t *row;

	/* A tmpfs is its container's alone. */
	if ((!volume && !str_equal(type, "bind")) || !source)
		return;
	if (volume)
		run_service_declare_volume(project, source);
	row = json_object();
	json_put_string(row, "type", type);
	json_put_string(row, "source", source);
	json_put_string(row, "target", target);
	if (read_only || !json_get_bool(mount, "rw", true))
		json_put_bool(row, "read_only", true);
	run_service_put_mount(service, target, row);
}

int volumes_from_put(json_t *project, json_t *service, char *const *words, struct error *err)
{
	strv_foreach(word, words) {
		_cleanup_json_ json_t *container = NULL;
		const char *colon = strchr(word, ':');
		_cleanup_free_ char *name =
			alloc_string_n(word, colon ? (size_t)(colon - word) : strlen(word));
		json_t *mount;
		size_t i;

		if (colon && strcmp(colon, ":ro") != 0 && strcmp(colon, ":rw") != 0)
			return error_set(err, EINVAL, "--volumes-from %s: invalid mode: %s", word,
					 colon + 1);
		if (machine_find(name, &container, err) < 0)
			return error_wrap(err, "--volumes-from");
		json_array_foreach(json_object_get(container, "mounts"), i, mount)
			put(project, service, mount, str_equal(colon, ":ro"));
	}
	return 0;
}
