// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/load.h"

#define IMAGES_MAX 1000

/* "HEX.json" or "blobs/sha256/HEX": a name that promises a digest is held to it. */
static int check_name(const char *path, const char *hex, struct error *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t n = strcspn(base, ".");

	if (n != 64 || !is_hex(base, 64) || strncmp(base, hex, 64) == 0)
		return 0;
	return error_set(err, EBADMSG, "%s: its digest is sha256:%s", path, hex);
}

static int load_layers(struct loading *loading, const json_t *item, const json_t *config,
		       json_t *manifest_layers, struct error *err)
{
	const json_t *paths = json_object_get(item, "Layers");
	const json_t *diff_ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	char parent[SHA256_HEX_SIZE] = "";
	size_t n = json_array_size(paths);

	if (n != json_array_size(diff_ids) || n > IMAGE_LAYERS_MAX)
		return error_set(err, EBADMSG, "manifest.json names %zu layers, the config %zu", n,
				 json_array_size(diff_ids));
	for (size_t i = 0; i < n; i++) {
		const char *path = json_string_value(json_array_get(paths, i));
		struct loaded_layer layer = {0};
		struct bundle_file *file;
		int r;

		r = bundle_find(&loading->bundle, path ? path : "", &file, err);
		if (r == 0)
			r = load_layer(loading, file,
				       json_string_value(json_array_get(diff_ids, i)), parent,
				       false, &layer, err);
		if (r < 0)
			return error_wrap(err, "layer %s", path ? path : "");
		json_array_append_new(manifest_layers,
				      json_pack("{s:s, s:s, s:I}", "mediaType", layer.media,
						"digest", layer.digest, "size",
						(json_int_t)layer.size));
		memcpy(parent, layer.chain, sizeof(parent));
	}
	return 0;
}

static int publish(struct loading *loading, const json_t *item, const json_t *manifest,
		   const char *id, struct error *err)
{
	const json_t *tags = json_object_get(item, "RepoTags");
	char digest[DIGEST_SIZE];
	json_t *tag;
	size_t size, i;
	int r;

	r = staging_put_json(loading->staging, manifest, digest, &size, err);
	if (r < 0)
		return r;
	if (json_array_size(tags) == 0)
		return load_publish(loading, MEDIA_OCI_MANIFEST, digest, size, id, NULL, err);
	json_array_foreach((json_t *)tags, i, tag) {
		const char *name = json_string_value(tag);

		r = load_publish(loading, MEDIA_OCI_MANIFEST, digest, size, id, name ? name : "",
				 err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_item(struct loading *loading, const json_t *item, struct error *err)
{
	const char *path = json_get_string(item, "Config");
	_cleanup_json_ json_t *config = NULL, *manifest = NULL;
	struct bundle_file *file;
	char id[DIGEST_SIZE];
	int r;

	if (!path)
		return error_set(err, EBADMSG, "manifest.json: an image without a config");
	r = bundle_read_json(&loading->bundle, path, &config, err);
	if (r == 0)
		r = bundle_find(&loading->bundle, path, &file, err);
	if (r == 0)
		r = check_name(path, file->hex, err);
	if (r < 0)
		return r;
	snprintf(id, sizeof(id), "sha256:%s", file->hex);
	manifest = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:[]}", "schemaVersion", 2, "mediaType",
			     MEDIA_OCI_MANIFEST, "config", "mediaType", MEDIA_OCI_CONFIG, "digest",
			     id, "size", (json_int_t)file->size, "layers");
	r = load_layers(loading, item, config, json_object_get(manifest, "layers"), err);
	if (r < 0)
		return r;
	bundle_keep(&loading->bundle, file);
	return publish(loading, item, manifest, id, err);
}

int load_docker(struct loading *loading, struct error *err)
{
	_cleanup_json_ json_t *items = NULL;
	json_t *item;
	size_t i;
	int r;

	r = bundle_read_json(&loading->bundle, "manifest.json", &items, err);
	if (r < 0)
		return r;
	if (json_array_size(items) == 0 || json_array_size(items) > IMAGES_MAX)
		return error_set(err, EBADMSG, "manifest.json: it is not a list of images");
	json_array_foreach(items, i, item) {
		r = load_item(loading, item, err);
		if (r < 0)
			return r;
	}
	return 0;
}
