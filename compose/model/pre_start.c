// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/pre_start.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"

#include "compose/model/shapes.h"
#include "compose/tree/json_node.h"

#define HOOK_LABEL "com.docker.compose.hook"
#define INFIX      "-pre_start-"

bool service_is_pre_start(const struct service *service)
{
	return str_equal(mapping_get(&service->labels, HOOK_LABEL), "pre_start");
}

size_t pre_start_owner_length(const struct service *service)
{
	const char *end = strstr(service->name, INFIX);

	for (const char *next = end; next; next = strstr(next + 1, INFIX))
		end = next;
	return end ? (size_t)(end - service->name) : strlen(service->name);
}

/* What others reach the service by, and what is about its own life. */
static void drop_own(json_t *json)
{
	static const char *const names[] = {
		"build",    "container_name", "deploy",      "develop",
		"expose",   "healthcheck",    "mac_address", "ports",
		"profiles", "pre_start",      "restart",     "post_start",
		"pre_stop", "scale",          "links",       "external_links",
	};
	json_t *networks = json_object_get(json, "networks"), *value;
	const char *key;

	array_foreach(name, names)
		json_object_del(json, *name);
	json_object_foreach(networks, key, value)
		json_object_set_new(networks, key, json_null());
}

static json_t *child_object(json_t *json, const char *name)
{
	json_t *child = json_object_get(json, name);

	if (child)
		return child;
	child = json_object();
	json_object_set_new(json, name, child);
	return child;
}

/* Another image has an entrypoint, a user and a folder of its own. */
static void put_image(json_t *json, const struct service *service, const struct hook *hook)
{
	static const char *const names[] = {"entrypoint", "command", "user", "working_dir"};

	if (!hook->image || str_equal(hook->image, service->image))
		return;
	json_put_string(json, "image", hook->image);
	array_foreach(name, names)
		json_object_del(json, *name);
}

static json_t *hook_json(const struct service *service, size_t index)
{
	const struct hook *hook = &service->pre_start[index];
	json_t *json = encode_object(&service_schema, service);
	json_t *environment = child_object(json, "environment");

	drop_own(json);
	put_image(json, service, hook);
	if (hook->command.set)
		json_object_set_new(json, "command", json_from_strv(hook->command.args));
	if (hook->user)
		json_put_string(json, "user", hook->user);
	if (hook->working_dir)
		json_put_string(json, "working_dir", hook->working_dir);
	if (hook->privileged != TRI_UNSET)
		json_put_bool(json, "privileged", hook->privileged == TRI_TRUE);
	for (size_t i = 0; i < hook->environment.count; i++)
		json_object_set_new(environment, hook->environment.items[i].key,
				    hook->environment.items[i].value
					    ? json_string(hook->environment.items[i].value)
					    : json_null());
	if (hook->per_replica == TRI_TRUE)
		json_put_int(json, "scale", service_replicas(service));
	json_put_string(child_object(json, "labels"), HOOK_LABEL, "pre_start");
	return json;
}

static void add_dependency(struct service *service, const char *name)
{
	struct dependency *dependency = array_add(service->depends_on, service->dependency_count);

	*dependency = (struct dependency){alloc_string(name), CONDITION_COMPLETED, false, true};
}

static void add_hook(struct project *project, size_t owner, size_t index, const char *before,
		     const char *name)
{
	_cleanup_json_ json_t *json = hook_json(&project->services[owner], index);
	_cleanup_node_ struct node *node = json_to_node(json);
	struct report report = {0};
	struct decoder decoder = {.report = &report};
	struct service *service = array_add(project->services, project->service_count);

	/* It comes out of a service that was read, so there is nothing in it that is wrong. */
	service->name = alloc_string(name);
	decode_object(&decoder, node, &service_schema, service);
	report_done(&report);
	if (before)
		add_dependency(service, before);
}

static int compare_services(const void *a, const void *b)
{
	return strcmp(((const struct service *)a)->name, ((const struct service *)b)->name);
}

void project_add_pre_start(struct project *project)
{
	size_t count = project->service_count;

	for (size_t i = 0; i < count; i++) {
		char *last = NULL;

		for (size_t n = 0; n < project->services[i].pre_start_count; n++) {
			char *name = str_printf("%s" INFIX "%zu", project->services[i].name, n + 1);

			add_hook(project, i, n, last, name);
			free(last);
			last = name;
		}
		if (last)
			add_dependency(&project->services[i], last);
		free(last);
	}
	if (project->service_count != count)
		qsort(project->services, project->service_count, sizeof(*project->services),
		      compare_services);
}
