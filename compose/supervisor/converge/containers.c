// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/containers.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"

#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/converge/networks.h"
#include "compose/supervisor/converge/planning.h"
#include "compose/supervisor/converge/rollback.h"
#include "compose/supervisor/converge/tasks.h"
#include "compose/supervisor/converge/volumes.h"
#include "compose/supervisor/instance/handover.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/oneoff.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/check.h"

/* Before what runs makes room: of an image that was not here yet the plan could not tell. */
static int check_arrived(struct converge *converge, const struct operation *operation,
			 struct error *err)
{
	struct check_room *room;
	struct check_wish wish;
	int r;

	if (!converge->coming || !planning_wish(converge, operation, &wish))
		return 0;
	room = check_room_new(converge->supervisor, converge_project(converge));
	r = check_image(room, &wish, err);
	check_room_free(room);
	return r;
}

int containers_create(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct supervisor *supervisor = converge->supervisor;
	const char *name = operation->new_name ?: operation->name;
	struct instance_origin origin = {.request = converge->id};
	struct instance *instance = NULL;
	const struct image *image;

	if (check_arrived(converge, operation, err) < 0)
		return -err->code;
	if (operation->replaces && !converge->parsed.options.renew_anon_volumes)
		origin.replaces = map_get(&supervisor->instances, operation->replaces);
	if (operation->oneoff) {
		origin.oneoff = true;
		origin.use_aliases = converge->oneoff.use_aliases;
		origin.foreground = converge->oneoff.foreground;
		origin.auto_remove = converge->oneoff.auto_remove;
	}
	origin.standby = operation->standby;
	if (instance_create(
		    supervisor, operation->oneoff ? converge->oneoff.model : converge->model,
		    operation->service, name, operation->number, &origin, &instance, err) < 0)
		return -err->code;
	image = observe_image(supervisor, instance->image_id, err);
	if (!image)
		return -err->code;
	if (!volumes_want_populating(instance, image))
		return 0;
	return task_start(converge, index, volumes_populate, task_done, instance, image, err) < 0
		       ? -err->code
		       : 1;
}

static bool done_before(const struct converge *converge, const struct instance *instance)
{
	return converge->id[0] && strcmp(instance->request, converge->id) == 0;
}

static void mark(const struct converge *converge, struct instance *instance)
{
	snprintf(instance->request, sizeof(instance->request), "%s", converge->id);
}

int containers_look_at_start(const struct instance *instance, struct error *err)
{
	if (instance->state == INSTANCE_STARTING || instance->state == INSTANCE_ENTERING)
		return 1;
	if (instance->error && instance->state != INSTANCE_RUNNING)
		return error_set(err, ECANCELED, "container %s: %s", instance->name,
				 instance->error);
	/* Whoever depends on it depends on what its hooks do as well. */
	if (hooks_pending(instance, HOOKS_POST_START))
		return 1;
	if (instance->hook_error && instance_runs(instance))
		return error_set(err, ECANCELED, "%s", instance->hook_error);
	return 0;
}

/* Once is enough: it is the same for all. */
static void tell_of_way(struct converge *converge, const struct instance *instance)
{
	const char *mode = instance->service->network_mode;
	_cleanup_free_ char *text = NULL;
	struct error why = ERROR_INIT;

	if (converge->told_of_way || (mode && !str_equal(mode, "bridge")) ||
	    !rootless_has_no_way(&why))
		return;
	converge->told_of_way = true;
	text = str_printf("containers do not reach the world outside: %s", why.message);
	log_warning("%s", text);
	converge_warn(converge, text);
}

static int begin_start(struct converge *converge, struct instance *instance, struct error *err)
{
	/* Started once more it is like any other: nobody waits for its output. */
	instance->foreground = instance->foreground && converge->oneoff.model;
	if (instance->oneoff && instance->foreground)
		oneoff_take(instance, converge->oneoff.fds);
	if (instance_start(instance, err) < 0)
		return error_wrap(err, "container %s", instance->name);
	if (instance->lacks)
		converge_warn(converge, instance->lacks);
	tell_of_way(converge, instance);
	return 1;
}

static void populated(void *context, const struct error *err)
{
	struct task *task = context;
	struct converge *converge = task->converge;
	struct instance *instance =
		converge_instance(converge, &converge->plan->operations[task->index]);
	struct error failure = *err;

	converge->runs[task->index].job = NULL;
	if (!failure.code && !instance)
		error_set(&failure, ENOENT, "container %s is gone", task->name);
	if (!failure.code)
		(void)begin_start(converge, instance, &failure);
	if (failure.code)
		converge_finish_operation(converge, task->index, &failure);
	task_free(task);
	executor_step(converge->supervisor->executor);
}

