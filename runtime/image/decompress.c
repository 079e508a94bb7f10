// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/dl.h"

#include "runtime/image/archive.h"
#include "runtime/image/stream.h"

#define TAR_MAGIC_AT 257

static struct {
	void *handle;
	__typeof__(isal_inflate_init) *init;
	__typeof__(isal_inflate_reset) *reset;
	__typeof__(isal_inflate) *inflate;
} isal;

void plain_source_prepare(void)
{
	static const struct dl_symbol symbols[] = {
		{"isal_inflate_init", &isal.init},
		{"isal_inflate_reset", &isal.reset},
		{"isal_inflate", &isal.inflate},
	};
	struct error ignored = ERROR_INIT;

	(void)dl_load("libisal.so.2", &isal.handle, symbols, ARRAY_SIZE(symbols), &ignored);
}

/* What was read while its kind was found out, then the rest. */
static ssize_t next_packed(struct plain_source *plain, const void **ret_data, struct error *err)
{
	size_t n = plain->pending_size;

	if (n == 0)
		return plain->packed->read(plain->packed, ret_data, err);
	*ret_data = plain->pending;
	plain->pending_size = 0;
	return (ssize_t)n;
}

static ssize_t read_as_is(struct byte_source *base, const void **ret_data, struct error *err)
{
	return next_packed((struct plain_source *)base, ret_data, err);
}

/* gzip by ISA-L */

/* Another member may follow, or padding, which is left out. */
static bool next_member(struct inflate_state *state)
{
	if (state->next_in[0] != 0x1f)
		return false;
	isal.reset(state);
	state->crc_flag = ISAL_GZIP;
	return true;
}

static int refill(struct plain_source *plain, struct inflate_state *state, struct error *err)
{
	const void *data;
	ssize_t n = next_packed(plain, &data, err);

	if (n <= 0)
		return (int)n;
	state->next_in = (uint8_t *)(uintptr_t)data;
	state->avail_in = (uint32_t)n;
	return 1;
}

static int inflate_some(struct inflate_state *state, bool input_ended, struct error *err)
{
	uint32_t before = state->avail_out;
	int r = isal.inflate(state);

	if (r == ISAL_INCORRECT_CHECKSUM)
		return error_set(err, EBADMSG, "not a valid archive: gzip: its checksum is wrong");
	if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT)
		return error_set(err, EBADMSG, "not a valid archive: gzip: it is damaged");
	if (input_ended && state->avail_out == before && state->block_state != ISAL_BLOCK_FINISH)
		return error_set(err, EBADMSG, "not a valid archive: gzip: it is cut off");
	return 0;
}

static ssize_t read_gzip(struct byte_source *base, const void **ret_data, struct error *err)
{
	struct plain_source *plain = (struct plain_source *)base;
	struct inflate_state *state = plain->gzip;
	uint8_t *buffer = stream_buffer(&plain->buffers);
	int r = 1;

	*ret_data = buffer;
	state->next_out = buffer;
	state->avail_out = STREAM_SIZE;
	while (state->avail_out > 0) {
		bool finished = state->block_state == ISAL_BLOCK_FINISH;

		if (state->avail_in == 0)
			r = refill(plain, state, err);
		if (r < 0)
			return r;
		if (finished && (r == 0 || !next_member(state)))
			break;
		if (inflate_some(state, r == 0, err) < 0)
			return -err->code;
	}
	return (ssize_t)(STREAM_SIZE - state->avail_out);
}

static void open_gzip(struct plain_source *plain)
{
	struct inflate_state *state = alloc(sizeof(*state));

	isal.init(state);
	state->crc_flag = ISAL_GZIP;
	plain->gzip = state;
	plain->base.read = read_gzip;
}

/* everything else by libarchive */

static int raw_failed(struct plain_source *plain, struct error *err)
{
	struct error ignored = ERROR_INIT;
	const char *words;

	if (plain->failure.code) {
		*err = plain->failure;
		return -err->code;
	}
	words = libarchive_load(&ignored)->archive_error_string(plain->raw);
	return error_set(err, EBADMSG, "not a valid archive: %s", words ? words : "unknown reason");
}

static la_ssize_t read_for_raw(struct archive *raw, void *data, const void **ret_data)
{
	struct plain_source *plain = data;
	ssize_t n = next_packed(plain, ret_data, &plain->failure);

	return n < 0 ? ARCHIVE_FATAL : n;
}

/* libarchive's own buffer is good until its next call only: copied into one of ours. */
static ssize_t read_raw(struct byte_source *base, const void **ret_data, struct error *err)
{
	struct plain_source *plain = (struct plain_source *)base;
	const struct libarchive *lib = libarchive_load(err);
	char *buffer = stream_buffer(&plain->buffers);
	la_ssize_t n = lib->archive_read_data(plain->raw, buffer, STREAM_SIZE);

	*ret_data = buffer;
	return n < 0 ? raw_failed(plain, err) : n;
}

static int open_raw(struct plain_source *plain, struct error *err)
{
	const struct libarchive *lib = libarchive_load(err);
	struct archive_entry *entry;
	int r;

	if (!lib)
		return -err->code;
	/* Named one by one: "all" would run programs for exotic compressions. */
	plain->raw = lib->archive_read_new();
	lib->archive_read_support_filter_gzip(plain->raw);
	lib->archive_read_support_filter_bzip2(plain->raw);
	lib->archive_read_support_filter_xz(plain->raw);
	lib->archive_read_support_filter_lzma(plain->raw);
	lib->archive_read_support_filter_zstd(plain->raw);
	lib->archive_read_support_format_raw(plain->raw);
	lib->archive_read_support_format_empty(plain->raw);
	r = lib->archive_read_open(plain->raw, plain, NULL, read_for_raw, NULL);
	if (r == ARCHIVE_OK)
		r = lib->archive_read_next_header(plain->raw, &entry);
	if (r == ARCHIVE_EOF)
		return error_set(err, EBADMSG, "the archive is empty");
	plain->base.read = read_raw;
	return r == ARCHIVE_OK ? 0 : raw_failed(plain, err);
}

int plain_source_open(struct plain_source *plain, struct byte_source *packed, struct error *err)
{
	const unsigned char *start;
	ssize_t n;

	*plain = (struct plain_source){.packed = packed};
	n = packed->read(packed, &plain->pending, err);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return error_set(err, EBADMSG, "the archive is empty");
	start = plain->pending;
	plain->pending_size = (size_t)n;
	if (n > TAR_MAGIC_AT + 5 && memcmp(start + TAR_MAGIC_AT, "ustar", 5) == 0) {
		plain->as_is = true;
		plain->base.read = read_as_is;
		return 0;
	}
	if (n > 2 && start[0] == 0x1f && start[1] == 0x8b)
		plain_source_prepare();
	if (n > 2 && start[0] == 0x1f && start[1] == 0x8b && isal.handle) {
		open_gzip(plain);
		return 0;
	}
	return open_raw(plain, err);
}

void plain_source_close(struct plain_source *plain)
{
	struct error ignored = ERROR_INIT;

	if (plain->raw)
		libarchive_load(&ignored)->archive_read_free(plain->raw);
	plain->raw = NULL;
	free(plain->gzip);
	plain->gzip = NULL;
	free(plain->buffers.memory);
	plain->buffers.memory = NULL;
}
