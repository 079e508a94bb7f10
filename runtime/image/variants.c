// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/variants.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/manifest.h"
#include "runtime/image/platform.h"

const char *store_descriptor_index(const json_t *descriptor)
{
	const char *index =
		json_get_string(json_object_get(descriptor, "annotations"), ANNOTATION_INDEX);

	return digest_hex(index) ? index : NULL;
}

/* What a manifest's config says of its platform. New. */
static int platform_of(struct image_store *store, const char *digest, json_t **ret,
		       struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL, *config = NULL;

	if (store_read_json(store, digest, &manifest, err) < 0 ||
	    store_read_json(store,
			    json_get_string(json_object_get(manifest, "config"), "digest") ?: "",
			    &config, err) < 0)
		return -err->code;
	*ret = platform_copy(config);
	return 0;
}

static int find_in_index(struct image_store *store, const char *index_digest, const json_t *wanted,
			 char ret_digest[DIGEST_SIZE], struct error *err)
{
	_cleanup_json_ json_t *index = NULL;
	struct descriptor chosen;

	if (store_read_json(store, index_digest, &index, err) < 0 ||
	    manifest_choose(index, wanted, &chosen, err) < 0)
		return -err->code;
	snprintf(ret_digest, DIGEST_SIZE, "%s", chosen.digest);
	return 0;
}

/* An entry's manifest as an index lists it. New. */
static json_t *listed(const json_t *descriptor, const json_t *platform)
{
	json_t *row = json_object();

	json_put_string(row, "mediaType",
			json_get_string(descriptor, "mediaType") ?: MEDIA_OCI_MANIFEST);
	json_put_string(row, "digest", json_get_string(descriptor, "digest"));
	json_put_int(row, "size", json_get_int(descriptor, "size", 0));
	json_object_set(row, "platform", (json_t *)platform);
	return row;
}

/* What the entry stands for: an array as in an index. New. */
static int list_variants(struct image_store *store, const json_t *entry, json_t **ret,
			 struct error *err)
{
	const char *digest = store_descriptor_index(entry);
	_cleanup_json_ json_t *index = NULL, *platform = NULL;

	if (digest) {
		if (store_read_json(store, digest, &index, err) < 0)
			return -err->code;
		*ret = json_deep_copy(json_object_get(index, "manifests"));
		if (json_is_array(*ret))
			return 0;
		json_decref(*ret);
		return error_set(err, EBADMSG, "%s lists no manifests", digest);
	}
	if (platform_of(store, json_get_string(entry, "digest") ?: "", &platform, err) < 0)
		return -err->code;
	*ret = json_array();
	json_array_append_new(*ret, listed(entry, platform));
	return 0;
}

/* With the platforms that are here. */
static int not_provided(struct image_store *store, const json_t *entry, const char *platform,
			struct error *err)
{
	_cleanup_json_ json_t *rows = NULL;
	struct error ignored = ERROR_INIT;
	struct strbuf here = {0};
	json_t *row;
	size_t i;

	if (list_variants(store, entry, &rows, &ignored) == 0)
		json_array_foreach(rows, i, row)
			if (!variants_is_attestation(row)) {
				_cleanup_free_ char *text =
					platform_text(json_object_get(row, "platform"));

				strbuf_addf(&here, "%s%s", here.length ? ", " : "", text);
			}
	error_set(err, ENOENT,
		  "it was found but does not provide the specified platform (%s): what is here is "
		  "for %.150s",
		  platform, here.data ?: "no platform");
	strbuf_done(&here);
	return -ENOENT;
}

int variants_find(struct image_store *store, const json_t *entry, const char *platform,
		  char ret_digest[DIGEST_SIZE], struct error *err)
{
	const char *digest = json_get_string(entry, "digest"),
		   *index = store_descriptor_index(entry);
	_cleanup_json_ json_t *wanted = json_object(), *own = NULL;

	snprintf(ret_digest, DIGEST_SIZE, "%s", digest ?: "");
	if (!platform || !*platform)
		return 0;
	if (platform_describe(platform, wanted, err) < 0 ||
	    platform_of(store, digest ?: "", &own, err) < 0)
		return -err->code;
	if (platform_rank(wanted, own) >= 100)
		return 0;
	if (index && find_in_index(store, index, wanted, ret_digest, err) == 0)
		return 0;
	if (platform_rank(wanted, own) > 0) {
		error_clear(err);
		return 0;
	}
	return not_provided(store, entry, platform, err);
}

int image_find_platform(struct image_store *store, const char *name, const char *platform,
			struct image **ret, struct error *err)
{
	_cleanup_free_ char *reference = NULL;
	char digest[DIGEST_SIZE];
	struct image *image;
	json_t *entry;

