// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The image: config and manifest of the wanted stage, and the blobs of its layers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/image/layer.h"

struct exporting {
	struct build *build;
	struct build_stage *stage;
	struct tree **layers; /* base first */
	size_t layer_count;
	char config[DIGEST_SIZE], manifest[DIGEST_SIZE];
	size_t config_size, manifest_size;
};

static void collect_layers(struct exporting *e)
{
	size_t n = 0;

	for (struct tree *tree = stage_tree(e->stage); tree; tree = tree->below)
		n++;
	e->layer_count = n;
	e->layers = new_array(struct tree *, n + 1);
	for (struct tree *tree = stage_tree(e->stage); tree; tree = tree->below)
		e->layers[--n] = tree;
}

/* Made once more of the layer's files: the same bytes, or it is not that layer. */
static int repack(struct build *build, struct tree *tree, struct error *err)
{
	struct staging *staging = &build->staging;
	const char *staged = map_get(&staging->layers, tree->chain);
	_cleanup_close_ int dir = -EBADF, blob = -EBADF;
	_cleanup_free_ char *name = NULL;
	struct layer_result layer;
	int r;

	dir = openat(staged ? staging->dir : build->store->layers, staged ?: tree->chain,
		     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(err, "layer %s", tree->chain);
	blob = staging_file(staging, &name, err);
	if (blob < 0)
		return blob;
	r = layer_repack(dir, blob, &layer, err);
	if (r < 0)
		return r;
	if (strcmp(layer.diff_hex, tree->diff) != 0)
		return error_set(err, EBADMSG,
				 "layer %.12s of the build cache was changed on the disk: run "
				 "\"berth builder prune\" and build again",
				 tree->chain);
	staging_add_blob(staging, tree->diff, TAKE_PTR(name));
	return 0;
}

int export_blob(struct build *build, struct tree *tree, struct error *err)
{
	struct staging *staging = &build->staging;
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	if (*tree->blob)
		return 0;
	/* Not looked through: whoever sends it on does that, and a build of nothing new is quick.
	 */
	fd = staging_open_blob(staging, tree->diff, err);
	if (fd == -ENOENT) {
		error_clear(err);
		if (repack(build, tree, err) < 0)
			return -err->code;
		fd = staging_open_blob(staging, tree->diff, err);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_errno(err, "blob %s", tree->diff);
	snprintf(tree->blob, sizeof(tree->blob), "sha256:%s", tree->diff);
	tree->blob_bytes = (uint64_t)st.st_size;
	return 0;
}

static void put_time(json_t *object, int64_t nsec)
{
	char text[UNITS_TIME_MAX];

	json_put_string(object, "created", units_format_time(nsec, text, sizeof(text)));
}

/* Each line has the time of the step before it, so that an unchanged build gives the same image. */
static json_t *make_history(struct exporting *e, int64_t *last)
{
	const struct build *build = e->build;
	json_t *list = json_array();

	for (size_t i = 0; i < e->stage->history_count; i++) {
		const struct history *row = &e->stage->history[i];
		json_t *entry = json_deep_copy(row->entry);

		if (!row->base) {
			if (row->step && row->step->created_nsec > *last)
				*last = row->step->created_nsec;
			put_time(entry, build->epoch_nsec >= 0 ? build->epoch_nsec : *last);
			if (!row->step || row->step->empty)
				json_put_bool(entry, "empty_layer", true);
		}
		json_array_append_new(list, entry);
	}
	return list;
}

/* NAME=VALUE each, into the object's object @key, which is made when there are any. */
static void put_rows(json_t *object, const char *key, char *const *rows)
{
	json_t *map = json_object_get(object, key);

	if (!rows || !rows[0])
		return;
	if (!json_is_object(map)) {
		map = json_object();
		json_object_set_new(object, key, map);
	}
	strv_foreach(row, rows) {
		char *equals = strchr(row, '=');
		_cleanup_free_ char *name =
			alloc_string_n(row, equals ? (size_t)(equals - row) : strlen(row));

		json_put_string(map, name, equals ? equals + 1 : "");
	}
}

static int64_t base_time(const struct exporting *e)
{
	for (size_t i = e->layer_count; i > 0; i--)
		if (*e->layers[i - 1]->blob && e->layers[i - 1]->created_nsec)
			return e->layers[i - 1]->created_nsec;
	return 0;
}

static int write_config(struct exporting *e, struct error *err)
{
	_cleanup_json_ json_t *image = json_deep_copy(e->stage->image);
	json_t *diffs = json_array();
	int64_t last = base_time(e);

	json_object_del(image, "berth.cmd");
	json_object_set_new(image, "history", make_history(e, &last));
	if (e->build->epoch_nsec >= 0)
		last = e->build->epoch_nsec;
	put_time(image, last);
	json_object_set_new(image, "rootfs",
			    json_pack("{s:s, s:o}", "type", "layers", "diff_ids", diffs));
	for (size_t i = 0; i < e->layer_count; i++) {
		_cleanup_free_ char *diff = str_printf("sha256:%s", e->layers[i]->diff);

		json_array_append_new(diffs, json_string(diff));
	}
	transfer_put_inline(e->build->transfer, image);
	return staging_put_json(&e->build->staging, image, e->config, &e->config_size, err);
}

static int write_manifest(struct exporting *e, struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL;
	json_t *layers = json_array();

	for (size_t i = 0; i < e->layer_count; i++)
		json_array_append_new(layers, json_pack("{s:s, s:s, s:I}", "mediaType",
							e->layers[i]->media ?: MEDIA_OCI_LAYER,
							"digest", e->layers[i]->blob, "size",
							(json_int_t)e->layers[i]->blob_bytes));
	manifest = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "schemaVersion", 2, "mediaType",
			     MEDIA_OCI_MANIFEST, "config", "mediaType", MEDIA_OCI_CONFIG, "digest",
			     e->config, "size", (json_int_t)e->config_size, "layers", layers);
	put_rows(manifest, "annotations", e->build->options->annotations);
	return staging_put_json(&e->build->staging, manifest, e->manifest, &e->manifest_size, err);
}

/* Whether the store has it under that name already; NULL: under any. */
static bool is_named(struct exporting *e, const char *reference)
{
	struct image_store *store = e->build->store;
	struct error ignored = ERROR_INIT;
	json_t *descriptor;
	size_t i;

	if (store_refresh(store, &ignored) < 0)
		return false;
	json_array_foreach(store_manifests(store), i, descriptor) {
		_cleanup_free_ char *name = NULL;

		if (!str_equal(json_get_string(descriptor, "digest"), e->manifest))
			continue;
		name = store_descriptor_name(descriptor);
		if (!reference || str_equal(name, reference))
			return true;
	}
	return false;
}

static int name_image(struct exporting *e, struct error *err)
{
	_cleanup_json_ json_t *descriptor =
		json_pack("{s:s, s:s, s:I}", "mediaType", MEDIA_OCI_MANIFEST, "digest", e->manifest,
			  "size", (json_int_t)e->manifest_size);
	struct staging *staging = &e->build->staging;
	bool news = false;

	strv_foreach(tag, e->build->options->tags) {
		_cleanup_free_ char *reference = NULL;

		if (reference_parse(tag, &reference, err) < 0)
			return -err->code;
		if (is_named(e, reference))
			continue;
		staging_add_entry(staging, descriptor, reference);
		news = true;
	}
	if (!e->build->options->tags && !is_named(e, NULL)) {
		staging_add_entry(staging, descriptor, NULL);
		news = true;
	}
	/* An image that is there already is not written once more; else commit() does it. */
	e->build->staging_dirty = e->build->staging_dirty || news;
	e->build->result->is_new = news;
	return 0;
}

int export_image(struct build *build, struct error *err)
{
	struct exporting e = {.build = build, .stage = &build->stages[build->target]};
	int r = 0;

	collect_layers(&e);
	if (e.layer_count > IMAGE_LAYERS_MAX)
		r = error_set(err, E2BIG, "the image would have %zu layers, %d are possible",
			      e.layer_count, IMAGE_LAYERS_MAX);
	put_rows(config_of(e.stage), "Labels", build->options->labels);
	for (size_t i = 0; r == 0 && i < e.layer_count; i++)
		r = export_blob(build, e.layers[i], err);
	if (r == 0)
		r = write_config(&e, err);
	if (r == 0)
		r = write_manifest(&e, err);
	if (r == 0)
		r = name_image(&e, err);
	if (r == 0)
		build->result->image_id = alloc_string(e.config);
	free(e.layers);
	return r;
}
