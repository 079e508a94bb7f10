// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/system/system_objects.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/network.h"
#include "runtime/image/image.h"
#include "volumes/volume.h"

#include "compose/cli/image/store_here.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct network_store *, network_store_close);
DEFINE_CLEANUP(struct volume_store *, volume_store_close);

enum kind { IMAGES, VOLUMES, NETWORKS, KINDS };

/* What changes whenever one comes or goes, below BERTH_ROOT. */
static const char *const witnesses[] = {
	[IMAGES] = "images/index.json",
	[VOLUMES] = "volumes",
	[NETWORKS] = "networks",
};

struct system_objects {
	/* By a key of its own: {type, id, attributes, came, went}: the actions, where they are any.
	 */
	json_t *known[KINDS];
	struct stat seen[KINDS];
};

static json_t *entry(const char *type, const char *id, const char *came, const char *went)
{
	json_t *json = json_pack("{s:s, s:s, s:{}}", "type", type, "id", id, "attributes");

	json_put_string(json, "came", came);
	json_put_string(json, "went", went);
	return json;
}

static void put_attribute(json_t *json, const char *key, const char *value)
{
	json_put_string(json_object_get(json, "attributes"), key, value);
}

/* Its name, and the image: each may go without the other. */
static void add_image(json_t *all, const struct image *image)
{
	_cleanup_free_ char *name = NULL, *repository = NULL, *tag = NULL, *key = NULL;
	json_t *json;

	if (!json_object_get(all, image->id)) {
		json = entry("image", image->id, NULL, "delete");
		put_attribute(json, "name", image->id);
		json_object_set_new(all, image->id, json);
	}
	if (!image->reference)
		return;
	reference_familiar(image->reference, &repository, &tag);
	name = str_printf("%s%s%s", repository, tag ? ":" : "", tag ?: "");
	/* A name that means another image now is one that has come. */
	key = str_printf("%s %s", image->reference, image->id);
	json = image->pulled_nsec ? entry("image", name, "pull", "untag")
				  : entry("image", image->id, "tag", "untag");
	put_attribute(json, "name", image->pulled_nsec ? repository : name);
	json_object_set_new(all, key, json);
}

static int look_at_images(json_t *all, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct image **images = NULL;
	size_t count = 0;

	if (store_here_open(&store, err) < 0 || image_list(store, &images, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		add_image(all, images[i]);
		image_free(images[i]);
	}
	free(images);
	return 0;
}

static int look_at_volumes(json_t *all, struct error *err)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	struct volume_info **infos = NULL;
	size_t count = 0;

	if (volume_store_open(paths_root(), &store, err) < 0 ||
	    volume_list(store, &infos, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		json_t *json = entry("volume", infos[i]->name, "create", "destroy");

		put_attribute(json, "driver", infos[i]->driver ?: "local");
		json_object_set_new(all, infos[i]->name, json);
		volume_info_free(infos[i]);
	}
	free(infos);
	return 0;
}

static int look_at_networks(json_t *all, struct error *err)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	struct network_info **infos = NULL;
	size_t count = 0;

	if (network_store_open(paths_root(), &store, err) < 0 ||
	    network_list(store, &infos, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		json_t *json = entry("network", infos[i]->id, "create", "destroy");

		put_attribute(json, "name", infos[i]->name);
		put_attribute(json, "type", infos[i]->driver);
		json_object_set_new(all, infos[i]->id, json);
		network_info_free(infos[i]);
	}
	free(infos);
	return 0;
}

static int (*const looks[])(json_t *all, struct error *err) = {
	[IMAGES] = look_at_images,
	[VOLUMES] = look_at_volumes,
	[NETWORKS] = look_at_networks,
};

static void tell(json_t *events, const json_t *object, const char *action)
{
	json_t *event;

	if (!action)
		return;
	event = json_object();
	json_put_int(event, "time", units_now_nsec());
	json_put_string(event, "type", json_get_string(object, "type"));
	json_put_string(event, "action", action);
	json_put_string(event, "id", json_get_string(object, "id"));
	json_object_set(event, "attributes", json_object_get(object, "attributes"));
	json_array_append_new(events, event);
}

/* Those of the one that are not in the other. */
static void compare(json_t *events, json_t *some, const json_t *others, const char *action)
{
	const char *key;
	json_t *object;

	json_object_foreach(some, key, object)
		if (!json_object_get(others, key))
			tell(events, object, json_get_string(object, action));
}

static bool is_unchanged(struct system_objects *objects, enum kind kind)
{
	_cleanup_free_ char *path = str_printf("%s/%s", paths_root(), witnesses[kind]);
	struct stat *seen = &objects->seen[kind], now = {0};
	bool same;

	(void)stat(path, &now);
	same = objects->known[kind] && now.st_ino == seen->st_ino &&
	       now.st_mtim.tv_sec == seen->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == seen->st_mtim.tv_nsec;
	*seen = now;
	return same;
}

static int look(struct system_objects *objects, enum kind kind, json_t *events, struct error *err)
{
	_cleanup_json_ json_t *all = NULL;

	if (is_unchanged(objects, kind))
		return 0;
	all = json_object();
	if (looks[kind](all, err) < 0)
		return -err->code;
	if (objects->known[kind]) {
		compare(events, objects->known[kind], all, "went");
		compare(events, all, objects->known[kind], "came");
	}
	json_decref(objects->known[kind]);
	objects->known[kind] = TAKE_PTR(all);
	return 0;
}

int system_objects_look(struct system_objects *objects, json_t *events, struct error *err)
{
	for (enum kind kind = IMAGES; kind < KINDS; kind++) {
		int r = look(objects, kind, events, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int system_objects_new(struct system_objects **ret, struct error *err)
{
	struct system_objects *objects = new (struct system_objects);
	_cleanup_json_ json_t *none = json_array();
	int r = system_objects_look(objects, none, err);

	if (r < 0)
		system_objects_free(objects);
	else
		*ret = objects;
	return r;
}

void system_objects_free(struct system_objects *objects)
{
	for (enum kind kind = IMAGES; objects && kind < KINDS; kind++)
		json_decref(objects->known[kind]);
	free(objects);
}
