// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/compress.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/dl.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/archive.h"

#define BUFFER_SIZE (256 << 10)

/* Of both libraries; ISA-L's first takes some percent less off, and is several times as fast. */
#define ISAL_LEVEL 1

#define MEDIA_DOCKER_LAYER      "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP MEDIA_DOCKER_LAYER ".gzip"

static struct {
	void *handle;
	__typeof__(isal_deflate_init) *init;
	__typeof__(isal_deflate) *deflate;
} isal;

/* Where the packed bytes go. */
struct packed {
	int fd;
	struct sha256 sha;
	uint64_t size;
	struct error failure;
};

static int put(struct packed *packed, const void *data, size_t size)
{
	int r = fd_write_all(packed->fd, data, size);

	if (r < 0)
		return error_code(&packed->failure, r, "store the packed layer");
	sha256_update(&packed->sha, data, size);
	packed->size += size;
	return 0;
}

/* gzip by ISA-L */

static int deflate_some(struct isal_zstream *stream, uint8_t *out, struct packed *packed)
{
	do {
		stream->next_out = out;
		stream->avail_out = BUFFER_SIZE;
		if (isal.deflate(stream) != COMP_OK)
			return error_set(&packed->failure, EIO, "pack the layer");
		if (put(packed, out, BUFFER_SIZE - stream->avail_out) < 0)
			return -packed->failure.code;
	} while (stream->avail_out == 0);
	return 0;
}

static int pack_by_isal(int fd, struct packed *packed)
{
	_cleanup_free_ uint8_t *in = alloc(BUFFER_SIZE), *out = alloc(BUFFER_SIZE);
	_cleanup_free_ uint8_t *level = alloc(ISAL_DEF_LVL1_DEFAULT);
	_cleanup_free_ struct isal_zstream *stream = alloc(sizeof(*stream));
	ssize_t n;

	isal.init(stream);
	stream->gzip_flag = IGZIP_GZIP;
	stream->level = ISAL_LEVEL;
	stream->level_buf = level;
	stream->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
	do {
		n = fd_read_full(fd, in, BUFFER_SIZE);
		if (n < 0)
			return error_code(&packed->failure, (int)n, "read the layer");
		stream->next_in = in;
		stream->avail_in = (uint32_t)n;
		stream->end_of_stream = n < BUFFER_SIZE;
		if (deflate_some(stream, out, packed) < 0)
			return -packed->failure.code;
	} while (n == BUFFER_SIZE);
	return 0;
}

/* and by libarchive, which has zlib */

static la_ssize_t write_packed(struct archive *archive, void *data, const void *bytes, size_t size)
{
	return put(data, bytes, size) < 0 ? -1 : (la_ssize_t)size;
}

static int copy_to(const struct libarchive *lib, struct archive *archive, int fd, struct error *err)
{
	_cleanup_free_ void *buffer = alloc(BUFFER_SIZE);
	ssize_t n;

	while ((n = fd_read_full(fd, buffer, BUFFER_SIZE)) > 0)
		if (lib->archive_write_data(archive, buffer, (size_t)n) != n)
			return error_set(err, EIO, "pack the layer");
	return n < 0 ? error_code(err, (int)n, "read the layer") : 0;
}

static int pack_by_libarchive(int fd, struct packed *packed)
{
	struct error error = ERROR_INIT;
	const struct libarchive *lib = libarchive_load(&packed->failure);
	struct archive_entry *entry;
	struct archive *archive;
	int r = -EIO;

	if (!lib)
		return -packed->failure.code;
	archive = lib->archive_write_new();
	entry = lib->archive_entry_new();
	lib->archive_write_set_format_raw(archive);
	lib->archive_write_add_filter_gzip(archive);
	/* No time in its header. */
	lib->archive_write_set_filter_option(archive, "gzip", "timestamp", NULL);
	lib->archive_write_set_bytes_in_last_block(archive, 1);
	lib->archive_entry_set_filetype(entry, AE_IFREG);
	if (lib->archive_write_open(archive, packed, NULL, write_packed, NULL) == ARCHIVE_OK &&
	    lib->archive_write_header(archive, entry) == ARCHIVE_OK)
		r = copy_to(lib, archive, fd, &error);
	if (lib->archive_write_close(archive) != ARCHIVE_OK && r == 0)
		r = -EIO;
	lib->archive_entry_free(entry);
	lib->archive_write_free(archive);
	if (r < 0 && !packed->failure.code)
		packed->failure = error;
	return r < 0 && !packed->failure.code ? error_set(&packed->failure, EIO, "pack the layer")
					      : r;
}

static int pack(int fd, struct packed *packed)
{
	static const struct dl_symbol symbols[] = {
		{"isal_deflate_init", &isal.init},
		{"isal_deflate", &isal.deflate},
	};
	struct error ignored = ERROR_INIT;

	if (dl_load("libisal.so.2", &isal.handle, symbols, ARRAY_SIZE(symbols), &ignored) < 0)
		return pack_by_libarchive(fd, packed);
	return pack_by_isal(fd, packed);
}

