// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "runtime/image/push_internal.h"
#include "runtime/image/variants.h"

static void tell(const struct push_image *image, enum push_state state)
{
	const struct push_event event = {.name = image->name,
					 .state = state,
					 .digest = image->digest,
					 .error = &image->error};

	if (image->push->progress && !image->of)
		image->push->progress(image->push->data, &event);
}

void push_tell_blob(const struct push_blob *blob, enum push_state state, uint64_t current)
{
	struct push *push = blob->push;
	char id[13];
	struct push_event event = {
		.layer = id, .state = state, .current = current, .total = blob->size};

	snprintf(id, sizeof(id), "%.12s", blob->hex);
	for (size_t i = 0; push->progress && i < push->image_count; i++) {
		const struct push_image *image = push->images[i];

		event.name = image->of ? image->of->name : image->name;
		/* The last one is the config, which is not worth a line. */
		for (size_t j = 0; image->stage == PUSH_RUNNING && j + 1 < image->blob_count; j++) {
			if (image->blobs[j] != blob)
				continue;
			push->progress(push->data, &event);
			break;
		}
	}
}

int push_new(struct image_store *store, void (*progress)(void *data, const struct push_event *),
	     void *data, struct push **ret, struct error *err)
{
	struct push *push = new (struct push);

	push->store = store;
	push->progress = progress;
	push->data = data;
	push->use_lock = store_use(store, err);
	if (push->use_lock < 0 || registry_open(&push->registry, err) < 0) {
		cleanup_close_fd(&push->use_lock);
		free(push);
		return -err->code;
	}
	*ret = push;
	return 0;
}

static void free_image(struct push_image *image)
{
	push_pack_kill(image);
	registry_request_free(image->request);
	registry_name_done(&image->ref);
	free(image->name);
	free(image->platform);
	free(image->parts);
	free(image->manifest);
	free(image->media);
	free(image->blobs);
	for (size_t i = 0; i < image->piece_count; i++)
		cleanup_close_fd(&image->pieces[i]);
	free(image->pieces);
	free(image);
}

void push_free(struct push *push)
{
	struct error ignored = ERROR_INIT;

	if (!push)
		return;
	for (size_t i = 0; i < push->image_count; i++)
		free_image(push->images[i]);
	free(push->images);
	map_done(&push->blobs, push_blob_free);
	registry_close(push->registry);
	cleanup_close_fd(&push->use_lock);
	if (push->packed && store_collect(push->store, &ignored) < 0)
		log_debug("image store: %s", ignored.message);
	free(push);
}

struct push_image *push_add(struct push *push, const char *name)
{
	struct push_image *image = new (struct push_image);

	*array_add(push->images, push->image_count) = image;
	image->push = push;
	image->packed_fd = -EBADF;
	image->name = alloc_string(name);
	return image;
}

void push_set_platform(struct push_image *image, const char *platform)
{
	image->platform = alloc_string(platform);
}

struct push_image *push_add_digest(struct push *push, const char *name, const char *digest)
{
	struct push_image *image = push_add(push, name);

	snprintf(image->digest, sizeof(image->digest), "%s", digest);
	image->as_is = true;
	return image;
}

static int memory_file(const struct push_piece *piece)
{
	_cleanup_close_ int fd = memfd_create("berth-push", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, piece->data, piece->size) < 0)
		return -EBADF;
	return TAKE_FD(fd);
}

struct push_image *push_add_artifact(struct push *push, const char *name, const char *media,
				     const char *manifest, const struct push_piece *pieces,
				     size_t count)
{
	struct push_image *image = push_add(push, name);
	char hex[SHA256_HEX_SIZE];

	image->artifact = true;
	image->media = alloc_string(media);
	image->manifest = alloc_string(manifest);
	image->manifest_size = strlen(manifest);
	sha256_of(manifest, image->manifest_size, hex);
	snprintf(image->digest, sizeof(image->digest), "sha256:%s", hex);
	for (size_t i = 0; i < count; i++)
		*array_add(image->pieces, image->piece_count) = memory_file(&pieces[i]);
	return image;
}

