// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/image/image_digests.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/pull.h"

#include "compose/cli/image/store_here.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);

/*
 * What the registry has under this name now; where that cannot be asked, or knows no such image,
 * what is here, by the name that the registry had for it.
 */
static int digest_of(struct image_store *store, const char *name, char **ret, struct error *err)
{
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	struct error ignored = ERROR_INIT;

	if (image_resolve(name, ret, err) == 0)
		return 0;
	if (image_find(store, name, &image, &ignored) < 0)
		return -err->code;
	error_clear(err);
	*ret = alloc_string(image->target ? image->target : image->digest);
	return 0;
}

static int pin(struct image_store *store, const char *what, json_t *object, const char *key,
	       struct error *err)
{
	const char *name = json_get_string(object, key);
	_cleanup_free_ char *normal = NULL, *digest = NULL;

	/* A variable that was left as it is names no image yet. */
	if (!name || !*name || strchr(name, '@') || strchr(name, '$'))
		return 0;
	if (reference_parse(name, &normal, err) < 0)
		return error_wrap(err, "service %s", what);
	if (digest_of(store, name, &digest, err) < 0)
		return error_wrap(err, "service %s", what);
	json_object_set_new(object, key, json_sprintf("%s@%s", normal, digest));
	return 0;
}

/* The image of another service, which that one's own tag means. */
static bool is_service(const json_t *services, const json_t *mount)
{
	const char *source = json_get_string(mount, "source");

	return source && json_object_get(services, source);
}

static int pin_service(struct image_store *store, const json_t *services, const char *name,
		       json_t *service, struct error *err)
{
	json_t *mount, *hook;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(service, "pre_start"), i, hook)
		if (r >= 0)
			r = pin(store, name, hook, "image", err);
	if (r >= 0 && !json_object_get(service, "build"))
		r = pin(store, name, service, "image", err);
	json_array_foreach(json_object_get(service, "volumes"), i, mount)
		if (r >= 0 && str_equal(json_get_string(mount, "type"), "image") &&
		    !is_service(services, mount))
			r = pin(store, name, mount, "source", err);
	return r;
}

int image_digests_pin(json_t *project, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	json_t *services = json_object_get(project, "services"), *service;
	const char *name;
	int r = store_here_open(&store, err);

	json_object_foreach(services, name, service) {
		if (r < 0)
			return r;
		r = pin_service(store, services, name, service, err);
	}
	return r < 0 ? r : 0;
}

static json_t *image_mounts(json_t *mounts)
{
	json_t *kept = NULL, *mount;
	size_t i;

	json_array_foreach(mounts, i, mount) {
		if (!str_equal(json_get_string(mount, "type"), "image"))
			continue;
		kept = kept ? kept : json_array();
		json_array_append(kept, mount);
	}
	return kept;
}

void image_digests_only(json_t *project, bool draft)
{
	json_t *services = json_object(), *service;
	const char *name;

	json_object_foreach(json_object_get(project, "services"), name, service) {
		json_t *image = json_object_get(service, "image"), *only = json_object(),
		       *mounts = image_mounts(json_object_get(service, "volumes"));

		if (!draft) {
			json_object_set_new(only, "command", json_null());
			json_object_set_new(only, "entrypoint", json_null());
		}
		if (image)
			json_object_set(only, "image", image);
		if (mounts)
			json_object_set_new(only, "volumes", mounts);
		json_object_set_new(services, name, only);
	}
	json_object_clear(project);
	json_object_set_new(project, "services", services);
}
