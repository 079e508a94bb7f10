// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/tags.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/image.h"
#include "runtime/image/registry.h"

#define PAGE_TAGS 1000
#define TAGS_MAX  10000

int tags_take(const char *text, size_t size, const char *name, char ***list, char **ret_last,
	      struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	const json_t *tags, *each;
	size_t i;

	*ret_last = NULL;
	if (json_parse(text, size, &json, err) < 0)
		return -err->code;
	tags = json_object_get(json, "tags");
	/* docker-registry says null of a repository whose tags were all deleted. */
	if (json_is_null(tags))
		return 0;
	if (!json_is_array(tags))
		return error_set(err, EBADMSG, "it has no tags");
	json_array_foreach((json_t *)tags, i, each) {
		const char *tag = json_string_value(each);
		_cleanup_free_ char *whole = NULL, *normalized = NULL;
		struct error ignored = ERROR_INIT;

		if (!tag)
			continue;
		whole = str_printf("%s:%s", name, tag);
		if (strpbrk(tag, "/:@") || reference_parse(whole, &normalized, &ignored) < 0)
			continue;
		if (!strv_contains(*list, normalized))
			strv_take(list, TAKE_PTR(normalized));
		free(*ret_last);
		*ret_last = str_printf("%s", tag);
	}
	return 0;
}

static int ask(struct registry *registry, const struct registry_name *name, const char *whole,
	       char ***list, struct error *err)
{
	_cleanup_free_ char *last = NULL;
	int r;

	do {
		_cleanup_free_ char *path =
			last ? str_printf("tags/list?n=%d&last=%s", PAGE_TAGS, last)
			     : str_printf("tags/list?n=%d", PAGE_TAGS);
		struct registry_request *request = registry_request_new(
			registry, name->registry, name->repository, "GET", path);
		_cleanup_free_ char *next = NULL;

		r = registry_call(request, err);
		if (r == 0)
			r = tags_take(request->answer->text.data ?: "",
				      request->answer->text.length, whole, list, &next, err);
		registry_request_free(request);
		/* One that does not know of pages says the same again. */
		if (r < 0 || !next || (last && strcmp(next, last) <= 0))
			return r;
		free(last);
		last = TAKE_PTR(next);
	} while (strv_length(*list) % PAGE_TAGS == 0 && strv_length(*list) < TAGS_MAX);
	return 0;
}

int image_remote_tags(const char *repository, char ***ret, struct error *err)
{
	_cleanup_free_ char *whole = NULL;
	struct registry_name name = {0};
	struct registry *registry = NULL;
	char **list = NULL;
	int r = registry_name_parse(repository, &name, err);

	if (r == 0)
		r = registry_open(&registry, err);
	if (r == 0) {
		whole = str_printf("%s/%s", name.registry, name.repository);
		r = ask(registry, &name, whole, &list, err);
	}
	if (registry)
		registry_close(registry);
	registry_name_done(&name);
	if (r == 0 && !list)
		r = error_set(err, ENOENT, "the registry has no tags of it");
	if (r < 0) {
		strv_free(list);
		return error_wrap(err, "image %s", repository);
	}
	*ret = list;
	return 0;
}
