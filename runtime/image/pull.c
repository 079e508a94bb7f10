// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/pull.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"

#include "runtime/image/platform.h"
#include "runtime/image/pull_internal.h"

DEFINE_CLEANUP(struct pull *, pull_free);

void pull_tell(struct pull_image *image, enum pull_state state)
{
	const struct pull_event event = {
		.name = image->name, .state = state, .error = &image->error};

	if (image->pull->progress)
		image->pull->progress(image->pull->data, &event);
}

void pull_tell_blob(struct pull_blob *blob, enum pull_state state, uint64_t current)
{
	struct pull *pull = blob->pull;
	char id[13];
	struct pull_event event = {
		.layer = id, .state = state, .current = current, .total = blob->size};

	snprintf(id, sizeof(id), "%.12s", blob->hex);
	for (size_t i = 0; pull->progress && i < pull->image_count; i++) {
		const struct pull_image *image = pull->images[i];

		if (image->stage != PULL_RUNNING)
			continue;
		event.name = image->name;
		for (size_t j = 0; j < image->layer_count; j++) {
			if (image->layers[j]->blob != blob)
				continue;
			pull->progress(pull->data, &event);
			break;
		}
	}
}

int pull_new(struct image_store *store, void (*progress)(void *data, const struct pull_event *),
	     void *data, struct pull **ret, struct error *err)
{
	struct pull *pull = new (struct pull);
	int r;

	/* A child that unpacks may go before we have fed it all; it says why. */
	(void)signal(SIGPIPE, SIG_IGN);
	pull->store = store;
	pull->progress = progress;
	pull->data = data;
	r = registry_open(&pull->registry, err);
	if (r == 0)
		r = staging_open(store, &pull->staging, err);
	if (r < 0) {
		registry_close(pull->registry);
		free(pull);
		return r;
	}
	*ret = pull;
	return 0;
}

void pull_free(struct pull *pull)
{
	struct error ignored = ERROR_INIT;

	if (!pull)
		return;
	map_done(&pull->layers, pull_layer_free);
	map_done(&pull->blobs, pull_blob_free);
	for (size_t i = 0; i < pull->image_count; i++)
		pull_image_free(pull->images[i]);
	free(pull->images);
	registry_close(pull->registry);
	staging_done(&pull->staging);
	/* With one image's layers another's may have got into the store that then failed. */
	if (pull->committed && pull->wasted && store_collect(pull->store, &ignored) < 0)
		log_debug("image store: %s", ignored.message);
	free(pull);
}

struct pull_image *pull_add(struct pull *pull, const char *name, const struct pull_options *options)
{
	struct pull_image *image = new (struct pull_image);
	json_t *platform = json_object();

	*array_add(pull->images, pull->image_count) = image;
	image->pull = pull;
	image->name = alloc_string(name);
	image->policy = options->policy;
	image->platform = platform;
	image->platform_asked = options->platform && options->platform[0];
	if (platform_describe(options->platform, platform, &image->error) < 0) {
		struct error error = image->error;

		pull_image_fail(image, &error);
	}
	return image;
}

int pull_result(const struct pull_image *image, struct error *err)
{
	if (image->stage == PULL_FAILED && err)
		*err = image->error;
	return image->stage == PULL_FAILED ? -image->error.code : image->stage == PULL_DONE;
}

/* Whether somebody still waits for this layer. */
static bool is_wanted(const struct pull *pull, const struct pull_layer *layer)
{
	for (size_t i = 0; i < pull->image_count; i++)
		for (size_t j = 0; j < pull->images[i]->layer_count; j++)
			if (pull->images[i]->layers[j] == layer &&
			    pull->images[i]->stage == PULL_RUNNING)
				return true;
	return false;
}

static bool is_blob_wanted(const struct pull *pull, const struct pull_blob *blob)
{
	map_foreach(entry, &pull->layers) {
		const struct pull_layer *layer = entry->value;

		if (layer->blob == blob && is_wanted(pull, layer))
			return true;
	}
	return false;
}

/* What only an image wanted that has failed. */
static void drop_unwanted(struct pull *pull)
{
	const struct error error = {.code = ECANCELED, .message = "no longer wanted"};

	map_foreach(entry, &pull->layers) {
		struct pull_layer *layer = entry->value;

		if (layer->stage <= PULL_RUNNING && !is_wanted(pull, layer))
			pull_layer_fail(layer, &error);
	}
	map_foreach(entry, &pull->blobs) {
		struct pull_blob *blob = entry->value;

		if (blob->stage > PULL_RUNNING || is_blob_wanted(pull, blob))
			continue;
		if (blob->stage == PULL_RUNNING)
			pull->downloading--;
		registry_request_free(TAKE_PTR(blob->request));
		blob->stage = PULL_FAILED;
		blob->error = error;
	}
}

/*
 * So many downloads at once as are allowed; and of children that unpack a few more, for the last of
 * them may be at it for a while after their download.
 */
