// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cache_to: the records of this build's steps and their layers, as an image of their own in a
 * folder or a registry, or in the config of the image that was built.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/build/transfer_internal.h"
#include "runtime/image/platform.h"
#include "runtime/image/push.h"

#define STEP_MSEC 200 /* until it is looked whether the build was cancelled */

static bool is_wanted(const struct build *build, const struct step *step, bool all)
{
	return step->state == STEP_DONE && (all || build_exports(build, step->stage));
}

static void add_record(json_t *records, const struct step *step, const char *key)
{
	size_t width = strcspn(step->text, "\n");
	_cleanup_free_ char *text = alloc_string_n(step->text, width < 200 ? width : 200);
	json_t *record = json_object();

	json_put_string(record, "key", key);
	json_put_string(record, "diff", step->empty ? "" : step->result->diff);
	json_put_int(record, "created", step->created_nsec);
	json_put_int(record, "bytes", (int64_t)step->tree_bytes);
	if (str_is_utf8(text, strlen(text)))
		json_put_string(record, "step", text);
	json_array_append_new(records, record);
}

static json_t *make_records(const struct build *build, bool all)
{
	json_t *records = json_array();

	for (size_t i = 0; i < build->step_count; i++) {
		const struct step *step = build->steps[i];

		if (!is_wanted(build, step, all))
			continue;
		if (*step->key)
			add_record(records, step, step->key);
		if (*step->fast_key)
			add_record(records, step, step->fast_key);
	}
	return records;
}

void transfer_put_inline(struct transfer *transfer, json_t *config)
{
	for (size_t i = 0; i < transfer->to_count; i++)
		if (transfer->to[i].kind == TRANSFER_INLINE)
			json_object_set_new(config, TRANSFER_RECORDS,
					    make_records(transfer->build, false));
}

/* Each layer once, its blob found or made. */
static int add_layers(struct build *build, bool all, json_t *diffs, json_t *layers,
		      struct error *err)
{
	struct map seen = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < build->step_count; i++) {
		struct step *step = build->steps[i];
		_cleanup_free_ char *diff = NULL;

		if (!is_wanted(build, step, all) || step->empty ||
		    map_get(&seen, step->result->diff))
			continue;
		map_set(&seen, step->result->diff, step);
		if (json_array_size(layers) == IMAGE_LAYERS_MAX) {
			build_warn(build, "cache_to: more than %d layers, the rest is left out",
				   IMAGE_LAYERS_MAX);
			break;
		}
		r = export_blob(build, step->result, err);
		if (r < 0)
			break;
		diff = str_printf("sha256:%s", step->result->diff);
		json_array_append_new(diffs, json_string(diff));
		json_array_append_new(layers, json_pack("{s:s, s:s, s:I}", "mediaType",
							step->result->media ?: MEDIA_OCI_LAYER,
							"digest", step->result->blob, "size",
							(json_int_t)step->result->blob_bytes));
	}
	map_done(&seen, NULL);
	return r;
}

static int stage_place(struct build *build, struct transfer_place *place, struct error *err)
{
	_cleanup_json_ json_t *config = json_object(), *manifest = NULL;
	json_t *diffs = json_array(), *layers = json_array();
	char digest[DIGEST_SIZE];
	size_t size;
	int r = add_layers(build, place->all, diffs, layers, err);

	if (r == 0)
		r = platform_describe(NULL, config, err);
	json_object_set_new(config, "rootfs",
			    json_pack("{s:s, s:o}", "type", "layers", "diff_ids", diffs));
	json_object_set_new(config, TRANSFER_RECORDS, make_records(build, place->all));
	if (r == 0)
		r = staging_put_json(&build->staging, config, digest, &size, err);
	if (r < 0) {
		json_decref(layers);
		return r;
	}
	manifest = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "schemaVersion", 2, "mediaType",
			     MEDIA_OCI_MANIFEST, "config", "mediaType", MEDIA_OCI_CONFIG, "digest",
			     digest, "size", (json_int_t)size, "layers", layers);
	build->staging_dirty = true;
	return staging_put_json(&build->staging, manifest, place->digest, &size, err);
}

int transfer_stage(struct transfer *transfer, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < transfer->to_count; i++)
		if (transfer->to[i].kind != TRANSFER_INLINE)
			r = stage_place(transfer->build, &transfer->to[i], err);
	return r;
}

