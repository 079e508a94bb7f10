// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/search.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/registry.h"

#define INDEX        "index.docker.io" /* the Hub's search is not where its images are */
#define TEXT_MAX     1000
#define PAGE_ENTRIES 1000
#define PAGES_MAX    200

static json_t *printable(const char *text)
{
	struct strbuf out = {0};
	json_t *json;

	for (; text && *text && out.length < TEXT_MAX; text++) {
		unsigned char c = (unsigned char)*text;

		strbuf_addc(&out, c < ' ' || c == 0x7f ? ' ' : *text);
	}
	/* Cut in the middle of a character, it is none. */
	while (!(json = json_stringn(out.data ? out.data : "", out.length)))
		out.length--;
	strbuf_done(&out);
	return json;
}

static void add_row(json_t *rows, const char *name, const json_t *result)
{
	json_t *row = json_object();

	json_object_set_new(row, "name", printable(name));
	json_object_set_new(row, "description", printable(json_get_string(result, "description")));
	json_put_int(row, "star_count", json_get_int(result, "star_count", 0));
	json_put_bool(row, "is_official", json_get_bool(result, "is_official", false));
	json_put_bool(row, "is_automated", json_get_bool(result, "is_automated", false));
	json_array_append_new(rows, row);
}

int search_take(const char *text, size_t size, size_t limit, json_t *rows, struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	const json_t *results, *result;
	size_t i;

	if (json_parse(text, size, &json, err) < 0)
		return -err->code;
	results = json_object_get(json, "results");
	if (!json_is_array(results))
		return error_set(err, EBADMSG, "it has no results");
	json_array_foreach(results, i, result) {
		const char *name = json_get_string(result, "name");

		if (name && json_array_size(rows) < limit)
			add_row(rows, name, result);
	}
	return 0;
}

int search_take_catalogue(const char *text, size_t size, const char *word, size_t limit,
			  json_t *rows, char **ret_last, struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	const json_t *names, *each;
	size_t i;

	*ret_last = NULL;
	if (json_parse(text, size, &json, err) < 0)
		return -err->code;
	names = json_object_get(json, "repositories");
	if (!json_is_array(names))
		return error_set(err, EBADMSG, "it has no repositories");
	json_array_foreach(names, i, each) {
		const char *name = json_string_value(each);

		if (name && strstr(name, word) && json_array_size(rows) < limit)
			add_row(rows, name, NULL);
		if (name && i + 1 == json_array_size(names))
			*ret_last = alloc_string(name);
	}
	return 0;
}

/* "localhost:5000/nginx": the registry, as in the name of an image, and the word. */
static char *split_term(const char *term, const char **ret_word)
{
	const char *slash = strchr(term, '/');
	_cleanup_free_ char *first = slash ? alloc_string_n(term, (size_t)(slash - term)) : NULL;

	*ret_word = term;
	if (!first || (!strpbrk(first, ".:") && strcmp(first, "localhost") != 0))
		return alloc_string(INDEX);
	*ret_word = slash + 1;
	return strcmp(first, REGISTRY_HUB) == 0 ? alloc_string(INDEX) : TAKE_PTR(first);
}

/* What is asked for may hold anything; in an address it may not. */
static void add_escaped(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			     (c >= 'a' && c <= 'z') || strchr("-._~", c);

		strbuf_addf(out, plain ? "%c" : "%%%02X", c);
	}
}

/* The answer's text is the request's, to be freed by the caller. */
static int get(struct registry *registry, const char *name, const char *path,
	       struct registry_request **ret, int *ret_status, struct error *err)
{
	struct registry_request *request = registry_request_new(registry, name, NULL, "GET", path);
	int r = registry_call(request, err);

	*ret_status = request->answer ? request->answer->status : 0;
	*ret = request;
	return r;
}

static int ask_catalogue(struct registry *registry, const char *name, const char *word,
			 size_t limit, json_t *rows, struct error *err)
{
	_cleanup_free_ char *last = NULL;
	int r = 0;

	for (size_t page = 0; page < PAGES_MAX && json_array_size(rows) < limit; page++) {
		_cleanup_strbuf_ struct strbuf path = {0};
		struct registry_request *request;
		_cleanup_free_ char *next = NULL;
		int status;

		strbuf_addf(&path, "v2/_catalog?n=%d", PAGE_ENTRIES);
		if (last) {
			strbuf_add(&path, "&last=");
			add_escaped(&path, last);
		}
		r = get(registry, name, path.data, &request, &status, err);
		if (r == 0)
			r = search_take_catalogue(request->answer->text.data ?: "",
						  request->answer->text.length, word, limit, rows,
						  &next, err);
		registry_request_free(request);
		if (status == 404 || status == 405)
			return error_set(err, EOPNOTSUPP,
					 "registry %s has neither a search nor a catalogue", name);
		/* One that does not know of pages says the same again. */
		if (r < 0 || !next || (last && strcmp(next, last) <= 0))
			return r;
		free(last);
		last = TAKE_PTR(next);
	}
	return 0;
}

static int ask_search(struct registry *registry, const char *name, const char *word, size_t limit,
		      json_t *rows, int *ret_status, struct error *err)
{
	_cleanup_strbuf_ struct strbuf path = {0};
	struct registry_request *request;
	int r;

	strbuf_add(&path, "v1/search?q=");
	add_escaped(&path, word);
	strbuf_addf(&path, "&n=%zu", limit);
	r = get(registry, name, path.data, &request, ret_status, err);
	if (r == 0)
		r = search_take(request->answer->text.data ?: "", request->answer->text.length,
				limit, rows, err);
	registry_request_free(request);
	return r;
}

int image_search(const char *term, size_t limit, json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *rows = json_array();
	struct registry *registry = NULL;
	const char *word;
	_cleanup_free_ char *name = split_term(term, &word);
	int status = 0, r;

	r = registry_open(&registry, err);
	if (r < 0)
		return r;
	r = ask_search(registry, name, word, limit, rows, &status, err);
	/* A page of a web site where the search would be is none either. */
	if (r < 0 && strcmp(name, INDEX) != 0 &&
	    (status == 200 || (status >= 400 && status < 500 && status != 429))) {
		error_clear(err);
		json_array_clear(rows);
		r = ask_catalogue(registry, name, word, limit, rows, err);
	}
	registry_close(registry);
	if (r < 0)
		return error_wrap(err, "search for '%.100s'", term);
	*ret = TAKE_PTR(rows);
	return 0;
}