static void start_what_may(struct pull *pull)
{
	size_t limit = (size_t)registry_config_of(pull->registry)->downloads;

	map_foreach(entry, &pull->layers) {
		struct pull_layer *layer = entry->value;
		struct pull_blob *blob = layer->blob;

		if (layer->stage != PULL_WAITING)
			continue;
		if (blob->stage == PULL_WAITING && pull->downloading < limit)
			pull_blob_start(blob);
		if (blob->stage != PULL_WAITING && blob->stage != PULL_FAILED &&
		    pull->unpacking < limit + 1)
			pull_layer_start(layer);
	}
}

static bool advance(struct pull *pull)
{
	bool running = false, failed = false;

	for (size_t i = 0; i < pull->image_count; i++) {
		struct pull_image *image = pull->images[i];

		if (image->stage == PULL_WAITING)
			pull_image_start(image);
		pull_image_check(image);
		failed = failed || image->stage == PULL_FAILED;
		running = running || image->stage == PULL_RUNNING;
	}
	if (failed)
		drop_unwanted(pull);
	start_what_may(pull);
	return running;
}

struct waits {
	struct pollfd *fds;
	struct pull_layer **layers; /* whose the descriptor is; NULL: the caller's */
	size_t count;
};

static void add_wait(struct waits *waits, int fd, short events, struct pull_layer *layer)
{
	size_t layers = waits->count;

	*array_add(waits->layers, layers) = layer;
	*array_add(waits->fds, waits->count) = (struct pollfd){.fd = fd, .events = events};
}

static void add_layers(const struct pull *pull, struct waits *waits)
{
	map_foreach(entry, &pull->layers) {
		struct pull_layer *layer = entry->value;

		if (layer->stage != PULL_RUNNING)
			continue;
		add_wait(waits, layer->result, POLLIN, layer);
		if (layer->feed >= 0 && layer->fed < layer->blob->received)
			add_wait(waits, layer->feed, POLLOUT, layer);
	}
}

static void look_after_layers(struct pull *pull, const struct waits *waits)
{
	for (size_t i = 0; i < waits->count; i++) {
		struct pull_layer *layer = waits->layers[i];

		if (layer && layer->stage == PULL_RUNNING && waits->fds[i].revents &&
		    waits->fds[i].fd == layer->result) {
			pull_layer_end(layer);
			if (layer->stage == PULL_DONE)
				pull_tell_blob(layer->blob, PULL_LAYER_PULLED, 0);
		}
	}
	map_foreach(entry, &pull->layers) {
		struct pull_layer *layer = entry->value;

		if (layer->stage == PULL_RUNNING)
			pull_layer_feed(layer);
	}
}

int pull_step(struct pull *pull, struct pollfd *fds, size_t fd_count, int timeout_msec)
{
	struct waits waits = {0};

	if (!advance(pull)) {
		for (size_t i = 0; i < fd_count; i++)
			fds[i].revents = 0;
		return 0;
	}
	for (size_t i = 0; i < fd_count; i++)
		add_wait(&waits, fds[i].fd, fds[i].events, NULL);
	add_layers(pull, &waits);
	registry_step(pull->registry, waits.fds, waits.count, timeout_msec);
	/* libcurl keeps to itself that the other end of a pipe was closed. */
	(void)poll(waits.fds, waits.count, 0);
	for (size_t i = 0; i < fd_count; i++)
		fds[i].revents = waits.fds[i].revents;
	look_after_layers(pull, &waits);
	free(waits.fds);
	free(waits.layers);
	return advance(pull);
}

int image_pull(struct image_store *store, const char *name, const struct pull_options *options,
	       struct image **ret, struct error *err)
{
	_cleanup_(cleanup_pull_free) struct pull *pull = NULL;
	struct pull_image *image;
	int r;

	r = pull_new(store, options->progress, options->data, &pull, err);
	if (r < 0)
		return r;
	image = pull_add(pull, name, options);
	while (pull_step(pull, NULL, 0, -1))
		;
	r = pull_result(image, err);
	return r < 0 ? r : ret ? image_find_platform(store, name, options->platform, ret, err) : 0;
}

int image_resolve(const char *name, char **ret_digest, struct error *err)
{
	struct registry_name ref = {0};
	struct registry *registry = NULL;
	struct registry_request *request = NULL;
	_cleanup_free_ char *path = NULL;
	int r;

	r = registry_name_parse(name, &ref, err);
	if (r == 0)
		r = registry_open(&registry, err);
	if (r < 0) {
		registry_name_done(&ref);
		return r;
	}
	path = str_printf("manifests/%s", ref.digest ? ref.digest : ref.tag);
	request = registry_request_new(registry, ref.registry, ref.repository, "HEAD", path);
	registry_request_header(request, "Accept: " MANIFEST_ACCEPT);
	r = registry_call(request, err);
	if (r == 0 && digest_hex(request->answer->content_digest))
		*ret_digest = alloc_string(request->answer->content_digest);
	else if (r == 0)
		r = error_set(err, EBADMSG, "registry %s names no digest for it", ref.registry);
	registry_request_free(request);
	registry_close(registry);
	registry_name_done(&ref);
	return r < 0 ? error_wrap(err, "image %s", name) : 0;
}
