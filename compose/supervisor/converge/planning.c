// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/planning.h"

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/control/place.h"
#include "compose/supervisor/converge/coming.h"
#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/converge/networks_foresee.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/models.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/network/sockets.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/translate/check.h"

static void send_plan(struct converge *converge)
{
	_cleanup_free_ char *text = plan_to_text(converge->plan);
	json_t *event = json_object();

	json_put_string(event, "event", "plan");
	json_put_string(event, "text", text);
	json_object_set_new(event, "operations", plan_to_json(converge->plan));
	converge_tell(converge, event);
}

void planning_mark_leaving(struct converge *converge, bool leaving)
{
	struct supervisor *supervisor = converge->supervisor;

	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];
		struct instance *instance;

		if (operation->kind != OP_STOP_CONTAINER && operation->kind != OP_REMOVE_CONTAINER)
			continue;
		instance = operation->id ? map_get(&supervisor->instances, operation->id) : NULL;
		if (!instance)
			continue;
		instance->leaving = leaving;
		if (operation->kind == OP_REMOVE_CONTAINER)
			instance->going = leaving;
	}
}

/* A start takes ports, and an update of what goes on running. */
static bool takes_ports(const struct plan *plan, const struct operation *operation)
{
	if (operation->kind != OP_UPDATE_CONTAINER)
		return operation->kind == OP_START_CONTAINER;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->operations[i].updated && str_equal(plan->operations[i].id, operation->id))
			return false;
	return true;
}

static int reserve_ports_of(struct converge *converge, const struct operation *operation,
			    struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const struct instance *instance =
		operation->id ? map_get(&supervisor->instances, operation->id) : NULL;
	const struct model *model = converge->model;
	const struct service *service = NULL;

	if (operation->kind == OP_UPDATE_CONTAINER || operation->updated) {
		service = project_service(model->project, operation->service);
	} else if (instance) {
		service = instance->service;
		model = instance->model;
	} else if (operation->oneoff && converge->oneoff.model) {
		service = project_service(converge->oneoff.model->project, operation->service);
	} else if (model) {
		service = project_service(model->project, operation->service);
	}
	if (!service || !model)
		return 0;
	if (ports_reserve(supervisor->ports, model->project, service, instance, err) < 0)
		return place_under(err, "services", service->name, "ports", NULL);
	return 0;
}

/* What is listened at for a service is so before any container of it runs. */
static int hold_sockets_of(struct converge *converge, const struct operation *operation,
			   struct error *err)
{
	const struct service *service = NULL;

	if (operation->kind == OP_CREATE_CONTAINER && !operation->oneoff && converge->model &&
	    !converge->parsed.options.no_start)
		service = project_service(converge->model->project, operation->service);
	return service ? sockets_hold(converge->supervisor->sockets, service, err) : 0;
}

bool planning_wish(const struct converge *converge, const struct operation *operation,
		   struct check_wish *ret)
{
	const struct model *model = operation->oneoff ? converge->oneoff.model : converge->model;

	*ret = (struct check_wish){
		.made = operation->kind == OP_CREATE_CONTAINER,
		.started = !converge->parsed.options.no_start,
		.replaces = operation->replaces,
		.oneoff = operation->oneoff,
	};
	if (model && (ret->made || operation->kind == OP_UPDATE_CONTAINER))
		ret->service = project_service(model->project, operation->service);
	return ret->service;
}

static int check_operations(struct converge *converge, struct check_room *room, struct error *err)
{
	struct check_wish last = {NULL};

	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];
		struct check_wish wish;

		/* Replicas want the same. */
		if (!planning_wish(converge, operation, &wish) ||
		    (wish.service == last.service && wish.made == last.made &&
		     wish.replaces == last.replaces))
			continue;
		if (check_wished(room, &wish, err) < 0)
			return -err->code;
		last = wish;
	}
	return 0;
}

/* What cannot be made is an error before what runs is stopped for it. */
static int check_services(struct converge *converge, struct error *err)
{
	struct check_room *room;
	int r;

	if (!converge->model && !converge->oneoff.model)
		return 0;
	room = check_room_new(converge->supervisor, converge_project(converge));
	r = check_operations(converge, room, err);
	strv_foreach(warning, check_warnings(room))
		converge_warn(converge, warning);
	check_room_free(room);
	return r;
}

/* A port that is taken is an error before anything happens. */
static int reserve_ports(struct converge *converge, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];

		r = hold_sockets_of(converge, operation, err);
		if (r == 0 && takes_ports(converge->plan, operation))
			r = reserve_ports_of(converge, operation, err);
	}
	return r;
}

