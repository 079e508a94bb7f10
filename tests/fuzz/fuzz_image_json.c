// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The JSON that others wrote: the input is an image's config, then manifest.json and index.json of
 * an archive, which is loaded from a folder; and an instruction of `image import -c`.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/sha256.h"
#include "common/str.h"

#include "runtime/image/changes.h"
#include "runtime/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[64];

static void remove_root(void)
{
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err = ERROR_INIT;

	(void)fs_remove_tree(tmp, root + strlen("/tmp/"), &err);
}

static void load(int folder)
{
	struct error err = ERROR_INIT;
	struct image_store *store;
	_cleanup_strv_ char **names = NULL, **removed = NULL;
	struct image **list;
	size_t count;

	if (image_store_open(root, &store, &err) < 0)
		abort();
	if (image_load(store, folder, NULL, &names, &err) == 0 &&
	    image_list(store, &list, &count, &err) == 0) {
		for (size_t i = 0; i < count; i++) {
			strv_free(removed);
			removed = NULL;
			error_clear(&err);
			(void)image_remove(store, list[i]->id, true, NULL, &removed, &err);
			image_free(list[i]);
		}
		free(list);
	}
	image_store_close(store);
}

static void put(int folder, const char *name, const void *data, size_t size)
{
	struct error err = ERROR_INIT;

	if (fs_replace(folder, name, data, size, FS_ATOMIC, &err) < 0)
		abort();
}

/* The archive whose config the input is: loaded as far as its own words go. */
static void load_as_config(int folder, const uint8_t *data, size_t size)
{
	_cleanup_free_ char *manifest = NULL;

	manifest = str_printf("[{\"Config\":\"c.json\",\"RepoTags\":[\"x:1\"],\"Layers\":[]}]");
	put(folder, "c.json", data, size);
	put(folder, "manifest.json", manifest, strlen(manifest));
	load(folder);
}

static void apply_change(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = alloc_string_n((const char *)data, size);
	_cleanup_json_ json_t *config = json_object();
	struct error err = ERROR_INIT;

	(void)change_apply(config, text, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int folder = -EBADF;
	struct error err = ERROR_INIT;
	char path[80];

	if (!root[0]) {
		strcpy(root, "/tmp/berth-fuzz-XXXXXX");
		if (!mkdtemp(root))
			abort();
		(void)atexit(remove_root);
	}
	snprintf(path, sizeof(path), "%s/archive", root);
	folder = fs_mkdir_path(path, 0755, &err);
	if (folder < 0)
		abort();
	apply_change(data, size);
	load_as_config(folder, data, size);
	put(folder, "manifest.json", data, size);
	load(folder);
	put(folder, "oci-layout", "{}", 2);
	put(folder, "index.json", data, size);
	load(folder);
	(void)unlinkat(folder, "oci-layout", 0);
	return 0;
}