bool push_refused(const struct push_image *image)
{
	return image->refused;
}

int push_result(const struct push_image *image, struct error *err)
{
	if (image->stage == PUSH_FAILED && err)
		*err = image->error;
	return image->stage == PUSH_FAILED ? -image->error.code : image->stage == PUSH_DONE;
}

const char *push_digest(const struct push_image *image, uint64_t *ret_size)
{
	*ret_size = image->manifest_size;
	return image->digest;
}

const char *push_media(const struct push_image *image)
{
	return image->media;
}

static void fail(struct push_image *image, const struct error *error)
{
	registry_request_free(TAKE_PTR(image->request));
	image->stage = PUSH_FAILED;
	image->error = *error;
	error_wrap(&image->error, "image %s", image->name);
	tell(image, PUSH_IMAGE_FAILED);
}

static int add_blob(struct push_image *image, const json_t *descriptor, struct error *err)
{
	const char *hex = digest_hex(json_get_string(descriptor, "digest"));
	struct push_blob *blob;

	if (!hex)
		return error_set(err, EBADMSG, "its manifest in the store names no valid digest");
	blob = push_blob_get(image, hex, -EBADF, err);
	if (!blob)
		return -err->code;
	*array_add(image->blobs, image->blob_count) = blob;
	return 0;
}

static int find_digest(struct push_image *image, struct error *err)
{
	struct image_store *store = image->push->store;
	_cleanup_free_ char *reference = NULL;
	json_t *descriptor;

	if (store_refresh(store, err) < 0 ||
	    store_lookup(store, image->name, &descriptor, &reference, err) < 0 ||
	    variants_find(store, descriptor, image->platform, image->digest, err) < 0)
		return -err->code;
	image->media = alloc_string(json_get_string(descriptor, "mediaType"));
	if (!image->platform)
		snprintf(image->index, sizeof(image->index), "%s",
			 store_descriptor_index(descriptor) ?: "");
	return 0;
}

/* The index is sent as it is, once all that it lists is there. */
static int add_parts(struct push_image *image, struct error *err)
{
	struct image_store *store = image->push->store;
	_cleanup_json_ json_t *index = NULL;
	json_t *row;
	size_t i;

	if (store_read_json(store, image->index, &index, err) < 0 ||
	    fs_read(store->blobs, digest_hex(image->index), IMAGE_JSON_MAX, &image->manifest,
		    &image->manifest_size, err) < 0)
		return -err->code;
	memcpy(image->digest, image->index, sizeof(image->digest));
	free(image->media);
	image->media = alloc_string(json_get_string(index, "mediaType") ?: MEDIA_OCI_INDEX);
	json_array_foreach(json_object_get(index, "manifests"), i, row) {
		const char *digest = json_get_string(row, "digest");
		_cleanup_free_ char *name =
			str_printf("%s/%s@%s", image->ref.registry, image->ref.repository, digest);
		struct push_image *part = push_add_digest(image->push, name, digest ?: "");

		part->of = image;
		*array_add(image->parts, image->part_count) = part;
	}
	return 0;
}

static int add_piece(struct push_image *image, int *fd, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	char hex[SHA256_HEX_SIZE];
	struct push_blob *blob;
	struct stat st;

	if (*fd < 0 || fstat(*fd, &st) < 0)
		return error_set(err, ENOMEM, "no memory for what it is made of");
	data = alloc_zero((size_t)st.st_size + 1, 1);
	if (pread(*fd, data, (size_t)st.st_size, 0) != st.st_size)
		return error_errno(err, "read what it is made of");
	sha256_of(data, (size_t)st.st_size, hex);
	blob = push_blob_get(image, hex, TAKE_FD(*fd), err);
	if (!blob)
		return -err->code;
	*array_add(image->blobs, image->blob_count) = blob;
	return 0;
}

