/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_PROBES_HEALTH_H
#define COMPOSE_SUPERVISOR_PROBES_HEALTH_H

/*
 * health.h - whether a container is healthy: its probe (probe.h), asked over and over.
 *
 * The first probe runs at once. While the container is starting they follow in start_interval, or
 * in interval where that is shorter; afterwards in interval, counted from the end of the one
 * before. Failures within start_period do not count. `retries` failures in a row make it
 * unhealthy, one success healthy.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/image/image.h"

#include "compose/plan/plan.h"

struct health;
struct instance;

struct health_plan {
	char **test;                      /* the words to run; NULL: none. Owned. */
	const struct probe_config *probe; /* the service's, instead of words; NULL: none */
	int64_t interval_usec, timeout_usec, start_period_usec, start_interval_usec;
	unsigned int retries;
};

/*
 * The service's check over the image's, field by field, with Docker's defaults; or x-berth's probe
 * instead of both.
 */
void health_plan_of(const struct service *service, const struct image *image,
		    struct health_plan *ret);
/* There is a check. */
bool health_plan_probes(const struct health_plan *plan);
void health_plan_done(struct health_plan *plan);

/* The container runs: begins to probe, if it has a check. */
void health_start(struct instance *instance);
/* The same with one that ran already when this supervisor began. */
void health_resume(struct instance *instance);
/* What its probe waits for may have come: asks out of turn. */
void health_news(struct instance *instance);
/* It stopped: a probe under way is forgotten. What was last known stays visible with @keep. */
void health_stop(struct instance *instance);
void health_free(struct health *health);

enum health_status health_status_of(const struct health *health);
/*
 * Why the last probe failed, for a user: "its last check exited 127: sh: grep: not found". A new
 * string; NULL when none failed.
 */
char *health_reason(const struct health *health);
/* [{start, end, exit_code, output}], oldest first. New reference. */
json_t *health_log(const struct health *health);

#endif
