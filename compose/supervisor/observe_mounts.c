// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/control/requests.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/translate/mounts.h"

static const char *type_of(const struct mount *mount)
{
	switch (mount->type) {
	case MOUNT_VOLUME:
		return "volume";
	case MOUNT_BIND:
		return "bind";
	case MOUNT_IMAGE:
		return "image";
	default:
		return "tmpfs";
	}
}

static bool has_row(const json_t *rows, const char *destination)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (str_equal(json_get_string(row, "destination"), destination))
			return true;
	return false;
}

/* What comes first is what is mounted. */
static int add_row(json_t *rows, const struct mount *mount, const char *volume, bool read_only,
		   struct error *err)
{
	json_t *row;
	_cleanup_free_ char *path =
		volume ? str_printf("%s/volumes/%s/_data", paths_root(), volume) : NULL;

	if (mount->type == MOUNT_NPIPE || mount->type == MOUNT_CLUSTER ||
	    has_row(rows, mount->target))
		return 0;
	row = json_object();
	json_put_string(row, "type", type_of(mount));
	json_put_string(row, "name", volume);
	json_put_string(row, "source", path ?: mount->source);
	json_put_string(row, "destination", mount->target);
	json_put_bool(row, "rw", !mount->read_only && !read_only && mount->type != MOUNT_IMAGE);
	json_array_append_new(rows, row);
	return 0;
}

/* What the container has at the same place is its own. */
struct shared {
	const struct service *service;
	json_t *rows;
};

static int add_shared(void *data, const struct mount *mount, const char *volume, bool read_only,
		      struct error *err)
{
	const struct shared *shared = data;

	return service_mounts(shared->service, mount->target)
		       ? 0
		       : add_row(shared->rows, mount, volume, read_only, err);
}

json_t *observe_mounts(const struct instance *instance)
{
	const struct service *service = instance->service;
	struct error err = ERROR_INIT;
	json_t *rows = json_array();
	struct shared shared = {service, rows};

	for (size_t i = 0; i < service->volume_count; i++) {
		struct own_mount own;

		own_mount_init(&own, instance, &service->volumes[i]);
		(void)add_row(rows, &own.mount,
			      own.mount.type == MOUNT_VOLUME
				      ? translate_volume_name(instance, &own.mount)
				      : NULL,
			      false, &err);
		own_mount_done(&own);
	}
	/* Whoever had them may be gone; what this one has of them is told as long as it is known.
	 */
	strv_foreach(text, service->volumes_from) {
		if (volumes_from_visit(instance->supervisor, text, add_shared, &shared, &err) < 0)
			log_debug("%s: %s", instance->name, err.message);
		error_clear(&err);
	}
	for (size_t i = 0; i < instance->anonymous.count; i++) {
		const struct key_value *row = &instance->anonymous.items[i];
		const struct mount mount = {.type = MOUNT_VOLUME, .target = row->key};

		(void)add_row(rows, &mount, row->value, false, &err);
	}
	return rows;
}
