// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache does not grow for ever: after a build, but not after each, what was not of use for long
 * goes, and of the rest what is too much.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/cache.h"

#define SETTINGS_MAX  (1 << 20)
#define KEEP_DIVISOR  10 /* of the file system */
#define KEEP_LEAST    (INT64_C(2) << 30)
#define KEEP_DURATION "1440h" /* sixty days */
#define EVERY_NSEC    (INT64_C(3600) * 1000000000)

struct limits {
	bool off;
	int64_t bytes, age_usec;
};

static void read_limits(const char *path, const json_t *gc, struct limits *ret)
{
	const char *bytes = json_get_string(gc, "defaultKeepStorage");
	const char *age = json_get_string(gc, "keepDuration");

	ret->off = !json_get_bool(gc, "enabled", true);
	if (bytes && (units_parse_bytes(bytes, &ret->bytes) < 0 || ret->bytes < 0)) {
		log_warning("%s: builder.gc.defaultKeepStorage: '%s' is not a size", path, bytes);
		ret->off = true;
	}
	if (age && (units_parse_duration(age, &ret->age_usec) < 0 || ret->age_usec < 0)) {
		log_warning("%s: builder.gc.keepDuration: '%s' is not a duration", path, age);
		ret->off = true;
	}
}

static void find_limits(const char *root, struct limits *ret)
{
	const char *asked = getenv("BERTH_BUILDER");
	const char *const paths[] = {asked && *asked ? asked : "/etc/berth/builder.json",
				     "/etc/docker/daemon.json"};
	struct statvfs fs;

	*ret = (struct limits){.bytes = KEEP_LEAST};
	(void)units_parse_duration(KEEP_DURATION, &ret->age_usec);
	if (statvfs(root, &fs) == 0 &&
	    (int64_t)(fs.f_blocks / KEEP_DIVISOR * fs.f_frsize) > ret->bytes)
		ret->bytes = (int64_t)(fs.f_blocks / KEEP_DIVISOR * fs.f_frsize);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_json_ json_t *settings = NULL;
		struct error err = ERROR_INIT;
		int r = json_read(AT_FDCWD, paths[i], SETTINGS_MAX, &settings, &err);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			log_warning("%s: %s", paths[i], err.message);
		else
			read_limits(paths[i],
				    json_object_get(json_object_get(settings, "builder"), "gc"),
				    ret);
		return;
	}
}

/* Looking at all entries takes its time. */
static bool is_due(int root)
{
	struct stat st;

	return fstatat(root, "build/limited", &st, 0) < 0 ||
	       units_now_nsec() - (int64_t)st.st_mtim.tv_sec * 1000000000 > EVERY_NSEC;
}

void cache_limit(const char *root)
{
	_cleanup_close_ int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), stamp = -EBADF;
	struct cache_prune_options options = {.mounts = true, .strict = true};
	struct error err = ERROR_INIT;
	struct limits limits;
	uint64_t bytes;
	size_t entries;

	if (dir < 0 || !is_due(dir))
		return;
	find_limits(root, &limits);
	if (limits.off)
		return;
	stamp = openat(dir, "build/limited", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (stamp < 0 || futimens(stamp, NULL) < 0)
		return;
	options.keep_bytes = (uint64_t)limits.bytes;
	options.before_nsec = units_now_nsec() - limits.age_usec * 1000;
	if (cache_prune(root, &options, &bytes, &entries, &err) < 0)
		log_warning("build cache: %s", err.message);
	else if (entries)
		log_debug("build cache: %zu entries were too many or too old", entries);
}
