// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/container/container_filter.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/machine.h"
#include "compose/cli/view/list_filter.h"

/* 1, 0, or an error. */
typedef int filter_match(const json_t *container, const char *value, const json_t *all,
			 struct error *err);

static int match_name(const json_t *container, const char *value, const json_t *all,
		      struct error *err)
{
	const char *name = json_get_string(container, "name") ?: "";
	_cleanup_free_ char *slashed = str_printf("/%s", name);

	return list_filter_name(name, value) || list_filter_name(slashed, value);
}

static int match_id(const json_t *container, const char *value, const json_t *all,
		    struct error *err)
{
	return str_starts_with(json_get_string(container, "id") ?: "", value);
}

static int match_status(const json_t *container, const char *value, const json_t *all,
			struct error *err)
{
	return str_equal(json_get_string(container, "state"), value);
}

static int match_health(const json_t *container, const char *value, const json_t *all,
			struct error *err)
{
	const char *health = json_get_string(container, "health") ?: "";

	return !strcmp(health[0] ? health : "none", value);
}

static int match_exited(const json_t *container, const char *value, const json_t *all,
			struct error *err)
{
	return str_equal(json_get_string(container, "state"), "exited") &&
	       json_get_int(container, "exit_code", -1) == strtol(value, NULL, 10);
}

static int match_label(const json_t *container, const char *value, const json_t *all,
		       struct error *err)
{
	const char *equals = strchr(value, '=');
	_cleanup_free_ char *key =
		alloc_string_n(value, equals ? (size_t)(equals - value) : strlen(value));
	const char *there = json_get_string(json_object_get(container, "labels"), key);

	return there && (!equals || !strcmp(there, equals + 1));
}

static int match_ancestor(const json_t *container, const char *value, const json_t *all,
			  struct error *err)
{
	const char *image = json_get_string(container, "image") ?: "";
	const char *id = json_get_string(container, "image_id") ?: "";
	size_t length = strlen(value);
	const char *hex = strchr(id, ':');

	return !strcmp(image, value) ||
	       (!strncmp(image, value, length) && !strcmp(image + length, ":latest")) ||
	       str_starts_with(id, value) ||
	       (length >= 12 && hex && str_starts_with(hex + 1, value));
}

static int match_rows(const json_t *rows, const char *const *keys, const char *value)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		for (const char *const *key = keys; *key; key++)
			if (str_equal(json_get_string(row, *key), value))
				return 1;
	}
	return 0;
}

static int match_network(const json_t *container, const char *value, const json_t *all,
			 struct error *err)
{
	static const char *const keys[] = {"name", NULL};

	return match_rows(json_object_get(container, "networks"), keys, value);
}

static int match_volume(const json_t *container, const char *value, const json_t *all,
			struct error *err)
{
	static const char *const keys[] = {"name", "destination", "source", NULL};

	return match_rows(json_object_get(container, "mounts"), keys, value);
}

static int match_port(const json_t *container, const char *value, const char *key)
{
	const char *slash = strchr(value, '/');
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(container, "publishers"), i, row) {
		if (json_get_int(row, key, 0) == strtol(value, NULL, 10) &&
		    (!slash || str_equal(json_get_string(row, "protocol"), slash + 1)))
			return 1;
	}
	return 0;
}

static int match_publish(const json_t *container, const char *value, const json_t *all,
			 struct error *err)
{
	return match_port(container, value, "published");
}

static int match_expose(const json_t *container, const char *value, const json_t *all,
			struct error *err)
{
	return match_port(container, value, "target");
}

static int64_t age_of(const json_t *all, const char *name, struct error *err)
{
	json_t *other;

	if (machine_pick(all, name, &other, err) < 0)
		return -err->code;
	return json_get_int(other, "created", 0);
}

static int match_before(const json_t *container, const char *value, const json_t *all,
			struct error *err)
{
	int64_t age = age_of(all, value, err);

	return err->code ? (int)age : json_get_int(container, "created", 0) < age;
}

static int match_since(const json_t *container, const char *value, const json_t *all,
		       struct error *err)
{
	int64_t age = age_of(all, value, err);

	return err->code ? (int)age : json_get_int(container, "created", 0) > age;
}

/* There is no Swarm. */
static int match_task(const json_t *container, const char *value, const json_t *all,
		      struct error *err)
{
	return !strcmp(value, "false");
}

static const struct {
	const char *key;
	filter_match *match;
	bool every; /* all values have to hold */
} filters_known[] = {
	{"ancestor", match_ancestor, false}, {"before", match_before, false},
	{"exited", match_exited, false},     {"expose", match_expose, false},
	{"health", match_health, false},     {"id", match_id, false},
	{"is-task", match_task, false},      {"label", match_label, true},
	{"name", match_name, false},         {"network", match_network, false},
	{"publish", match_publish, false},   {"since", match_since, false},
	{"status", match_status, false},     {"volume", match_volume, false},
};

/* The value when @filter is of @key. */
static const char *value_of(const char *filter, const char *key)
{
	size_t length = strlen(key);

	return !strncmp(filter, key, length) && filter[length] == '=' ? filter + length + 1 : NULL;
}

bool container_filter_has(char *const *filters, const char *key)
{
	strv_foreach(filter, filters) {
		if (value_of(filter, key))
			return true;
	}
	return false;
}

int container_filter_check(char *const *filters, struct error *err)
{
	strv_foreach(filter, filters) {
		bool known = false;

		if (!strchr(filter, '='))
			return error_set(err, EINVAL,
					 "invalid argument \"%s\" for \"--filter\": bad format of "
					 "filter (expected name=value)",
					 filter);
		array_foreach(row, filters_known)
			known = known || value_of(filter, row->key);
		if (!known)
			return error_set(err, EINVAL, "invalid filter '%.*s'",
					 (int)(strchr(filter, '=') - filter), filter);
	}
	return 0;
}

int container_filter_match(char *const *filters, const json_t *container, const json_t *all,
			   struct error *err)
{
	array_foreach(row, filters_known) {
		int given = 0, held = 0;

		strv_foreach(filter, filters) {
			const char *value = value_of(filter, row->key);
			int r = value ? row->match(container, value, all, err) : 0;

			if (r < 0)
				return r;
			given += value != NULL;
			held += r;
		}
		if (given && (row->every ? held < given : !held))
			return 0;
	}
	return 1;
}
