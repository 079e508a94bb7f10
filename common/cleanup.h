/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

/*
 * cleanup.h - locals that release what they own when they leave scope.
 *
 * A local with a _cleanup_ attribute always has an initial value (NULL, -EBADF).
 * TAKE_PTR and TAKE_FD hand its value on and leave nothing behind to release.
 */

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

/* Defines cleanup_NAME() for a pointer type, releasing with @function (which takes NULL too). */
#define DEFINE_CLEANUP(type, function)                 \
	static inline void cleanup_##function(type *p) \
	{                                              \
		if (*p)                                \
			function(*p);                  \
	}                                              \
	struct cleanup_takes_a_semicolon

static inline void cleanup_free_pointer(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}

static inline void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_free_   _cleanup_(cleanup_free_pointer)
#define _cleanup_close_  _cleanup_(cleanup_close_fd)
#define _cleanup_json_   _cleanup_(cleanup_json)
#define _cleanup_fclose_ _cleanup_(cleanup_file)
#define _cleanup_dir_    _cleanup_(cleanup_dir)

#define TAKE_PTR(p)                                         \
	({                                                  \
		__typeof__(p) *take_pointer_ = &(p);        \
		__typeof__(p) take_value_ = *take_pointer_; \
		*take_pointer_ = NULL;                      \
		take_value_;                                \
	})

#define TAKE_FD(fd)                               \
	({                                        \
		int *take_pointer_ = &(fd);       \
		int take_value_ = *take_pointer_; \
		*take_pointer_ = -EBADF;          \
		take_value_;                      \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Walks a true array (not a pointer): array_foreach (row, rows) row->... */
#define array_foreach(p, array) \
	for (__typeof__(&(array)[0]) p = (array); p < (array) + ARRAY_SIZE(array); p++)

#endif
