// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/rollback.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/models.h"

void rollback_note_handover(struct converge *converge, const struct instance *from)
{
	if (!converge->before)
		converge->before = model_ref(from->model);
}

static bool rolls_back(const struct converge *converge, const struct operation *operation)
{
	const struct service *service =
		converge->model ? project_service(converge->model->project, operation->service)
				: NULL;

	return service && str_equal(service->deploy.update_config.failure_action, "rollback") &&
	       project_service(converge->before->project, operation->service);
}

static bool has_handover(const struct converge *converge, const char *service, bool done)
{
	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];

		if (operation->kind == OP_SWITCH_TRAFFIC &&
		    (converge->runs[i].state == RUN_DONE) == done &&
		    str_equal(operation->service, service))
			return true;
	}
	return false;
}

/* Services some of whose replicas have handed over, and others could not; new list. */
static json_t *half_updated(const struct converge *converge)
{
	json_t *names = json_array();
	const char *last = NULL;

	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];

		if (operation->kind != OP_SWITCH_TRAFFIC || str_equal(operation->service, last) ||
		    !rolls_back(converge, operation) ||
		    !has_handover(converge, operation->service, true) ||
		    !has_handover(converge, operation->service, false))
			continue;
		last = operation->service;
		json_array_append_new(names, json_string(last));
	}
	return names;
}

struct converge *rollback_new(struct converge *converge)
{
	struct converge *back;
	struct error err = ERROR_INIT;
	json_t *names;

	if (!converge->before || !converge->err.code || converge->failure.code ||
	    converge->abandoned)
		return NULL;
	names = half_updated(converge);
	if (!json_array_size(names)) {
		json_decref(names);
		return NULL;
	}
	back = converge_new(converge->supervisor,
			    json_pack("{s:{s:s,s:b,s:b,s:o}}", "options", "goal", "up", "no_deps",
				      1, "rollback", 1, "services", names));
	if (options_parse(back->options_json, &back->parsed, &err) < 0) {
		log_error("%s", err.message);
		converge_free(back);
		return NULL;
	}
	back->model = TAKE_PTR(converge->before);
	back->failure = converge->err;
	back->listener = converge->listener;
	converge->listener = (struct executor_listener){0};
	return back;
}

void rollback_end(struct converge *converge)
{
	struct error how = converge->err;

	converge->err = converge->failure;
	if (how.code)
		log_error("roll back: %s", how.message);
	(void)error_wrap(&converge->err, "%s",
			 how.code ? "update failed, and so did going back" : "update rolled back");
}
