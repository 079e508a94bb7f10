// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as what an earlier build knew of a context's files. */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fs.h"
#include "common/sha256.h"
#include "common/str.h"

#include "runtime/build/statcache.h"

#define STEP 72 /* about an entry */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int dir = -1;
static char folder[] = "/tmp/fuzz-statcache.XXXXXX";

static void leave(void)
{
	struct error err;

	(void)fs_remove_tree(AT_FDCWD, folder, &err);
}

static void enter(void)
{
	if (!mkdtemp(folder) || (dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    mkdirat(dir, "stat", 0700) < 0)
		abort();
	atexit(leave);
}

/* What the bytes would be as a file's. */
static struct stat stat_of(const uint8_t *data)
{
	struct stat st = {0};
	int64_t words[5];

	memcpy(words, data, sizeof(words));
	st.st_dev = (dev_t)words[0];
	st.st_ino = (ino_t)words[1];
	st.st_size = words[2];
	st.st_mtim.tv_sec = words[3] / 1000000000;
	st.st_mtim.tv_nsec = words[3] % 1000000000;
	st.st_ctim.tv_sec = words[4] / 1000000000;
	st.st_ctim.tv_nsec = words[4] % 1000000000;
	return st;
}

static void use(const uint8_t *data, size_t size)
{
	static const unsigned char digest[STATCACHE_DIGEST] = {1};
	struct statcache *cache = statcache_new(dir, folder);

	for (size_t at = 24; at + STEP <= size; at += STEP) {
		struct stat st = stat_of(data + at);
		const unsigned char *known = statcache_find(cache, &st);

		/* Read whole. */
		if (known)
			assert(known[0] + known[STATCACHE_DIGEST - 1] >= 0);
		else
			statcache_put(cache, &st, digest);
	}
	statcache_free(cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char hex[SHA256_HEX_SIZE], name[80], *whole;
	struct error err = ERROR_INIT;

	if (dir < 0)
		enter();
	whole = realpath(folder, NULL);
	sha256_of(whole, strlen(whole), hex);
	free(whole);
	snprintf(name, sizeof(name), "stat/%s", hex);
	if (fs_replace(dir, name, (const char *)data, size, 0, &err) < 0)
		abort();
	use(data, size);
	/* What it wrote itself it reads as well. */
	use(data, size);
	return 0;
}
