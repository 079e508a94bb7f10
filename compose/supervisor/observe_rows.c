// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * observe_rows.c - the half of observe.h that others read: labels, and the rows of `ps`.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/control/requests.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/slices.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/probes/health.h"
#include "compose/supervisor/schedule.h"
#include "compose/supervisor/translate/translate.h"

#define LABEL "com.docker.compose."

json_t *observe_object_labels(const struct supervisor *supervisor, const char *kind,
			      const char *key, const char *hash, const struct mapping *own)
{
	_cleanup_free_ char *label = str_printf(LABEL "%s", kind);
	json_t *labels = json_object();

	for (size_t i = 0; i < own->count; i++)
		json_put_string(labels, own->items[i].key, own->items[i].value ?: "");
	json_put_string(labels, LABEL "project", supervisor->project);
	json_put_string(labels, label, key);
	json_put_string(labels, LABEL "version", BERTH_VERSION);
	json_put_string(labels, LABEL "config-hash", hash);
	return labels;
}

json_t *observe_strings(const struct mapping *mapping)
{
	json_t *object;

	if (!mapping->count)
		return NULL;
	object = json_object();
	for (size_t i = 0; i < mapping->count; i++)
		json_put_string(object, mapping->items[i].key, mapping->items[i].value ?: "");
	return object;
}

static char *depends_on_label(const struct service *service)
{
	static const char *const conditions[] = {
		[CONDITION_STARTED] = "service_started",
		[CONDITION_HEALTHY] = "service_healthy",
		[CONDITION_COMPLETED] = "service_completed_successfully",
	};
	struct strbuf text = {0};

	for (size_t i = 0; i < service->dependency_count; i++) {
		const struct dependency *row = &service->depends_on[i];

		strbuf_addf(&text, "%s%s:%s:%s", i ? "," : "", row->service,
			    conditions[row->condition], row->restart ? "true" : "false");
	}
	return strbuf_take(&text);
}

json_t *observe_own_labels(const struct instance *instance)
{
	const struct mapping *own = &instance->service->labels;
	struct error err = ERROR_INIT;
	const struct image *image = observe_image(instance->supervisor, instance->image_id, &err);
	json_t *labels = image && image->labels ? json_copy(image->labels) : json_object();

	for (size_t i = 0; i < own->count; i++) {
		const char *value = own->items[i].value;
		_cleanup_free_ char *expanded = translate_replica(instance, value);

		json_put_string(labels, own->items[i].key, expanded ?: value ?: "");
	}
	return labels;
}

json_t *observe_labels(const struct instance *instance)
{
	const struct project *project = instance->model->project;
	_cleanup_free_ char *depends = depends_on_label(instance->service);
	_cleanup_free_ char *files = strv_join(project->config_files, ",");
	_cleanup_free_ char *env_files = strv_join(project->env_files, ",");
	json_t *labels = observe_own_labels(instance);
	char number[16];

	snprintf(number, sizeof(number), "%u", instance->number);
	json_put_string(labels, LABEL "project", project->name);
	json_put_string(labels, LABEL "service", instance->service_name);
	json_put_string(labels, LABEL "container-number", number);
	json_put_string(labels, LABEL "oneoff", instance->oneoff ? "True" : "False");
	json_put_string(labels, LABEL "config-hash", instance->config_hash);
	json_put_string(labels, LABEL "depends_on", depends);
	json_put_string(labels, LABEL "image", instance->image_id);
	json_put_string(labels, LABEL "project.working_dir", project->working_dir);
	json_put_string(labels, LABEL "project.config_files", files);
	if (project->env_files)
		json_put_string(labels, LABEL "project.environment_file", env_files);
	json_put_string(labels, LABEL "version", BERTH_VERSION);
	return labels;
}

static json_t *networks_of(const struct instance *instance)
{
	const struct endpoint *endpoints = NULL;
	json_t *rows = json_array();
	size_t count = 0;

	if (instance->attachment && instance->pid)
		endpoints = attachment_endpoints(instance->attachment, &count);
	for (size_t i = 0; i < count; i++) {
		const struct endpoint *at = &endpoints[i];
		char text[INET6_ADDRSTRLEN];
		json_t *row = json_object();

		json_put_string(row, "name", at->network);
		if (at->has_ipv4)
			json_put_string(row, "ipv4",
					inet_ntop(AF_INET, &at->ipv4, text, sizeof(text)));
		if (at->has_ipv6)
			json_put_string(row, "ipv6",
					inet_ntop(AF_INET6, &at->ipv6, text, sizeof(text)));
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", at->mac[0],
			 at->mac[1], at->mac[2], at->mac[3], at->mac[4], at->mac[5]);
		json_put_string(row, "mac", text);
		json_array_append_new(rows, row);
	}
	for (size_t i = 0; !count && instance->network_names && instance->network_names[i]; i++) {
		json_t *row = json_object();

		json_put_string(row, "name", instance->network_names[i]);
		json_array_append_new(rows, row);
	}
	return rows;
}

