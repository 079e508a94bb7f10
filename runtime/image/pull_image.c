// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/platform.h"
#include "runtime/image/pull_internal.h"
#include "runtime/image/variants.h"

DEFINE_CLEANUP(struct image *, image_free);

void pull_image_free(struct pull_image *image)
{
	registry_request_free(image->request);
	free(image->name);
	free(image->normalized);
	registry_name_done(&image->ref);
	json_decref(image->platform);
	json_decref(image->own_platform);
	json_decref(image->manifest);
	json_decref(image->descriptor);
	free(image);
}

void pull_image_fail(struct pull_image *image, const struct error *error)
{
	if (image->stage == PULL_FAILED)
		return;
	registry_request_free(TAKE_PTR(image->request));
	image->stage = PULL_FAILED;
	image->error = *error;
	error_wrap(&image->error, "image %s", image->name);
	image->pull->wasted = true;
	pull_tell(image, PULL_IMAGE_FAILED);
}

static void fail(struct pull_image *image, struct error *err, const char *what)
{
	if (what)
		error_wrap(err, "%s", what);
	pull_image_fail(image, err);
}

/* The bytes as they came, for their digest is what others know them by. */
static int stage_bytes(struct pull_image *image, const char *hex, const char *data, size_t size,
		       struct error *err)
{
	struct staging *staging = &image->pull->staging;
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *name = NULL;
	int r;

	if (staging_has_blob(staging, hex))
		return 0;
	fd = staging_file(staging, &name, err);
	if (fd < 0)
		return fd;
	r = fd_write_all(fd, data, size);
	if (r < 0)
		return error_code(err, r, "store it");
	staging_add_blob(staging, hex, TAKE_PTR(name));
	return 0;
}

static void set_wanted(struct pull_image *image, const struct descriptor *descriptor)
{
	snprintf(image->wanted, sizeof(image->wanted), "%s", descriptor->digest);
	image->wanted_size = descriptor->size;
}

/* Digest, and size where something named it. */
static int check_bytes(const struct pull_image *image, const char *data, size_t size,
		       char ret_digest[DIGEST_SIZE], struct error *err)
{
	memcpy(ret_digest, "sha256:", 7);
	sha256_of(data, size, ret_digest + 7);
	if (image->wanted_size && size != image->wanted_size)
		return error_set(err, EBADMSG, "registry %s sends %zu bytes instead of %llu",
				 image->ref.registry, size, (unsigned long long)image->wanted_size);
	if (image->wanted[0] && strcmp(image->wanted, ret_digest) != 0)
		return error_set(err, EBADMSG,
				 "what registry %s sends is another one: its digest is %s, not %s",
				 image->ref.registry, ret_digest, image->wanted);
	return 0;
}

static void commit(struct pull_image *image)
{
	struct staging *staging = &image->pull->staging;
	struct error error = ERROR_INIT;

	if (variants_keep(staging, image->normalized, image->descriptor, image->own_platform,
			  &error) < 0) {
		pull_image_fail(image, &error);
		return;
	}
	staging_add_entry(staging, image->descriptor, image->normalized);
	if (staging_commit(staging, &error) < 0) {
		json_array_clear(staging->entries);
		pull_image_fail(image, &error);
		return;
	}
	image->pull->committed = true;
	image->stage = PULL_DONE;
	pull_tell(image, PULL_IMAGE_PULLED);
}

void pull_image_check(struct pull_image *image)
{
	if (image->stage != PULL_RUNNING || !image->layers_known)
		return;
	for (size_t i = 0; i < image->layer_count; i++) {
		struct pull_layer *layer = image->layers[i];

		/* What is not what it should be mostly cannot be unpacked: that is said, once
		 * known. */
		if (layer->blob->stage == PULL_FAILED)
			pull_image_fail(image, &layer->blob->error);
		else if (layer->stage == PULL_FAILED && layer->blob->stage == PULL_DONE)
			pull_image_fail(image, &layer->error);
		if (image->stage == PULL_FAILED)
			return;
	}
	for (size_t i = 0; i < image->layer_count; i++)
		if (image->layers[i]->stage != PULL_DONE ||
		    image->layers[i]->blob->stage != PULL_DONE)
			return;
	commit(image);
}

