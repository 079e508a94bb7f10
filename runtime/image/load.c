// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/load.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/platform.h"

struct load_image *load_add_image(struct loading *loading, struct bundle_file *config)
{
	struct load_image *image = new (struct load_image);

	image->config = config;
	*array_add(loading->images, loading->image_count) = image;
	return image;
}

/* Images that share a layer have it once. */
static struct load_layer *find_layer(struct loading *loading, const char *chain,
				     const struct bundle_file *file)
{
	for (size_t i = 0; i < loading->layer_count; i++)
		if (loading->layers[i]->file == file &&
		    strcmp(loading->layers[i]->chain, chain) == 0)
			return loading->layers[i];
	return NULL;
}

int load_add_layer(struct loading *loading, struct load_image *image, struct bundle_file *file,
		   const char *diff_id, const char *expected_hex, bool keep_form, char *what,
		   struct error *err)
{
	const char *diff_hex = digest_hex(diff_id), *parent = NULL;
	_cleanup_free_ char *name = what;
	char chain[SHA256_HEX_SIZE];
	struct load_layer *layer;

	if (!diff_hex)
		return error_set(err, EBADMSG, "%s: the config has no sha256 diff id for it", what);
	if (image->layer_count)
		parent = image->layers[image->layer_count - 1]->chain;
	chain_id(parent, diff_hex, chain);
	layer = find_layer(loading, chain, file);
	if (!layer) {
		layer = new (struct load_layer);
		layer->file = file;
		layer->what = TAKE_PTR(name);
		layer->keep_form = keep_form;
		memcpy(layer->chain, chain, sizeof(chain));
		memcpy(layer->diff_hex, diff_hex, SHA256_HEX_SIZE);
		snprintf(layer->expected_hex, SHA256_HEX_SIZE, "%s",
			 expected_hex ? expected_hex : "");
		*array_add(loading->layers, loading->layer_count) = layer;
	}
	*array_add(image->layers, image->layer_count) = layer;
	return 0;
}

/* The manifest @digest of @size bytes becomes an image, named @reference (NULL: without a name). */
static int load_publish(struct loading *loading, const char *media, const char *digest, size_t size,
			const char *id, const char *reference, struct error *err)
{
	_cleanup_free_ char *normalized = NULL, *repository = NULL, *tag = NULL;
	_cleanup_json_ json_t *descriptor = NULL;
	int r;

	if (reference) {
		r = reference_parse(reference, &normalized, err);
		if (r < 0)
			return r;
	}
	descriptor = json_pack("{s:s, s:s, s:I}", "mediaType", media, "digest", digest, "size",
			       (json_int_t)size);
	staging_add_entry(loading->staging, descriptor, normalized);
	if (!normalized) {
		strv_append(&loading->names, id);
		return 0;
	}
	reference_familiar(normalized, &repository, &tag);
	strv_take(&loading->names, str_printf("%s:%s", repository, tag));
	return 0;
}

static int make_manifest(struct loading *loading, const struct load_image *image,
			 char ret_digest[DIGEST_SIZE], size_t *ret_size, struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL;
	json_t *layers = json_array();

	for (size_t i = 0; i < image->layer_count; i++)
		json_array_append_new(layers, json_pack("{s:s, s:s, s:I}", "mediaType",
							image->layers[i]->media, "digest",
							image->layers[i]->digest, "size",
							(json_int_t)image->layers[i]->size));
	manifest = json_pack("{s:i, s:s, s:{s:s, s:s+, s:I}, s:o}", "schemaVersion", 2, "mediaType",
			     MEDIA_OCI_MANIFEST, "config", "mediaType", MEDIA_OCI_CONFIG, "digest",
			     "sha256:", image->config->hex, "size", (json_int_t)image->config->size,
			     "layers", layers);
	return staging_put_json(loading->staging, manifest, ret_digest, ret_size, err);
}

static int publish_image(struct loading *loading, struct load_image *image, struct error *err)
{
	char digest[DIGEST_SIZE], id[DIGEST_SIZE];
	size_t size;
	int r = bundle_keep(&loading->bundle, image->config, err);

	if (r < 0)
		return r;
	snprintf(id, sizeof(id), "sha256:%s", image->config->hex);
	if (image->manifest) {
		snprintf(digest, sizeof(digest), "sha256:%s", image->manifest->hex);
		size = (size_t)image->manifest->size;
		r = bundle_keep(&loading->bundle, image->manifest, err);
	} else {
		r = make_manifest(loading, image, digest, &size, err);
	}
	if (r == 0 && !image->references)
		r = load_publish(loading, image->media, digest, size, id, NULL, err);
	strv_foreach(reference, image->references)
		if (r == 0)
			r = load_publish(loading, image->media, digest, size, id, reference, err);
	return r;
}

static int load_either(struct loading *loading, struct error *err)
{
	struct bundle_file *file;
	struct error missing = ERROR_INIT;

	/* Newer docker save writes both; index.json keeps the manifest as it was. */
	if (bundle_find(&loading->bundle, "oci-layout", &file, &missing) == 0 &&
	    bundle_find(&loading->bundle, "index.json", &file, &missing) == 0)
		return load_oci(loading, err);
	error_clear(&missing);
	if (bundle_find(&loading->bundle, "manifest.json", &file, &missing) == 0)
		return load_docker(loading, err);
	return error_set(err, EBADMSG,
			 "neither an OCI image layout (index.json) nor an archive of "
			 "docker save (manifest.json); a root file system is for `image import`");
}

static int load_staged(struct loading *loading, int fd, struct error *err)
{
	int r = bundle_open(&loading->bundle, loading->staging, fd, err);

	if (r == 0)
		r = load_either(loading, err);
	if (r == 0)
		r = load_layers_run(loading, err);
	for (size_t i = 0; r == 0 && i < loading->image_count; i++)
		r = publish_image(loading, loading->images[i], err);
	bundle_done(&loading->bundle);
	return r < 0 ? r : staging_commit(loading->staging, err);
}

static void loading_done(struct loading *loading)
{
	for (size_t i = 0; i < loading->layer_count; i++) {
		free(loading->layers[i]->what);
		free(loading->layers[i]);
	}
	free(loading->layers);
	for (size_t i = 0; i < loading->image_count; i++) {
		struct load_image *image = loading->images[i];

		json_decref(image->owner);
		free(image->layers);
		strv_free(image->references);
		free(image);
	}
	free(loading->images);
}

int image_load(struct image_store *store, int fd, const char *platform, char ***ret_loaded,
	       struct error *err)
{
	_cleanup_json_ json_t *wanted = json_object();
	struct loading loading = {.platform = wanted, .platform_asked = platform && *platform};
	struct staging staging = {0};
	int r;

	if (platform_describe(platform, wanted, err) < 0)
		return -err->code;
	r = staging_open(store, &staging, err);
	if (r < 0)
		return r;
	loading.staging = &staging;
	r = load_staged(&loading, fd, err);
	staging_done(&staging);
	loading_done(&loading);
	if (r < 0)
		strv_free(loading.names);
	else
		*ret_loaded = loading.names;
	return r;
}
