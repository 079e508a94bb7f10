// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "runtime/image/push_internal.h"
#include "runtime/image/url.h"

/*
 * distribution-spec, "Pushing blobs": HEAD, then POST (which may mount it from elsewhere), then the
 * bytes: in one PUT, or of large ones in pieces, so that no proxy's limit is in the way.
 */

#define PIECE_BYTES   (32 << 20)
#define TELL_STEPS    100
#define TELL_BYTES    (256 << 10)
#define CONTENT_BYTES "Content-Type: application/octet-stream"

static void ask_whether_there(struct push_blob *blob);

static void end(struct push_blob *blob, enum push_state outcome)
{
	blob->stage = PUSH_DONE;
	blob->outcome = outcome;
	blob->push->uploading--;
	push_tell_blob(blob, outcome, 0);
}

static bool may_be_temporary(const struct error *error)
{
	return error->code == ECONNRESET || error->code == EHOSTUNREACH || error->code == EPROTO ||
	       error->code == ENOENT; /* an upload that the registry has forgotten */
}

/* An upload that broke is begun anew; the question before it waits until the registry is back. */
static void failed(struct push_blob *blob, const struct error *error)
{
	int limit = registry_config_of(blob->push->registry)->attempts;

	if (may_be_temporary(error) && ++blob->attempts < limit) {
		log_debug("blob sha256:%.12s: %s; once more", blob->hex, error->message);
		blob->sent = 0;
		ask_whether_there(blob);
		return;
	}
	blob->stage = PUSH_FAILED;
	blob->error = *error;
	blob->push->uploading--;
}

static struct registry_request *request_new(struct push_blob *blob, const char *method,
					    const char *path,
					    void (*done)(struct registry_request *))
{
	struct registry_request *request = registry_request_new(
		blob->push->registry, blob->registry, blob->repository, method, path);

	request->writes = true;
	request->done = done;
	request->data = blob;
	if (blob->mount_from)
		request->mount_from = alloc_string(blob->mount_from);
	blob->request = request;
	return request;
}

/* The answer is taken from the blob, which goes on with another request. */
static struct error take_answer(struct registry_request *request, int *ret_status)
{
	struct push_blob *blob = request->data;
	struct error error = request->error;
	struct url url = {0};

	blob->request = NULL;
	*ret_status = request->answer ? request->answer->status : 0;
	if (!error.code && request->answer->location &&
	    url_resolve(request->answered_by, request->answer->location, &url, &error) == 0) {
		free(blob->location);
		blob->location = TAKE_PTR(url.text);
	}
	url_done(&url);
	return error;
}

static void tell(struct registry_request *request, uint64_t bytes)
{
	struct push_blob *blob = request->data;
	uint64_t step = blob->size / TELL_STEPS < TELL_BYTES ? TELL_BYTES : blob->size / TELL_STEPS;
	uint64_t now = blob->sent + bytes;

	if (now < blob->told + step && now >= blob->told)
		return;
	blob->told = now;
	push_tell_blob(blob, PUSH_LAYER_PUSHING, now);
}

static void closed(struct registry_request *request)
{
	struct push_blob *blob = request->data;
	int status;
	struct error error = take_answer(request, &status);

	registry_request_free(request);
	if (error.code)
		failed(blob, &error);
	else
		end(blob, PUSH_LAYER_PUSHED);
}

static void send_piece(struct push_blob *blob);

static void piece_taken(struct registry_request *request)
{
	struct push_blob *blob = request->data;
	uint64_t bytes = request->body_bytes;
	int status;
	struct error error = take_answer(request, &status);

	registry_request_free(request);
	if (error.code) {
		failed(blob, &error);
		return;
	}
	blob->sent += bytes;
	send_piece(blob);
}

static void send_piece(struct push_blob *blob)
{
	uint64_t left = blob->size - blob->sent;
	bool last = blob->size <= PIECE_BYTES || left == 0;
	struct registry_request *request = request_new(
		blob, last ? "PUT" : "PATCH", "blobs/uploads/", last ? closed : piece_taken);

	request->once = true;
	request->url = last ? str_printf("%s%sdigest=sha256%%3A%s", blob->location,
					 strchr(blob->location, '?') ? "&" : "?", blob->hex)
			    : alloc_string(blob->location);
	registry_request_header(request, CONTENT_BYTES);
	if (!last)
		registry_request_header(
			request, "Content-Range: %llu-%llu", (unsigned long long)blob->sent,
			(unsigned long long)(blob->sent +
					     (left < PIECE_BYTES ? left : PIECE_BYTES) - 1));
	request->body_fd = blob->fd;
	request->body_offset = blob->sent;
	request->body_bytes = left < PIECE_BYTES ? left : PIECE_BYTES;
	request->sent = tell;
	registry_send(request);
}

