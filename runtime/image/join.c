// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/compress.h"
#include "runtime/image/platform.h"
#include "runtime/image/variants.h"

#define MEDIA_IN_TOTO     "application/vnd.in-toto+json"
#define STATEMENT_TYPE    "https://in-toto.io/Statement/v0.1"
#define PREDICATE_TYPE    "https://slsa.dev/provenance/v0.2"
#define KEY_PREDICATE     "in-toto.io/predicate-type"
#define REFERENCE_DIGEST  "vnd.docker.reference.digest"
#define REFERENCE_TYPE    "vnd.docker.reference.type"
#define ATTESTATION_WORDS "attestation-manifest"

struct joining {
	struct staging staging;
	json_t *rows, *attestations; /* of the index */
	char *const *names;
	json_t *best; /* what containers get: the row that suits this machine best */
	int best_score;
};

static int put(struct joining *j, const json_t *json, const char *media, json_t **ret,
	       struct error *err)
{
	char digest[DIGEST_SIZE];
	size_t size;

	if (staging_put_json(&j->staging, json, digest, &size, err) < 0)
		return -err->code;
	*ret = json_pack("{s:s, s:s, s:I}", "mediaType", media, "digest", digest, "size",
			 (json_int_t)size);
	return 0;
}

/* What the statement is about, by each of its names. */
static json_t *subjects(const struct joining *j, const json_t *row)
{
	const char *hex = digest_hex(json_get_string(row, "digest"));
	json_t *list = json_array();

	strv_foreach(name, (char **)j->names) {
		_cleanup_free_ char *package =
			platform_package(name, json_object_get(row, "platform"));

		json_array_append_new(list, json_pack("{s:s, s:{s:s}}", "name", package, "digest",
						      "sha256", hex));
	}
	if (!json_array_size(list))
		json_array_append_new(
			list, json_pack("{s:s, s:{s:s}}", "name", "_", "digest", "sha256", hex));
	return list;
}

/* A manifest of its own, for no platform, that points to the image's. */
static int attest(struct joining *j, const json_t *row, json_t *predicate, struct error *err)
{
	_cleanup_json_ json_t *statement = NULL, *layer = NULL, *config = NULL, *own = NULL;
	_cleanup_json_ json_t *manifest = NULL;
	json_t *descriptor = NULL;

	statement = json_pack("{s:s, s:s, s:o, s:O}", "_type", STATEMENT_TYPE, "predicateType",
			      PREDICATE_TYPE, "subject", subjects(j, row), "predicate", predicate);
	if (put(j, statement, MEDIA_IN_TOTO, &layer, err) < 0)
		return -err->code;
	own = json_pack("{s:s, s:s, s:{}, s:{s:s, s:[O]}}", "architecture", "unknown", "os",
			"unknown", "config", "rootfs", "type", "layers", "diff_ids",
			json_object_get(layer, "digest"));
	if (put(j, own, MEDIA_OCI_CONFIG, &config, err) < 0)
		return -err->code;
	json_object_set_new(layer, "annotations",
			    json_pack("{s:s}", KEY_PREDICATE, PREDICATE_TYPE));
	manifest = json_pack("{s:i, s:s, s:O, s:[O]}", "schemaVersion", 2, "mediaType",
			     MEDIA_OCI_MANIFEST, "config", config, "layers", layer);
	if (put(j, manifest, MEDIA_OCI_MANIFEST, &descriptor, err) < 0)
		return -err->code;
	json_object_set_new(descriptor, "annotations",
			    json_pack("{s:O, s:s}", REFERENCE_DIGEST,
				      json_object_get(row, "digest"), REFERENCE_TYPE,
				      ATTESTATION_WORDS));
	json_object_set_new(descriptor, "platform",
			    json_pack("{s:s, s:s}", "architecture", "unknown", "os", "unknown"));
	json_array_append_new(j->attestations, descriptor);
	return 0;
}

static int add_part(struct joining *j, const struct image_part *part, struct error *err)
{
	struct image_store *store = j->staging.store;
	_cleanup_free_ char *reference = NULL;
	char digest[DIGEST_SIZE];
	json_t *entry, *row;
	int score;

	if (store_refresh(store, err) < 0 ||
	    store_lookup(store, part->id, &entry, &reference, err) < 0)
		return -err->code;
	snprintf(digest, sizeof(digest), "%s", json_get_string(entry, "digest") ?: "");
	if (compress_image(store, digest, digest, err) < 0 ||
	    variants_row(store, digest, &row, err) < 0)
		return -err->code;
	json_array_append_new(j->rows, row);
	score = platform_score(json_object_get(row, "platform"));
	if (!j->best || score > j->best_score) {
		j->best = row;
		j->best_score = score;
	}
	return part->predicate ? attest(j, row, part->predicate, err) : 0;
}

static int name_all(struct joining *j, char ret_digest[DIGEST_SIZE], struct error *err)
{
	_cleanup_json_ json_t *descriptor = json_deep_copy(j->best), *index = NULL, *row = NULL;

	json_array_extend(j->rows, j->attestations);
	index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX,
			  "manifests", j->rows);
	if (put(j, index, MEDIA_OCI_INDEX, &row, err) < 0)
		return -err->code;
	snprintf(ret_digest, DIGEST_SIZE, "%s", json_get_string(row, "digest"));
	json_object_del(descriptor, "platform");
	json_object_set_new(descriptor, "annotations",
			    json_pack("{s:s}", ANNOTATION_INDEX, ret_digest));
	strv_foreach(name, (char **)j->names) {
		_cleanup_free_ char *normalized = NULL;

		if (reference_parse(name, &normalized, err) < 0)
			return -err->code;
		staging_add_entry(&j->staging, descriptor, normalized);
	}
	if (!j->names || !j->names[0])
		staging_add_entry(&j->staging, descriptor, NULL);
	return staging_commit(&j->staging, err);
}

int image_join(struct image_store *store, const struct image_part *parts, size_t count,
	       char *const *names, char ret_digest[DIGEST_SIZE], size_t *ret_best,
	       struct error *err)
{
	struct joining j = {.names = names};
	int r = staging_open(store, &j.staging, err);

	if (r < 0)
		return r;
	j.rows = json_array();
	j.attestations = json_array();
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_part(&j, &parts[i], err);
	if (r == 0)
		r = name_all(&j, ret_digest, err);
	*ret_best = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		if (json_array_get(j.rows, i) == j.best)
			*ret_best = i;
	staging_done(&j.staging);
	json_decref(j.rows);
	json_decref(j.attestations);
	return r;
}
