// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/operations.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/rootpath.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/requests.h"
#include "compose/model/pre_start.h"
#include "compose/supervisor/coming.h"
#include "compose/supervisor/handover.h"
#include "compose/supervisor/health.h"
#include "compose/supervisor/instance.h"
#include "compose/supervisor/jobs.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"
#include "compose/supervisor/update.h"

#define SETTLED_USEC (500 * (int64_t)USEC_PER_MSEC)

/* What users see at the beginning and at the end; NULL: nothing. */
static const struct {
	const char *working, *done;
} words[] = {
	[OP_CREATE_NETWORK] = {"Creating", "Created"},
	[OP_REMOVE_NETWORK] = {"Removing", "Removed"},
	[OP_CREATE_VOLUME] = {"Creating", "Created"},
	[OP_REMOVE_VOLUME] = {"Removing", "Removed"},
	[OP_CREATE_CONTAINER] = {"Creating", "Created"},
	[OP_START_CONTAINER] = {"Starting", "Started"},
	[OP_STOP_CONTAINER] = {"Stopping", "Stopped"},
	[OP_KILL_CONTAINER] = {"Killing", "Killed"},
	[OP_PAUSE_CONTAINER] = {"Pausing", "Paused"},
	[OP_UNPAUSE_CONTAINER] = {"Unpausing", "Unpaused"},
	[OP_REMOVE_CONTAINER] = {"Removing", "Removed"},
	[OP_RENAME_CONTAINER] = {NULL, "Recreated"},
	[OP_UPDATE_CONTAINER] = {"Updating", "Updated"},
	[OP_SWITCH_TRAFFIC] = {"Taking over", "Took over"},
	[OP_DRAIN_CONTAINER] = {"Draining", "Drained"},
	[OP_WAIT] = {"Waiting", NULL},
	/* Whoever fetches it shows that. */
	[OP_AWAIT_IMAGE] = {NULL, NULL},
};

static const char *working_text(const struct converge *converge, const struct operation *operation)
{
	if (operation->kind == OP_CREATE_CONTAINER && operation->recreate)
		return "Recreate";
	if (operation->kind == OP_REMOVE_CONTAINER && operation->recreate)
		return NULL;
	if (converge->parsed.options.goal == PLAN_RESTART) {
		if (operation->kind == OP_STOP_CONTAINER)
			return "Restarting";
		if (operation->kind == OP_START_CONTAINER)
			return NULL;
	}
	return words[operation->kind].working;
}

static struct instance *instance_of(const struct converge *converge,
				    const struct operation *operation)
{
	struct supervisor *supervisor = converge->supervisor;

	if (operation->id)
		return map_get(&supervisor->instances, operation->id);
	return supervisor_find(supervisor, operation->name);
}

static const char *wait_done_text(const struct converge *converge,
				  const struct operation *operation)
{
	const struct instance *instance = instance_of(converge, operation);

	switch (operation->condition) {
	case CONDITION_COMPLETED:
		return "Exited";
	case CONDITION_HEALTHY:
		return instance && instance_health(instance) == HEALTH_NONE ? "Started" : "Healthy";
	default:
		return "Started";
	}
}

static const char *done_text(const struct converge *converge, const struct operation *operation)
{
	if ((operation->kind == OP_CREATE_CONTAINER || operation->kind == OP_REMOVE_CONTAINER) &&
	    operation->recreate)
		return NULL;
	if (converge->parsed.options.goal == PLAN_RESTART && operation->kind == OP_STOP_CONTAINER)
		return NULL;
	if (operation->kind == OP_WAIT)
		return wait_done_text(converge, operation);
	return words[operation->kind].done;
}

void operation_report_end(struct converge *converge, size_t index, const struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	const char *text = done_text(converge, operation);

	if (err && err->code)
		converge_progress(converge, operation->object, "Error", "Error", err->message);
	else if (text)
		converge_progress(converge, operation->object, "Done", text, NULL);
}

static json_t *strings_of(const struct mapping *mapping)
{
	json_t *object;

	if (!mapping->count)
		return NULL;
	object = json_object();
	for (size_t i = 0; i < mapping->count; i++)
		json_put_string(object, mapping->items[i].key, mapping->items[i].value ?: "");
	return object;
}

