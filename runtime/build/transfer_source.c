// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Caches as they are read: out of an OCI layout, or from a registry.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/build/transfer_internal.h"
#include "runtime/image/platform.h"

/* What is received of a blob. */
struct incoming {
	int fd; /* a file, or -EBADF: */
	struct strbuf text;
	uint64_t size, limit;
	struct sha256 sha;
};

static int take(struct incoming *in, const void *data, size_t size, struct error *err)
{
	int r = 0;

	if (size > in->limit - in->size)
		return error_set(err, EBADMSG, "a blob is longer than its %llu bytes",
				 (unsigned long long)in->limit);
	in->size += size;
	sha256_update(&in->sha, data, size);
	if (in->fd < 0)
		strbuf_add_n(&in->text, data, size);
	else
		r = fd_write_all(in->fd, data, size);
	return r < 0 ? error_code(err, r, "store a blob") : 0;
}

static int receive(struct registry_request *request, const void *data, size_t size,
		   struct error *err)
{
	return take(request->data, data, size, err);
}

static int read_remote(struct transfer_place *place, const char *path, struct incoming *in,
		       struct error *err)
{
	struct registry_request *request = registry_request_new(
		place->registry, place->name.registry, place->name.repository, "GET", path);
	int r;

	if (str_starts_with(path, "manifests/"))
		registry_request_header(request, "Accept: " MANIFEST_ACCEPT);
	request->receive = receive;
	request->data = in;
	if (in->fd >= 0) {
		request->resume = &in->size;
		request->length = in->limit;
	}
	r = registry_call(request, err);
	registry_request_free(request);
	return r;
}

static int read_local(struct transfer_place *place, const char *hex, struct incoming *in,
		      struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/blobs/sha256/%s", place->at, hex);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buffer[65536];
	ssize_t n;

	if (fd < 0)
		return error_errno(err, "%s", path);
	while ((n = read(fd, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "%s", path);
		if (take(in, buffer, (size_t)n, err) < 0)
			return -err->code;
	}
	return 0;
}

/* @kind "blobs" or "manifests". */
static int read_checked(struct transfer_place *place, const char *kind, const char *digest,
			struct incoming *in, struct error *err)
{
	const char *wanted = digest_hex(digest);
	_cleanup_free_ char *path = str_printf("%s/%s", kind, digest);
	char hex[SHA256_HEX_SIZE];
	int r;

	if (!wanted)
		return error_set(err, EBADMSG, "'%.80s' is no digest", digest ?: "");
	sha256_init(&in->sha);
	r = place->kind == TRANSFER_LOCAL ? read_local(place, wanted, in, err)
					  : read_remote(place, path, in, err);
	if (r < 0)
		return r;
	sha256_hex(&in->sha, hex);
	return strcmp(hex, wanted) ? error_set(err, EBADMSG, "blob %.19s is another one", digest)
				   : 0;
}

static int read_json(struct transfer_place *place, const char *kind, const char *digest,
		     json_t **ret, struct error *err)
{
	struct incoming in = {.fd = -EBADF, .limit = IMAGE_JSON_MAX};
	int r = read_checked(place, kind, digest, &in, err);

	if (r == 0)
		r = json_parse(in.text.data ?: "", in.text.length, ret, err);
	strbuf_done(&in.text);
	return r;
}

int transfer_read_blob(struct transfer_place *place, const struct descriptor *blob, int fd,
		       struct error *err)
{
	struct incoming in = {.fd = fd, .limit = blob->size};

	return read_checked(place, "blobs", blob->digest, &in, err);
}

/* The last one that was put there. */
static int find_local(struct transfer_place *place, json_t **ret, struct error *err)
{
	_cleanup_close_ int dir = fs_open_dir(AT_FDCWD, place->at, err);
	_cleanup_json_ json_t *index = NULL;
	const json_t *list;

	if (dir < 0 || json_read(dir, "index.json", IMAGE_JSON_MAX, &index, err) < 0)
		return -err->code;
	list = json_object_get(index, "manifests");
	if (!json_array_size(list))
		return error_set(err, ENOENT, "there is no cache in it");
	return read_json(place, "manifests",
			 json_get_string(json_array_get(list, json_array_size(list) - 1), "digest"),
			 ret, err);
}

static int find_remote(struct transfer_place *place, json_t **ret, struct error *err)
{
	struct incoming in = {.fd = -EBADF, .limit = IMAGE_JSON_MAX};
	_cleanup_free_ char *path = NULL;
	int r;

	if (registry_name_parse(place->at, &place->name, err) < 0 ||
	    registry_open(&place->registry, err) < 0)
		return -err->code;
	if (place->name.digest)
		return read_json(place, "manifests", place->name.digest, ret, err);
	path = str_printf("manifests/%s", place->name.tag);
	sha256_init(&in.sha);
	r = read_remote(place, path, &in, err);
	if (r == 0)
		r = json_parse(in.text.data ?: "", in.text.length, ret, err);
	strbuf_done(&in.text);
	return r;
}

/* Of an index, what is for this machine. */
static int choose(struct transfer_place *place, struct error *err)
{
	_cleanup_json_ json_t *platform = json_object(), *index = NULL;
	struct descriptor chosen;
	enum manifest_kind kind;
	const char *media;

	for (int depth = 0; depth < MANIFEST_DEPTH_MAX; depth++) {
		int r = manifest_kind(place->manifest, NULL, &media, err);

		if (r < 0)
			return r;
		kind = (enum manifest_kind)r;
		if (kind == MANIFEST_IMAGE)
			return 0;
		if (platform_describe(NULL, platform, err) < 0 ||
		    manifest_choose(place->manifest, platform, &chosen, err) < 0)
			return -err->code;
		json_decref(index);
		index = TAKE_PTR(place->manifest);
		if (read_json(place, "manifests", chosen.digest, &place->manifest, err) < 0)
			return -err->code;
	}
	return error_set(err, ELOOP, "indexes lead to indexes");
}

int transfer_read(struct transfer_place *place, struct error *err)
{
	_cleanup_free_ struct manifest *manifest = new (struct manifest);
	int r = place->kind == TRANSFER_LOCAL ? find_local(place, &place->manifest, err)
					      : find_remote(place, &place->manifest, err);

	if (r < 0 || choose(place, err) < 0 || manifest_decode(place->manifest, manifest, err) < 0)
		return -err->code;
	if (read_json(place, "blobs", manifest->config.digest, &place->config, err) < 0)
		return -err->code;
	if (!json_is_array(json_object_get(place->config, TRANSFER_RECORDS)))
		return error_set(err, ENOENT, "it holds no build cache of berth's");
	return 0;
}