static int make_plan(struct converge *converge, struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const struct plan_options *options = &converge->parsed.options;
	const struct model *model =
		converge->oneoff.model ?: converge->model ?: supervisor->current;
	_cleanup_strv_ char **coming = NULL;
	struct observed *observed = NULL;
	int r;

	if (options->by_label)
		model = converge->model;
	r = observe_facts(supervisor, model, converge->id, &observed, err);
	if (r == 0) {
		struct facts facts = *observed_facts(observed);

		coming = coming_missing(converge);
		facts.coming = (const char *const *)coming;
		r = plan_reconcile(model ? model->project : NULL, &facts, options, &converge->plan,
				   err);
	}
	observed_free(observed);
	if (r < 0)
		return r;
	if (!converge->model && model)
		converge->model = model_ref((struct model *)model);
	converge->runs = new_array(struct operation_run, converge->plan->count + 1);
	converge->waiting = converge->plan->count;
	for (size_t i = 0; i < converge->plan->count; i++)
		converge->runs[i].unmet = converge->plan->operations[i].after_count;
	return 0;
}

/* The project as asked for: taken over by `up`, only looked at by the others. */
static int take_project(struct converge *converge, struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const json_t *project = json_object_get(converge->request, "project");
	bool accept = converge->parsed.options.goal == PLAN_UP && !converge->dry_run;
	int r = 0;

	if (json_is_object(project))
		r = accept ? model_accept(supervisor, project, &converge->model, err)
			   : model_parse(supervisor, project, &converge->model, err);
	if (r == 0 && accept && converge->model)
		model_make_current(supervisor, converge->model);
	return r;
}

/* What `run` is to make: a service of its own, and a name that nobody has. */
static int begin_oneoff(struct converge *converge, struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const json_t *project = json_object_get(converge->request, "oneoff_project");
	const char *name = converge->parsed.options.oneoff;
	const struct instance *there = supervisor_find(supervisor, name);

	if (!json_is_object(project) || !converge->parsed.services)
		return error_set(err, EINVAL, "request: a one-off container of no service");
	if (there && strcmp(there->created_by, converge->id) != 0)
		return error_set(err, EEXIST,
				 "container name \"%s\" is already in use by container %.12s: "
				 "remove that one, or take another name",
				 name, there->id);
	if (converge->dry_run)
		return model_parse(supervisor, project, &converge->oneoff.model, err);
	return model_accept_oneoff(supervisor, project, &converge->oneoff.model, err);
}

/* Told by what is done with the project from then on; reexec takes it out of the way. */
static void warn_of_age(struct converge *converge)
{
	_cleanup_free_ char *text = NULL;

	if (converge->revive || converge->parsed.options.goal == PLAN_DOWN ||
	    !process_is_outdated())
		return;
	text = str_printf("berth was upgraded, and the supervisor of project %s runs the program "
			  "from before: `berth supervisor reexec` has it go on with the new one, "
			  "and stops no container",
			  converge->supervisor->project);
	converge_warn(converge, text);
}

int planning_begin(struct converge *converge, struct error *err)
{
	const json_t *project = json_object_get(converge->request, "project");
	int r;

	/* Before anything is written: a plan that cannot be made changes nothing. */
	if (json_is_object(project)) {
		r = model_parse(converge->supervisor, project, &converge->model, err);
		if (r < 0)
			return r;
	}
	if (converge->parsed.options.oneoff && begin_oneoff(converge, err) < 0)
		return -err->code;
	r = make_plan(converge, err);
	if (r < 0)
		return r;
	r = check_services(converge, err);
	if (r == 0)
		r = networks_foresee(converge, err);
	if (r < 0)
		return r;
	if (converge->plan->warnings)
		strv_foreach(warning, converge->plan->warnings)
			converge_warn(converge, warning);
	warn_of_age(converge);
	if (converge->dry_run) {
		send_plan(converge);
		converge->waiting = 0;
		return 0;
	}
	planning_mark_leaving(converge, true);
	/* Of what ran before, one that cannot have its port back is no reason for the others. */
	r = converge->revive ? 0 : reserve_ports(converge, err);
	if (r < 0)
		return r;
	if (json_is_object(project)) {
		model_unref(converge->supervisor, TAKE_PTR(converge->model));
		r = take_project(converge, err);
		if (r < 0)
			return r;
	}
	json_decref(converge->request);
	converge->request = NULL;
	strv_foreach(name, converge->plan->running) {
		_cleanup_free_ char *object = str_printf("Container %s", name);

		converge_progress(converge, object, "Done", "Running", NULL);
	}
	return 0;
}