/* What made it was killed or interrupted while it filled a volume: that is done now. */
static bool was_left_half_filled(const struct instance *instance, const struct image **ret)
{
	struct error err = ERROR_INIT;

	if (instance->started_nsec)
		return false;
	*ret = observe_image(instance->supervisor, instance->image_id, &err);
	return *ret && volumes_want_populating(instance, *ret);
}

int containers_start(struct converge *converge, size_t index, struct instance *instance,
		     struct error *err)
{
	const struct image *image;

	if (converge->parsed.options.goal == PLAN_RESTART && done_before(converge, instance))
		return 0;
	/* Goes to the disk with the process: asked again after a crash, it is not done again. */
	mark(converge, instance);
	if (instance->state == INSTANCE_RUNNING || instance->state == INSTANCE_PAUSED)
		return 0;
	if (converge->revive) {
		instance_revive(instance);
		return containers_look_at_start(instance, err);
	}
	if (was_left_half_filled(instance, &image))
		return task_start(converge, index, volumes_populate, populated, instance, image,
				  err) < 0
			       ? -err->code
			       : 1;
	return begin_start(converge, instance, err);
}

int containers_stop(struct converge *converge, const struct operation *operation,
		    struct instance *instance, struct error *err)
{
	if (converge->parsed.options.goal == PLAN_RESTART && done_before(converge, instance))
		return 0;
	instance->stop_with = operation->signal;
	if (instance_stop(instance, operation->timeout_usec, err) < 0)
		return -err->code;
	return instance_runs(instance) ? 1 : 0;
}

int containers_kill(struct converge *converge, const struct operation *operation,
		    struct instance *instance, struct error *err)
{
	int signal = operation->signal ?: SIGKILL, r;

	if (done_before(converge, instance))
		return 0;
	mark(converge, instance);
	r = state_write(instance, err);
	if (r == 0)
		r = instance_kill(instance, signal, err);
	if (r < 0)
		return r;
	return signal == SIGKILL && instance_runs(instance) ? 1 : 0;
}

/* Its successor has the same wish, and starts within this very plan. */
static bool is_wished_again(const struct converge *converge, const struct service *service)
{
	for (size_t i = 0; i < service->network_count; i++)
		if (service->networks[i].ipv4_address || service->networks[i].ipv6_address)
			return converge->parsed.options.goal == PLAN_UP;
	return false;
}

int containers_remove(struct converge *converge, const struct operation *operation,
		      struct instance *instance, struct error *err)
{
	struct attachment *attachment;
	bool wished;
	int r;

	/* It has taken over: then it stays. */
	if (operation->standby && !instance->standby)
		return 0;

	/* A policy may have begun to start it again since it was looked at. */
	if (instance_runs(instance)) {
		r = instance_stop(instance, 0, err);
		return r < 0 ? r : 1;
	}
	attachment = TAKE_PTR(instance->attachment);
	if (!attachment && instance->network_names)
		attachment = state_attachment_unknown(converge->supervisor, instance->id);
	wished = is_wished_again(converge, instance->service);
	r = instance_remove(instance, operation->volumes, err);
	if (r < 0) {
		instance->attachment = attachment;
		return r;
	}
	if (attachment)
		*array_add(converge->released, converge->released_count) = attachment;
	/* Others wait for the end: each deletion of links has the kernel's time. */
	if (wished)
		networks_release(converge);
	return 0;
}

int containers_switch_traffic(struct converge *converge, const struct operation *operation,
			      struct instance *instance, struct error *err)
{
	struct instance *from = map_get(&converge->supervisor->instances, operation->replaces);

	if (!from)
		return error_set(err, ENOENT, "the container that %s replaces is gone",
				 instance->name);
	rollback_note_handover(converge, from);
	return handover_switch(instance, from, err);
}

int containers_drain(const struct operation *operation, struct instance *instance,
		     struct error *err)
{
	int r = drain_start(instance, instance_grace_usec(instance, operation->timeout_usec), err);

	/* It is stopped in any case. */
	if (r < 0) {
		log_warning("%s: %s", instance->name, err->message);
		error_clear(err);
	}
	return instance->drain ? 1 : 0;
}
