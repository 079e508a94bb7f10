// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/projects.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"

struct users {
	struct image_user *items;
	size_t count;
};

static void add_user(struct users *users, const char *image_id, const json_t *record)
{
	struct image_user *user;

	if (!image_id)
		return;
	user = array_add(users->items, users->count);
	user->image_id = alloc_string(image_id);
	user->container = alloc_string(json_get_string(record, "name") ?: "");
	user->running = json_get_bool(record, "running", false);
}

static int list_users(void *data, struct image_user **ret, size_t *ret_count, struct error *err)
{
	_cleanup_json_ json_t *records = NULL;
	struct users users = {0};
	const char *target;
	json_t *record, *image;
	size_t i;
	int r = projects_bare_records(&records, err);

	(void)data;
	if (r < 0)
		return error_wrap(err, "nothing is removed");
	json_array_foreach(records, i, record) {
		add_user(&users, json_get_string(record, "image_id"), record);
		json_object_foreach(json_object_get(record, "image_volumes"), target, image)
			add_user(&users, json_string_value(image), record);
	}
	*ret = users.items;
	*ret_count = users.count;
	return 0;
}

const struct image_users projects_image_users = {.list = list_users};
