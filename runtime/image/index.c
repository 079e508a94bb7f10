// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "runtime/image/store.h"
#include "runtime/image/variants.h"

static int newest_first(const void *a, const void *b)
{
	const struct image *left = *(struct image *const *)a, *right = *(struct image *const *)b;

	if (left->created_nsec != right->created_nsec)
		return left->created_nsec < right->created_nsec ? 1 : -1;
	return strcmp(left->reference ? left->reference : "~",
		      right->reference ? right->reference : "~");
}

static int list_images(struct image_store *store, const char *id, struct image ***ret,
		       size_t *ret_count, struct error *err)
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

		if (id && !str_equal(store_descriptor_id(store, descriptor), id))
			continue;
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

int image_list(struct image_store *store, struct image ***ret, size_t *ret_count, struct error *err)
{
	return list_images(store, NULL, ret, ret_count, err);
}

int image_list_names(struct image_store *store, const char *id, struct image ***ret,
		     size_t *ret_count, struct error *err)
{
	return list_images(store, id, ret, ret_count, err);
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

		if (!str_equal(store_descriptor_id(store, descriptor), id))
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

		if (reference && !str_equal(name, reference))
			continue;
		if (str_equal(store_descriptor_id(store, descriptor), id))
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
	json_t *kept; /* the entry that stays, without a name, for a container needs it */
};

static void removal_done(struct removal *removal)
{
	free(removal->id);
	free(removal->reference);
	strv_free(removal->names);
	json_decref(removal->kept);
}

struct user_list {
	struct image_user *items;
	size_t count;
};

/* A container that runs is the stronger reason. */
static const struct image_user *user_of(const struct user_list *users, char *const *ids)
{
	const struct image_user *found = NULL;

	for (size_t i = 0; i < users->count; i++)
		if (strv_contains(ids, users->items[i].image_id) &&
		    (!found || users->items[i].running))
			found = &users->items[i];
	return found;
}

/* Whether another name stands for all that @entry does. */
static bool has_twin(struct image_store *store, const json_t *entry)
{
	json_t *other;
	size_t i;

	json_array_foreach(store_manifests(store), i, other)
		if (other != entry && store_entry_covers(other, entry))
			return true;
	return false;
}

/* A name goes though a container uses the image, when that is wanted; an image only loses it. */
static int check_use(const char *name, const struct removal *removal, bool force,
		     const struct image_user *user, struct error *err)
{
	if (removal->reference && !force)
		return error_set(err, EBUSY,
				 "conflict: unable to remove repository reference \"%s\" (must "
				 "force) - container %s is using its referenced image %.12s",
				 name, user->container, removal->id + 7);
	if (!removal->reference && (user->running || !force))
		return error_set(err, EBUSY,
				 "conflict: unable to delete %.12s (%s be forced) - image is "
				 "being used by %s container %s",
				 removal->id + 7, user->running ? "cannot" : "must",
				 user->running ? "running" : "stopped", user->container);
	return 1;
}

/* 1: a container needs it, so it stays, without the name. */
static int plan_removal(struct image_store *store, const char *name, bool force,
			const struct user_list *users, struct removal *removal, struct error *err)
{
	_cleanup_strv_ char **ids = NULL;
	const struct image_user *user;
	struct image *image;
	json_t *descriptor;
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
	ids = variants_ids(store, descriptor);
	user = user_of(users, ids);
	if (removal->reference && strv_length(removal->names) > 1 &&
	    (!user || has_twin(store, descriptor)))
		return 0; /* only a name goes */
	if (user) {
		removal->kept = json_deep_copy(descriptor);
		return check_use(name, removal, force, user, err);
	}
	if (!removal->reference && strv_length(removal->names) > 1 && !force)
		return error_set(err, EBUSY,
				 "conflict: unable to delete %.12s (must be forced) - image is "
				 "referenced in multiple repositories",
				 removal->id + 7);
	return 0;
}

static int remove_locked(struct image_store *store, const char *name, bool force,
			 const struct user_list *users, char ***ret_removed, struct error *err)
{
	_cleanup_close_ int lock = store_lock(store, err);
	_cleanup_(removal_done) struct removal removal = {0};
	int r;

	if (lock < 0)
		return lock;
	r = plan_removal(store, name, force, users, &removal, err);
	if (r < 0)
		return r;
	drop_entries(store, removal.id, removal.reference);
	if (removal.kept)
		store_add_entry(store, removal.kept, NULL);
	if (removal.reference)
		report_untagged(ret_removed, removal.reference);
	else
		strv_foreach(each, removal.names)
			report_untagged(ret_removed, each);
	if (!entries_of(store, removal.id, NULL))
		strv_take(ret_removed, str_printf("Deleted: %s", removal.id));
	return store_write_index(store, err);
}