/* The project that the plan was made for. */
static const struct project *planned(const struct converge *converge)
{
	return (converge->oneoff.model ?: converge->model)->project;
}

static int create_network(struct converge *converge, const struct operation *operation,
			  struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const struct network *network = project_network(planned(converge), operation->key);
	_cleanup_free_ struct network_pool *pools = NULL;
	_cleanup_json_ json_t *driver_opts = NULL, *labels = NULL, *addresses = NULL;
	struct network_options options;
	char hash[65];
	int r;

	if (!network)
		return error_set(err, ENOENT, "there is no such network in the project");
	network_hash(network, hash);
	labels = observe_object_labels(supervisor, "network", network->key, hash, &network->labels);
	driver_opts = strings_of(&network->driver_opts);
	pools = new_array(struct network_pool, network->ipam.config_count + 1);
	addresses = json_array();
	for (size_t i = 0; i < network->ipam.config_count; i++) {
		const struct ipam_config *config = &network->ipam.configs[i];
		json_t *aux = strings_of(&config->aux_addresses);

		pools[i] = (struct network_pool){config->subnet, config->ip_range, config->gateway,
						 aux};
		json_array_append_new(addresses, aux ?: json_null());
	}
	options = (struct network_options){
		.driver = network->driver,
		.driver_opts = driver_opts,
		.labels = labels,
		.internal = network->internal,
		.attachable = network->attachable,
		.enable_ipv6 = network->enable_ipv6 == TRI_TRUE,
		.disable_ipv4 = network->enable_ipv4 == TRI_FALSE,
		.pools = pools,
		.pool_count = network->ipam.config_count,
	};
	r = network_create(supervisor->networks, operation->name, &options, err);
	if (r == 0)
		strv_append(&supervisor->networks_made, operation->name);
	/* Made by ourselves, before a crash that came between. */
	if (r == -EEXIST) {
		error_clear(err);
		r = 0;
	}
	return r;
}

static int create_volume(struct converge *converge, const struct operation *operation,
			 struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const struct volume *volume = project_volume(planned(converge), operation->key);
	_cleanup_json_ json_t *driver_opts = NULL, *labels = NULL;
	struct volume_options options = {0};
	char hash[65];
	int r;

	if (!volume)
		return error_set(err, ENOENT, "there is no such volume in the project");
	volume_hash(volume, hash);
	labels = observe_object_labels(supervisor, "volume", volume->key, hash, &volume->labels);
	driver_opts = strings_of(&volume->driver_opts);
	options.driver = volume->driver;
	options.driver_opts = driver_opts;
	options.labels = labels;
	options.owned = volume->berth.uid.set;
	options.uid = (uid_t)volume->berth.uid.value;
	options.gid = (gid_t)volume->berth.gid.value;
	options.has_mode = volume->berth.mode.set;
	options.mode = (mode_t)volume->berth.mode.value;
	r = volume_create(supervisor->volumes, operation->name, &options, err);
	if (r == -EEXIST) {
		error_clear(err);
		r = 0;
	}
	return r;
}

void operations_release_networks(struct converge *converge)
{
	struct supervisor *supervisor = converge->supervisor;
	struct error err = ERROR_INIT;

	if (!converge->released_count)
		return;
	if (attachment_release(supervisor->networks, converge->released, converge->released_count,
			       &err) < 0)
		log_warning("give addresses back: %s", err.message);
	for (size_t i = 0; i < converge->released_count; i++)
		attachment_free(converge->released[i]);
	free(converge->released);
	converge->released = NULL;
	converge->released_count = 0;
}

static void forget_network(struct supervisor *supervisor, const char *name)
{
	network_info_free(map_remove(&supervisor->networks_ready, name));
}

/* All that may go by now, whose operations come right after this one and find it done. */
static void remove_ready_networks(struct converge *converge, size_t index)
{
	const struct operation *operations = converge->plan->operations;
	_cleanup_free_ const char **names = new_array(const char *, converge->plan->count);
	_cleanup_free_ size_t *at = new_array(size_t, converge->plan->count);
	_cleanup_free_ struct error *errors = NULL;
	size_t count = 0;

	for (size_t i = index; i < converge->plan->count; i++) {
		const struct operation_run *run = &converge->runs[i];

		if (operations[i].kind != OP_REMOVE_NETWORK ||
		    (i != index && (run->state != RUN_WAITING || run->unmet || run->removal)))
			continue;
		names[count] = operations[i].name;
		at[count++] = i;
	}
	errors = new_array(struct error, count);
	network_remove_many(converge->supervisor->networks, names, count, errors);
	for (size_t i = 0; i < count; i++) {
		struct error *removal = new (struct error);

		*removal = errors[i];
		converge->runs[at[i]].removal = removal;
		if (!removal->code || removal->code == ENOENT)
			forget_network(converge->supervisor, names[i]);
	}
}

