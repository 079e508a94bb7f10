/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_RESTART_H
#define COMPOSE_SUPERVISOR_INSTANCE_RESTART_H

/*
 * restart.h - what to do when a container ends: `restart` and `deploy.restart_policy`.
 *
 * The delay begins at 100 ms and doubles up to a minute; 10 s up make it begin anew. With
 * deploy.restart_policy its delay is taken as it is, attempts are counted within its window.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "compose/model/project.h"

struct instance;
struct restart_state;

enum restart_condition { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };

struct restart_policy {
	enum restart_condition condition;
	unsigned int max_attempts; /* 0: no end */
	int64_t delay_usec;        /* fixed; 0: doubling */
	int64_t window_usec;       /* up so long, an attempt counts as successful */
};

void restart_policy_of(const struct service *service, struct restart_policy *ret);

/*
 * Asked when a container ended after @up_usec. True: start it again in *ret_delay_usec.
 * @attempts and *@delay are the caller's memory between two calls, 0 at first.
 */
bool restart_decide(const struct restart_policy *policy, int exit_code, int64_t up_usec,
		    unsigned int *attempts, int64_t *delay_usec, int64_t *ret_delay_usec);

/* Whether its policy brings it back after an end that nobody knows anything of. */
bool restart_wanted(const struct instance *instance);
/* The container ended: arms the timer if the policy says so, and returns that. */
bool restart_after_exit(struct instance *instance, int exit_code, int64_t up_usec);
/* It was stopped to be started again: without a delay, and no policy is asked. */
void restart_soon(struct instance *instance);
/* Stops waiting; with @forget the count begins anew. */
void restart_cancel(struct instance *instance, bool forget);
void restart_free(struct restart_state *restart);

json_t *restart_to_json(const struct restart_state *restart);
void restart_from_json(struct instance *instance, const json_t *json);
/* After a supervisor's restart: waits the whole delay again. */
void restart_resume(struct instance *instance);

#endif
