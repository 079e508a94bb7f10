// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/load.h"
#include "runtime/image/manifest.h"
#include "runtime/image/platform.h"

#define DESCRIPTORS_MAX 1000
#define INDEX_DEPTH_MAX 4

/* The file that a descriptor means; its size is as it says. */
static int find_blob(struct loading *loading, const json_t *descriptor, struct bundle_file **ret,
		     char **ret_path, struct error *err)
{
	const char *digest = json_get_string(descriptor, "digest"), *hex = digest_hex(digest);
	_cleanup_free_ char *path = NULL;
	int r;

	if (!hex)
		return error_set(err, EBADMSG, "'%.100s' is not a sha256 digest",
				 digest ? digest : "");
	path = str_printf("blobs/sha256/%s", hex);
	r = bundle_find(&loading->bundle, path, ret, err);
	if (r < 0)
		return r;
	if ((int64_t)(*ret)->size != json_get_int(descriptor, "size", -1))
		return error_set(err, EBADMSG, "%s: it has not the size that is named for it",
				 path);
	*ret_path = TAKE_PTR(path);
	return 0;
}

static int read_json_blob(struct loading *loading, const json_t *descriptor,
			  struct bundle_file **ret_file, json_t **ret, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r = find_blob(loading, descriptor, ret_file, &path, err);

	if (r == 0)
		r = bundle_read_json(&loading->bundle, path, ret, err);
	if (r == 0 && strcmp((*ret_file)->hex, path + strlen("blobs/sha256/")) != 0)
		return error_set(err, EBADMSG, "%s: it is damaged (its digest is sha256:%s)", path,
				 (*ret_file)->hex);
	return r;
}

static int add_layers(struct loading *loading, struct load_image *image, const json_t *manifest,
		      const json_t *config, struct error *err)
{
	const json_t *layers = json_object_get(manifest, "layers");
	const json_t *diff_ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	size_t n = json_array_size(layers);

	if (n != json_array_size(diff_ids) || n > IMAGE_LAYERS_MAX)
		return error_set(err, EBADMSG, "the manifest names %zu layers, the config %zu", n,
				 json_array_size(diff_ids));
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;
		struct bundle_file *file;
		int r = find_blob(loading, json_array_get(layers, i), &file, &path, err);

		if (r < 0)
			return error_wrap(err, "layer %zu", i + 1);
		r = load_add_layer(
			loading, image, file, json_string_value(json_array_get(diff_ids, i)),
			path + strlen("blobs/sha256/"), true, str_printf("layer %zu", i + 1), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_manifest(struct loading *loading, const json_t *descriptor, const char *reference,
			 struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL, *config = NULL;
	struct bundle_file *manifest_file, *config_file;
	struct load_image *image;
	const char *media;
	int r;

	r = read_json_blob(loading, descriptor, &manifest_file, &manifest, err);
	if (r < 0)
		return error_wrap(err, "manifest");
	r = read_json_blob(loading, json_object_get(manifest, "config"), &config_file, &config,
			   err);
	if (r < 0)
		return error_wrap(err, "config");
	if (loading->platform_asked && platform_rank(loading->platform, config) == 0) {
		_cleanup_free_ char *is = platform_text(config);

		return error_set(err, ENOENT,
				 "it does not provide the specified platform; it is for %s", is);
	}
	image = load_add_image(loading, config_file);
	image->manifest = manifest_file;
	media = json_get_string(manifest, "mediaType");
	image->media = media ? media : MEDIA_OCI_MANIFEST;
	if (reference)
		strv_append(&image->references, reference);
	image->owner = json_incref(manifest);
	return add_layers(loading, image, manifest, config, err);
}

static bool is_index(const json_t *descriptor)
{
	const char *media = json_get_string(descriptor, "mediaType");

	return str_equal(media, MEDIA_OCI_INDEX) || str_equal(media, MEDIA_DOCKER_LIST);
}

/* The one that suits the wanted platform best; the first of equals. */
static const json_t *choose(const struct loading *loading, const json_t *manifests)
{
	const json_t *best = NULL, *descriptor;
	int best_score = 0;

	for (size_t i = 0; i < json_array_size(manifests); i++) {
		int score;

		descriptor = json_array_get(manifests, i);
		score = platform_rank(loading->platform, json_object_get(descriptor, "platform"));
		if (score > best_score) {
			best = descriptor;
			best_score = score;
		}
	}
	return best;
}

static int load_descriptor(struct loading *loading, const json_t *descriptor, const char *reference,
			   int depth, struct error *err)
{
	_cleanup_json_ json_t *index = NULL;
	const json_t *chosen;
	struct bundle_file *file;
	int r;

	if (!is_index(descriptor))
		return load_manifest(loading, descriptor, reference, err);
	if (depth >= INDEX_DEPTH_MAX)
		return error_set(err, ELOOP, "index.json: more than %d indexes deep",
				 INDEX_DEPTH_MAX);
	r = read_json_blob(loading, descriptor, &file, &index, err);
	if (r < 0)
		return error_wrap(err, "index");
	chosen = choose(loading, json_object_get(index, "manifests"));
	if (!chosen) {
		_cleanup_free_ char *wanted = platform_text(loading->platform);

		return error_set(err, ENOENT, "it has no image for %s", wanted);
	}
	return load_descriptor(loading, chosen, reference, depth + 1, err);
}

/*
 * ref.name is by the specification anybody's; docker and containerd put the tag alone there and the
 * whole name beside it, skopeo and podman whatever the user said.
 */
static const char *name_of(const json_t *descriptor)
{
	const json_t *annotations = json_object_get(descriptor, "annotations");
	const char *name = json_get_string(annotations, ANNOTATION_NAME);
	struct error ignored = ERROR_INIT;
	_cleanup_free_ char *normalized = NULL;

	if (name)
		return name;
	name = json_get_string(annotations, ANNOTATION_REF);
	if (!name || reference_parse(name, &normalized, &ignored) < 0)
		return NULL;
	if (!strpbrk(name, "/:@") &&
	    (strcmp(name, "latest") == 0 || isdigit((unsigned char)name[0]) ||
	     (name[0] == 'v' && isdigit((unsigned char)name[1]))))
		return NULL;
	return name;
}

int load_oci(struct loading *loading, struct error *err)
{
	_cleanup_json_ json_t *index = NULL;
	json_t *descriptor;
	const json_t *list;
	size_t i;
	int r;

	r = bundle_read_json(&loading->bundle, "index.json", &index, err);
	if (r < 0)
		return r;
	list = json_object_get(index, "manifests");
	if (json_array_size(list) == 0 || json_array_size(list) > DESCRIPTORS_MAX)
		return error_set(err, EBADMSG, "index.json: it names no images");
	json_array_foreach((json_t *)list, i, descriptor) {
		const char *name = name_of(descriptor);

		r = load_descriptor(loading, descriptor, name, 0, err);
		if (r < 0)
			return name ? error_wrap(err, "image %s", name) : r;
	}
	return 0;
}
