// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/archive.h"
#include "runtime/image/store.h"
#include "runtime/image/variants.h"

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

/*
 * Both forms hold the same OCI layout, as docker save writes since version 25; the docker form
 * has a manifest.json beside it, which older programs go by.
 */

struct saving {
	struct image_store *store;
	struct tar_writer writer;
	struct map written;  /* blobs, by digest */
	json_t *descriptors; /* of index.json */
	json_t *items;       /* of manifest.json */
	const char *platform;
};

static int save_blob(struct saving *saving, const char *digest, struct error *err)
{
	const char *hex = digest_hex(digest);
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (!hex)
		return error_set(err, EBADMSG, "'%.100s' is not a sha256 digest",
				 digest ? digest : "");
	if (map_get(&saving->written, hex))
		return 0;
	map_set(&saving->written, hex, saving);
	fd = store_open_blob(saving->store, hex, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_errno(err, "blob %s", digest);
	path = str_printf("blobs/sha256/%s", hex);
	return tar_writer_copy(&saving->writer, path, fd, (uint64_t)st.st_size, err);
}

static uint64_t blob_size(struct image_store *store, const char *digest)
{
	struct stat st = {0};

	(void)fstatat(store->blobs, digest_hex(digest), &st, 0);
	return (uint64_t)st.st_size;
}

static void add_descriptor(struct saving *saving, const json_t *descriptor, const char *reference)
{
	json_t *copy = json_deep_copy(descriptor);
	_cleanup_free_ char *repository = NULL, *tag = NULL;

	json_object_del(copy, "annotations");
	if (reference) {
		reference_familiar(reference, &repository, &tag);
		json_object_set_new(
			copy, "annotations",
			json_pack("{s:s, s:s}", ANNOTATION_NAME, reference, ANNOTATION_REF, tag));
	}
	json_array_append_new(saving->descriptors, copy);
}

/* The item of manifest.json for this config; the same image under two names has one. */
static json_t *item_of(struct saving *saving, const char *config, bool *ret_new)
{
	_cleanup_free_ char *path = str_printf("blobs/sha256/%s", digest_hex(config));
	json_t *item;
	size_t i;

	*ret_new = false;
	json_array_foreach(saving->items, i, item)
		if (str_equal(json_get_string(item, "Config"), path))
			return item;
	*ret_new = true;
	item = json_pack("{s:s, s:[], s:[]}", "Config", path, "RepoTags", "Layers");
	json_array_append_new(saving->items, item);
	return item;
}

static void add_tag(json_t *item, const char *reference)
{
	_cleanup_free_ char *repository = NULL, *tag = NULL, *name = NULL;

	if (!reference)
		return;
	reference_familiar(reference, &repository, &tag);
	name = str_printf("%s:%s", repository, tag);
	json_array_append_new(json_object_get(item, "RepoTags"), json_string(name));
}

/* The index, and what else it lists than @digest, which is there. */
static int save_index(struct saving *saving, const char *index_digest, const char *reference,
		      struct error *err)
{
	_cleanup_json_ json_t *index = NULL, *descriptor = NULL;
	json_t *row, *layer;
	size_t i, j;

	if (store_read_json(saving->store, index_digest, &index, err) < 0 ||
	    save_blob(saving, index_digest, err) < 0)
		return -err->code;
	json_array_foreach(json_object_get(index, "manifests"), i, row) {
		const char *digest = json_get_string(row, "digest");
		_cleanup_json_ json_t *manifest = NULL;

		if (store_read_json(saving->store, digest ?: "", &manifest, err) < 0 ||
		    save_blob(saving, digest, err) < 0 ||
		    save_blob(saving,
			      json_get_string(json_object_get(manifest, "config"), "digest"),
			      err) < 0)
			return -err->code;
		json_array_foreach(json_object_get(manifest, "layers"), j, layer)
			if (save_blob(saving, json_get_string(layer, "digest"), err) < 0)
				return -err->code;
	}
	descriptor =
		json_pack("{s:s, s:s, s:I}", "mediaType",
			  json_get_string(index, "mediaType") ?: MEDIA_OCI_INDEX, "digest",
			  index_digest, "size", (json_int_t)blob_size(saving->store, index_digest));
	add_descriptor(saving, descriptor, reference);
	return 0;
}

static int save_image(struct saving *saving, const json_t *descriptor, const char *digest,
		      const char *reference, struct error *err)
{
	const char *index = saving->platform ? NULL : store_descriptor_index(descriptor);
	_cleanup_json_ json_t *manifest = NULL, *own = NULL;
	const char *config;
	json_t *item, *layer;
	bool is_new;
	size_t i;
	int r;

	r = store_read_json(saving->store, digest, &manifest, err);
	if (r < 0)
		return r;
	config = json_get_string(json_object_get(manifest, "config"), "digest");
	if (!digest_hex(config))
		return error_set(err, EBADMSG, "manifest %s: it names no config", digest);
	r = save_blob(saving, digest, err);
	if (r == 0)
		r = save_blob(saving, config, err);
	if (r < 0)
		return r;
	item = item_of(saving, config, &is_new);
	add_tag(item, reference);
	if (!index) {
		own = json_deep_copy(descriptor);
		json_put_string(own, "digest", digest);
		json_put_int(own, "size", (int64_t)blob_size(saving->store, digest));
		add_descriptor(saving, own, reference);
	} else if (save_index(saving, index, reference, err) < 0) {
		return -err->code;
	}
	json_array_foreach(json_object_get(manifest, "layers"), i, layer) {
		const char *blob = json_get_string(layer, "digest");
		_cleanup_free_ char *path = NULL;

		r = save_blob(saving, blob, err);
		if (r < 0)
			return r;
		path = str_printf("blobs/sha256/%s", digest_hex(blob));
		if (is_new)
			json_array_append_new(json_object_get(item, "Layers"), json_string(path));
	}
	return 0;
}

static int save_json(struct saving *saving, const char *name, const json_t *json, struct error *err)
{
	_cleanup_free_ char *text = json_text(json);

	return tar_writer_file(&saving->writer, name, text, strlen(text), err);
}

static int save_end(struct saving *saving, enum image_save_format format, struct error *err)
{
	_cleanup_json_ json_t *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
						 MEDIA_OCI_INDEX, "manifests", saving->descriptors);
	int r = save_json(saving, "index.json", index, err);

	if (r == 0 && format == IMAGE_SAVE_DOCKER)
		r = save_json(saving, "manifest.json", saving->items, err);
	if (r == 0)
		r = tar_writer_file(&saving->writer, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT),
				    err);
	return r < 0 ? r : tar_writer_close(&saving->writer, err);
}

