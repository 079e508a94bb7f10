// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a record of the build cache, and as the records of a cache elsewhere. */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/str.h"

#include "runtime/build/build.h"
#include "runtime/build/cache.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/fuzz-build-cache.XXXXXX";
static int dir = -1;
static struct image_store *store;

static void leave(void)
{
	struct error err;

	image_store_close(store);
	(void)fs_remove_tree(AT_FDCWD, folder, &err);
}

static void enter(void)
{
	static const char *const names[] = {"cache", "layout", "layout/blobs",
					    "layout/blobs/sha256"};
	struct error err = ERROR_INIT;

	if (!mkdtemp(folder) || (dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    image_store_open(folder, &store, &err) < 0)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (mkdirat(dir, names[i], 0700) < 0)
			abort();
	atexit(leave);
}

static void put(const char *name, const void *data, size_t size)
{
	struct error err = ERROR_INIT;

	if (fs_replace(dir, name, data, size, 0, &err) < 0)
		abort();
}

/* A blob of the layout; its digest. */
static void put_blob(const void *data, size_t size, char ret_hex[SHA256_HEX_SIZE])
{
	char name[128];

	sha256_of(data, size, ret_hex);
	snprintf(name, sizeof(name), "layout/blobs/sha256/%s", ret_hex);
	put(name, data, size);
}

static void check(const struct cache_record *record)
{
	assert(!*record->diff || (strlen(record->diff) == 64 && is_hex(record->diff, 64)));
	assert(!*record->chain || (strlen(record->chain) == 64 && is_hex(record->chain, 64)));
}

static void as_record(const uint8_t *data, size_t size)
{
	struct cache_record record = {0};

	put("cache/" KEY ".json", data, size);
	if (cache_find(dir, store, KEY, &record) == 0)
		check(&record);
}

/* The bytes are the config, or the manifest itself, of an image that holds a cache. */
static void as_image(const uint8_t *data, size_t size, bool manifest)
{
	_cleanup_free_ char *from = str_printf("type=local,src=%s/layout", folder), *text = NULL;
	char *list[] = {from, NULL}, hex[SHA256_HEX_SIZE];
	struct build_options options = {.cache_from = list};
	struct build_surroundings with = {0};
	struct build build = {.options = &options, .with = &with, .store = store, .dir = dir};
	struct transfer *transfer = NULL;
	struct cache_record record;
	struct error err = ERROR_INIT;

	put_blob(data, size, hex);
	if (!manifest) {
		_cleanup_free_ char *image = str_printf(
			"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":{"
			"\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"sha256:%s\","
			"\"size\":%zu},\"layers\":[]}",
			hex, size);

		put_blob(image, strlen(image), hex);
	}
	text = str_printf("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:%s\"}]}", hex);
	put("layout/index.json", text, strlen(text));
	if (transfer_new(&build, &transfer, &err) < 0)
		abort();
	if (transfer_find(transfer, KEY, &record))
		check(&record);
	transfer_free(transfer);
	err = ERROR_INIT;
	(void)fs_remove_tree(dir, "layout/blobs/sha256", &err);
	(void)mkdirat(dir, "layout/blobs/sha256", 0700);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (dir < 0)
		enter();
	if (size > 65536)
		return 0;
	as_record(data, size);
	as_image(data, size, false);
	as_image(data, size, true);
	return 0;
}