/* Its layers become jobs, or are here. */
static int want_layers(struct pull_image *image, const json_t *config, struct error *err)
{
	const char *diff_ids[IMAGE_LAYERS_MAX];
	char chain[SHA256_HEX_SIZE] = "";

	if (manifest_diff_ids(&image->decoded, config, diff_ids, err) < 0)
		return -err->code;
	for (size_t i = 0; i < image->decoded.layer_count; i++) {
		struct pull_blob *blob = pull_blob_get(image, &image->decoded.layers[i], err);
		struct pull_layer *layer;

		if (!blob)
			return error_wrap(err, "layer %zu", i + 1);
		chain_id(chain, diff_ids[i], chain);
		layer = pull_layer_get(image->pull, chain, diff_ids[i], blob);
		if (layer->stage == PULL_WAITING && blob->stage == PULL_DONE &&
		    staging_has_layer(&image->pull->staging, chain))
			layer->stage = PULL_DONE;
		image->layers[image->layer_count++] = layer;
	}
	image->layers_known = true;
	return 0;
}

static int check_platform(const struct pull_image *image, const json_t *config, struct error *err)
{
	_cleanup_free_ char *wanted = NULL, *is = NULL;

	if (!image->platform_asked || platform_rank(image->platform, config) > 0)
		return 0;
	wanted = platform_text(image->platform);
	is = platform_text(config);
	return error_set(err, ENOENT, "there is none for %s; it is for %s", wanted, is);
}

/* How long ago it was is what a pull_policy of "daily" goes by. */
static void note_time(json_t *descriptor)
{
	_cleanup_free_ char *seconds = str_printf("%lld", (long long)time(NULL));
	json_t *annotations = json_object_get(descriptor, "annotations");

	if (!annotations) {
		annotations = json_object();
		json_object_set_new(descriptor, "annotations", annotations);
	}
	json_put_string(annotations, ANNOTATION_TIME, seconds);
}

/* What will be said of it in index.json. */
static void make_descriptor(struct pull_image *image, const char *media, const char *digest,
			    size_t size)
{
	image->descriptor = json_pack("{s:s, s:s, s:I}", "mediaType", media, "digest", digest,
				      "size", (json_int_t)size);
	if (strcmp(image->target, digest) != 0)
		json_object_set_new(image->descriptor, "annotations",
				    json_pack("{s:s}", ANNOTATION_TARGET, image->target));
	note_time(image->descriptor);
}

static void config_arrived(struct pull_image *image, const char *data, size_t size)
{
	_cleanup_json_ json_t *config = NULL;
	struct error error = ERROR_INIT;
	char digest[DIGEST_SIZE];

	if (check_bytes(image, data, size, digest, &error) < 0 ||
	    json_parse(data, size, &config, &error) < 0 ||
	    stage_bytes(image, digest + 7, data, size, &error) < 0) {
		fail(image, &error, "config");
		return;
	}
	if (check_platform(image, config, &error) < 0 || want_layers(image, config, &error) < 0) {
		fail(image, &error, NULL);
		return;
	}
	json_decref(image->own_platform);
	image->own_platform = platform_copy(config);
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct pull_layer *layer = image->layers[i];
		char id[13];
		struct pull_event event = {
			.name = image->name,
			.layer = id,
			.state = layer->stage == PULL_DONE ? PULL_LAYER_HERE : PULL_LAYER_WAITING,
			.total = layer->blob->size,
		};

		snprintf(id, sizeof(id), "%.12s", layer->blob->hex);
		if (image->pull->progress)
			image->pull->progress(image->pull->data, &event);
	}
	pull_image_check(image);
}

