// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/update.h"

#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/events.h"
#include "compose/supervisor/health.h"
#include "compose/supervisor/instance.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/ports.h"
#include "compose/supervisor/probe.h"
#include "compose/supervisor/start.h"
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

static int apply(struct instance *instance, const struct service *before, struct error *err)
{
	int r = apply_limits(instance, err);

	if (r == 0 && !same_logging(&before->logging, &instance->service->logging))
		r = apply_logging(instance, err);
	else
		probe_watch_log(instance);
	/* What was known of its health stays until it was asked anew. */
	if (instance->state == INSTANCE_RUNNING || instance->state == INSTANCE_PAUSED)
		health_resume(instance);
	else
		health_stop(instance);
	return r;
}

static int write_down(struct instance *instance, struct error *err)
{
	instance->updating = instance->pid > 0;
	return state_write(instance, err);
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
		r = ports_exchange(instance, model, service, &exchange, err);
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
		ports_exchange_finish(instance, &exchange);
		instance->updating = false;
		state_note(instance);
	}
	model_unref(instance->supervisor, before.model);
	events_emit(instance, "update", NULL);
	return r;
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