/* As Docker shows it: arguments with a space in them stand in quotes, the program does not. */
static char *command_text(const struct instance *instance, const struct image *image)
{
	static const struct image none = {0};
	_cleanup_strv_ char **words = translate_arguments(instance->service, image ? image : &none);
	_cleanup_strbuf_ struct strbuf text = {0};

	strv_foreach(word, words) {
		bool quoted = text.length && strchr(word, ' ');

		strbuf_addf(&text, quoted ? "%s'%s'" : "%s%s", text.length ? " " : "", word);
	}
	return strbuf_take(&text);
}

static json_t *log_of(const struct instance *instance)
{
	_cleanup_free_ char *state = paths_project_state(instance->supervisor->project);
	_cleanup_free_ char *path = str_printf("%s/containers/%s/logs", state, instance->id);
	const char *driver = instance->service->logging.driver;
	json_t *log = json_object();

	json_put_string(log, "path", path);
	json_put_string(log, "driver", driver ?: "json-file");
	return log;
}

/* What the usual table of `ps` has no column for, and is most of what there is to say. */
static void put_details(json_t *json, const struct instance *instance)
{
	const char *base = slices_base(instance);
	_cleanup_free_ char *cgroup = str_printf("%s/%s", base + strspn(base, "/"), instance->id);

	json_object_set_new(json, "health_log", health_log(instance->health));
	json_put_string(json, "schedule", instance->service->berth.schedule.calendar ?: "");
	json_put_int(json, "next", schedule_next_nsec(instance));
	json_put_string(json, "error", instance->error ?: "");
	json_put_string(json, "image_id", instance->image_id);
	json_put_int(json, "restart_count", instance->restarts);
	json_put_bool(json, "tty", instance->tty);
	json_object_set_new(json, "networks", networks_of(instance));
	json_object_set_new(json, "mounts", observe_mounts(instance));
	json_object_set_new(json, "labels", observe_labels(instance));
	json_object_set_new(json, "log", log_of(instance));
	json_put_string(json, "cgroup", cgroup);
}

static bool is_coming(const struct instance *instance)
{
	enum container_state state = instance_reported_state(instance);

	return (state == CONTAINER_CREATED || state == CONTAINER_EXITED) &&
	       executor_will_start(instance->supervisor->executor, instance);
}

static json_t *container_json(const struct instance *instance, bool brief)
{
	struct error err = ERROR_INIT;
	const struct image *image = observe_image(instance->supervisor, instance->image_id, &err);
	_cleanup_free_ char *command = command_text(instance, image);
	json_t *json = json_object();

	json_put_string(json, "id", instance->id);
	json_put_string(json, "name", instance->name);
	json_put_string(json, "service", instance->service_name);
	json_put_int(json, "number", instance->number);
	json_put_bool(json, "oneoff", instance->oneoff);
	json_put_string(json, "image", instance->service->image);
	json_put_string(json, "command", command);
	json_put_int(json, "created", instance->created_nsec);
	json_put_int(json, "started", instance->started_nsec);
	json_put_int(json, "finished", instance->pid ? 0 : instance->finished_nsec);
	json_put_string(json, "state", container_state_name(instance_reported_state(instance)));
	json_put_string(json, "health", health_status_name(instance_health(instance)));
	json_put_string(json, "health_note", instance->unhealthy.note ?: "");
	json_put_bool(json, "coming", is_coming(instance));
	json_put_int(json, "exit_code", instance->pid ? 0 : instance->exit_code);
	json_put_bool(json, "oom_killed", instance->oom_killed);
	json_put_int(json, "pid", instance->pid);
	json_object_set_new(json, "publishers", ports_publishers(instance));
	if (!brief)
		put_details(json, instance);
	return json;
}

json_t *observe_containers(struct supervisor *supervisor, bool all, bool brief)
{
	const struct project *project = supervisor->current ? supervisor->current->project : NULL;
	json_t *reply = json_object(), *rows = json_array();

	json_put_string(reply, "project", supervisor->project);
	json_put_string(reply, "working_dir", project ? project->working_dir : NULL);
	json_object_set_new(reply, "config_files",
			    json_from_strv(project ? project->config_files : NULL));
	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;

		if (all || instance_runs(instance))
			json_array_append_new(rows, container_json(instance, brief));
	}
	json_object_set_new(reply, "containers", rows);
	return reply;
}