/* A blob or manifest that is named by its digest, and may be here already. */
static bool read_here(struct pull_image *image, char **ret_data, size_t *ret_size)
{
	struct error ignored = ERROR_INIT;
	char digest[DIGEST_SIZE];

	if (!store_has_blob(image->pull->store, image->wanted + 7) ||
	    fs_read(image->pull->store->blobs, image->wanted + 7, IMAGE_JSON_MAX, ret_data,
		    ret_size, &ignored) < 0)
		return false;
	if (check_bytes(image, *ret_data, *ret_size, digest, &ignored) == 0)
		return true;
	free(TAKE_PTR(*ret_data));
	return false;
}

static void config_answered(struct registry_request *request)
{
	struct pull_image *image = request->data;
	struct error error = request->error;

	image->request = NULL;
	if (error.code)
		fail(image, &error, "config");
	else
		config_arrived(image, request->answer->text.data ?: "",
			       request->answer->text.length);
	registry_request_free(request);
}

static struct registry_request *ask(struct pull_image *image, const char *method, const char *kind,
				    const char *what, void (*done)(struct registry_request *))
{
	_cleanup_free_ char *path = str_printf("%s/%s", kind, what);
	struct registry_request *request = registry_request_new(
		image->pull->registry, image->ref.registry, image->ref.repository, method, path);

	request->done = done;
	request->data = image;
	image->request = request;
	if (strcmp(kind, "manifests") == 0)
		registry_request_header(request, "Accept: " MANIFEST_ACCEPT);
	return request;
}

static void fetch_config(struct pull_image *image)
{
	_cleanup_free_ char *data = NULL;
	size_t size;

	set_wanted(image, &image->decoded.config);
	if (read_here(image, &data, &size))
		config_arrived(image, data, size);
	else
		registry_send(ask(image, "GET", "blobs", image->wanted, config_answered));
}

static void fetch_manifest(struct pull_image *image);

static void index_arrived(struct pull_image *image, const json_t *index)
{
	struct descriptor descriptor = {0};
	struct error error = ERROR_INIT;

	if (++image->depth > MANIFEST_DEPTH_MAX)
		error_set(&error, ELOOP, "more than %d indexes deep", MANIFEST_DEPTH_MAX);
	else
		(void)manifest_choose(index, image->platform, &descriptor, &error);
	if (error.code) {
		fail(image, &error, NULL);
		return;
	}
	set_wanted(image, &descriptor);
	fetch_manifest(image);
}

/* The same, for the same platform, as the store has under this name: *ret is it. */
static bool is_here(struct pull_image *image, const char *target)
{
	struct image_store *store = image->pull->store;
	_cleanup_(cleanup_image_free) struct image *here = NULL;
	_cleanup_free_ char *wanted = image->platform_asked ? platform_text(image->platform) : NULL;
	_cleanup_json_ json_t *platform = json_object();
	struct error ignored = ERROR_INIT;

	if (image_find_platform(store, image->normalized, wanted, &here, &ignored) < 0)
		return false;
	json_put_string(platform, "os", here->os);
	json_put_string(platform, "architecture", here->architecture);
	/* One that was pulled for another machine: the index may have ours. */
	if (!wanted && here->target && target && platform_score(platform) == 0 &&
	    !str_equal(here->digest, target))
		return false;
	return !target || str_equal(here->target ? here->target : here->digest, target);
}

/* The registry has said that there is nothing newer. */
static int touch(struct pull_image *image, struct error *err)
{
	struct image_store *store = image->pull->store;
	_cleanup_close_ int lock = store_lock(store, err);
	_cleanup_json_ json_t *copy = NULL;
	_cleanup_free_ char *reference = NULL;
	json_t *descriptor;
	int r;

	if (lock < 0)
		return lock;
	r = store_lookup(store, image->normalized, &descriptor, &reference, err);
	if (r < 0)
		return r;
	copy = json_deep_copy(descriptor);
	note_time(copy);
	store_add_entry(store, copy, image->normalized);
	return store_write_index(store, err);
}

