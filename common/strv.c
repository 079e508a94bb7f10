// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

size_t strv_length(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

bool strv_contains(char *const *list, const char *s)
{
	for (; list && *list; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

void strv_take(char ***list, char *s)
{
	size_t n = strv_length(*list);

	/* Room for the NULL as well: grown when n + 1 reaches a power of two. */
	if (n == 0 || ((n + 1) & n) == 0)
		*list = alloc_resize(*list, (n + 1) * 2, sizeof(char *));
	(*list)[n] = s;
	(*list)[n + 1] = NULL;
}

void strv_append(char ***list, const char *s)
{
	strv_take(list, alloc_string(s));
}

/* With the room that strv_take() believes a list of this length to have. */
static char **list_of(size_t n)
{
	size_t room = 2;

	while (room < n + 1)
		room *= 2;
	return new_array(char *, room);
}

char **strv_dup(char *const *list)
{
	size_t n = strv_length(list);
	char **copy;

	if (!list)
		return NULL;
	copy = list_of(n);
	for (size_t i = 0; i < n; i++)
		copy[i] = alloc_string(list[i]);
	return copy;
}

void strv_free(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

bool strv_equal(char *const *a, char *const *b)
{
	size_t n = strv_length(a);

	if (n != strv_length(b))
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

char **strv_split(const char *s, const char *separators)
{
	char **list = NULL;

	while (s && *s) {
		size_t length = strcspn(s, separators);

		if (length > 0)
			strv_take(&list, alloc_string_n(s, length));
		s += length;
		s += *s != '\0';
	}
	return list;
}

char *strv_join(char *const *list, const char *separator)
{
	struct strbuf text = {0};

	for (size_t i = 0; list && list[i]; i++) {
		if (i > 0)
			strbuf_add(&text, separator);
		strbuf_add(&text, list[i]);
	}
	return strbuf_take(&text);
}

static bool env_is(const char *entry, const char *key, size_t length)
{
	return strncmp(entry, key, length) == 0 && entry[length] == '=';
}

const char *strv_env_get(char *const *env, const char *key)
{
	size_t length = strlen(key);

	for (; env && *env; env++)
		if (env_is(*env, key, length))
			return *env + length + 1;
	return NULL;
}

static void env_remove(char **env, const char *key)
{
	size_t length = strlen(key);
	char **kept = env;

	for (; env && *env; env++) {
		if (env_is(*env, key, length))
			free(*env);
		else
			*kept++ = *env;
	}
	if (kept)
		*kept = NULL;
}

void strv_env_set(char ***env, const char *key, const char *value)
{
	size_t length = strlen(key);

	if (!value) {
		env_remove(*env, key);
		return;
	}
	for (char **entry = *env; entry && *entry; entry++) {
		if (!env_is(*entry, key, length))
			continue;
		free(*entry);
		*entry = str_printf("%s=%s", key, value);
		return;
	}
	strv_take(env, str_printf("%s=%s", key, value));
}
