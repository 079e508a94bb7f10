// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/str.h"

#include "runtime/image/libcurl.h"

#define URL_MAX 8192

static char *part(const struct libcurl *lib, CURLU *handle, CURLUPart what, unsigned int flags)
{
	char *text = NULL, *copy;

	if (lib->curl_url_get(handle, what, &text, flags) != CURLUE_OK)
		return NULL;
	copy = alloc_string(text);
	lib->curl_free(text);
	return copy;
}

static int take_apart(const struct libcurl *lib, CURLU *handle, const char *reference,
		      struct url *url, struct error *err)
{
	_cleanup_free_ char *host = NULL, *port = NULL;

	url->text = part(lib, handle, CURLUPART_URL, 0);
	url->scheme = part(lib, handle, CURLUPART_SCHEME, 0);
	host = part(lib, handle, CURLUPART_HOST, 0);
	port = part(lib, handle, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
	if (!url->text || !url->scheme || !host)
		return error_set(err, EBADMSG, "'%.200s' is not a valid address", reference);
	if (strcmp(url->scheme, "http") != 0 && strcmp(url->scheme, "https") != 0)
		return error_set(err, EBADMSG, "'%.200s' is neither http nor https", reference);
	url->authority = str_printf("%s%s%s", host, port ? ":" : "", port ? port : "");
	return 0;
}

int url_resolve(const char *base, const char *reference, struct url *ret, struct error *err)
{
	const struct libcurl *lib = libcurl_load(err);
	struct url url = {0};
	CURLU *handle;
	int r;

	if (!lib)
		return -err->code;
	if (strlen(reference) > URL_MAX)
		return error_set(err, EBADMSG, "an address of more than %d characters", URL_MAX);
	handle = lib->curl_url();
	if ((base && lib->curl_url_set(handle, CURLUPART_URL, base, 0) != CURLUE_OK) ||
	    lib->curl_url_set(handle, CURLUPART_URL, reference, CURLU_NON_SUPPORT_SCHEME) !=
		    CURLUE_OK)
		r = error_set(err, EBADMSG, "'%.200s' is not a valid address", reference);
	else
		r = take_apart(lib, handle, reference, &url, err);
	lib->curl_url_cleanup(handle);
	if (r < 0)
		url_done(&url);
	else
		*ret = url;
	return r;
}

void url_done(struct url *url)
{
	free(url->text);
	free(url->scheme);
	free(url->authority);
	*url = (struct url){0};
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return strcmp(a->scheme, b->scheme) == 0 && strcasecmp(a->authority, b->authority) == 0;
}

char *url_escape(const char *text)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";
	struct strbuf out = {0};

	for (; *text; text++) {
		if (strchr(unreserved, *text))
			strbuf_addc(&out, *text);
		else
			strbuf_addf(&out, "%%%02X", (unsigned char)*text);
	}
	return strbuf_take(&out);
}
