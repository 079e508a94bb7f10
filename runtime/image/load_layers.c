// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "runtime/image/extract.h"
#include "runtime/image/layer.h"
#include "runtime/image/load.h"

/* Each is two threads; more of them than this only wait for the disk. */
#define SIDE_BY_SIDE_MAX 8

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD, PACKING_OTHER };

static const char *const media_of[] = {
	[PACKING_NONE] = MEDIA_OCI_LAYER,
	[PACKING_GZIP] = MEDIA_OCI_LAYER "+gzip",
	[PACKING_ZSTD] = MEDIA_OCI_LAYER "+zstd",
	[PACKING_OTHER] = MEDIA_OCI_LAYER,
};

static enum packing packing_of(int fd, uint64_t offset)
{
	static const struct {
		const char *magic;
		size_t size;
		enum packing packing;
	} rows[] = {
		{"\x1f\x8b", 2, PACKING_GZIP},
		{"\x28\xb5\x2f\xfd", 4, PACKING_ZSTD},
		{"\xfd\x37\x7a\x58\x5a", 5, PACKING_OTHER},
		{"BZh", 3, PACKING_OTHER},
		{"\x5d\0\0", 3, PACKING_OTHER},
	};
	char start[6] = {0};
	ssize_t n = pread(fd, start, sizeof(start), (off_t)offset);

	array_foreach(row, rows)
		if (n >= (ssize_t)row->size && memcmp(start, row->magic, row->size) == 0)
			return row->packing;
	return PACKING_NONE;
}

/* A layer that is being unpacked. */
struct slot {
	struct load_layer *layer;
	struct layer_job *job;
	enum packing packing;
	bool store_plain;            /* the blob is the uncompressed archive */
	int fd, tree, blob;          /* blob: as it is, or uncompressed; -EBADF: there is one */
	char *tree_name, *blob_name; /* tree_name NULL: the layer is there, only the blob is not */
};

static void slot_done(struct slot *slot)
{
	layer_cancel(slot->job);
	cleanup_close_fd(&slot->fd);
	cleanup_close_fd(&slot->tree);
	cleanup_close_fd(&slot->blob);
	free(slot->tree_name);
	free(slot->blob_name);
	*slot = (struct slot){.fd = -EBADF, .tree = -EBADF, .blob = -EBADF};
}

static int wrong_content(const char *hex, struct error *err)
{
	return error_set(err, EBADMSG, "its content is sha256:%s, and not what the config names",
			 hex);
}

static void set_blob(struct load_layer *layer, enum packing packing, const char *hex, uint64_t size)
{
	snprintf(layer->digest, sizeof(layer->digest), "sha256:%s", hex);
	layer->size = size;
	layer->media = media_of[packing];
}

/* Its file's digest, as far as one can know it without reading it. */
static const char *likely_hex(const struct slot *slot)
{
	const struct load_layer *layer = slot->layer;

	if (layer->file->hex[0])
		return layer->file->hex;
	if (layer->expected_hex[0])
		return layer->expected_hex;
	return slot->packing == PACKING_NONE ? layer->diff_hex : NULL;
}

static int make_places(struct loading *loading, struct slot *slot, bool need_blob,
		       struct error *err)
{
	slot->tree = staging_directory(loading->staging, &slot->tree_name, err);
	if (slot->tree < 0)
		return slot->tree;
	if (!need_blob)
		return 0;
	slot->blob = staging_file(loading->staging, &slot->blob_name, err);
	return slot->blob < 0 ? slot->blob : 0;
}

static int start_job(struct loading *loading, struct slot *slot, bool known_tree, bool known_blob,
		     struct extract_usage *usage, struct error *err)
{
	struct bundle_file *file = slot->layer->file;
	bool digest = !file->hex[0];
	int r = make_places(loading, slot, slot->store_plain || (digest && !known_blob), err);

	if (r < 0)
		return r;
	const struct layer_options options = {
		.fd = slot->fd,
		.part = true,
		.offset = file->offset,
		.size = file->size,
		.digest = digest,
		.blob_fd = slot->store_plain ? -EBADF : slot->blob,
		.copy_fd = slot->store_plain ? slot->blob : -EBADF,
		.dir = slot->tree,
		.verify_only = known_tree,
		.diff_hex = digest ? NULL : file->hex,
		.usage = usage,
	};
	r = layer_start(&options, &slot->job, err);
	if (known_tree) {
		free(slot->tree_name);
		slot->tree_name = NULL;
	}
	return r;
}

/* 1: there is nothing to do, it is all there. */
static int begin(struct loading *loading, struct slot *slot, struct load_layer *layer,
		 struct extract_usage *usage, struct error *err)
{
	bool known_tree, known_blob;
	const char *hex;

	slot->layer = layer;
	slot->fd = bundle_read(&loading->bundle, layer->file, err);
	if (slot->fd < 0)
		return slot->fd;
	slot->packing = packing_of(slot->fd, layer->file->offset);
	slot->store_plain = slot->packing == PACKING_OTHER && !layer->keep_form;
	hex = slot->store_plain ? layer->diff_hex : likely_hex(slot);
	if (slot->packing == PACKING_NONE && strcmp(hex, layer->diff_hex) != 0)
		return wrong_content(hex, err);
	known_tree = staging_has_layer(loading->staging, layer->chain);
	known_blob = hex && staging_has_blob(loading->staging, hex);
	/* A compressed blob is believed once it was unpacked: now, or when it came first. */
	if (known_tree && known_blob && !slot->store_plain) {
		set_blob(layer, slot->packing, hex, layer->file->size);
		return 1;
	}
	/* Part of the archive came before, and is known to be what it promises. */
	if (known_tree && slot->packing == PACKING_NONE && layer->file->hex[0]) {
		set_blob(layer, slot->packing, hex, layer->file->size);
		return bundle_keep(&loading->bundle, layer->file, err) < 0 ? -err->code : 1;
	}
	return start_job(loading, slot, known_tree, known_blob, usage, err);
}

