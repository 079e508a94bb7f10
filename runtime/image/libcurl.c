// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/libcurl.h"

#include <errno.h>

#include "common/cleanup.h"
#include "common/dl.h"

const struct libcurl *libcurl_load(struct error *err)
{
	static struct libcurl library;
	static void *handle;
	static const struct dl_symbol symbols[] = {
#define LIBCURL_ROW(name) {#name, &library.name},
		LIBCURL_SYMBOLS(LIBCURL_ROW)
#undef LIBCURL_ROW
	};
	bool first = !handle;

	if (dl_load("libcurl.so.4", &handle, symbols, ARRAY_SIZE(symbols), err) < 0)
		return NULL;
	if (first && library.curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
		handle = NULL;
		error_set(err, EIO, "libcurl cannot be initialised");
		return NULL;
	}
	return &library;
}
