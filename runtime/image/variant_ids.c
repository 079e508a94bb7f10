// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * variant_ids.c - images that only an index names: a container of another platform knows its image
 * by its id, and keeps it from being removed by it.
 */
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

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
