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

static int add_layers(struct loading *loading, struct load_image *image, const json_t *item,
		      const json_t *config, struct error *err)
{
	const json_t *paths = json_object_get(item, "Layers");
	const json_t *diff_ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	size_t n = json_array_size(paths);

	if (n != json_array_size(diff_ids) || n > IMAGE_LAYERS_MAX)
		return error_set(err, EBADMSG, "manifest.json names %zu layers, the config %zu", n,
				 json_array_size(diff_ids));
	for (size_t i = 0; i < n; i++) {
		const char *path = json_string_value(json_array_get(paths, i));
		struct bundle_file *file;
		int r = bundle_find(&loading->bundle, path ? path : "", &file, err);

		if (r < 0)
			return error_wrap(err, "layer %s", path ? path : "");
		r = load_add_layer(loading, image, file,
				   json_string_value(json_array_get(diff_ids, i)), NULL, false,
				   str_printf("layer %s", path), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_item(struct loading *loading, const json_t *item, struct error *err)
{
	const char *path = json_get_string(item, "Config");
	_cleanup_json_ json_t *config = NULL;
	struct bundle_file *file;
	struct load_image *image;
	json_t *tag;
	size_t i;
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
	image = load_add_image(loading, file);
	image->media = MEDIA_OCI_MANIFEST;
	json_array_foreach(json_object_get(item, "RepoTags"), i, tag)
		strv_append(&image->references, json_string_value(tag) ?: "");
	return add_layers(loading, image, item, config, err);
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
