// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/manifest.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/platform.h"

#define LAYER_BYTES_MAX (INT64_C(1) << 44)

static bool is_any(const char *media, const char *const *list)
{
	for (; media && *list; list++)
		if (strcmp(media, *list) == 0)
			return true;
	return false;
}

static const char *const indexes[] = {MEDIA_OCI_INDEX, MEDIA_DOCKER_LIST, NULL};
static const char *const manifests[] = {MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST, NULL};
static const char *const configs[] = {MEDIA_OCI_CONFIG,
				      "application/vnd.docker.container.image.v1+json",
				      /* of some old pushes */
				      "application/octet-stream", NULL};
static const char *const layer_types[] = {
	MEDIA_OCI_LAYER,
	MEDIA_OCI_LAYER "+gzip",
	MEDIA_OCI_LAYER "+zstd",
	"application/vnd.docker.image.rootfs.diff.tar",
	"application/vnd.docker.image.rootfs.diff.tar.gzip",
	"application/vnd.docker.image.rootfs.diff.tar.zstd",
	"application/vnd.docker.container.image.rootfs.diff+x-gtar",
	NULL,
};

static bool is_foreign(const char *media)
{
	return strstr(media, ".nondistributable.") || strstr(media, ".rootfs.foreign.");
}

int manifest_kind(const json_t *json, const char *content_type, const char **ret_media,
		  struct error *err)
{
	const char *media = json_get_string(json, "mediaType"), *type = media;
	size_t n = content_type ? strcspn(content_type, "; \t") : 0;

	if (!json_is_object(json))
		return error_set(err, EBADMSG, "it is not an object");
	if (json_get_int(json, "schemaVersion", 2) == 1)
		return error_set(err, ENOTSUP,
				 "it is in the form of schema 1, given up by all since 2023; push "
				 "the image again with a newer program");
	for (size_t i = 0; !type && i < 2; i++) {
		if (n == strlen(indexes[i]) && strncmp(content_type, indexes[i], n) == 0)
			type = indexes[i];
		if (n == strlen(manifests[i]) && strncmp(content_type, manifests[i], n) == 0)
			type = manifests[i];
	}
	if (!type && json_is_array(json_object_get(json, "manifests")))
		type = MEDIA_OCI_INDEX;
	if (!type && json_is_array(json_object_get(json, "layers")))
		type = MEDIA_OCI_MANIFEST;
	*ret_media = type;
	if (is_any(type, indexes))
		return MANIFEST_INDEX;
	if (is_any(type, manifests))
		return MANIFEST_IMAGE;
	return error_set(err, ENOTSUP, "it is not the manifest of an image, but '%.100s'",
			 type           ? type
			 : content_type ? content_type
					: "of no type");
}

static int decode_descriptor(const json_t *json, struct descriptor *ret, struct error *err)
{
	int64_t size = json_get_int(json, "size", -1);

	ret->media = json_get_string(json, "mediaType");
	ret->digest = json_get_string(json, "digest");
	if (!digest_hex(ret->digest))
		return error_set(err, EBADMSG, "'%.100s' is not a sha256 digest",
				 ret->digest ? ret->digest : "");
	if (size < 0 || size > LAYER_BYTES_MAX)
		return error_set(err, EBADMSG, "%s has no valid size", ret->digest);
	ret->size = (uint64_t)size;
	return 0;
}

/* "linux/amd64, linux/arm64/v8" for the user. */
static char *list_platforms(const json_t *list)
{
	struct strbuf text = {0};

	for (size_t i = 0; i < json_array_size(list) && text.length < 160; i++) {
		const json_t *platform = json_object_get(json_array_get(list, i), "platform");
		const char *os = json_get_string(platform, "os");
		const char *architecture = json_get_string(platform, "architecture");
		const char *variant = json_get_string(platform, "variant");

		if (os && architecture && strcmp(os, "unknown") != 0)
			strbuf_addf(&text, "%s%.20s/%.20s%s%.20s", text.length ? ", " : "", os,
				    architecture, variant ? "/" : "", variant ? variant : "");
	}
	return strbuf_take(&text);
}

int manifest_choose(const json_t *index, const json_t *platform, struct descriptor *ret,
		    struct error *err)
{
	const json_t *list = json_object_get(index, "manifests"), *best = NULL;
	_cleanup_free_ char *wanted = platform_text(platform), *there = NULL;
	int best_rank = 0;

	if (!json_is_array(list) || json_array_size(list) > MANIFEST_LIST_MAX)
		return error_set(err, EBADMSG, "the index has no valid list of manifests");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		int rank = platform_rank(platform, json_object_get(item, "platform"));

		if (rank > best_rank) {
			best = item;
			best_rank = rank;
		}
	}
	if (best)
		return decode_descriptor(best, ret, err);
	there = list_platforms(list);
	return error_set(err, ENOENT, "there is none for %s%s%s%s", wanted,
			 *there ? "; there are " : "", there,
			 *there ? "; `platform:` chooses another" : "");
}

int manifest_decode(const json_t *json, struct manifest *ret, struct error *err)
{
	const json_t *layers = json_object_get(json, "layers");
	size_t n = json_array_size(layers);

	if (decode_descriptor(json_object_get(json, "config"), &ret->config, err) < 0)
		return error_wrap(err, "its config");
	if (ret->config.media && !is_any(ret->config.media, configs))
		return error_set(err, ENOTSUP, "it is no image but an artifact of type '%.100s'",
				 ret->config.media);
	if (ret->config.size > IMAGE_JSON_MAX)
		return error_set(err, EFBIG, "its config is larger than %d MiB",
				 IMAGE_JSON_MAX >> 20);
	if (!json_is_array(layers) || n > IMAGE_LAYERS_MAX)
		return error_set(err, EBADMSG, "it has no list of at most %d layers",
				 IMAGE_LAYERS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct descriptor *layer = &ret->layers[i];

		if (decode_descriptor(json_array_get(layers, i), layer, err) < 0)
			return error_wrap(err, "layer %zu", i + 1);
		if (layer->media && is_foreign(layer->media))
			return error_set(err, ENOTSUP,
					 "layer %zu is a foreign one, which is not in the registry "
					 "(%s); such images are of Windows",
					 i + 1, layer->media);
		if (!is_any(layer->media, layer_types))
			return error_set(err, ENOTSUP, "layer %zu is of unknown type '%.100s'",
					 i + 1, layer->media ? layer->media : "");
	}
	ret->layer_count = n;
	return 0;
}

int manifest_diff_ids(const struct manifest *manifest, const json_t *config,
		      const char *ret_hex[IMAGE_LAYERS_MAX], struct error *err)
{
	const json_t *ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");

	if (!json_is_object(config))
		return error_set(err, EBADMSG, "the config is not an object");
	if (json_array_size(ids) != manifest->layer_count)
		return error_set(err, EBADMSG, "the manifest names %zu layers, the config %zu",
				 manifest->layer_count, json_array_size(ids));
	for (size_t i = 0; i < manifest->layer_count; i++) {
		ret_hex[i] = digest_hex(json_string_value(json_array_get(ids, i)));
		if (!ret_hex[i])
			return error_set(err, EBADMSG,
					 "the config has no sha256 diff id for layer %zu", i + 1);
	}
	return 0;
}
