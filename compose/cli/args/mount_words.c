// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/mount_words.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/run/run_service.h"

/* Sorted as docker lists them; where the value goes in compose's long form. */
static const struct {
	const char *key, *block, *member;
	bool flag;
} keys[] = {
	{"type", NULL, "type", false},
	{"source", NULL, "source", false},
	{"src", NULL, "source", false},
	{"target", NULL, "target", false},
	{"destination", NULL, "target", false},
	{"dst", NULL, "target", false},
	{"readonly", NULL, "read_only", true},
	{"ro", NULL, "read_only", true},
	{"consistency", NULL, "consistency", false},
	{"bind-propagation", "bind", "propagation", false},
	{"bind-recursive", "bind", "recursive", false},
	{"volume-nocopy", "volume", "nocopy", true},
	{"volume-subpath", "volume", "subpath", false},
	{"tmpfs-size", "tmpfs", "size", false},
	{"tmpfs-mode", "tmpfs", "mode", false},
	{"image-subpath", "image", "subpath", false},
};

static json_t *block_of(json_t *row, const char *name)
{
	json_t *block = name ? json_object_get(row, name) : row;

	if (!block) {
		block = json_object();
		json_object_set_new(row, name, block);
	}
	return block;
}

static bool is_off(const char *value)
{
	return !strcmp(value, "false") || !strcmp(value, "0");
}

/* Octal, as chmod has it. */
static json_t *mode_of(const char *value)
{
	char *end;
	long mode = strtol(value, &end, 8);

	return end != value && !*end ? json_integer(mode) : json_string(value);
}

static int put_word(json_t *row, const char *word, const char *text, struct error *err)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);

	array_foreach(key, keys) {
		json_t *block;

		if (strlen(key->key) != length || strncasecmp(key->key, word, length) != 0)
			continue;
		if (!equals && !key->flag)
			return error_set(err, EINVAL, "--mount %s: %s needs a value", text, word);
		block = block_of(row, key->block);
		if (key->flag)
			json_put_bool(block, key->member, !equals || !is_off(equals + 1));
		else if (!strcmp(key->member, "mode"))
			json_object_set_new(block, "mode", mode_of(equals + 1));
		else
			json_put_string(block, key->member, equals + 1);
		return 0;
	}
	return error_set(err, EINVAL, "--mount %s: unexpected key '%.*s'", text, (int)length, word);
}

int mount_words_put(json_t *project, json_t *service, const char *text, struct error *err)
{
	_cleanup_strv_ char **words = strv_split(text, ",");
	_cleanup_json_ json_t *row = json_object();
	const char *type, *source;

	json_put_string(row, "type", "volume");
	strv_foreach(word, words) {
		if (put_word(row, word, text, err) < 0)
			return -err->code;
	}
	type = json_get_string(row, "type");
	source = json_get_string(row, "source");
	if (!json_get_string(row, "target"))
		return error_set(err, EINVAL, "--mount %s: it has no target", text);
	if (str_equal(type, "bind") && (!source || source[0] != '/'))
		return error_set(err, EINVAL, "--mount %s: the source of a bind is to be absolute",
				 text);
	if (str_equal(type, "volume") && source)
		run_service_declare_volume(project, source);
	/* As docker: --mount makes no directory on this machine. */
	if (str_equal(type, "bind"))
		json_put_bool(block_of(row, "bind"), "create_host_path", false);
	run_service_put_mount(service, json_get_string(row, "target"), json_incref(row));
	return 0;
}
