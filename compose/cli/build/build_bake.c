// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/build/build_bake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

static void put_strv(json_t *target, const char *key, char *const *list)
{
	if (list && list[0])
		json_object_set_new(target, key, json_from_strv(list));
}

static void put_mapping(json_t *target, const char *key, const struct mapping *mapping)
{
	json_t *object;

	if (!mapping->count)
		return;
	object = json_object();
	for (size_t i = 0; i < mapping->count; i++)
		json_put_string(object, mapping->items[i].key, mapping->items[i].value ?: "");
	json_object_set_new(target, key, object);
}

static void put_args(json_t *target, const struct build *build,
		     const struct build_services_options *options)
{
	_cleanup_strv_ char **args = NULL;
	json_t *object = json_object();

	for (size_t i = 0; i < build->args.count; i++) {
		const char *value = build->args.items[i].value ?: getenv(build->args.items[i].key);

		if (value)
			strv_env_set(&args, build->args.items[i].key, value);
	}
	strv_foreach(row, options->build_args) {
		const char *equals = strchr(row, '=');
		_cleanup_free_ char *name = str_printf("%.*s", (int)strcspn(row, "="), row);
		const char *value = equals ? equals + 1 : getenv(name);

		if (value)
			strv_env_set(&args, name, value);
	}
	strv_foreach(row, args) {
		char *equals = strchr(row, '=');

		*equals = '\0';
		json_put_string(object, row, equals + 1);
		*equals = '=';
	}
	if (args)
		json_object_set_new(target, "args", object);
	else
		json_decref(object);
}

static void put_secrets(json_t *target, const struct project *project, const struct build *build)
{
	_cleanup_strv_ char **rows = NULL;

	for (size_t i = 0; i < build->secret_count; i++) {
		const struct file_reference *reference = &build->secrets[i];
		const struct file_object *object =
			project_secret((struct project *)project, reference->source);
		const char *id = reference->target ?: reference->source;

		if (object && object->file)
			strv_take(&rows, str_printf("id=%s,type=file,src=%s", id, object->file));
		else if (object && object->environment)
			strv_take(&rows,
				  str_printf("id=%s,type=env,env=%s", id, object->environment));
	}
	put_strv(target, "secret", rows);
}

static void put_pairs(json_t *target, const struct build *build,
		      const struct build_services_options *options)
{
	_cleanup_strv_ char **ssh = strv_dup(options->ssh), **limits = NULL;
	json_t *hosts = json_object();

	for (size_t i = 0; i < build->ssh.count; i++)
		strv_take(&ssh, build->ssh.items[i].value && *build->ssh.items[i].value
					? str_printf("%s=%s", build->ssh.items[i].key,
						     build->ssh.items[i].value)
					: str_printf("%s", build->ssh.items[i].key));
	for (size_t i = 0; i < build->ulimit_count; i++)
		strv_take(&limits, str_printf("%s=%lld:%lld", build->ulimits[i].name,
					      (long long)build->ulimits[i].soft,
					      (long long)build->ulimits[i].hard));
	put_strv(target, "ssh", ssh);
	put_strv(target, "ulimits", limits);
	for (size_t i = 0; i < build->extra_host_count; i++)
		json_put_string(hosts, build->extra_hosts[i].name, build->extra_hosts[i].address);
	if (build->extra_host_count)
		json_object_set_new(target, "extra-hosts", hosts);
	else
		json_decref(hosts);
}

static json_t *target_of(const struct project *project, const struct service *service,
			 const struct build_services_options *options)
{
	const struct build *build = &service->build;
	_cleanup_strv_ char **tags = NULL;
	json_t *target = json_object();

	json_put_string(target, "context", build->context);
	json_put_string(target, "dockerfile", build->dockerfile);
	json_put_string(target, "dockerfile-inline", build->dockerfile_inline);
	put_args(target, build, options);
	put_mapping(target, "labels", &build->labels);
	strv_append(&tags, service->image);
	strv_foreach(tag, build->tags)
		strv_append(&tags, tag);
	put_strv(target, "tags", tags);
	put_strv(target, "cache-from", build->cache_from);
	put_strv(target, "cache-to", build->cache_to);
	json_put_string(target, "target", build->target);
	put_secrets(target, project, build);
	put_mapping(target, "contexts", &build->additional_contexts);
	put_strv(target, "platforms", build->platforms);
	if (options->pull || build->pull == TRI_TRUE)
		json_put_bool(target, "pull", true);
	if (options->no_cache || build->no_cache == TRI_TRUE)
		json_put_bool(target, "no-cache", true);
	put_strv(target, "no-cache-filter", build->no_cache_filter);
	json_put_string(target, "network", build->network);
	if (build->shm_size.set)
		json_put_int(target, "shm-size", build->shm_size.value);
	put_pairs(target, build, options);
	put_strv(target, "entitlements", build->entitlements);
	return target;
}

void build_bake_print(struct project *project, char *const *services,
		      const struct build_services_options *options)
{
	_cleanup_json_ json_t *plan = json_object();
	json_t *targets = json_object(), *names = json_array();
	_cleanup_free_ char *text = NULL;
	struct map selected = {0};

	build_services_select(project, services, options, &selected);
	map_foreach(entry, &selected) {
		const struct service *service = entry->value;

		if (!service->build.given)
			continue;
		json_object_set_new(targets, service->name, target_of(project, service, options));
		json_array_append_new(names, json_string(service->name));
	}
	map_done(&selected, NULL);
	json_object_set_new(plan, "group", json_pack("{s:{s:o}}", "default", "targets", names));
	json_object_set_new(plan, "target", targets);
	text = json_dumps(plan, JSON_INDENT(2));
	puts(text);
}
