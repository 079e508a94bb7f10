// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "runtime/image/store.h"

static int newest_first(const void *a, const void *b)
{
	const struct image *left = *(struct image *const *)a, *right = *(struct image *const *)b;

	if (left->created_nsec != right->created_nsec)
		return left->created_nsec < right->created_nsec ? 1 : -1;
	return strcmp(left->reference ? left->reference : "~",
		      right->reference ? right->reference : "~");
}

int image_list(struct image_store *store, struct image ***ret, size_t *ret_count, struct error *err)
{
	struct image **list = NULL;
	json_t *descriptor;
	size_t i, count = 0;
	int r;

	r = store_refresh(store, err);
	if (r < 0)
		return r;
	json_array_foreach(store_manifests(store), i, descriptor) {
		_cleanup_free_ char *name = store_descriptor_name(descriptor);
		struct error skipped = ERROR_INIT;
		struct image *image;

		/* One that is damaged does not hide the others. */
		r = store_decode(store, json_get_string(descriptor, "digest"), &image, &skipped);
		if (r < 0)
			log_warning("image %s: %s", name ? name : "<none>", skipped.message);
		else
			*array_add(list, count) = image_copy(image, name, descriptor);
	}
	if (count)
		qsort(list, count, sizeof(*list), newest_first);
	*ret = list;
	*ret_count = count;
	return 0;
}

int image_tag(struct image_store *store, const char *name, const char *reference, struct error *err)
{
	_cleanup_free_ char *normalized = NULL, *found = NULL;
	_cleanup_json_ json_t *copy = NULL;
	_cleanup_close_ int lock = -EBADF;
	json_t *descriptor;
	int r;

	r = reference_parse(reference, &normalized, err);
	if (r < 0)
		return r;
	if (strchr(normalized, '@'))
		return error_set(err, EINVAL,
				 "image '%s': a name with a digest cannot be given to "
				 "an image",
				 reference);
	lock = store_lock(store, err);
	if (lock < 0)
		return lock;
	r = store_lookup(store, name, &descriptor, &found, err);
	if (r < 0)
		return r;
	copy = json_deep_copy(descriptor);
	store_add_entry(store, copy, normalized);
	return store_write_index(store, err);
}

/* How many entries the image with this id has; their names, when @ret_names is not NULL. */
static size_t entries_of(struct image_store *store, const char *id, char ***ret_names)
{
	json_t *descriptor;
	size_t i, count = 0;

	json_array_foreach(store_manifests(store), i, descriptor) {
		_cleanup_free_ char *name = store_descriptor_name(descriptor);
		struct error ignored = ERROR_INIT;
		struct image *image;

		if (store_decode(store, json_get_string(descriptor, "digest"), &image, &ignored) <
			    0 ||
		    !str_equal(image->id, id))
			continue;
		count++;
		if (name && ret_names)
			strv_append(ret_names, name);
	}
	return count;
}

static void drop_entries(struct image_store *store, const char *id, const char *reference)
{
	json_t *list = store_manifests(store);

	for (size_t i = json_array_size(list); i-- > 0;) {
		json_t *descriptor = json_array_get(list, i);
		_cleanup_free_ char *name = store_descriptor_name(descriptor);
		struct error ignored = ERROR_INIT;
		struct image *image;

		if (reference && !str_equal(name, reference))
			continue;
		if (store_decode(store, json_get_string(descriptor, "digest"), &image, &ignored) ==
			    0 &&
		    str_equal(image->id, id))
			json_array_remove(list, i);
	}
}

static void report_untagged(char ***list, const char *reference)
{
	_cleanup_free_ char *repository = NULL, *tag = NULL;

	reference_familiar(reference, &repository, &tag);
	strv_take(list, str_printf("Untagged: %s:%s", repository, tag));
}

struct removal {
	char *id, *reference; /* reference NULL: by id, with all its names */
	char **names;
};

static int plan_removal(struct image_store *store, const char *name, bool force,
			char *const *in_use, struct removal *removal, struct error *err)
{
	struct image *image;
	json_t *descriptor;
	bool used;
	int r;

	r = store_lookup(store, name, &descriptor, &removal->reference, err);
	if (r == 0)
		r = store_decode(store, json_get_string(descriptor, "digest"), &image, err);
	if (r < 0)
		return r;
	removal->id = alloc_string(image->id);
	entries_of(store, image->id, &removal->names);
	/* A name with a digest means the one entry that has it. */
	if (removal->reference && strchr(removal->reference, '@')) {
		free(removal->reference);
		removal->reference = store_descriptor_name(descriptor);
	}
	used = strv_contains(in_use, removal->id);
	if (removal->reference && strv_length(removal->names) > 1)
		return 0; /* only a name goes */
	if (used && !force)
		return error_set(err, EBUSY,
				 "image %s: a container uses it (image id %.19s); "
				 "remove that first, or use --force",
				 name, removal->id);
	if (!removal->reference && strv_length(removal->names) > 1 && !force)
		return error_set(err, EBUSY,
				 "image %s: it has %zu names; remove them one by one, "
				 "or use --force",
				 name, strv_length(removal->names));
	/* Forced: the name goes, and what the container runs from stays, without one. */
	return used ? 1 : 0;
}

static int remove_locked(struct image_store *store, const char *name, bool force,
			 char *const *in_use, char ***ret_removed, struct error *err)
{
	_cleanup_close_ int lock = store_lock(store, err);
	_cleanup_free_ char *id = NULL, *reference = NULL;
	_cleanup_json_ json_t *kept = NULL;
	struct removal removal = {0};
	_cleanup_strv_ char **names = NULL;
	_cleanup_free_ char *found = NULL;
	json_t *descriptor;
	int r;

	if (lock < 0)
		return lock;
	r = plan_removal(store, name, force, in_use, &removal, err);
	id = removal.id;
	reference = removal.reference;
	names = removal.names;
	if (r < 0)
		return r;
	if (r > 0 && store_lookup(store, id, &descriptor, &found, err) == 0)
		kept = json_deep_copy(descriptor);
	drop_entries(store, id, reference);
	if (kept)
		store_add_entry(store, kept, NULL);
	if (reference)
		report_untagged(ret_removed, reference);
	else
		strv_foreach(each, names)
			report_untagged(ret_removed, each);
	if (!entries_of(store, id, NULL))
		strv_take(ret_removed, str_printf("Deleted: %s", id));
	return store_write_index(store, err);
}

int image_remove(struct image_store *store, const char *name, bool force, char *const *in_use,
		 char ***ret_removed, struct error *err)
{
	char **removed = NULL;
	int r;

	r = remove_locked(store, name, force, in_use, &removed, err);
	if (r == 0)
		r = store_collect(store, err);
	if (r < 0) {
		strv_free(removed);
		return r;
	}
	*ret_removed = removed;
	return 0;
}