	if (!platform || !*platform)
		return image_find(store, name, ret, err);
	if (store_refresh(store, err) < 0 || store_lookup(store, name, &entry, &reference, err) < 0)
		return -err->code;
	if (variants_find(store, entry, platform, digest, err) < 0)
		return error_wrap(err, "image %s", name);
	if (store_decode(store, digest, &image, err) < 0)
		return error_wrap(err, "image %s", name);
	*ret = image_copy(image, reference, entry);
	return 0;
}

int variants_row(struct image_store *store, const char *digest, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *platform = NULL, *descriptor = NULL;
	struct stat st;

	if (platform_of(store, digest, &platform, err) < 0)
		return -err->code;
	if (fstatat(store->blobs, digest_hex(digest), &st, 0) < 0)
		return error_errno(err, "blob %s", digest);
	descriptor = json_pack("{s:s, s:I}", "digest", digest, "size", (json_int_t)st.st_size);
	*ret = listed(descriptor, platform);
	return 0;
}

static bool same_platform(const json_t *a, const json_t *b)
{
	_cleanup_free_ char *one = platform_text(a), *other = platform_text(b);

	return !strcmp(one, other);
}

static json_t *new_index(json_t *manifests)
{
	return json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX,
			 "manifests", manifests);
}

static int put_index(struct staging *staging, json_t *manifests, char ret_digest[DIGEST_SIZE],
		     struct error *err)
{
	_cleanup_json_ json_t *index = new_index(manifests);
	size_t size;

	return staging_put_json(staging, index, ret_digest, &size, err);
}

static void annotate(json_t *descriptor, const char *index)
{
	json_t *annotations = json_object_get(descriptor, "annotations");

	if (!annotations) {
		annotations = json_object();
		json_object_set_new(descriptor, "annotations", annotations);
	}
	if (index)
		json_put_string(annotations, ANNOTATION_INDEX, index);
	else
		json_object_del(annotations, ANNOTATION_INDEX);
}

/* The name alone means the one that this machine runs best, whichever came last. */
static void prefer_own(const json_t *rows, json_t *descriptor, const json_t *platform)
{
	static const char *const keys[] = {"mediaType", "digest", "size"};
	int best = platform_score(platform);
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row) {
		int score = variants_is_attestation(row)
				    ? 0
				    : platform_score(json_object_get(row, "platform"));

		if (score <= best)
			continue;
		best = score;
		array_foreach(key, keys)
			json_object_set(descriptor, *key, json_object_get(row, *key));
		json_object_del(json_object_get(descriptor, "annotations"), ANNOTATION_ID);
	}
}

int variants_keep(struct staging *staging, const char *reference, json_t *descriptor,
		  const json_t *platform, struct error *err)
{
	struct image_store *store = staging->store;
	const char *target = store_descriptor_target(descriptor);
	_cleanup_json_ json_t *rows = NULL;
	char digest[DIGEST_SIZE];
	const json_t *entry;

	if (store_refresh(store, err) < 0)
		return -err->code;
	entry = map_get(&store->by_reference, reference);
	/* Only of one and the same index of the registry. */
	if (!entry || !target || !str_equal(store_descriptor_target(entry), target))
		return 0;
	if (list_variants(store, entry, &rows, err) < 0) {
		error_clear(err); /* damaged: then what is new stands alone */
		return 0;
	}
	for (size_t i = json_array_size(rows); i-- > 0;)
		if (same_platform(json_object_get(json_array_get(rows, i), "platform"), platform))
			json_array_remove(rows, i);
	if (!json_array_size(rows))
		return 0;
	json_array_append_new(rows, listed(descriptor, platform));
	prefer_own(rows, descriptor, platform);
	if (put_index(staging, rows, digest, err) < 0)
		return -err->code;
	annotate(descriptor, digest);
	return 0;
}

static size_t count_platforms(const json_t *rows)
{
	size_t i, count = 0;
	json_t *row;

	json_array_foreach((json_t *)rows, i, row)
		count += !variants_is_attestation(row);
	return count;
}

/* With what is said about it. */
static void drop_row(json_t *rows, const char *digest)
{
	for (size_t i = json_array_size(rows); i-- > 0;) {
		const json_t *row = json_array_get(rows, i);
		const json_t *annotations = json_object_get(row, "annotations");

		if (str_equal(json_get_string(row, "digest"), digest) ||
		    str_equal(json_get_string(annotations, "vnd.docker.reference.digest"), digest))
			json_array_remove(rows, i);
	}
}