static void begun(struct registry_request *request)
{
	struct push_blob *blob = request->data;
	int status;
	struct error error = take_answer(request, &status);

	if (!error.code && status != 201 && !blob->location)
		error_set(&error, EBADMSG, "registry %s does not say where to upload to",
			  blob->registry);
	registry_request_free(request);
	if (error.code && blob->mount_from) {
		/* It may be that only the other repository is not for us. */
		free(TAKE_PTR(blob->mount_from));
		failed(blob, &error);
	} else if (error.code) {
		failed(blob, &error);
	} else if (status == 201) {
		end(blob, PUSH_LAYER_MOUNTED);
	} else {
		push_tell_blob(blob, PUSH_LAYER_PUSHING, 0);
		send_piece(blob);
	}
}

static void begin(struct push_blob *blob)
{
	_cleanup_free_ char *path = NULL;
	struct registry_request *request;

	if (blob->mount_from)
		path = str_printf("blobs/uploads/?mount=sha256%%3A%s&from=%s", blob->hex,
				  blob->mount_from);
	request = request_new(blob, "POST", path ?: "blobs/uploads/", begun);
	free(TAKE_PTR(blob->location));
	registry_send(request);
}

static void answered_whether_there(struct registry_request *request)
{
	struct push_blob *blob = request->data;
	int status;
	struct error error = take_answer(request, &status);

	registry_request_free(request);
	if (!error.code) {
		end(blob, blob->attempts ? PUSH_LAYER_PUSHED : PUSH_LAYER_HERE);
	} else if (error.code == ENOENT) {
		begin(blob);
	} else {
		blob->stage = PUSH_FAILED;
		blob->error = error;
		blob->push->uploading--;
	}
}

static void ask_whether_there(struct push_blob *blob)
{
	_cleanup_free_ char *path = str_printf("blobs/sha256:%s", blob->hex);
	struct registry_request *request = request_new(blob, "HEAD", path, answered_whether_there);

	request->patient = true;
	registry_send(request);
}

void push_blob_start(struct push_blob *blob)
{
	blob->stage = PUSH_RUNNING;
	blob->push->uploading++;
	ask_whether_there(blob);
}

static bool has_blob(struct image_store *store, const json_t *descriptor, const char *hex)
{
	_cleanup_json_ json_t *manifest = NULL;
	struct error ignored = ERROR_INIT;
	json_t *layer;
	size_t i;

	if (store_read_json(store, json_get_string(descriptor, "digest"), &manifest, &ignored) < 0)
		return false;
	json_array_foreach(json_object_get(manifest, "layers"), i, layer) {
		const char *other = digest_hex(json_get_string(layer, "digest"));

		if (other && strcmp(other, hex) == 0)
			return true;
	}
	return false;
}

/* A repository of the same registry under which the store has the blob: likely the one it is from.
 */
static char *find_mount(const struct push_image *image, const char *hex)
{
	json_t *descriptor;
	size_t i;

	json_array_foreach(store_manifests(image->push->store), i, descriptor) {
		_cleanup_free_ char *name = store_descriptor_name(descriptor);
		struct registry_name other = {0};
		struct error ignored = ERROR_INIT;
		char *found = NULL;

		if (!name || registry_name_parse(name, &other, &ignored) < 0)
			continue;
		if (strcmp(other.registry, image->ref.registry) == 0 &&
		    strcmp(other.repository, image->ref.repository) != 0 &&
		    has_blob(image->push->store, descriptor, hex))
			found = TAKE_PTR(other.repository);
		registry_name_done(&other);
		if (found)
			return found;
	}
	return NULL;
}

struct push_blob *push_blob_get(struct push_image *image, const char *hex, int fd,
				struct error *err)
{
	_cleanup_close_ int given = fd;
	_cleanup_free_ char *key =
		str_printf("%s/%s %s", image->ref.registry, image->ref.repository, hex);
	struct push_blob *blob = map_get(&image->push->blobs, key);
	struct stat st;

	if (blob)
		return blob;
	blob = new (struct push_blob);
	*blob = (struct push_blob){.push = image->push, .fd = -EBADF};
	memcpy(blob->hex, hex, SHA256_HEX_SIZE);
	map_set(&image->push->blobs, key, blob);
	blob->registry = alloc_string(image->ref.registry);
	blob->repository = alloc_string(image->ref.repository);
	blob->mount_from = given < 0 ? find_mount(image, hex) : NULL;
	blob->fd = given < 0 ? store_open_blob(image->push->store, hex, err) : TAKE_FD(given);
	if (blob->fd < 0)
		return NULL;
	if (fstat(blob->fd, &st) < 0) {
		error_errno(err, "blob sha256:%s", hex);
		return NULL;
	}
	blob->size = (uint64_t)st.st_size;
	return blob;
}

void push_blob_free(void *pointer)
{
	struct push_blob *blob = pointer;

	registry_request_free(blob->request);
	cleanup_close_fd(&blob->fd);
	free(blob->registry);
	free(blob->repository);
	free(blob->mount_from);
	free(blob->location);
	free(blob);
}
