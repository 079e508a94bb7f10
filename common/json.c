// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

int json_parse(const char *data, size_t size, json_t **ret, struct error *err)
{
	json_error_t problem;
	json_t *json = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);

	if (!json)
		return error_set(err, EBADMSG, "line %d, column %d: %s", problem.line,
				 problem.column, problem.text);
	*ret = json;
	return 0;
}

int json_read(int dirfd, const char *name, size_t limit, json_t **ret, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	size_t size;
	int r = fs_read(dirfd, name, limit, &data, &size, err);

	if (r < 0)
		return r;
	r = json_parse(data, size, ret, err);
	return r < 0 ? error_wrap(err, "%s", name) : 0;
}

static char *dump(const json_t *json, size_t flags)
{
	char *text = json_dumps(json, flags | JSON_COMPACT | JSON_ENCODE_ANY);

	/* What json_t can hold can be written: what remains is want of memory. */
	return text ? text : alloc(SIZE_MAX);
}

char *json_text(const json_t *json)
{
	return dump(json, 0);
}

char *json_text_sorted(const json_t *json)
{
	return dump(json, JSON_SORT_KEYS);
}

const char *json_get_string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int64_t json_get_int(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool json_get_bool(const json_t *object, const char *key, bool otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

char **json_get_strv(const json_t *object, const char *key)
{
	const json_t *array = json_object_get(object, key);
	size_t size = json_array_size(array), count = 0;
	char **list = NULL;

	if (size == 0)
		return NULL;
	for (size_t i = 0; i < size; i++) {
		const char *s = json_string_value(json_array_get(array, i));

		if (s)
			*array_add(list, count) = alloc_string(s);
	}
	*array_add(list, count) = NULL;
	return list;
}

/* Text that is not UTF-8 (an environment may hold such) keeps its ASCII, the rest becomes '?'. */
static json_t *string_of(const char *value)
{
	_cleanup_free_ char *plain = NULL;
	json_t *json = json_string(value);

	if (json)
		return json;
	plain = alloc_string(value);
	for (char *c = plain; *c; c++)
		if (*c & 0x80)
			*c = '?';
	return json_string(plain);
}

json_t *json_from_strv(char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, string_of(*list));
	return array;
}

json_t *json_from_pairs(char *const *list)
{
	json_t *object = json_object();

	for (; list && *list; list++) {
		const char *equals = strchr(*list, '=');
		_cleanup_free_ char *key =
			alloc_string_n(*list, equals ? (size_t)(equals - *list) : strlen(*list));

		json_put_string(object, key, equals ? equals + 1 : "");
	}
	return object;
}

void json_put_string(json_t *object, const char *key, const char *value)
{
	if (value)
		json_object_set_new(object, key, string_of(value));
}

void json_put_int(json_t *object, const char *key, int64_t value)
{
	json_object_set_new(object, key, json_integer(value));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}

json_t *json_object_at(json_t *object, const char *key)
{
	json_t *there = json_object_get(object, key);

	if (!json_is_object(there)) {
		there = json_object();
		json_object_set_new(object, key, there);
	}
	return there;
}
