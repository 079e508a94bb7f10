// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/str.h"

#include "runtime/image/pull_internal.h"

#define FLUSH_BYTES (8 << 20)

/* So that the user is told some hundred times, not some hundred thousand. */
static uint64_t tell_step(const struct pull_blob *blob)
{
	return blob->size / 100 < (256 << 10) ? 256 << 10 : blob->size / 100;
}

static int receive(struct registry_request *request, const void *data, size_t size,
		   struct error *err)
{
	struct pull_blob *blob = request->data;
	int r;

	if (size > blob->size - blob->received)
		return error_set(err, EBADMSG,
				 "blob sha256:%.12s: registry %s sends more than the %llu bytes "
				 "that the manifest says",
				 blob->hex, request->registry_name, (unsigned long long)blob->size);
	r = fd_write_all(blob->fd, data, size);
	if (r < 0)
		return error_code(err, r, "blob sha256:%.12s: store it", blob->hex);
	sha256_update(&blob->sha, data, size);
	/* The disk starts on it now, rather than when all is waited for. */
	if ((blob->received + size) / FLUSH_BYTES != blob->received / FLUSH_BYTES)
		(void)sync_file_range(blob->fd, (off_t)(blob->received / FLUSH_BYTES * FLUSH_BYTES),
				      FLUSH_BYTES, SYNC_FILE_RANGE_WRITE);
	blob->received += size;
	if (blob->received >= blob->told + tell_step(blob)) {
		blob->told = blob->received;
		pull_tell_blob(blob, PULL_LAYER_DOWNLOADING, blob->received);
	}
	return 0;
}

static int check(struct pull_blob *blob, struct error *err)
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex(&blob->sha, hex);
	if (strcmp(hex, blob->hex) == 0)
		return 0;
	return error_set(err, EBADMSG,
			 "blob sha256:%.12s: what registry %s sends is another one (its digest is "
			 "sha256:%.12s)",
			 blob->hex, blob->sources[blob->source].registry, hex);
}

/* Another image, of another repository, may have led here as well: is it of more use? */
static bool try_next_source(struct pull_blob *blob, const struct error *error)
{
	if (blob->source + 1 >= blob->source_count || ftruncate(blob->fd, 0) < 0 ||
	    lseek(blob->fd, 0, SEEK_SET) < 0)
		return false;
	log_debug("%s; next asked is %s", error->message, blob->sources[++blob->source].registry);
	blob->received = blob->told = 0;
	sha256_init(&blob->sha);
	blob->stage = PULL_WAITING;
	map_foreach(entry, &blob->pull->layers) {
		struct pull_layer *layer = entry->value;

		if (layer->blob == blob)
			pull_layer_restart(layer);
	}
	return true;
}

static void done(struct registry_request *request)
{
	struct pull_blob *blob = request->data;
	struct error error = request->error;

	registry_request_free(TAKE_PTR(blob->request));
	blob->pull->downloading--;
	if (!error.code)
		check(blob, &error);
	if (error.code && try_next_source(blob, &error))
		return;
	if (error.code) {
		blob->stage = PULL_FAILED;
		blob->error = error;
		return;
	}
	blob->stage = PULL_DONE;
	staging_add_blob(&blob->pull->staging, blob->hex, TAKE_PTR(blob->staged));
	pull_tell_blob(blob, PULL_LAYER_EXTRACTING, 0);
}

static void retrying(struct registry_request *request, int msec)
{
	struct pull_blob *blob = request->data;

	pull_tell_blob(blob, PULL_LAYER_RETRYING, (uint64_t)(msec + 999) / 1000);
}

void pull_blob_start(struct pull_blob *blob)
{
	_cleanup_free_ char *path = str_printf("blobs/sha256:%s", blob->hex);
	const struct blob_source *source = &blob->sources[blob->source];
	struct registry_request *request = registry_request_new(
		blob->pull->registry, source->registry, source->repository, "GET", path);

	blob->stage = PULL_RUNNING;
	blob->pull->downloading++;
	blob->request = request;
	request->patient = true;
	request->resume = &blob->received;
	request->length = blob->size;
	request->receive = receive;
	request->retrying = retrying;
	request->done = done;
	request->data = blob;
	pull_tell_blob(blob, PULL_LAYER_DOWNLOADING, 0);
	registry_send(request);
}

int pull_blob_open(struct pull_blob *blob, struct error *err)
{
	return staging_open_blob(&blob->pull->staging, blob->hex, err);
}

static void add_source(struct pull_blob *blob, const struct registry_name *name)
{
	struct blob_source *source;

	for (size_t i = 0; i < blob->source_count; i++)
		if (strcmp(blob->sources[i].registry, name->registry) == 0 &&
		    strcmp(blob->sources[i].repository, name->repository) == 0)
			return;
	source = array_add(blob->sources, blob->source_count);
	source->registry = alloc_string(name->registry);
	source->repository = alloc_string(name->repository);
}

struct pull_blob *pull_blob_get(struct pull_image *image, const struct descriptor *descriptor,
				struct error *err)
{
	struct pull *pull = image->pull;
	const char *hex = digest_hex(descriptor->digest);
	struct pull_blob *blob = map_get(&pull->blobs, hex);

	if (blob && blob->size != descriptor->size) {
		error_set(err, EBADMSG, "%s has two sizes, %llu and %llu", descriptor->digest,
			  (unsigned long long)blob->size, (unsigned long long)descriptor->size);
		return NULL;
	}
	if (blob) {
		add_source(blob, &image->ref);
		return blob;
	}
	blob = new (struct pull_blob);
	*blob = (struct pull_blob){.pull = pull, .size = descriptor->size, .fd = -EBADF};
	memcpy(blob->hex, hex, SHA256_HEX_SIZE);
	map_set(&pull->blobs, hex, blob);
	if (staging_has_blob(&pull->staging, hex)) {
		blob->stage = PULL_DONE;
		blob->received = blob->size;
		return blob;
	}
	add_source(blob, &image->ref);
	sha256_init(&blob->sha);
	blob->fd = staging_file(&pull->staging, &blob->staged, err);
	return blob->fd < 0 ? NULL : blob;
}

void pull_blob_free(void *pointer)
{
	struct pull_blob *blob = pointer;

	registry_request_free(blob->request);
	cleanup_close_fd(&blob->fd);
	for (size_t i = 0; i < blob->source_count; i++) {
		free(blob->sources[i].registry);
		free(blob->sources[i].repository);
	}
	free(blob->sources);
	free(blob->staged);
	free(blob);
}
