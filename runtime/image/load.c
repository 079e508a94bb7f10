// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/load.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/layer.h"

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD, PACKING_OTHER };

static const char *const media_of[] = {
	[PACKING_NONE] = MEDIA_OCI_LAYER,
	[PACKING_GZIP] = MEDIA_OCI_LAYER "+gzip",
	[PACKING_ZSTD] = MEDIA_OCI_LAYER "+zstd",
	[PACKING_OTHER] = MEDIA_OCI_LAYER,
};

static enum packing packing_of(int fd)
{
	unsigned char magic[6] = {0};
	ssize_t n = pread(fd, magic, sizeof(magic), 0);

	if (n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
		return PACKING_GZIP;
	if (n >= 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
		return PACKING_ZSTD;
	if ((n >= 6 && memcmp(magic,
			      "\xfd"
			      "7zXZ\0",
			      6) == 0) ||
	    (n >= 3 && memcmp(magic, "BZh", 3) == 0) ||
	    (n >= 3 && memcmp(magic, "\x5d\0\0", 3) == 0))
		return PACKING_OTHER;
	return PACKING_NONE;
}

/* Unpacks into staging and holds the result against what the config promises. */
static int unpack(struct loading *loading, int fd, bool store_plain, const char *diff_hex,
		  struct loaded_layer *layer, struct error *err)
{
	_cleanup_free_ char *tree_name = NULL, *blob_name = NULL;
	_cleanup_close_ int tree = -EBADF, blob = -EBADF;
	struct layer_result result;
	int r;

	tree = staging_directory(loading->staging, &tree_name, err);
	if (tree < 0)
		return tree;
	blob = store_plain ? staging_file(loading->staging, &blob_name, err) : -EBADF;
	if (store_plain && blob < 0)
		return blob;
	r = layer_unpack(fd, tree, blob, &result, err);
	if (r < 0)
		return r;
	if (strcmp(result.diff_hex, diff_hex) != 0)
		return error_set(err, EBADMSG,
				 "its content is sha256:%s, and not what the "
				 "config names",
				 result.diff_hex);
	if (store_plain) {
		memcpy(layer->digest + 7, result.diff_hex, SHA256_HEX_SIZE);
		layer->size = result.archive_bytes;
		staging_add_blob(loading->staging, result.diff_hex, TAKE_PTR(blob_name));
	}
	if (staging_has_layer(loading->staging, layer->chain))
		return 0;
	return staging_add_layer(loading->staging, layer->chain, diff_hex, result.tree_bytes,
				 TAKE_PTR(tree_name), err);
}

static int load_opened(struct loading *loading, struct bundle_file *file, int fd,
		       const char *diff_hex, bool keep_form, struct loaded_layer *layer,
		       struct error *err)
{
	enum packing packing = packing_of(fd);
	bool store_plain = packing == PACKING_OTHER && !keep_form;
	bool known = staging_has_layer(loading->staging, layer->chain);
	int r = 0;

	layer->media = media_of[packing];
	if (packing == PACKING_NONE && strcmp(file->hex, diff_hex) != 0)
		return error_set(err, EBADMSG,
				 "its content is sha256:%s, and not what the "
				 "config names",
				 file->hex);
	/* A compressed blob is believed once it was unpacked: now, or when it came first. */
	if (!known || store_plain ||
	    (packing != PACKING_NONE && !staging_has_blob(loading->staging, file->hex)))
		r = unpack(loading, fd, store_plain, diff_hex, layer, err);
	if (r == 0 && !store_plain)
		bundle_keep(&loading->bundle, file);
	return r;
}

int load_layer(struct loading *loading, struct bundle_file *file, const char *diff_id,
	       const char *parent, bool keep_form, struct loaded_layer *ret, struct error *err)
{
	const char *diff_hex = digest_hex(diff_id);
	_cleanup_close_ int fd = -EBADF;

	if (!diff_hex)
		return error_set(err, EBADMSG, "the config has no sha256 diff id for it");
	chain_id(parent, diff_hex, ret->chain);
	snprintf(ret->digest, sizeof(ret->digest), "sha256:%s", file->hex);
	ret->size = file->size;
	fd = bundle_read(&loading->bundle, file, err);
	if (fd < 0)
		return fd;
	return load_opened(loading, file, fd, diff_hex, keep_form, ret, err);
}

int load_publish(struct loading *loading, const char *media, const char *digest, size_t size,
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

int image_load(struct image_store *store, int fd, char ***ret_loaded, struct error *err)
{
	struct loading loading = {0};
	struct staging staging = {0};
	int r;

	r = staging_open(store, &staging, err);
	if (r < 0)
		return r;
	loading.staging = &staging;
	r = bundle_open(&loading.bundle, &staging, fd, err);
	if (r == 0)
		r = load_either(&loading, err);
	bundle_done(&loading.bundle);
	if (r == 0)
		r = staging_commit(&staging, err);
	staging_done(&staging);
	if (r < 0)
		strv_free(loading.names);
	else
		*ret_loaded = loading.names;
	return r;
}