static int add_pieces(struct push_image *image, struct error *err)
{
	for (size_t i = 0; i < image->piece_count; i++)
		if (add_piece(image, &image->pieces[i], err) < 0)
			return -err->code;
	return 0;
}

static int read_manifest(struct push_image *image, struct error *err)
{
	struct image_store *store = image->push->store;
	_cleanup_json_ json_t *manifest = NULL;
	const char *media;
	json_t *layer;
	size_t i;

	if (!digest_hex(image->digest) ||
	    store_read_json(store, image->digest, &manifest, err) < 0 ||
	    fs_read(store->blobs, digest_hex(image->digest), IMAGE_JSON_MAX, &image->manifest,
		    &image->manifest_size, err) < 0)
		return err->code ? -err->code
				 : error_set(err, EBADMSG, "the store has no digest of it");
	media = json_get_string(manifest, "mediaType");
	if (media || !image->media) {
		free(image->media);
		image->media = alloc_string(media ?: MEDIA_OCI_MANIFEST);
	}
	json_array_foreach(json_object_get(manifest, "layers"), i, layer)
		if (add_blob(image, layer, err) < 0)
			return -err->code;
	return add_blob(image, json_object_get(manifest, "config"), err);
}

/* 1: it is not ready yet. */
static int prepare(struct push_image *image, struct error *err)
{
	int r;

	if (registry_name_parse(image->name, &image->ref, err) < 0)
		return -err->code;
	if (image->ref.digest && strcmp(image->ref.digest, image->digest) != 0)
		return error_set(err, EINVAL, "a digest cannot be pushed to: give it a tag");
	if (image->artifact)
		return add_pieces(image, err);
	if (!*image->digest && find_digest(image, err) < 0)
		return -err->code;
	if (*image->index)
		return add_parts(image, err);
	if (!digest_hex(image->digest))
		return error_set(err, EBADMSG, "the store has no digest of it");
	r = push_pack_begin(image, err);
	return r != 0 ? r : read_manifest(image, err);
}

static void tell_waiting(const struct push_image *image)
{
	for (size_t i = 0; i + 1 < image->blob_count; i++)
		push_tell_blob(image->blobs[i], PUSH_LAYER_WAITING, 0);
}

static void start(struct push_image *image)
{
	struct error error = ERROR_INIT;
	int r;

	image->stage = PUSH_RUNNING;
	tell(image, PUSH_IMAGE_STARTED); /* packing takes its time */
	r = prepare(image, &error);
	if (r < 0)
		fail(image, &error);
	else if (r == 0)
		tell_waiting(image);
}

/* Its layers are packed now, if the pipe says so. */
static void go_on(struct push_image *image)
{
	struct pollfd wait = {image->packed_fd, POLLIN};
	struct error error = ERROR_INIT;

	if (poll(&wait, 1, 0) <= 0)
		return;
	if (push_pack_end(image, &error) < 0 || read_manifest(image, &error) < 0)
		fail(image, &error);
	else
		tell_waiting(image);
}

static bool is_refusal(const struct registry_request *request)
{
	int status = request->answer ? request->answer->status : 0;

	return status >= 400 && status < 500 && status != 401 && status != 403 && status != 407;
}

/* What the name means there now, as after a pull: for those who ask by that digest. */
static int note_digest(struct push_image *image, struct error *err)
{
	struct image_store *store = image->push->store;
	_cleanup_close_ int lock = store_lock(store, err);
	_cleanup_free_ char *reference = NULL;
	json_t *descriptor, *annotations;

	if (lock < 0 || store_lookup(store, image->name, &descriptor, &reference, err) < 0)
		return -err->code;
	if ((!str_equal(json_get_string(descriptor, "digest"), image->digest) &&
	     !str_equal(store_descriptor_index(descriptor), image->digest)) ||
	    str_equal(store_descriptor_target(descriptor), image->digest))
		return 0;
	annotations = json_object_get(descriptor, "annotations");
	if (!annotations) /* named by its id */
		return 0;
	json_put_string(annotations, ANNOTATION_TARGET, image->digest);
	return store_write_index(store, err);
}

