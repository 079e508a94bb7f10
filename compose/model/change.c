// SPDX-License-Identifier: GPL-2.0-or-later
/* change.c - what makes a container of a service another one: hashes and differences. */
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/sha256.h"
#include "common/str.h"

#include "compose/model/shapes.h"

static bool concerns_container(const char *key)
{
	const struct attribute *attribute = schema_attribute(&service_schema, key);

	return attribute && attribute->change != CHANGE_NONE;
}

/* `deploy` without what only says how many there are; NULL when nothing is left. */
static json_t *relevant_deploy(const json_t *deploy)
{
	const struct schema *schema = schema_attribute(&service_schema, "deploy")->shape->schema;
	json_t *kept = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)deploy, key, value) {
		const struct attribute *attribute = schema_attribute(schema, key);
		bool empty = json_is_object(value) && !json_object_size(value);

		if (attribute && attribute->change != CHANGE_NONE && !empty)
			json_object_set(kept, key, value);
	}
	if (json_object_size(kept))
		return kept;
	json_decref(kept);
	return NULL;
}

/* What x-* say is for other programs. */
static json_t *encode_plain(const struct schema *schema, const void *object)
{
	json_t *json = encode_object(schema, object);

	schema_drop_extensions(schema, json);
	return json;
}

/* The service's canonical JSON without what does not concern a container; new reference. */
static json_t *relevant_part(const json_t *service)
{
	_cleanup_json_ json_t *plain = json_deep_copy(service);
	json_t *kept = json_object();
	const char *key;
	json_t *value;

	schema_drop_extensions(&service_schema, plain);
	json_object_foreach(plain, key, value) {
		if (!concerns_container(key) || json_is_null(value))
			continue;
		value = !strcmp(key, "deploy") ? relevant_deploy(value) : json_incref(value);
		if (value)
			json_object_set_new(kept, key, value);
	}
	return kept;
}

static void put_object(json_t *into, const char *kind, const struct schema *schema, const char *key,
		       const void *object)
{
	json_t *objects = json_object_get(into, kind);

	if (!object)
		return;
	if (!objects) {
		objects = json_object();
		json_object_set_new(into, kind, objects);
	}
	json_object_set_new_nocheck(objects, key, encode_plain(schema, object));
}

static void put_used_objects(json_t *json, const struct project *project,
			     const struct service *service)
{
	for (size_t i = 0; i < service->network_count; i++)
		put_object(json, "+networks", &network_schema, service->networks[i].name,
			   project_network(project, service->networks[i].name));
	for (size_t i = 0; i < service->volume_count; i++)
		if (service->volumes[i].type == MOUNT_VOLUME && service->volumes[i].source)
			put_object(json, "+volumes", &volume_schema, service->volumes[i].source,
				   project_volume(project, service->volumes[i].source));
	for (size_t i = 0; i < service->secret_count; i++)
		put_object(json, "+secrets", &secret_schema, service->secrets[i].source,
			   project_secret(project, service->secrets[i].source));
	for (size_t i = 0; i < service->config_count; i++)
		put_object(json, "+configs", &config_schema, service->configs[i].source,
			   project_config(project, service->configs[i].source));
}

static void hash_json(const json_t *json, char ret_hex[65])
{
	_cleanup_free_ char *text = json_text_sorted(json);

	sha256_of(text, strlen(text), ret_hex);
}

void service_hash(const struct project *project, const struct service *service, char ret_hex[65])
{
	_cleanup_json_ json_t *all = encode_object(&service_schema, service);
	_cleanup_json_ json_t *kept = relevant_part(all);

	put_used_objects(kept, project, service);
	hash_json(kept, ret_hex);
}

json_t *network_canonical(const struct network *network)
{
	return encode_plain(&network_schema, network);
}

json_t *volume_canonical(const struct volume *volume)
{
	return encode_plain(&volume_schema, volume);
}

/* Of a block whatever needs a new container; NULL when there is nothing of that. */
static json_t *fixed_block(const struct schema *schema, const json_t *block)
{
	json_t *kept = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)block, key, value) {
		const struct attribute *attribute = schema_attribute(schema, key);
		bool deeper = attribute && json_is_object(value) && attribute->shape->schema &&
			      !attribute->shape->elements;

		if (!attribute || attribute->change != CHANGE_RECREATE)
			continue;
		value = deeper ? fixed_block(attribute->shape->schema, value) : json_incref(value);
		if (value)
			json_object_set_new(kept, key, value);
	}
	if (json_object_size(kept))
		return kept;
	json_decref(kept);
	return NULL;
}

/* Its program has the socket's name in its environment. */
static void keep_notify(json_t *kept, const struct service *service)
{
	if (service->berth.probe.notify)
		json_put_bool(kept, "+notify", true);
}

/* Mounts, control groups and environment go with it. */
static void keep_systemd(json_t *kept, const struct service *service)
{
	if (service->berth.systemd != TRI_UNSET)
		json_put_bool(kept, "+systemd", service->berth.systemd == TRI_TRUE);
}