/* Others may use it (external to them, or a container of another project): that is no failure. */
static int remove_network(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct operation_run *run = &converge->runs[index];
	_cleanup_free_ struct error *removal = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	operations_release_networks(converge);
	if (!run->removal)
		remove_ready_networks(converge, index);
	removal = TAKE_PTR(run->removal);
	*err = *removal;
	r = -err->code;
	if (r == -EBUSY) {
		text = str_printf("%s: %s", operation->object, err->message);
		converge_warn(converge, text);
	}
	if (r == -ENOENT || r == -EBUSY) {
		error_clear(err);
		r = 0;
	}
	return r;
}

/* What a job needs to know, and whom to tell. */
struct task {
	struct converge *converge;
	size_t index;
	char *name;
	struct supervisor *supervisor;
	const struct image *image;
	struct instance *instance;
};

static void task_done(void *context, const struct error *err)
{
	struct task *task = context;
	struct converge *converge = task->converge;

	converge->runs[task->index].job = NULL;
	converge_finish_operation(converge, task->index, err);
	free(task->name);
	free(task);
	executor_step(converge->supervisor->executor);
}

static int remove_volume_work(void *data, struct error *err)
{
	struct task *task = data;
	int r = volume_remove(task->supervisor->volumes, task->name, err);

	if (r == -ENOENT) {
		error_clear(err);
		r = 0;
	}
	return r;
}

static int start_task(struct converge *converge, size_t index, job_work *work, job_done *done,
		      struct instance *instance, const struct image *image, struct error *err)
{
	struct task *task = new (struct task);
	int r;

	*task = (struct task){converge,
			      index,
			      alloc_string(converge->plan->operations[index].name),
			      converge->supervisor,
			      image,
			      instance};
	r = job_start(converge->supervisor->jobs, work, task, done, task, err);
	if (r < 0) {
		free(task->name);
		free(task);
		return r;
	}
	converge->runs[index].job = task;
	return r;
}

void operation_cancel(struct converge *converge, size_t index)
{
	struct task *task = converge->runs[index].job;

	if (!task || converge->plan->operations[index].kind == OP_REMOVE_VOLUME)
		return;
	converge->runs[index].job = NULL;
	jobs_cancel(converge->supervisor->jobs, task);
	free(task->name);
	free(task);
	converge_finish_operation(converge, index, &converge->err);
}

static bool volume_in_use(const struct supervisor *supervisor, const char *name)
{
	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;

		if (strv_contains(instance->volumes, name))
			return true;
	}
	return false;
}

/* 1: a job does it. */
static int remove_volume(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];

	if (volume_in_use(converge->supervisor, operation->name)) {
		_cleanup_free_ char *text = str_printf("%s: still in use", operation->object);

		converge_warn(converge, text);
		return 0;
	}
	return start_task(converge, index, remove_volume_work, task_done, NULL, NULL, err) < 0
		       ? -err->code
		       : 1;
}

/* Containers that share a volume are made side by side: one fills it, the others find it full. */
static int populate_work(void *data, struct error *err)
{
	struct task *task = data;
	_cleanup_free_ char *path = str_printf("%s/volumes", paths_root());
	_cleanup_close_ int dir = fs_open_dir(AT_FDCWD, path, err), lock = -EBADF, tree = -EBADF;
	const char *volume, *target;

	if (dir < 0)
		return dir;
	lock = fs_lock(dir, ".populate", err);
	if (lock < 0)
		return lock;
	tree = translate_image_tree(task->supervisor->images, task->image, err);
	if (tree < 0)
		return tree;
	for (size_t i = 0; translate_populate_row(task->instance, task->image, i, &volume, &target);
	     i++) {
		_cleanup_close_ int source = -EBADF;
		struct error missing = ERROR_INIT;

		if (!volume || !volume_wants_populating(task->supervisor->volumes, volume))
			continue;
		source = rootpath_open(tree, target, O_RDONLY | O_DIRECTORY, 0, &missing);
		if (source < 0)
			continue;
		if (volume_populate(task->supervisor->volumes, volume, source, err) < 0)
			return error_wrap(err, "volume %s", volume);
	}
	return 0;
}