/* What it is called once packed; NULL: it is, or is nothing we know. */
static const char *packed_media(const char *media)
{
	static const char *const rows[][2] = {
		{MEDIA_OCI_LAYER, MEDIA_OCI_LAYER "+gzip"},
		{MEDIA_DOCKER_LAYER, MEDIA_DOCKER_LAYER_GZIP},
	};

	array_foreach(row, rows)
		if (str_equal(media, (*row)[0]))
			return (*row)[1];
	return NULL;
}

static int pack_layer(struct staging *staging, json_t *layer, const char *media, struct error *err)
{
	const char *digest = json_get_string(layer, "digest"), *hex = digest_hex(digest);
	_cleanup_close_ int plain = -EBADF, fd = -EBADF;
	_cleanup_free_ char *name = NULL;
	struct packed packed = {.failure = ERROR_INIT};
	char packed_hex[SHA256_HEX_SIZE];

	if (!hex)
		return error_set(err, EBADMSG, "its manifest in the store names no valid digest");
	plain = store_open_blob(staging->store, hex, err);
	if (plain < 0)
		return plain;
	fd = packed.fd = staging_file(staging, &name, err);
	if (fd < 0)
		return fd;
	sha256_init(&packed.sha);
	if (pack(plain, &packed) < 0) {
		*err = packed.failure;
		return error_wrap(err, "layer %.19s", digest);
	}
	sha256_hex(&packed.sha, packed_hex);
	if (!staging_has_blob(staging, packed_hex))
		staging_add_blob(staging, packed_hex, TAKE_PTR(name));
	json_put_string(layer, "mediaType", media);
	json_object_set_new(layer, "digest", json_sprintf("sha256:%s", packed_hex));
	json_put_int(layer, "size", (int64_t)packed.size);
	return 0;
}

/* Another process may have changed the index meanwhile; whatever has the old digest gets the new.
 */
static int rename_entries(struct image_store *store, const char *before, const char *after,
			  size_t size, struct error *err)
{
	_cleanup_close_ int lock = store_lock(store, err);
	json_t *descriptor;
	size_t i;

	if (lock < 0)
		return lock;
	json_array_foreach(store_manifests(store), i, descriptor) {
		if (!str_equal(json_get_string(descriptor, "digest"), before))
			continue;
		json_put_string(descriptor, "digest", after);
		json_put_int(descriptor, "size", (int64_t)size);
	}
	return store_write_index(store, err);
}

static int pack_layers(struct staging *staging, json_t *manifest, bool *ret_any, struct error *err)
{
	json_t *layer;
	size_t i;

	*ret_any = false;
	json_array_foreach(json_object_get(manifest, "layers"), i, layer) {
		const char *media = packed_media(json_get_string(layer, "mediaType"));

		if (!media)
			continue;
		if (pack_layer(staging, layer, media, err) < 0)
			return -err->code;
		*ret_any = true;
	}
	return 0;
}

static int pack_manifest(struct staging *staging, json_t *manifest, const char *before,
			 char ret_digest[DIGEST_SIZE], struct error *err)
{
	size_t size;
	bool any;

	if (pack_layers(staging, manifest, &any, err) < 0)
		return -err->code;
	if (!any)
		return 0;
	if (staging_put_json(staging, manifest, ret_digest, &size, err) < 0 ||
	    staging_commit(staging, err) < 0)
		return -err->code;
	return rename_entries(staging->store, before, ret_digest, size, err);
}

static bool any_plain(const json_t *manifest)
{
	json_t *layer;
	size_t i;

	json_array_foreach(json_object_get(manifest, "layers"), i, layer)
		if (packed_media(json_get_string(layer, "mediaType")))
			return true;
	return false;
}

bool compress_needed(struct image_store *store, const char *digest)
{
	_cleanup_json_ json_t *manifest = NULL;
	struct error ignored = ERROR_INIT;

	return store_read_json(store, digest, &manifest, &ignored) == 0 && any_plain(manifest);
}

int compress_image(struct image_store *store, const char *digest, char ret_digest[DIGEST_SIZE],
		   struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL;
	char before[DIGEST_SIZE];
	struct staging staging;
	int r = store_read_json(store, digest, &manifest, err);

	if (r < 0)
		return r;
	snprintf(before, sizeof(before), "%s", digest);
	memcpy(ret_digest, before, sizeof(before));
	if (!any_plain(manifest))
		return 0;
	r = staging_open(store, &staging, err);
	if (r < 0)
		return r;
	r = pack_manifest(&staging, manifest, before, ret_digest, err);
	staging_done(&staging);
	return r;
}