/* Its program got them when it began. */
static void keep_sockets(json_t *kept, const struct service *service)
{
	const struct berth_extension *berth = &service->berth;
	json_t *rows = berth->socket_count ? json_array() : NULL;
	char text[LISTEN_TEXT_MAX];

	for (size_t i = 0; i < berth->socket_count; i++)
		json_array_append_new(rows,
				      json_sprintf("%d %s %s", berth->sockets[i].address.type,
						   listen_text(&berth->sockets[i].address, text),
						   berth->sockets[i].name ?: ""));
	if (rows)
		json_object_set_new(kept, "+sockets", rows);
}

static json_t *fixed_part(const struct service *service)
{
	_cleanup_json_ json_t *all = encode_object(&service_schema, service);
	_cleanup_json_ json_t *relevant = relevant_part(all);
	json_t *deploy = json_object_get(relevant, "deploy"), *kept = json_object(), *value;
	const char *key;

	json_object_foreach(relevant, key, value) {
		const struct attribute *attribute = schema_attribute(&service_schema, key);

		if (attribute->change == CHANGE_RECREATE && value != deploy)
			json_object_set(kept, key, value);
	}
	value = fixed_block(schema_attribute(&service_schema, "deploy")->shape->schema, deploy);
	if (value)
		json_object_set_new(kept, "deploy", value);
	keep_notify(kept, service);
	keep_systemd(kept, service);
	keep_sockets(kept, service);
	return kept;
}

void service_fixed_hash(const struct project *project, const struct service *service,
			char ret_hex[65])
{
	_cleanup_json_ json_t *kept = fixed_part(service);

	put_used_objects(kept, project, service);
	hash_json(kept, ret_hex);
}

void network_hash(const struct network *network, char ret_hex[65])
{
	_cleanup_json_ json_t *json = network_canonical(network);

	hash_json(json, ret_hex);
}

void volume_hash(const struct volume *volume, char ret_hex[65])
{
	_cleanup_json_ json_t *json = volume_canonical(volume);

	hash_json(json, ret_hex);
}

char *service_difference(const json_t *before, const json_t *after)
{
	_cleanup_json_ json_t *old = relevant_part(before), *new_one = relevant_part(after);
	struct strbuf names = {0};

	for (size_t i = 0; i < service_schema.count; i++) {
		const char *name = service_schema.attributes[i].name;
		json_t *x = json_object_get(old, name), *y = json_object_get(new_one, name);

		if ((x || y) && (!x || !y || !json_equal(x, y)))
			strbuf_addf(&names, "%s%s", names.length ? ", " : "", name);
	}
	return strbuf_take(&names);
}

static void add_change(json_t *changes, const char *field, json_t *old, json_t *new_one)
{
	json_t *change = json_object();

	json_put_string(change, "field", field);
	json_object_set(change, "old", old ? old : json_null());
	json_object_set(change, "new", new_one ? new_one : json_null());
	json_array_append_new(changes, change);
}

/* Maps key by key; lists, whose order means something, as a whole. */
static void compare_values(json_t *changes, const char *field, json_t *old, json_t *new_one)
{
	const char *key;
	json_t *value;

	if (old && new_one && json_equal(old, new_one))
		return;
	if (!json_is_object(old) || !json_is_object(new_one)) {
		add_change(changes, field, old, new_one);
		return;
	}
	json_object_foreach(old, key, value) {
		_cleanup_free_ char *inner = str_printf("%s.%s", field, key);

		compare_values(changes, inner, value, json_object_get(new_one, key));
	}
	json_object_foreach(new_one, key, value) {
		_cleanup_free_ char *inner = str_printf("%s.%s", field, key);

		if (!json_object_get(old, key))
			compare_values(changes, inner, NULL, value);
	}
}

json_t *service_changes(const json_t *before, const json_t *after)
{
	_cleanup_json_ json_t *old = relevant_part(before), *new_one = relevant_part(after);
	json_t *changes = json_array();

	for (size_t i = 0; i < service_schema.count; i++) {
		const char *name = service_schema.attributes[i].name;
		json_t *x = json_object_get(old, name), *y = json_object_get(new_one, name);

		if (x || y)
			compare_values(changes, name, x, y);
	}
	return changes;
}

static int compare_fields(const void *a, const void *b)
{
	return strcmp(json_get_string(*(json_t *const *)a, "field"),
		      json_get_string(*(json_t *const *)b, "field"));
}

json_t *object_changes(json_t *before, json_t *after)
{
	_cleanup_json_ json_t *changes = json_array();
	json_t *sorted = json_array(), **list, *value;
	const char *key;
	size_t count;

	json_object_foreach(before, key, value)
		compare_values(changes, key, value, json_object_get(after, key));
	json_object_foreach(after, key, value)
		if (!json_object_get(before, key))
			compare_values(changes, key, NULL, value);
	count = json_array_size(changes);
	list = new_array(json_t *, count + 1);
	for (size_t i = 0; i < count; i++)
		list[i] = json_array_get(changes, i);
	qsort(list, count, sizeof(json_t *), compare_fields);
	for (size_t i = 0; i < count; i++)
		json_array_append(sorted, list[i]);
	free(list);
	return sorted;
}
