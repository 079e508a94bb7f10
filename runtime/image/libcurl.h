/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_LIBCURL_H
#define RUNTIME_IMAGE_LIBCURL_H

/*
 * libcurl.h - libcurl, opened when the first registry is asked: it brings thirty libraries with it.
 */

#ifndef CURL_DISABLE_TYPECHECK /* its macros know the functions by their own names only */
#	define CURL_DISABLE_TYPECHECK
#endif
#include <curl/curl.h>

#include "common/error.h"

#define LIBCURL_SYMBOLS(X)          \
	X(curl_global_init)         \
	X(curl_easy_init)           \
	X(curl_easy_cleanup)        \
	X(curl_easy_setopt)         \
	X(curl_easy_getinfo)        \
	X(curl_easy_strerror)       \
	X(curl_slist_append)        \
	X(curl_slist_free_all)      \
	X(curl_multi_init)          \
	X(curl_multi_cleanup)       \
	X(curl_multi_add_handle)    \
	X(curl_multi_remove_handle) \
	X(curl_multi_perform)       \
	X(curl_multi_poll)          \
	X(curl_multi_info_read)     \
	X(curl_multi_setopt)        \
	X(curl_url)                 \
	X(curl_url_set)             \
	X(curl_url_get)             \
	X(curl_url_cleanup)         \
	X(curl_free)

struct libcurl {
#define LIBCURL_FIELD(name) __typeof__(name) *name;
	LIBCURL_SYMBOLS(LIBCURL_FIELD)
#undef LIBCURL_FIELD
};

/* All its functions; NULL with @err when the library is not installed. */
const struct libcurl *libcurl_load(struct error *err);

#endif
