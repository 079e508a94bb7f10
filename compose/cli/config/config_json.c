// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/config/config_json.h"

#include "common/cleanup.h"

#include "compose/model/attribute.h"

static void drop_inner_extensions(json_t *project)
{
	static const struct {
		const char *section;
		const struct schema *schema;
	} rows[] = {
		{"services", &service_schema}, {"networks", &network_schema},
		{"volumes", &volume_schema},   {"secrets", &secret_schema},
		{"configs", &config_schema},   {"models", &model_schema},
	};
	const char *key;
	json_t *object;

	array_foreach(row, rows)
		json_object_foreach(json_object_get(project, row->section), key, object)
			schema_drop_extensions(row->schema, object);
}

/* path, weight, rate: fields that Go has no other name for. */
static void capitalize_devices(json_t *blkio)
{
	static const char *const names[][2] = {
		{"path", "Path"}, {"weight", "Weight"}, {"rate", "Rate"}};
	const char *key;
	json_t *list, *device;
	size_t i;

	json_object_foreach(blkio, key, list)
		json_array_foreach(list, i, device)
			array_foreach(name, names) {
				json_t *value = json_object_get(device, (*name)[0]);

				json_object_set(device, (*name)[1], value);
				json_object_del(device, (*name)[0]);
			}
}

static void drop_zero_limits(json_t *ulimits)
{
	const char *key;
	json_t *limit;

	json_object_foreach(ulimits, key, limit) {
		if (json_integer_value(json_object_get(limit, "soft")) == 0)
			json_object_del(limit, "soft");
		if (json_integer_value(json_object_get(limit, "hard")) == 0)
			json_object_del(limit, "hard");
	}
}

void config_json_forms(json_t *project)
{
	const char *name;
	json_t *service;

	drop_inner_extensions(project);
	json_object_foreach(json_object_get(project, "services"), name, service) {
		capitalize_devices(json_object_get(service, "blkio_config"));
		drop_zero_limits(json_object_get(service, "ulimits"));
		drop_zero_limits(json_object_get(json_object_get(service, "build"), "ulimits"));
	}
}
