// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/update.h"

#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/start.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/models.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/probes/health.h"
#include "compose/supervisor/probes/probe.h"
#include "compose/supervisor/requests/connection.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

/* What a container was made from: enough to go back to. */
struct origin {
	struct model *model;
	struct service *service;
	char config_hash[65];
};

static struct origin exchange_origin(struct instance *instance, const struct origin *now)
{
	struct origin before = {instance->model, instance->service, ""};

	memcpy(before.config_hash, instance->config_hash, sizeof(before.config_hash));
	instance->model = now->model;
	instance->service = now->service;
	memcpy(instance->config_hash, now->config_hash, sizeof(instance->config_hash));
	return before;
}

static int apply_limits(struct instance *instance, struct error *err)
{
	struct translation translation = {
		.instance = instance,
		.service = instance->service,
		.project = instance->model->project,
	};
	int r = translate_resources(&translation, err);

	if (r == 0 && instance->cgroup)
		r = cgroup_update(instance->cgroup, &translation.resources, err);
	translation_done(&translation);
	return r < 0 ? error_wrap(err, "container %s", instance->name) : 0;
}

static bool same_logging(const struct logging *a, const struct logging *b)
{
	if (!str_equal(a->driver, b->driver) || a->options.count != b->options.count)
		return false;
	for (size_t i = 0; i < a->options.count; i++)
		if (!str_equal(a->options.items[i].key, b->options.items[i].key) ||
		    !str_equal(a->options.items[i].value, b->options.items[i].value))
			return false;
	return true;
}

/* A log that cannot be opened as asked for goes on as it was. */
static int apply_logging(struct instance *instance, struct error *err)
{
	struct log_pump *before = TAKE_PTR(instance->log);

	if (!before)
		return 0;
	if (start_open_log(instance, err) < 0) {
		instance->log = before;
		return -err->code;
	}
	log_pump_take_streams(instance->log, before);
	log_pump_free(before);
	return 0;
}

static void apply_health(struct instance *instance)
{
	/* What was known of its health stays until it was asked anew. */
	if (instance->state == INSTANCE_RUNNING || instance->state == INSTANCE_PAUSED)
		health_resume(instance);
	else
		health_stop(instance);
}

static int apply(struct instance *instance, const struct service *before, struct error *err)
{
	int r = apply_limits(instance, err);

	if (r == 0 && !same_logging(&before->logging, &instance->service->logging))
		r = apply_logging(instance, err);
	else
		probe_watch_log(instance);
	apply_health(instance);
	return r;
}

static int write_down(struct instance *instance, struct error *err)
{
	instance->updating = instance->pid > 0;
	return state_write(instance, err);
}

/* The kernel refused: nothing of it is to be so, neither in the container nor in its record. */
static void go_back(struct instance *instance, const struct origin *before,
		    struct ports_exchange *exchange)
{
	struct origin refused = exchange_origin(instance, before);
	struct error err = ERROR_INIT;

	if (apply_limits(instance, &err) < 0)
		log_error("%s", err.message);
	ports_exchange_undo(instance, exchange);
	probe_watch_log(instance);
	apply_health(instance);
	instance->updating = false;
	state_note(instance);
	model_unref(instance->supervisor, refused.model);
}

int update_container(struct instance *instance, struct model *model, struct error *err)
{
	struct service *service = project_service(model->project, instance->service_name);
	struct ports_exchange exchange = {0};
	struct origin now = {model, service, ""}, before;
	bool running = instance->pid > 0;
	int r = 0;

	if (!service)
		return error_set(err, ENOENT, "no such service: %s", instance->service_name);
	if (running)
		r = ports_exchange(instance, instance, model, service, &exchange, err);
	if (r < 0)
		return error_wrap(err, "container %s", instance->name);
	service_hash(model->project, service, now.config_hash);
	now.model = model_ref(model);
	before = exchange_origin(instance, &now);
	r = write_down(instance, err);
	if (r < 0) {
		(void)exchange_origin(instance, &before);
		model_unref(instance->supervisor, model);
		ports_exchange_undo(instance, &exchange);
		instance->updating = false;
		return r;
	}
	if (running) {
		r = apply(instance, before.service, err);
		if (r < 0) {
			go_back(instance, &before, &exchange);
			return r;
		}
		ports_exchange_finish(instance, &exchange);
		instance->updating = false;
		state_note(instance);
	}
	model_unref(instance->supervisor, before.model);
	events_emit(instance, "update", NULL);
	return r;
}

/* What it is made from, with the changes; "null" takes one away. */
static json_t *changed_project(const struct instance *instance, const json_t *changes)
{
	json_t *project = project_to_json(instance->model->project, true);
	json_t *service =
		json_object_get(json_object_get(project, "services"), instance->service_name);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)changes, key, value) {
		json_t *there = json_object_get(service, key);

		if (json_is_null(value))
			json_object_del(service, key);
		else if (json_is_object(value) && json_is_object(there))
			json_object_update(there, value);
		else
			json_object_set(service, key, value);
	}
	return project;
}

/* Nothing but what needs no new container; whether the kernel can do it, it says itself. */
static int check_changes(const json_t *changes, struct error *err)
{
	static const char *const known[] = {
		"blkio_config",   "cpu_period", "cpu_quota", "cpu_rt_period",
		"cpu_rt_runtime", "cpu_shares", "cpus",      "cpuset",
		"mem_limit",      "pids_limit", "restart",   "mem_reservation",
		"memswap_limit",
	};
	const char *key, *inner;
	json_t *value, *ignored;

	json_object_foreach((json_t *)changes, key, value) {
		bool found = str_equal(key, "x-berth");

		json_object_foreach(found ? value : NULL, inner, ignored) {
			found = found && str_equal(inner, "cpuset_mems");
		}

		array_foreach(one, known)
			found = found || str_equal(*one, key);
		if (!found)
			return error_set(err, EINVAL,
					 "%s cannot be changed while the container is there", key);
	}
	return 0;
}

void update_request(struct supervisor *supervisor, struct connection *connection,
		    const json_t *request)
{
	const char *name = json_get_string(request, "container");
	struct instance *instance = name ? supervisor_find(supervisor, name) : NULL;
	_cleanup_json_ json_t *project = NULL;
	struct model *model = NULL;
	struct error err = ERROR_INIT;

	if (!instance)
		error_set(&err, ENOENT, "No such container: %s", name ?: "(no name)");
	else if (check_changes(json_object_get(request, "changes"), &err) == 0)
		project = changed_project(instance, json_object_get(request, "changes"));
	if (project && model_accept_oneoff(supervisor, project, &model, &err) == 0)
		(void)update_container(instance, model, &err);
	model_unref(supervisor, model);
	if (err.code)
		connection_fail(connection, &err, 1);
	else
		connection_done(connection, NULL, NULL, 0);
}

void update_resume(struct instance *instance)
{
	struct error err = ERROR_INIT;

	if (!instance->updating)
		return;
	if (instance->pid && apply_limits(instance, &err) < 0)
		log_error("%s", err.message);
	instance->updating = false;
	state_note(instance);
}