/* Whole under its name, or not there. */
static int copy_blob(const struct image_store *store, int blobs, const char *digest,
		     struct error *err)
{
	const char *hex = digest_hex(digest);
	_cleanup_free_ char *temporary = str_printf(".new-%s", hex);
	_cleanup_close_ int from = -EBADF, to = -EBADF;
	struct stat st;
	off_t done = 0;

	if (faccessat(blobs, hex, F_OK, 0) == 0)
		return 0;
	from = openat(store->blobs, hex, O_RDONLY | O_CLOEXEC);
	to = openat(blobs, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return error_errno(err, "blob %.19s", digest);
	while (done < st.st_size) {
		size_t left = (size_t)(st.st_size - done);
		ssize_t n = copy_file_range(from, NULL, to, NULL, left, 0);

		/* Another kind of file system. */
		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP))
			n = sendfile(to, from, NULL, left);
		if (n <= 0)
			return n < 0 ? error_errno(err, "blob %.19s", digest)
				     : error_set(err, EIO, "blob %.19s became shorter", digest);
		done += n;
	}
	return renameat(blobs, temporary, blobs, hex) < 0 ? error_errno(err, "blob %.19s", digest)
							  : 0;
}

static int write_index(int dir, const struct image_store *store, const char *digest,
		       struct error *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	_cleanup_json_ json_t *index = NULL;
	_cleanup_free_ char *text = NULL;
	struct stat st;

	if (fstatat(store->blobs, digest_hex(digest), &st, 0) < 0)
		return error_errno(err, "%s", digest);
	index = json_pack("{s:i, s:s, s:[{s:s, s:s, s:I}]}", "schemaVersion", 2, "mediaType",
			  MEDIA_OCI_INDEX, "manifests", "mediaType", MEDIA_OCI_MANIFEST, "digest",
			  digest, "size", (json_int_t)st.st_size);
	text = json_text(index);
	if (fs_replace(dir, "oci-layout", layout, strlen(layout), FS_ATOMIC, err) < 0)
		return -err->code;
	return fs_replace(dir, "index.json", text, strlen(text), FS_ATOMIC, err);
}

static int send_local(struct build *build, struct transfer_place *place, struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL;
	_cleanup_close_ int dir = -EBADF, blobs = -EBADF;
	json_t *layer;
	size_t i;

	if (store_read_json(build->store, place->digest, &manifest, err) < 0 ||
	    fs_mkdir_path(place->at, 0755, err) < 0)
		return -err->code;
	dir = fs_open_dir(AT_FDCWD, place->at, err);
	if (dir < 0)
		return dir;
	if (mkdirat(dir, "blobs", 0755) < 0 && errno != EEXIST)
		return error_errno(err, "make its folders");
	blobs = fs_mkdir_open(dir, "blobs/sha256", 0755, err);
	if (blobs < 0 || copy_blob(build->store, blobs, place->digest, err) < 0 ||
	    copy_blob(build->store, blobs,
		      json_get_string(json_object_get(manifest, "config"), "digest"), err) < 0)
		return -err->code;
	json_array_foreach(json_object_get(manifest, "layers"), i, layer)
		if (copy_blob(build->store, blobs, json_get_string(layer, "digest"), err) < 0)
			return -err->code;
	return write_index(dir, build->store, place->digest, err);
}

static int send_remote(struct build *build, struct transfer_place *place, struct error *err)
{
	const volatile int *cancelled = build->with->cancelled;
	struct push_image *image;
	struct push *push;
	int r = push_new(build->store, NULL, NULL, &push, err);

	if (r < 0)
		return r;
	image = push_add_digest(push, place->at, place->digest);
	while (push_step(push, NULL, 0, STEP_MSEC) && !(cancelled && *cancelled))
		;
	r = push_result(image, err);
	if (r == 0)
		r = error_set(err, ECANCELED, "interrupted");
	push_free(push);
	return r < 0 ? r : 0;
}

int transfer_send(struct transfer *transfer, struct error *err)
{
	struct build *build = transfer->build;

	for (size_t i = 0; i < transfer->to_count; i++) {
		struct transfer_place *place = &transfer->to[i];
		int r = 0;

		if (place->kind == TRANSFER_LOCAL)
			r = send_local(build, place, err);
		else if (place->kind == TRANSFER_REGISTRY)
			r = send_remote(build, place, err);
		if (r == 0)
			continue;
		error_wrap(err, "cache_to %s", place->at);
		if (!place->ignore_error || r == -ECANCELED)
			return r;
		build_warn(build, "%s", err->message);
		error_clear(err);
	}
	return 0;
}