static int keep_blob(struct loading *loading, struct slot *slot, const struct layer_result *result,
		     struct error *err)
{
	struct load_layer *layer = slot->layer;
	struct bundle_file *file = layer->file;

	if (slot->store_plain) {
		set_blob(layer, PACKING_NONE, result->diff_hex, result->archive_bytes);
		if (!staging_has_blob(loading->staging, result->diff_hex))
			staging_add_blob(loading->staging, result->diff_hex,
					 TAKE_PTR(slot->blob_name));
		return 0;
	}
	if (!file->hex[0])
		memcpy(file->hex, result->blob_hex, sizeof(file->hex));
	if (layer->expected_hex[0] && strcmp(file->hex, layer->expected_hex) != 0)
		return error_set(err, EBADMSG,
				 "blobs/sha256/%s: it is damaged (its digest is sha256:%s)",
				 layer->expected_hex, file->hex);
	set_blob(layer, slot->packing, file->hex, file->size);
	if (file->staged)
		return bundle_keep(&loading->bundle, file, err);
	if (slot->blob_name && !staging_has_blob(loading->staging, file->hex))
		staging_add_blob(loading->staging, file->hex, TAKE_PTR(slot->blob_name));
	return 0;
}

static int finish(struct loading *loading, struct slot *slot, struct error *err)
{
	struct load_layer *layer = slot->layer;
	struct layer_result result;
	int r = layer_end(TAKE_PTR(slot->job), &result, err);

	if (r == 0)
		r = keep_blob(loading, slot, &result, err);
	if (r < 0)
		return r;
	if (strcmp(result.diff_hex, layer->diff_hex) != 0)
		return wrong_content(result.diff_hex, err);
	if (!slot->tree_name || staging_has_layer(loading->staging, layer->chain))
		return 0;
	return staging_add_layer(loading->staging, layer->chain, layer->diff_hex, result.tree_bytes,
				 TAKE_PTR(slot->tree_name), err);
}

struct running {
	struct slot slots[SIDE_BY_SIDE_MAX];
	size_t limit, next;
	struct extract_usage *usage;
};

/* 0: none is free, or nothing is left to begin. */
static int fill_slots(struct loading *loading, struct running *running, struct error *err)
{
	for (size_t i = 0; i < running->limit; i++) {
		struct slot *slot = &running->slots[i];

		while (!slot->job && running->next < loading->layer_count) {
			struct load_layer *layer = loading->layers[running->next++];
			int r = begin(loading, slot, layer, running->usage, err);

			if (r < 0)
				return error_wrap(err, "%s", layer->what);
			if (r > 0)
				slot_done(slot);
		}
	}
	return 0;
}

/* Waits for one of them at least. 0: none runs. */
static int reap_slots(struct loading *loading, struct running *running, struct error *err)
{
	struct pollfd fds[SIDE_BY_SIDE_MAX];
	int active = 0;

	for (size_t i = 0; i < running->limit; i++) {
		struct layer_job *job = running->slots[i].job;

		fds[i] = (struct pollfd){.fd = job ? layer_job_fd(job) : -1, .events = POLLIN};
		active += job != NULL;
	}
	if (!active)
		return 0;
	if (poll(fds, running->limit, -1) < 0 && errno != EINTR)
		return error_errno(err, "wait for the layers");
	for (size_t i = 0; i < running->limit; i++) {
		if (fds[i].fd < 0 || !fds[i].revents)
			continue;
		if (finish(loading, &running->slots[i], err) < 0)
			return error_wrap(err, "%s", running->slots[i].layer->what);
		slot_done(&running->slots[i]);
	}
	return active;
}

static int run_all(struct loading *loading, struct running *running, struct error *err)
{
	int r;

	do {
		r = fill_slots(loading, running, err);
		if (r == 0)
			r = reap_slots(loading, running, err);
	} while (r > 0);
	return r;
}

int load_layers_run(struct loading *loading, struct error *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct running running = {.limit = cpus < 2 ? 2 : (size_t)cpus};
	int r;

	if (running.limit > SIDE_BY_SIDE_MAX)
		running.limit = SIDE_BY_SIDE_MAX;
	running.usage = mmap(NULL, sizeof(*running.usage), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (running.usage == MAP_FAILED)
		return error_errno(err, "unpack the layers");
	for (size_t i = 0; i < SIDE_BY_SIDE_MAX; i++)
		running.slots[i] = (struct slot){.fd = -EBADF, .tree = -EBADF, .blob = -EBADF};
	r = run_all(loading, &running, err);
	for (size_t i = 0; i < SIDE_BY_SIDE_MAX; i++)
		slot_done(&running.slots[i]);
	(void)munmap(running.usage, sizeof(*running.usage));
	return r;
}
