// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/coming.h"

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/converge/operations.h"
#include "compose/supervisor/observe.h"

#define COMING_MAX 10000

int coming_init(struct converge *converge, const json_t *request, struct error *err)
{
	const json_t *names = json_object_get(request, "coming");
	const json_t *name;
	size_t i;

	if (!names)
		return 0;
	if (!json_is_array(names) || json_array_size(names) > COMING_MAX)
		return error_set(err, EINVAL, "request: coming is no list of images");
	converge->coming = json_object();
	json_array_foreach(names, i, name) {
		if (json_is_string(name))
			json_object_set_new(converge->coming, json_string_value(name), json_null());
	}
	return 0;
}

void coming_done(struct converge *converge)
{
	json_decref(TAKE_PTR(converge->coming));
}

char **coming_missing(const struct converge *converge)
{
	char **missing = NULL;
	const char *name;
	json_t *told;

	json_object_foreach(converge->coming, name, told) {
		struct error ignored = ERROR_INIT;

		if (!observe_image(converge->supervisor, name, &ignored))
			strv_append(&missing, name);
	}
	return missing;
}

int coming_look(const struct converge *converge, const char *name, struct error *err)
{
	const json_t *told = json_object_get(converge->coming, name);

	if (json_is_object(told) && json_get_int(told, "code", 0))
		return error_set(err, (int)json_get_int(told, "code", 0), "%s",
				 json_get_string(told, "message") ?: "");
	if (!json_is_object(told) && converge->listener.event)
		return 1;
	if (observe_image(converge->supervisor, name, err))
		return 0;
	if (json_is_object(told))
		return -err->code;
	return error_set(err, ECANCELED,
			 "image %s: whoever was pulling it has left; ask for it again", name);
}

static void look_at_waits(struct converge *converge)
{
	for (size_t i = 0; converge->plan && i < converge->plan->count; i++)
		if (converge->runs[i].state == RUN_RUNNING &&
		    converge->plan->operations[i].kind == OP_AWAIT_IMAGE)
			operation_look(converge, i, NULL);
}

void coming_told(struct converge *converge, const json_t *message)
{
	const char *name = json_get_string(message, "image");

	if (!name || !json_object_get(converge->coming, name))
		return;
	json_object_set(converge->coming, name, (json_t *)message);
	look_at_waits(converge);
}

void coming_given_up(struct converge *converge)
{
	look_at_waits(converge);
}
