/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_OPTIONS_H
#define COMPOSE_SUPERVISOR_CONVERGE_OPTIONS_H

/*
 * options.h - struct plan_options out of a request, where it stands under its own field names.
 */

#include <jansson.h>

#include "common/error.h"

#include "compose/plan/plan.h"

struct parsed_options {
	struct plan_options options;
	char **services, **containers;
	struct plan_scale *scales;
	struct plan_image *images;
	char random_id[13];
};

/* @json is borrowed and must live as long as the result. -EINVAL: it makes no sense. */
int options_parse(const json_t *json, struct parsed_options *ret, struct error *err);
void options_done(struct parsed_options *options);

#endif
