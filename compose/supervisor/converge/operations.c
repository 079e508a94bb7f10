// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/operations.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/supervisor/converge/coming.h"
#include "compose/supervisor/converge/containers.h"
#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/converge/networks.h"
#include "compose/supervisor/converge/report.h"
#include "compose/supervisor/converge/volumes.h"
#include "compose/supervisor/converge/waits.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/update.h"

static int begin_on_container(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct instance *instance = converge_instance(converge, operation);

	if (!instance) {
		/* What is gone need not be stopped or removed. */
		if (operation->kind == OP_STOP_CONTAINER || operation->kind == OP_DRAIN_CONTAINER ||
		    operation->kind == OP_REMOVE_CONTAINER || operation->kind == OP_KILL_CONTAINER)
			return 0;
		return error_set(err, ENOENT, "container %s is gone", operation->name);
	}
	switch (operation->kind) {
	case OP_START_CONTAINER:
		return containers_start(converge, index, instance, err);
	case OP_STOP_CONTAINER:
		return containers_stop(converge, operation, instance, err);
	case OP_KILL_CONTAINER:
		return containers_kill(converge, operation, instance, err);
	case OP_PAUSE_CONTAINER:
		return instance_pause(instance, true, err);
	case OP_UNPAUSE_CONTAINER:
		return instance_pause(instance, false, err);
	case OP_REMOVE_CONTAINER:
		return containers_remove(converge, operation, instance, err);
	case OP_RENAME_CONTAINER:
		return instance_rename(instance, operation->new_name, err);
	case OP_SWITCH_TRAFFIC:
		return containers_switch_traffic(converge, operation, instance, err);
	case OP_DRAIN_CONTAINER:
		return containers_drain(operation, instance, err);
	case OP_UPDATE_CONTAINER:
		return update_container(instance, converge->model, err);
	default:
		return waits_look(converge, operation, instance, err);
	}
}

/* 0: done; 1: under way. */
static int dispatch(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];

	switch (operation->kind) {
	case OP_AWAIT_IMAGE:
		return coming_look(converge, operation->name, err);
	case OP_CREATE_NETWORK:
		return networks_create(converge, operation, err);
	case OP_REMOVE_NETWORK:
		return networks_remove(converge, index, err);
	case OP_CREATE_VOLUME:
		return volumes_create(converge, operation, err);
	case OP_REMOVE_VOLUME:
		return volumes_remove(converge, index, err);
	case OP_CREATE_CONTAINER:
		return containers_create(converge, index, err);
	case OP_PROCEED:
		return waits_proceed(converge, index, err);
	default:
		return begin_on_container(converge, index, err);
	}
}

void operation_begin(struct converge *converge, size_t index)
{
	struct error err = ERROR_INIT;
	int r;

	report_begin(converge, index);
	r = dispatch(converge, index, &err);
	if (r <= 0)
		converge_finish_operation(converge, index, r < 0 ? &err : NULL);
}

/* It was stopped all the same. */
static void warn_of_hook(struct converge *converge, struct instance *instance)
{
	_cleanup_free_ char *text =
		str_printf("container %s: pre_stop: %s", instance->name, instance->hook_error);

	free(TAKE_PTR(instance->hook_error));
	converge_warn(converge, text);
}

void operation_look(struct converge *converge, size_t index, struct instance *instance)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct error err = ERROR_INIT;
	int r = 1;

	if (operation->kind == OP_AWAIT_IMAGE) {
		r = instance ? 1 : coming_look(converge, operation->name, &err);
		if (r <= 0)
			converge_finish_operation(converge, index, r < 0 ? &err : NULL);
		return;
	}
	if (operation->kind == OP_PROCEED) {
		r = instance ? 1 : waits_proceed(converge, index, &err);
		if (r <= 0)
			converge_finish_operation(converge, index, r < 0 ? &err : NULL);
		return;
	}
	if (!instance)
		instance = converge_instance(converge, operation);
	if (!instance)
		return;
	if (operation->id ? strcmp(operation->id, instance->id) != 0
			  : strcmp(operation->name ?: "", instance->name) != 0)
		return;
	switch (operation->kind) {
	case OP_START_CONTAINER:
		r = converge->runs[index].job ? 1 : containers_look_at_start(instance, &err);
		break;
	case OP_STOP_CONTAINER:
	case OP_KILL_CONTAINER:
		r = instance_runs(instance) ? 1 : 0;
		if (r == 0 && instance->hook_error && instance->service->pre_stop_count)
			warn_of_hook(converge, instance);
		break;
	case OP_REMOVE_CONTAINER:
		/* From the executor's next step: whoever tells us still looks at the instance. */
		if (!instance_runs(instance))
			converge->runs[index].state = RUN_WAITING;
		break;
	case OP_DRAIN_CONTAINER:
		r = instance->drain ? 1 : 0;
		break;
	case OP_WAIT:
		r = waits_look(converge, operation, instance, &err);
		break;
	default:
		break;
	}
	if (r <= 0)
		converge_finish_operation(converge, index, r < 0 ? &err : NULL);
}