static void manifest_taken(struct registry_request *request)
{
	struct push_image *image = request->data;
	struct error error = request->error;
	const char *said = error.code ? NULL : request->answer->content_digest;

	if (said && digest_hex(said) && strcmp(said, image->digest) != 0)
		error_set(&error, EBADMSG, "registry %s took it for %s, not for %s",
			  image->ref.registry, said, image->digest);
	image->refused = is_refusal(request);
	image->request = NULL;
	registry_request_free(request);
	if (error.code) {
		fail(image, &error);
		return;
	}
	if (!image->as_is && !image->artifact && !image->platform && note_digest(image, &error) < 0)
		log_debug("image %s: %s", image->name, error.message);
	image->stage = PUSH_DONE;
	tell(image, PUSH_IMAGE_PUSHED);
}

static void send_manifest(struct push_image *image)
{
	_cleanup_free_ char *path =
		str_printf("manifests/%s", image->ref.digest ? image->ref.digest : image->ref.tag);
	struct registry_request *request = registry_request_new(
		image->push->registry, image->ref.registry, image->ref.repository, "PUT", path);

	request->writes = request->patient = true;
	request->body = alloc_string_n(image->manifest, image->manifest_size);
	request->body_size = image->manifest_size;
	request->done = manifest_taken;
	request->data = image;
	registry_request_header(request, "Content-Type: %s", image->media);
	image->request = request;
	registry_send(request);
}

static void check(struct push_image *image)
{
	bool all = true;

	if (image->stage != PUSH_RUNNING || image->request || image->packer)
		return;
	for (size_t i = 0; i < image->blob_count; i++) {
		if (image->blobs[i]->stage == PUSH_FAILED) {
			fail(image, &image->blobs[i]->error);
			return;
		}
		all = all && image->blobs[i]->stage == PUSH_DONE;
	}
	for (size_t i = 0; i < image->part_count; i++) {
		if (image->parts[i]->stage == PUSH_FAILED) {
			fail(image, &image->parts[i]->error);
			return;
		}
		all = all && image->parts[i]->stage == PUSH_DONE;
	}
	if (all)
		send_manifest(image);
}

static bool advance(struct push *push)
{
	size_t limit = (size_t)registry_config_of(push->registry)->uploads;
	bool running = false;

	for (size_t i = 0; i < push->image_count; i++) {
		struct push_image *image = push->images[i];

		if (image->stage == PUSH_WAITING)
			start(image);
		if (image->packer)
			go_on(image);
		check(image);
		running = running || image->stage == PUSH_RUNNING;
		for (size_t j = 0; image->stage == PUSH_RUNNING && j < image->blob_count; j++)
			if (image->blobs[j]->stage == PUSH_WAITING && push->uploading < limit)
				push_blob_start(image->blobs[j]);
	}
	return running;
}

/* What is packed is waited for as well. */
static void step(struct push *push, struct pollfd *fds, size_t fd_count, int timeout_msec)
{
	_cleanup_free_ struct pollfd *all =
		new_array(struct pollfd, fd_count + push->image_count + 1);
	size_t count = fd_count;

	if (fd_count)
		memcpy(all, fds, fd_count * sizeof(*fds));
	for (size_t i = 0; i < push->image_count; i++)
		if (push->images[i]->packer)
			all[count++] = (struct pollfd){push->images[i]->packed_fd, POLLIN};
	registry_step(push->registry, all, count, timeout_msec);
	if (fd_count)
		memcpy(fds, all, fd_count * sizeof(*fds));
}

int push_step(struct push *push, struct pollfd *fds, size_t fd_count, int timeout_msec)
{
	for (size_t i = 0; i < fd_count; i++)
		fds[i].revents = 0;
	if (!advance(push))
		return 0;
	step(push, fds, fd_count, timeout_msec);
	return advance(push);
}
