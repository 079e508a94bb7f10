// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/image/changes.h"
#include "runtime/image/layer.h"
#include "runtime/image/platform.h"
#include "runtime/image/store.h"

struct imported {
	struct layer_result layer;
	char config[DIGEST_SIZE], manifest[DIGEST_SIZE];
	size_t config_size, manifest_size;
};

/* Everything that options can get wrong is found out before the work. */
static int make_config(const struct image_import_options *options, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *json = json_object();
	json_t *config = json_object();
	char created[UNITS_TIME_MAX];
	int r;

	units_format_time(units_now_nsec(), created, sizeof(created));
	json_put_string(json, "created", created);
	r = platform_describe(options->platform, json, err);
	json_object_set_new(json, "config", config);
	if (r < 0)
		return r;
	strv_foreach(change, options->changes) {
		r = change_apply(config, change, err);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(json);
	return 0;
}

static int unpack_tree(int fd, int dir, int blob, struct layer_result *ret, struct error *err)
{
	struct error packing = ERROR_INIT;
	struct layer_pack pack;
	int r = layer_pack_start(&pack, fd, NULL, err);

	if (r < 0)
		return r;
	r = layer_unpack(pack.fd, dir, blob, ret, err);
	/* When packing failed, unpacking failed because of it. */
	if (layer_pack_end(&pack, &packing) < 0 && (r == 0 || packing.code != EPIPE)) {
		*err = packing;
		r = -err->code;
	}
	return r;
}

static int add_layer(struct staging *staging, int fd, struct imported *image, struct error *err)
{
	_cleanup_free_ char *tree_name = NULL, *blob_name = NULL;
	_cleanup_close_ int tree = -EBADF, blob = -EBADF;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "the root file system");
	tree = staging_directory(staging, &tree_name, err);
	if (tree < 0)
		return tree;
	blob = staging_file(staging, &blob_name, err);
	if (blob < 0)
		return blob;
	r = S_ISDIR(st.st_mode) ? unpack_tree(fd, tree, blob, &image->layer, err)
				: layer_unpack(fd, tree, blob, &image->layer, err);
	if (r < 0)
		return r;
	staging_add_blob(staging, image->layer.diff_hex, TAKE_PTR(blob_name));
	/* Its chain is the one layer. */
	return staging_add_layer(staging, image->layer.diff_hex, image->layer.diff_hex,
				 image->layer.tree_bytes, TAKE_PTR(tree_name), err);
}

static int add_manifest(struct staging *staging, json_t *config, const char *message,
			struct imported *image, struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL;
	_cleanup_free_ char *diff = str_printf("sha256:%s", image->layer.diff_hex);
	int r;

	json_object_set_new(config, "rootfs",
			    json_pack("{s:s, s:[s]}", "type", "layers", "diff_ids", diff));
	json_object_set_new(config, "history",
			    json_pack("[{s:O, s:s}]", "created", json_object_get(config, "created"),
				      "comment", message ? message : "Imported from -"));
	r = staging_put_json(staging, config, image->config, &image->config_size, err);
	if (r < 0)
		return r;
	manifest = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:[{s:s, s:s, s:I}]}", "schemaVersion",
			     2, "mediaType", MEDIA_OCI_MANIFEST, "config", "mediaType",
			     MEDIA_OCI_CONFIG, "digest", image->config, "size",
			     (json_int_t)image->config_size, "layers", "mediaType", MEDIA_OCI_LAYER,
			     "digest", diff, "size", (json_int_t)image->layer.archive_bytes);
	return staging_put_json(staging, manifest, image->manifest, &image->manifest_size, err);
}

static int import_staged(struct staging *staging, int fd, json_t *config, const char *reference,
			 const char *message, char **ret_id, struct error *err)
{
	_cleanup_json_ json_t *descriptor = NULL;
	struct imported image = {0};
	int r;

	r = add_layer(staging, fd, &image, err);
	if (r < 0)
		return r;
	r = add_manifest(staging, config, message, &image, err);
	if (r < 0)
		return r;
	descriptor = json_pack("{s:s, s:s, s:I}", "mediaType", MEDIA_OCI_MANIFEST, "digest",
			       image.manifest, "size", (json_int_t)image.manifest_size);
	staging_add_entry(staging, descriptor, reference);
	r = staging_commit(staging, err);
	if (r == 0)
		*ret_id = alloc_string(image.config);
	return r;
}

int image_import(struct image_store *store, int fd, const struct image_import_options *options,
		 char **ret_id, struct error *err)
{
	_cleanup_free_ char *reference = NULL;
	_cleanup_json_ json_t *config = NULL;
	struct staging staging = {0};
	int r;

	if (options->reference && *options->reference) {
		r = reference_parse(options->reference, &reference, err);
		if (r < 0)
			return r;
		if (strchr(reference, '@'))
			return error_set(err, EINVAL,
					 "image '%s': a name with a digest cannot be "
					 "given to an image",
					 options->reference);
	}
	r = make_config(options, &config, err);
	if (r < 0)
		return r;
	json_put_string(config, "author", options->author);
	r = staging_open(store, &staging, err);
	if (r < 0)
		return r;
	r = import_staged(&staging, fd, config, reference, options->message, ret_id, err);
	staging_done(&staging);
	return r;
}
