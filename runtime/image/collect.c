// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "runtime/image/store.h"
#include "runtime/image/variants.h"

/*
 * Mark and sweep: what the index leads to is kept, all else goes. It runs only when nobody adds
 * content; what is left then goes with the next removal.
 */

struct marks {
	struct map blobs, layers;
};

static void mark(struct map *map, const char *hex)
{
	if (hex)
		map_set(map, hex, map);
}

static int mark_image(struct image_store *store, const char *digest, struct marks *marks,
		      struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL;
	const json_t *layers;
	struct image *image;
	json_t *layer;
	size_t i;
	int r;

	r = store_decode(store, digest, &image, err);
	if (r == 0)
		r = store_read_json(store, digest, &manifest, err);
	if (r < 0)
		return r;
	mark(&marks->blobs, digest_hex(digest));
	mark(&marks->blobs, digest_hex(image->id));
	layers = json_object_get(manifest, "layers");
	json_array_foreach((json_t *)layers, i, layer)
		mark(&marks->blobs, digest_hex(json_get_string(layer, "digest")));
	strv_foreach(chain, image->layer_chain_ids)
		mark(&marks->layers, chain);
	return 0;
}

/* Layers and blobs that records of the build cache name (runtime/build/cache.h). */
static void mark_cached(struct image_store *store, struct marks *marks)
{
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_list(store->root, "build/cache", &names, &ignored) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("build/cache/%s", name);
		_cleanup_json_ json_t *record = NULL;

		if (json_read(store->root, path, 65536, &record, &ignored) < 0)
			continue;
		mark(&marks->layers, json_get_string(record, "chain"));
		mark(&marks->blobs, json_get_string(record, "diff"));
	}
}

/* The others that its name stands for, and what is said of them. */
static int mark_index(struct image_store *store, const char *digest, struct marks *marks,
		      struct error *err)
{
	_cleanup_json_ json_t *index = NULL;
	json_t *row;
	size_t i;

	if (store_read_json(store, digest, &index, err) < 0)
		return -err->code;
	mark(&marks->blobs, digest_hex(digest));
	json_array_foreach(json_object_get(index, "manifests"), i, row)
		if (mark_image(store, json_get_string(row, "digest"), marks, err) < 0)
			return -err->code;
	return 0;
}

static int mark_all(struct image_store *store, struct marks *marks, struct error *err)
{
	json_t *descriptor;
	size_t i;

	mark_cached(store, marks);
	json_array_foreach(store_manifests(store), i, descriptor) {
		const char *index = store_descriptor_index(descriptor);
		int r = mark_image(store, json_get_string(descriptor, "digest"), marks, err);

		if (r == 0 && index)
			r = mark_index(store, index, marks, err);

		/* Of a damaged image nobody knows what it needs: then nothing is deleted. */
		if (r < 0)
			return r;
	}
	return 0;
}

static void sweep_blobs(struct image_store *store, const struct map *marks, int doomed)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	if (fs_list(store->blobs, ".", &names, &err) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *to = str_printf("blob-%s", name);

		if (!map_get(marks, name) && renameat(store->blobs, name, doomed, to) < 0)
			log_debug("image store: blob %s: %s", name, strerror(errno));
	}
}

/* Renamed first, for a tree that is half deleted must not bear its name. */
static void sweep_layers(struct image_store *store, const struct map *marks, int doomed)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	if (fs_list(store->layers, ".", &names, &err) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *record = str_printf("%s.json", name);

		if (strlen(name) == 64 && is_hex(name, 64) && !map_get(marks, name) &&
		    renameat(store->layers, name, doomed, name) == 0)
			(void)unlinkat(store->layers, record, 0);
	}
}

/* A folder as those of content on its way in: what a killed process leaves of it is swept. */
static int make_doomed(struct image_store *store, char **ret_name, struct error *err)
{
	_cleanup_close_ int lock = fs_lock(store->images, "lock", err);
	int dir;

	if (lock < 0)
		return lock;
	dir = fs_mkdir_unique(store->layers, ".new-", ret_name, err);
	if (dir >= 0)
		(void)flock(dir, LOCK_EX | LOCK_NB);
	return dir;
}

void store_delete_doomed(struct image_store *store, const char *doomed)
{
	struct error err = ERROR_INIT;

	if (doomed && fs_remove_tree(store->layers, doomed, &err) < 0 && err.code != ENOENT)
		log_debug("image store: %s: %s", doomed, err.message);
}

int store_take_out(struct image_store *store, char **ret_doomed, struct error *err)
{
	_cleanup_close_ int use = -EBADF, doomed = -EBADF;
	struct error unknown = ERROR_INIT;
	struct marks marks = {0};
	int r;

	use = openat(store->images, "use.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (use < 0)
		return error_errno(err, "image store: use.lock");
	if (flock(use, LOCK_EX | LOCK_NB) < 0)
		return 0;
	r = store_refresh(store, err);
	if (r < 0)
		return r;
	doomed = make_doomed(store, ret_doomed, err);
	if (doomed < 0)
		return doomed;
	if (mark_all(store, &marks, &unknown) == 0) {
		sweep_blobs(store, &marks.blobs, doomed);
		sweep_layers(store, &marks.layers, doomed);
	} else {
		log_warning("image store: nothing is deleted: %s", unknown.message);
	}
	map_done(&marks.blobs, NULL);
	map_done(&marks.layers, NULL);
	return 0;
}

int store_collect(struct image_store *store, struct error *err)
{
	_cleanup_free_ char *doomed = NULL;
	int r = store_take_out(store, &doomed, err);

	store_delete_doomed(store, doomed);
	return r;
}
