// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/store.h"

#define ID_PREFIX_MIN 2

static int not_found(const char *name, struct error *err)
{
	return error_set(err, ENOENT, "image %.200s: no such image", name);
}

/* "repository@sha256:...": the manifest, whatever tag it came under. */
static json_t *find_digest(struct image_store *store, const char *normalized)
{
	const char *at = strchr(normalized, '@');
	_cleanup_free_ char *repository = NULL, *tag = NULL;
	json_t *descriptor;
	size_t i;

	reference_familiar(normalized, &repository, &tag);
	json_array_foreach(store_manifests(store), i, descriptor) {
		_cleanup_free_ char *name = store_descriptor_name(descriptor);
		_cleanup_free_ char *other = NULL, *other_tag = NULL;

		if (!name || (!str_equal(json_get_string(descriptor, "digest"), at + 1) &&
			      !str_equal(store_descriptor_target(descriptor), at + 1)))
			continue;
		reference_familiar(name, &other, &other_tag);
		if (str_equal(other, repository))
			return descriptor;
	}
	return NULL;
}

static json_t *find_reference(struct image_store *store, const char *name, char **ret_reference)
{
	struct error ignored = ERROR_INIT;
	_cleanup_free_ char *normalized = NULL;
	json_t *descriptor;

	if (reference_parse(name, &normalized, &ignored) < 0)
		return NULL;
	descriptor = map_get(&store->by_reference, normalized);
	if (!descriptor && strchr(normalized, '@'))
		descriptor = find_digest(store, normalized);
	if (descriptor)
		*ret_reference = TAKE_PTR(normalized);
	return descriptor;
}

/* @hex is the beginning of a config's (Docker's id) or a manifest's digest. */
static int find_id(struct image_store *store, const char *name, const char *hex, json_t **ret,
		   struct error *err)
{
	size_t i, n = strlen(hex);
	json_t *descriptor;
	const char *found = NULL;

	json_array_foreach(store_manifests(store), i, descriptor) {
		const char *digest = json_get_string(descriptor, "digest");
		const char *id = store_descriptor_id(store, descriptor);

		if (!id || !digest ||
		    (strncmp(id + 7, hex, n) != 0 && (n < 64 || strcmp(digest + 7, hex) != 0)))
			continue;
		if (found && !str_equal(found, id))
			return error_set(err, ENOTUNIQ, "image id %s: more than one begins so",
					 name);
		if (!found)
			*ret = descriptor;
		found = id;
	}
	return found ? 0 : not_found(name, err);
}

int store_lookup(struct image_store *store, const char *name, json_t **ret, char **ret_reference,
		 struct error *err)
{
	const char *hex = str_starts_with(name, "sha256:") ? name + 7 : name;
	size_t n = strlen(hex);
	bool may_be_id = n >= ID_PREFIX_MIN && n <= 64 && is_hex(hex, n);
	struct error ignored = ERROR_INIT;
	_cleanup_free_ char *normalized = NULL;
	json_t *descriptor = NULL;

	*ret_reference = NULL;
	if (hex == name && n < 64)
		descriptor = find_reference(store, name, ret_reference);
	if (!descriptor && n >= 64 && hex == name && !may_be_id)
		descriptor = find_reference(store, name, ret_reference);
	if (!descriptor && may_be_id)
		return find_id(store, name, hex, ret, err);
	if (!descriptor && reference_parse(name, &normalized, &ignored) < 0)
		return error_set(err, EINVAL, "%s", ignored.message);
	if (!descriptor)
		return not_found(name, err);
	*ret = descriptor;
	return 0;
}