static bool wants_populating(const struct instance *instance, const struct image *image)
{
	const char *volume, *target;

	for (size_t i = 0; translate_populate_row(instance, image, i, &volume, &target); i++)
		if (volume && volume_wants_populating(instance->supervisor->volumes, volume))
			return true;
	return false;
}

/* 1: it goes on in a job. */
static int create_container(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct supervisor *supervisor = converge->supervisor;
	const char *name = operation->new_name ?: operation->name;
	struct instance_origin origin = {.request = converge->id};
	struct instance *instance = NULL;
	const struct image *image;

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
	if (!wants_populating(instance, image))
		return 0;
	return start_task(converge, index, populate_work, task_done, instance, image, err) < 0
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

static int start_look(const struct instance *instance, struct error *err)
{
	if (instance->state == INSTANCE_STARTING)
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

static int begin_start(struct converge *converge, struct instance *instance, struct error *err)
{
	if (instance->oneoff && instance->foreground)
		for (size_t i = 0; i < ARRAY_SIZE(instance->stdio); i++)
			instance->stdio[i] = TAKE_FD(converge->oneoff.stdio[i]);
	if (instance_start(instance, err) < 0)
		return error_wrap(err, "container %s", instance->name);
	if (instance->lacks)
		converge_warn(converge, instance->lacks);
	return 1;
}

static void populated(void *context, const struct error *err)
{
	struct task *task = context;
	struct converge *converge = task->converge;
	struct instance *instance = instance_of(converge, &converge->plan->operations[task->index]);
	struct error failure = *err;

	converge->runs[task->index].job = NULL;
	if (!failure.code && !instance)
		error_set(&failure, ENOENT, "container %s is gone", task->name);
	if (!failure.code)
		(void)begin_start(converge, instance, &failure);
	if (failure.code)
		converge_finish_operation(converge, task->index, &failure);
	free(task->name);
	free(task);
	executor_step(converge->supervisor->executor);
}

/* What made it was killed or interrupted while it filled a volume: that is done now. */
static bool was_left_half_filled(const struct instance *instance, const struct image **ret)
{
	struct error err = ERROR_INIT;

	if (instance->started_nsec)
		return false;
	*ret = observe_image(instance->supervisor, instance->image_id, &err);
	return *ret && wants_populating(instance, *ret);
}

/* 1: under way; 0: it runs already. */
static int start_container(struct converge *converge, size_t index, struct instance *instance,
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
		return instance->state == INSTANCE_STARTING ? 1 : start_look(instance, err);
	}
	if (was_left_half_filled(instance, &image))
		return start_task(converge, index, populate_work, populated, instance, image, err) <
				       0
			       ? -err->code
			       : 1;
	return begin_start(converge, instance, err);
}

static int stop_container(struct converge *converge, const struct operation *operation,
			  struct instance *instance, struct error *err)
{
	if (converge->parsed.options.goal == PLAN_RESTART && done_before(converge, instance))
		return 0;
	if (instance_stop(instance, operation->timeout_usec, err) < 0)
		return -err->code;
	return instance_runs(instance) ? 1 : 0;
}

static int kill_container(struct converge *converge, const struct operation *operation,
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

static int remove_container(struct converge *converge, const struct operation *operation,
			    struct instance *instance, struct error *err)
{
	struct attachment *attachment;
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
	r = instance_remove(instance, operation->volumes, err);
	if (r < 0) {
		instance->attachment = attachment;
		return r;
	}
	if (attachment)
		*array_add(converge->released, converge->released_count) = attachment;
	return 0;
}

static int wait_failed(const struct operation *operation, const struct instance *instance,
		       struct error *err)
{
	const char *prefix = operation->final     ? ""
			     : operation->standby ? "the old container stays: "
						  : "dependency failed to start: ";
	_cleanup_free_ char *reason = NULL;

	if (service_is_pre_start(instance->service))
		return error_set(err, ECHILD,
				 "%.*s hook exited with status %d (pre_start: see the log of "
				 "container %s)",
				 (int)pre_start_owner_length(instance->service),
				 instance->service_name, instance->exit_code, instance->name);
	if (operation->condition == CONDITION_COMPLETED)
		return error_set(
			err, ECHILD, "service \"%s\" didn't complete successfully: exit %d%s",
			instance->service_name, instance->exit_code,
			instance->oom_killed ? ": the kernel killed it for lack of memory" : "");
	if (instance_health(instance) == HEALTH_UNHEALTHY) {
		reason = health_reason(instance->health);
		return error_set(err, ECHILD, "%scontainer %s is unhealthy%s%s", prefix,
				 instance->name, reason ? ": " : "", reason ?: "");
	}
	return error_set(err, ECHILD, "%scontainer %s exited (%d)%s", prefix, instance->name,
			 instance->exit_code,
			 instance->oom_killed ? ": the kernel killed it for lack of memory" : "");
}

/*
 * For `--wait` a program that runs has to go on for a moment: most that fail do so at once, and
 * users are to learn of it by the exit code.
 */
static int settled(const struct operation *operation, const struct instance *instance)
{
	int64_t settle_usec = SETTLED_USEC;
	int64_t up_usec = units_monotonic_usec() - instance->started_usec;

	if (operation->delay_usec)
		settle_usec = operation->delay_usec;
	if (instance->state != INSTANCE_RUNNING)
		return 1;
	if (!(operation->final || operation->standby) || up_usec >= settle_usec)
		return 0;
	executor_look_later(instance->supervisor->executor, (uint64_t)(settle_usec - up_usec));
	return 1;
}

/* 0: holds; 1: not yet; negative: it never will. */
static int wait_look(const struct operation *operation, const struct instance *instance,
		     struct error *err)
{
	enum health_status health = instance_health(instance);
	bool over = instance->state == INSTANCE_EXITED;

	switch (operation->condition) {
	case CONDITION_COMPLETED:
		if (!over)
			return 1;
		return instance->exit_code == 0 ? 0 : wait_failed(operation, instance, err);
	case CONDITION_HEALTHY:
		if (over || health == HEALTH_UNHEALTHY)
			return wait_failed(operation, instance, err);
		/* Its image came after the plan was made. */
		if (health == HEALTH_NONE && !operation->waiter)
			return settled(operation, instance);
		/* Whether it has a check is only known of its image. */
		if (operation->standby && health == HEALTH_NONE)
			return settled(operation, instance);
		if (operation->standby && health == HEALTH_HEALTHY && operation->delay_usec)
			return settled(operation, instance);
		if (health == HEALTH_NONE && instance->state == INSTANCE_RUNNING)
			return error_set(err, EINVAL, "container %s has no healthcheck configured",
					 instance->name);
		return health == HEALTH_HEALTHY ? 0 : 1;
	default:
		if (over)
			return wait_failed(operation, instance, err);
		return settled(operation, instance);
	}
}

static int wait_begin(struct converge *converge, const struct operation *operation,
		      const struct instance *instance, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = wait_look(operation, instance, err);

	if (r >= 0 || operation->required)
		return r;
	text = str_printf("optional dependency \"%s\" failed to start: %s", instance->service_name,
			  err->message);
	converge_warn(converge, text);
	error_clear(err);
	return 0;
}

static int switch_traffic(struct converge *converge, const struct operation *operation,
			  struct instance *instance, struct error *err)
{
	struct instance *from = map_get(&converge->supervisor->instances, operation->replaces);

	if (!from)
		return error_set(err, ENOENT, "the container that %s replaces is gone",
				 instance->name);
	converge_note_handover(converge, from);
	return handover_switch(instance, from, err);
}

static int drain_container(const struct operation *operation, struct instance *instance,
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

static unsigned int failed_handovers(const struct converge *converge, size_t until)
{
	const struct operation *operations = converge->plan->operations;
	unsigned int failed = 0;

	for (size_t i = 0; i < until; i++)
		failed += operations[i].kind == OP_SWITCH_TRAFFIC &&
			  str_equal(operations[i].service, operations[until].service) &&
			  converge->runs[i].state != RUN_DONE;
	return failed;
}

/* 1: not yet. */
static int proceed(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct operation_run *run = &converge->runs[index];
	int64_t now = units_monotonic_usec();

	if (failed_handovers(converge, index) > operation->allowed)
		return error_set(err, ECANCELED, "service %s: its update goes no further",
				 operation->service);
	if (now - run->begun_usec >= operation->delay_usec)
		return 0;
	executor_look_later(converge->supervisor->executor,
			    (uint64_t)(operation->delay_usec - (now - run->begun_usec)));
	return 1;
}

static int begin_on_container(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct instance *instance = instance_of(converge, operation);

	if (!instance) {
		/* What is gone need not be stopped or removed. */
		if (operation->kind == OP_STOP_CONTAINER || operation->kind == OP_DRAIN_CONTAINER ||
		    operation->kind == OP_REMOVE_CONTAINER || operation->kind == OP_KILL_CONTAINER)
			return 0;
		return error_set(err, ENOENT, "container %s is gone", operation->name);
	}
	switch (operation->kind) {
	case OP_START_CONTAINER:
		return start_container(converge, index, instance, err);
	case OP_STOP_CONTAINER:
		return stop_container(converge, operation, instance, err);
	case OP_KILL_CONTAINER:
		return kill_container(converge, operation, instance, err);
	case OP_PAUSE_CONTAINER:
		return instance_pause(instance, true, err);
	case OP_UNPAUSE_CONTAINER:
		return instance_pause(instance, false, err);
	case OP_REMOVE_CONTAINER:
		return remove_container(converge, operation, instance, err);
	case OP_RENAME_CONTAINER:
		return instance_rename(instance, operation->new_name, err);
	case OP_SWITCH_TRAFFIC:
		return switch_traffic(converge, operation, instance, err);
	case OP_DRAIN_CONTAINER:
		return drain_container(operation, instance, err);
	case OP_UPDATE_CONTAINER:
		return update_container(instance, converge->model, err);
	default:
		return wait_begin(converge, operation, instance, err);
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
		return create_network(converge, operation, err);
	case OP_REMOVE_NETWORK:
		return remove_network(converge, index, err);
	case OP_CREATE_VOLUME:
		return create_volume(converge, operation, err);
	case OP_REMOVE_VOLUME:
		return remove_volume(converge, index, err);
	case OP_CREATE_CONTAINER:
		return create_container(converge, index, err);
	case OP_PROCEED:
		return proceed(converge, index, err);
	default:
		return begin_on_container(converge, index, err);
	}
}

/* How long one that is asked to stop has before it is killed; NULL: not told. */
static const char *grace_text(const struct converge *converge, const struct operation *operation,
			      char *buffer, size_t size)
{
	const struct instance *instance = instance_of(converge, operation);
	char duration[32];

	if (!converge->tell_grace || operation->kind != OP_STOP_CONTAINER || !instance)
		return NULL;
	snprintf(buffer, size, "(killed after %s)",
		 units_format_duration(instance_grace_usec(instance, operation->timeout_usec),
				       duration, sizeof(duration)));
	return buffer;
}

void operation_begin(struct converge *converge, size_t index)
{
	const struct operation *operation = &converge->plan->operations[index];
	const char *text = working_text(converge, operation);
	struct error err = ERROR_INIT;
	char grace[64];
	int r;

	if (text)
		converge_progress(converge, operation->object, "Working", text,
				  grace_text(converge, operation, grace, sizeof(grace)));
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
		r = instance ? 1 : proceed(converge, index, &err);
		if (r <= 0)
			converge_finish_operation(converge, index, r < 0 ? &err : NULL);
		return;
	}
	if (!instance)
		instance = instance_of(converge, operation);
	if (!instance)
		return;
	if (operation->id ? strcmp(operation->id, instance->id) != 0
			  : strcmp(operation->name ?: "", instance->name) != 0)
		return;
	switch (operation->kind) {
	case OP_START_CONTAINER:
		r = converge->runs[index].job ? 1 : start_look(instance, &err);
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
		r = wait_begin(converge, operation, instance, &err);
		break;
	default:
		break;
	}
	if (r <= 0)
		converge_finish_operation(converge, index, r < 0 ? &err : NULL);
}
