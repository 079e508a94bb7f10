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
};

struct user_list {
	struct image_user *items;
	size_t count;
};

/* A container that runs is the stronger reason. */
static const struct image_user *user_of(const struct user_list *users, const char *id)
{
	const struct image_user *found = NULL;

	for (size_t i = 0; i < users->count; i++)
		if (str_equal(users->items[i].image_id, id) && (!found || users->items[i].running))
			found = &users->items[i];
	return found;
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
	user = user_of(users, removal->id);
	if (removal->reference && strv_length(removal->names) > 1)
		return 0; /* only a name goes */
	if (user)
		return check_use(name, removal, force, user, err);
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
	_cleanup_free_ char *id = NULL, *reference = NULL;
	_cleanup_json_ json_t *kept = NULL;
	struct removal removal = {0};
	_cleanup_strv_ char **names = NULL;
	_cleanup_free_ char *found = NULL;
	json_t *descriptor;
	int r;

	if (lock < 0)
		return lock;
	r = plan_removal(store, name, force, users, &removal, err);
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
static int lock_users(struct image_store *store, int how, struct error *err)
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
	_cleanup_close_ int lock = lock_users(store, LOCK_SH, err);
	_cleanup_free_ char *reference = NULL;
	json_t *descriptor;
	int r;

	if (lock < 0)
		return lock;
	r = store_refresh(store, err);
	if (r == 0)
		r = store_lookup(store, image->id, &descriptor, &reference, err);
	return r < 0 ? r : TAKE_FD(lock);
}

int image_remove(struct image_store *store, const char *name, bool force,
		 const struct image_users *users, char ***ret_removed, struct error *err)
{
	_cleanup_close_ int lock = lock_users(store, LOCK_EX, err);
	_cleanup_free_ char *doomed = NULL;
	struct user_list list = {0};
	char **removed = NULL;
	int r = lock < 0 ? lock : 0;

	if (r == 0 && users)
		r = users->list(users->data, &list.items, &list.count, err);
	if (r == 0)
		r = remove_locked(store, name, force, &list, &removed, err);
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