static void image_is_here(struct pull_image *image, bool asked)
{
	struct error error = ERROR_INIT;

	if (asked && touch(image, &error) < 0) {
		pull_image_fail(image, &error);
		return;
	}
	image->stage = PULL_DONE;
	pull_tell(image, PULL_IMAGE_HERE);
}

static void manifest_arrived(struct pull_image *image, const char *data, size_t size,
			     const char *content_type)
{
	_cleanup_json_ json_t *json = NULL;
	struct error error = ERROR_INIT;
	char digest[DIGEST_SIZE];
	const char *media;
	int kind;

	if (check_bytes(image, data, size, digest, &error) < 0 ||
	    json_parse(data, size, &json, &error) < 0 ||
	    (kind = manifest_kind(json, content_type, &media, &error)) < 0) {
		fail(image, &error, "manifest");
		return;
	}
	if (!image->target[0]) {
		memcpy(image->target, digest, DIGEST_SIZE);
		if (is_here(image, digest)) {
			image_is_here(image, true);
			return;
		}
	}
	if (kind == MANIFEST_INDEX) {
		index_arrived(image, json);
		return;
	}
	if (manifest_decode(json, &image->decoded, &error) < 0 ||
	    stage_bytes(image, digest + 7, data, size, &error) < 0) {
		fail(image, &error, "manifest");
		return;
	}
	make_descriptor(image, media, digest, size);
	image->manifest = TAKE_PTR(json); /* what was decoded points into it */
	fetch_config(image);
}

static void manifest_answered(struct registry_request *request)
{
	struct pull_image *image = request->data;
	struct error error = request->error;

	image->request = NULL;
	if (error.code)
		fail(image, &error, NULL);
	else
		manifest_arrived(image, request->answer->text.data ?: "",
				 request->answer->text.length, request->answer->content_type);
	registry_request_free(request);
}

static void fetch_manifest(struct pull_image *image)
{
	const char *what = image->wanted[0] ? image->wanted : image->ref.tag;
	_cleanup_free_ char *data = NULL;
	size_t size;

	if (image->wanted[0] && read_here(image, &data, &size))
		manifest_arrived(image, data, size, NULL);
	else
		registry_send(ask(image, "GET", "manifests", what, manifest_answered));
}

/* It costs the registry less than the manifest, and is not counted by those who count. */
static void looked_up(struct registry_request *request)
{
	struct pull_image *image = request->data;
	const char *digest = request->error.code ? NULL : request->answer->content_digest;
	bool same = digest_hex(digest) && is_here(image, digest);

	image->request = NULL;
	registry_request_free(request);
	if (same)
		image_is_here(image, true);
	else
		fetch_manifest(image);
}

static int prepare(struct pull_image *image, struct error *err)
{
	int r = registry_name_parse(image->name, &image->ref, err);

	if (r == 0)
		r = reference_parse(image->name, &image->normalized, err);
	if (r == 0 && image->ref.digest)
		snprintf(image->wanted, sizeof(image->wanted), "%s", image->ref.digest);
	return r;
}

void pull_image_start(struct pull_image *image)
{
	struct error error = ERROR_INIT;

	image->stage = PULL_RUNNING;
	if (prepare(image, &error) < 0) {
		pull_image_fail(image, &error);
		return;
	}
	if (image->policy == PULL_MISSING && is_here(image, NULL)) {
		image_is_here(image, false);
		return;
	}
	pull_tell(image, PULL_IMAGE_STARTED);
	/* Of a digest there is nothing that could be newer. */
	if (is_here(image, NULL) && image->ref.digest)
		image_is_here(image, false);
	else if (is_here(image, NULL))
		registry_send(ask(image, "HEAD", "manifests", image->ref.tag, looked_up));
	else
		fetch_manifest(image);
}
