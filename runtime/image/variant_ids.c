// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * variant_ids.c - images that only an index names: a container of another platform knows its image
 * by its id, and keeps it from being removed by it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/platform.h"
#include "runtime/image/variants.h"

#define ID_SHOWN 12

bool variants_is_attestation(const json_t *row)
{
	return str_equal(json_get_string(json_object_get(row, "platform"), "os"), "unknown");
}

/* The id of what a manifest describes. New, or NULL: it is damaged. */
static char *id_of(struct image_store *store, const char *digest)
{
	struct error ignored = ERROR_INIT;
	struct image *image;

	if (!digest_hex(digest) || store_decode(store, digest, &image, &ignored) < 0)
		return NULL;
	return alloc_string(image->id);
}

/* What the entry's index lists; NULL: it has none, or a damaged one. New. */
static json_t *index_of(struct image_store *store, const json_t *entry)
{
	const char *digest = store_descriptor_index(entry);
	struct error ignored = ERROR_INIT;
	json_t *index = NULL;

	return digest && store_read_json(store, digest, &index, &ignored) == 0 ? index : NULL;
}

char **variants_ids(struct image_store *store, const json_t *entry)
{
	_cleanup_json_ json_t *index = index_of(store, entry);
	const char *own = store_descriptor_id(store, entry);
	char **ids = NULL;
	json_t *row;
	size_t i;

	if (own)
		strv_append(&ids, own);
	json_array_foreach(json_object_get(index, "manifests"), i, row) {
		_cleanup_free_ char *id = NULL;

		if (!variants_is_attestation(row))
			id = id_of(store, json_get_string(row, "digest"));
		if (id && !str_equal(id, own))
			strv_append(&ids, id);
	}
	return ids;
}

static bool begins(const char *digest, const char *hex)
{
	return digest_hex(digest) && str_starts_with(digest + 7, hex);
}

/* @hex: the beginning of an id or of a manifest's digest, as long as listings show it. */
static int find_id(struct image_store *store, const char *hex, json_t **ret_entry,
		   char ret_digest[DIGEST_SIZE])
{
	json_t *entry, *row;
	size_t i, j;

	json_array_foreach(store_manifests(store), i, entry) {
		_cleanup_json_ json_t *index = index_of(store, entry);

		json_array_foreach(json_object_get(index, "manifests"), j, row) {
			const char *digest = json_get_string(row, "digest");
			_cleanup_free_ char *found = NULL;

			if (!variants_is_attestation(row))
				found = id_of(store, digest);
			if (!found || (!begins(found, hex) && !begins(digest, hex)))
				continue;
			*ret_entry = entry;
			snprintf(ret_digest, DIGEST_SIZE, "%s", digest);
			return 0;
		}
	}
	return -ENOENT;
}

int variants_lookup(struct image_store *store, const char *name, json_t **ret_entry,
		    char **ret_reference, char ret_digest[DIGEST_SIZE], struct error *err)
{
	const char *hex = str_starts_with(name, "sha256:") ? name + 7 : name;
	int r = store_lookup(store, name, ret_entry, ret_reference, err);

	if (r == 0)
		snprintf(ret_digest, DIGEST_SIZE, "%s",
			 json_get_string(*ret_entry, "digest") ?: "");
	if (r != -ENOENT || strlen(hex) < ID_SHOWN || !is_hex(hex, strlen(hex)) ||
	    find_id(store, hex, ret_entry, ret_digest) < 0)
		return r;
	error_clear(err);
	return 0;
}

char **image_all_ids(struct image_store *store, const struct image *image)
{
	_cleanup_free_ char *reference = NULL;
	struct error ignored = ERROR_INIT;
	json_t *entry;

	if (store_refresh(store, &ignored) < 0 ||
	    store_lookup(store, image->reference ?: image->id, &entry, &reference, &ignored) < 0)
		return NULL;
	return variants_ids(store, entry);
}

static uint64_t blob_bytes(struct image_store *store, const char *digest)
{
	struct stat st;

	return digest_hex(digest) && fstatat(store->blobs, digest_hex(digest), &st, 0) == 0
		       ? (uint64_t)st.st_size
		       : 0;
}

static int describe(struct image_store *store, const char *digest, struct image_variant *variant,
		    struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL, *config = NULL;
	struct image *image;
	json_t *layer;
	size_t i;

	if (store_decode(store, digest, &image, err) < 0 ||
	    store_read_json(store, digest, &manifest, err) < 0 ||
	    store_read_json(store, image->id, &config, err) < 0)
		return -err->code;
	*variant = (struct image_variant){
		.platform = platform_text(config),
		.id = alloc_string(image->id),
		.digest = alloc_string(digest),
		.size_bytes = image->size_bytes,
		.content_bytes = blob_bytes(store, digest) + blob_bytes(store, image->id),
	};
	json_array_foreach(json_object_get(manifest, "layers"), i, layer)
		variant->content_bytes += blob_bytes(store, json_get_string(layer, "digest"));
	return 0;
}

void image_variants_free(struct image_variant *variants, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(variants[i].platform);
		free(variants[i].id);
		free(variants[i].digest);
	}
	free(variants);
}

int image_variants(struct image_store *store, const struct image *image, struct image_variant **ret,
		   size_t *ret_count, struct error *err)
{
	_cleanup_json_ json_t *index = NULL;
	_cleanup_free_ char *reference = NULL;
	struct image_variant *list = NULL;
	json_t *entry = NULL, *row;
	size_t i, count = 0;
	int r = store_refresh(store, err);

	if (r == 0)
		r = store_lookup(store, image->reference ?: image->id, &entry, &reference, err);
	if (r == 0)
		r = describe(store, image->digest, array_add(list, count), err);
	index = r == 0 ? index_of(store, entry) : NULL;
	json_array_foreach(json_object_get(index, "manifests"), i, row) {
		const char *digest = json_get_string(row, "digest");

		if (r == 0 && !variants_is_attestation(row) && !str_equal(digest, image->digest))
			r = describe(store, digest ?: "", array_add(list, count), err);
	}
	if (r < 0) {
		image_variants_free(list, count);
		return r;
	}
	*ret = list;
	*ret_count = count;
	return 0;
}