static int save_all(struct saving *saving, char *const *names, enum image_save_format format,
		    struct error *err)
{
	int r = tar_writer_folder(&saving->writer, "blobs", err);

	if (r == 0)
		r = tar_writer_folder(&saving->writer, "blobs/sha256", err);
	strv_foreach(name, names) {
		_cleanup_free_ char *reference = NULL;
		char digest[DIGEST_SIZE];
		json_t *descriptor;

		if (r == 0)
			r = store_lookup(saving->store, name, &descriptor, &reference, err);
		if (r == 0)
			r = variants_find(saving->store, descriptor, saving->platform, digest, err);
		if (r < 0)
			return r;
		if (reference && strchr(reference, '@')) {
			free(reference);
			reference = store_descriptor_name(descriptor);
		}
		r = save_image(saving, descriptor, digest, reference, err);
		if (r < 0)
			return error_wrap(err, "image %s", name);
	}
	return r < 0 ? r : save_end(saving, format, err);
}

static int save_named(struct saving *saving, const char *id, char *const *references,
		      enum image_save_format format, struct error *err)
{
	_cleanup_free_ char *ignored = NULL;
	json_t *descriptor;
	const char *digest;
	int r = tar_writer_folder(&saving->writer, "blobs", err);

	if (r == 0)
		r = tar_writer_folder(&saving->writer, "blobs/sha256", err);
	if (r == 0)
		r = store_lookup(saving->store, id, &descriptor, &ignored, err);
	if (r < 0)
		return r;
	digest = json_get_string(descriptor, "digest");
	if (!references || !references[0])
		r = save_image(saving, descriptor, digest, NULL, err);
	strv_foreach(name, (char **)references) {
		_cleanup_free_ char *reference = NULL;

		if (r == 0)
			r = reference_parse(name, &reference, err);
		if (r == 0)
			r = save_image(saving, descriptor, digest, reference, err);
	}
	return r < 0 ? r : save_end(saving, format, err);
}

static int saving_open(struct saving *saving, int fd, struct error *err)
{
	if (tar_writer_open(&saving->writer, fd, err) < 0)
		return -err->code;
	saving->descriptors = json_array();
	saving->items = json_array();
	return 0;
}

static void saving_done(struct saving *saving)
{
	tar_writer_done(&saving->writer);
	map_done(&saving->written, NULL);
	json_decref(saving->descriptors);
	json_decref(saving->items);
}

int image_save_as(struct image_store *store, const char *id, char *const *references,
		  enum image_save_format format, int fd, struct error *err)
{
	struct saving saving = {.store = store};
	_cleanup_close_ int use = store_use(store, err);
	int r;

	if (use < 0 || store_refresh(store, err) < 0 || saving_open(&saving, fd, err) < 0)
		return -err->code;
	r = save_named(&saving, id, references, format, err);
	saving_done(&saving);
	return r;
}

int image_save(struct image_store *store, char *const *names, enum image_save_format format,
	       const char *platform, int fd, struct error *err)
{
	struct saving saving = {.store = store, .platform = platform};
	_cleanup_close_ int use = store_use(store, err);
	int r;

	if (use < 0)
		return use;
	r = store_refresh(store, err);
	/* Known before the first byte: a half archive helps nobody. */
	strv_foreach(name, names) {
		_cleanup_free_ char *reference = NULL;
		json_t *descriptor;

		char digest[DIGEST_SIZE];

		if (r == 0)
			r = store_lookup(store, name, &descriptor, &reference, err);
		if (r == 0 && variants_find(store, descriptor, platform, digest, err) < 0)
			r = error_wrap(err, "image %s", name);
	}
	if (r == 0)
		r = saving_open(&saving, fd, err);
	if (r < 0)
		return r;
	r = save_all(&saving, names, format, err);
	saving_done(&saving);
	return r;
}