void image_users_free(struct image_user *users, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(users[i].image_id);
		free(users[i].container);
	}
	free(users);
}

/*
 * "users.lock" is held shared from an image's being found until the container's record says that
 * it is used, and exclusively from asking who uses it until it is gone: nobody falls in between.
 */
int store_lock_users(struct image_store *store, int how, struct error *err)
{
	_cleanup_close_ int lock =
		openat(store->images, "users.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (lock < 0)
		return error_errno(err, "image store: users.lock");
	while (flock(lock, how) < 0)
		if (errno != EINTR)
			return error_errno(err, "image store: users.lock");
	return TAKE_FD(lock);
}

int image_hold(struct image_store *store, const struct image *image, struct error *err)
{
	_cleanup_close_ int lock = store_lock_users(store, LOCK_SH, err);
	_cleanup_free_ char *reference = NULL;
	char digest[DIGEST_SIZE];
	json_t *descriptor;
	int r;

	if (lock < 0)
		return lock;
	r = store_refresh(store, err);
	if (r == 0)
		r = variants_lookup(store, image->id, &descriptor, &reference, digest, err);
	return r < 0 ? r : TAKE_FD(lock);
}

int store_check_user(const char *id, const struct image_users *users, struct error *err)
{
	char *const ids[] = {(char *)id, NULL};
	const struct image_user *user = NULL;
	struct user_list list = {0};
	int r = users ? users->list(users->data, &list.items, &list.count, err) : 0;

	if (r == 0)
		user = user_of(&list, ids);
	if (user)
		r = error_set(err, EBUSY, "conflict: it is being used by %s container %s",
			      user->running ? "running" : "stopped", user->container);
	image_users_free(list.items, list.count);
	return r;
}

static int remove_unnamed_locked(struct image_store *store, const struct image *image,
				 const struct user_list *users, char ***ret_removed,
				 struct error *err)
{
	_cleanup_close_ int lock = store_lock(store, err);
	json_t *list, *entry = NULL;
	size_t i;

	if (lock < 0)
		return lock;
	list = store_manifests(store);
	json_array_foreach(list, i, entry) {
		_cleanup_free_ char *name = store_descriptor_name(entry);
		_cleanup_strv_ char **ids = NULL;
		const struct image_user *user;

		if (name || !str_equal(json_get_string(entry, "digest"), image->digest))
			continue;
		ids = variants_ids(store, entry);
		user = user_of(users, ids);
		if (user && !has_twin(store, entry))
			return error_set(err, EBUSY, "image %.12s: container %s is using it",
					 image->id + 7, user->container);
		json_array_remove(list, i);
		if (!entries_of(store, image->id, NULL))
			strv_take(ret_removed, str_printf("Deleted: %s", image->id));
		return store_write_index(store, err);
	}
	return 0; /* it has a name meanwhile, or went */
}

/* By its name, or the one without a name. */
static int remove_any(struct image_store *store, const char *name, const struct image *unnamed,
		      bool force, const struct image_users *users, char ***ret_removed,
		      struct error *err)
{
	_cleanup_close_ int lock = store_lock_users(store, LOCK_EX, err);
	_cleanup_free_ char *doomed = NULL;
	struct user_list list = {0};
	char **removed = NULL;
	int r = lock < 0 ? lock : 0;

	if (r == 0 && users)
		r = users->list(users->data, &list.items, &list.count, err);
	if (r == 0)
		r = unnamed ? remove_unnamed_locked(store, unnamed, &list, &removed, err)
			    : remove_locked(store, name, force, &list, &removed, err);
	if (r == 0)
		r = store_take_out(store, &doomed, err);
	image_users_free(list.items, list.count);
	if (lock >= 0)
		close(TAKE_FD(lock));
	store_delete_doomed(store, doomed);
	if (r < 0) {
		strv_free(removed);
		return r;
	}
	*ret_removed = removed;
	return 0;
}

int image_remove(struct image_store *store, const char *name, bool force,
		 const struct image_users *users, char ***ret_removed, struct error *err)
{
	return remove_any(store, name, NULL, force, users, ret_removed, err);
}

int image_remove_unnamed(struct image_store *store, const struct image *image,
			 const struct image_users *users, char ***ret_removed, struct error *err)
{
	return remove_any(store, NULL, image, false, users, ret_removed, err);
}
