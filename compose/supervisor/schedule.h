/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_SCHEDULE_H
#define COMPOSE_SUPERVISOR_SCHEDULE_H

/*
 * schedule.h - `x-berth.schedule`: containers that are started by the calendar.
 *
 * `up` makes such a container and arms its timer, `stop` disarms it. The next run is in the
 * container's record, so one that was due while no supervisor was there is made up for: within
 * a minute always, later with `persistent`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct instance;
struct schedule_state;
struct supervisor;

/*
 * After `up` or `start` of @services (NULL: of all): their schedules count again, also after a
 * stop by hand.
 */
void schedule_resume(struct supervisor *supervisor, char *const *services);
/* After `stop` or `kill`. */
void schedule_suspend(struct supervisor *supervisor, char *const *services);
/* What an earlier supervisor had armed. */
void schedule_adopt(struct supervisor *supervisor);
/*
 * Somebody else keeps the time of @service: what is due now begins, as far as it may overlap with
 * one that runs. The number of containers that are concerned; those stopped by hand are not.
 */
size_t schedule_due(struct supervisor *supervisor, const char *service);
/* A run is over: one that was queued meanwhile begins. */
void schedule_ended(struct instance *instance);
/* Since 1970; 0: none. */
int64_t schedule_next_nsec(const struct instance *instance);
void schedule_free(struct schedule_state *schedule);

/*
 * Whether a run that was due at @due_sec is still to be made at @now_sec, when nobody was there
 * to make it.
 */
bool schedule_makes_up(int64_t due_sec, int64_t now_sec, bool persistent);

#endif