/* An image stays that a container was made from: of no other name, it would be lost. */
static int check_free(struct image_store *store, const char *digest,
		      const struct image_users *users, struct error *err)
{
	struct image *image;

	if (store_decode(store, digest, &image, err) < 0)
		return -err->code;
	return store_check_user(image->id, users, err);
}

static int take_platform(struct staging *staging, const char *name, const char *platform,
			 const struct image_users *users, char ret_digest[DIGEST_SIZE],
			 json_t **ret_former, struct error *err)
{
	_cleanup_json_ json_t *rows = NULL, *changed = NULL;
	_cleanup_free_ char *reference = NULL;
	char index[DIGEST_SIZE];
	json_t *entry, *row;
	size_t i;

	if (store_refresh(staging->store, err) < 0 ||
	    store_lookup(staging->store, name, &entry, &reference, err) < 0)
		return -err->code;
	if (variants_find(staging->store, entry, platform, ret_digest, err) < 0 ||
	    list_variants(staging->store, entry, &rows, err) < 0)
		return error_wrap(err, "image %s", name);
	if (count_platforms(rows) < 2 || !reference)
		return error_set(err, EBUSY,
				 "image %s: %s is all that there is of it: remove it without "
				 "--platform",
				 name, platform);
	if (check_free(staging->store, ret_digest, users, err) < 0)
		return error_wrap(err, "image %s, platform %s", name, platform);
	*ret_former = json_deep_copy(rows);
	drop_row(rows, ret_digest);
	if (put_index(staging, rows, index, err) < 0)
		return -err->code;
	changed = json_deep_copy(entry);
	annotate(changed, index);
	json_array_foreach(rows, i, row) {
		if (!str_equal(json_get_string(changed, "digest"), ret_digest))
			break;
		if (variants_is_attestation(row))
			continue;
		json_object_set(changed, "digest", json_object_get(row, "digest"));
		json_object_set(changed, "size", json_object_get(row, "size"));
	}
	staging_add_entry(staging, changed, reference);
	return staging_commit(staging, err);
}

static bool is_listed(const json_t *rows, const char *digest)
{
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
		if (str_equal(json_get_string(row, "digest"), digest))
			return true;
	return false;
}

/* Whether all images that @entry stands for are among the @rows. */
static bool lists_all(struct image_store *store, const json_t *rows, const json_t *entry)
{
	struct error ignored = ERROR_INIT;
	_cleanup_json_ json_t *own = NULL;
	json_t *row;
	size_t i;

	if (!store_descriptor_index(entry) || list_variants(store, entry, &own, &ignored) < 0)
		return true;
	json_array_foreach(own, i, row)
		if (!variants_is_attestation(row) &&
		    !is_listed(rows, json_get_string(row, "digest")))
			return false;
	return true;
}

/* Entries without a name, of what @rows list. */
static bool drop_unnamed(struct image_store *store, const json_t *rows)
{
	json_t *list = store_manifests(store);
	bool any = false;

	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *entry = json_array_get(list, i);
		_cleanup_free_ char *name = store_descriptor_name(entry);

		if (name || !is_listed(rows, json_get_string(entry, "digest")) ||
		    !lists_all(store, rows, entry))
			continue;
		json_array_remove(list, i);
		any = true;
	}
	return any;
}

void variants_absorb(struct image_store *store, const json_t *descriptor)
{
	const char *digest = store_descriptor_index(descriptor);
	_cleanup_json_ json_t *index = NULL;
	struct error ignored = ERROR_INIT;

	if (digest && store_read_json(store, digest, &index, &ignored) == 0)
		(void)drop_unnamed(store, json_object_get(index, "manifests"));
}

/* The name was taken from the entry as it was (@rows), which stayed without one. */
static int drop_former(struct image_store *store, const json_t *rows, struct error *err)
{
	_cleanup_close_ int lock = store_lock(store, err);

	if (lock < 0)
		return lock;
	return drop_unnamed(store, rows) ? store_write_index(store, err) : 0;
}

int image_remove_platform(struct image_store *store, const char *name, const char *platform,
			  const struct image_users *users, char ret_digest[DIGEST_SIZE],
			  struct error *err)
{
	_cleanup_close_ int lock = store_lock_users(store, LOCK_EX, err);
	_cleanup_json_ json_t *former = NULL;
	struct staging staging;
	int r = lock < 0 ? lock : staging_open(store, &staging, err);

	if (r < 0)
		return r;
	r = take_platform(&staging, name, platform, users, ret_digest, &former, err);
	staging_done(&staging);
	if (r == 0)
		r = drop_former(store, former, err);
	return r < 0 ? r : store_collect(store, err);
}
