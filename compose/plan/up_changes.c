// SPDX-License-Identifier: GPL-2.0-or-later

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/plan/up.h"

static const json_t *canonical_service(struct up *up, const struct graph_node *node)
{
	if (!up->canonical)
		up->canonical = project_to_json(up->planning->project, true);
	return json_object_get(json_object_get(up->canonical, "services"), node->name);
}

/* What differs, down to single values, with the image that the same name now means. */
json_t *up_changes(struct up *up, const struct graph_node *node, const struct fact_container *fact)
{
	const json_t *now = canonical_service(up, node);
	json_t *changes = fact->config && now ? service_changes(fact->config, now) : json_array();

	if (fact->image_id && node->image && node->image->id &&
	    !str_equal(fact->image_id, node->image->id))
		json_array_append_new(changes,
				      json_pack("{s:s, s:s, s:s}", "field", "image (id)", "old",
						fact->image_id, "new", node->image->id));
	return changes;
}

char *up_difference_cause(struct up *up, const struct graph_node *node,
			  const struct fact_container *fact)
{
	_cleanup_free_ char *difference = NULL;
	const json_t *now = canonical_service(up, node);

	if (fact->config && now)
		difference = service_difference(fact->config, now);
	if (!difference || !*difference)
		return alloc_string("configuration changed");
	return str_printf("%s changed", difference);
}

/* @field cut down to "ports", and within deploy to "deploy.resources.limits". */
static void add_attribute(char ***names, const char *field, const json_t *value)
{
	size_t depth = str_starts_with(field, "deploy") ? 3 : 1, length = 0;
	const char *key;
	json_t *below;
	char *name;

	for (; depth && field[length]; depth--) {
		length += length > 0;
		length += strcspn(field + length, ".");
	}
	/* Of a block that was not there at all: what is in it. */
	if (depth && json_is_object(value)) {
		json_object_foreach((json_t *)value, key, below) {
			_cleanup_free_ char *inner = str_printf("%s.%s", field, key);

			add_attribute(names, inner, below);
		}
		return;
	}
	name = alloc_string_n(field, length);
	if (strv_contains(*names, name))
		free(name);
	else
		strv_take(names, name);
}

char *up_update_cause(const json_t *changes)
{
	_cleanup_strv_ char **names = NULL;
	_cleanup_free_ char *list = NULL;
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change) {
		json_t *old = json_object_get(change, "old");

		add_attribute(&names, json_get_string(change, "field"),
			      json_is_null(old) ? json_object_get(change, "new") : old);
	}
	list = strv_join(names, ", ");
	return str_printf("%s changed", list && *list ? list : "configuration");
}

/* All that differs can be given to the container as it stands. */
bool up_can_be_updated(const struct up *up, const struct graph_node *node,
		       const struct fact_container *fact)
{
	char hash[65];

	if (!fact->fixed_hash || !fact->config)
		return false;
	service_fixed_hash(up->planning->project, node->service, hash);
	return str_equal(fact->fixed_hash, hash);
}
