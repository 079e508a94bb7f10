// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/calendar.h"
#include "common/event.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/message_ids.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/news.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/state.h"

#define LATE_SEC     60
#define NSEC_PER_SEC INT64_C(1000000000)

struct schedule_state {
	struct instance *instance;
	sd_event_source *timer; /* of the next run */
	sd_event_source *soon;  /* of one that was queued */
	bool queued;
};

static bool has_schedule(const struct instance *instance)
{
	return instance->service->berth.schedule.calendar && !instance->oneoff;
}

/* A timer of systemd's begins its runs: the unit says so (compose/cli/systemd/systemd_parts.h). */
static bool is_systemds(const struct instance *instance)
{
	static char **services;
	const char *list = getenv("BERTH_TIMERS");

	if (!services && list)
		services = strv_split(list, ",");
	return services && strv_contains(services, instance->service_name);
}

static int64_t now_sec(void)
{
	return units_now_nsec() / NSEC_PER_SEC;
}

bool schedule_makes_up(int64_t due_sec, int64_t now, bool persistent)
{
	return due_sec > 0 && due_sec <= now && (persistent || now - due_sec <= LATE_SEC);
}

/* --- running --- */

static void run(struct instance *instance)
{
	struct error err = ERROR_INIT;

	news_log(instance, LOG_LEVEL_INFO, MESSAGE_RUN_BEGINS, "its time has come");
	if (instance_start(instance, &err) >= 0)
		return;
	log_error("%s: %s", instance->name, err.message);
	free(instance->error);
	instance->error = alloc_string(err.message);
	state_note(instance);
}

static void overlap(struct instance *instance)
{
	switch (instance->service->berth.schedule.overlap) {
	case OVERLAP_QUEUE:
		instance->schedule->queued = true;
		break;
	case OVERLAP_REPLACE:
		instance_restart(instance);
		break;
	default:
		news_log(instance, LOG_LEVEL_WARNING, MESSAGE_RUN_LEFT_OUT,
			 "still runs, so this run is left out");
		events_emit(instance, "skip", NULL);
	}
}

static void arm(struct instance *instance, int64_t after_sec);

static void begin(struct instance *instance)
{
	if (instance_runs(instance))
		overlap(instance);
	else
		run(instance);
}

size_t schedule_due(struct supervisor *supervisor, const char *service)
{
	size_t count = 0;

	map_foreach(entry, &supervisor->instances) {
		struct instance *instance = entry->value;

		if (!has_schedule(instance) || instance->by_hand ||
		    !str_equal(instance->service_name, service))
			continue;
		arm(instance, now_sec());
		begin(instance);
		count++;
	}
	return count;
}

static int on_time(sd_event_source *source, uint64_t usec, void *data)
{
	struct instance *instance = data;
	int64_t now = now_sec();

	event_source_drop(&instance->schedule->timer);
	if (instance->by_hand) {
		instance->scheduled_sec = 0;
		state_note(instance);
		return 0;
	}
	/* Before the run: who takes over from us must not make it twice. */
	arm(instance, now > instance->scheduled_sec ? now : instance->scheduled_sec);
	begin(instance);
	return 0;
}

static int on_soon(sd_event_source *source, uint64_t usec, void *data)
{
	struct instance *instance = data;

	event_source_drop(&instance->schedule->soon);
	if (!instance->by_hand && !instance_runs(instance))
		run(instance);
	return 0;
}

/* --- arming --- */

static void set_timer(struct instance *instance)
{
	struct schedule_state *schedule = instance->schedule;
	int r = sd_event_add_time(instance->supervisor->event, &schedule->timer, CLOCK_REALTIME,
				  (uint64_t)instance->scheduled_sec * USEC_PER_SEC, USEC_PER_MSEC,
				  on_time, instance);

	if (r < 0)
		log_error("%s: no timer for its schedule: %s", instance->name, strerror(-r));
}

/* For the first moment after @after_sec. */
static void arm(struct instance *instance, int64_t after_sec)
{
	const char *text = instance->service->berth.schedule.calendar;
	struct error err = ERROR_INIT;
	struct calendar calendar;
	int64_t next = -1;

	if (!instance->schedule) {
		instance->schedule = new (struct schedule_state);
		instance->schedule->instance = instance;
	}
	event_source_drop(&instance->schedule->timer);
	/* A time zone may have gone since the file was read. */
	if (calendar_parse(text, &calendar, &err) < 0)
		log_error("%s: schedule: %s", instance->name, err.message);
	else
		next = calendar_next(&calendar, after_sec);
	instance->scheduled_sec = next > 0 ? next : 0;
	state_note(instance);
	if (instance->scheduled_sec && !is_systemds(instance))
		set_timer(instance);
}

static bool is_meant(const struct instance *instance, char *const *services)
{
	return has_schedule(instance) &&
	       (!services || strv_contains(services, instance->service_name));
}

void schedule_suspend(struct supervisor *supervisor, char *const *services)
{
	map_foreach(entry, &supervisor->instances) {
		struct instance *instance = entry->value;

		if (!is_meant(instance, services))
			continue;
		if (instance->schedule) {
			event_source_drop(&instance->schedule->timer);
			instance->schedule->queued = false;
		}
		instance->by_hand = true;
		instance->scheduled_sec = 0;
		state_note(instance);
	}
}

void schedule_resume(struct supervisor *supervisor, char *const *services)
{
	map_foreach(entry, &supervisor->instances) {
		struct instance *instance = entry->value;

		if (!is_meant(instance, services))
			continue;
		instance->by_hand = false;
		if (!instance->schedule || !instance->schedule->timer)
			arm(instance, now_sec());
	}
}

void schedule_adopt(struct supervisor *supervisor)
{
	int64_t now = now_sec();

	map_foreach(entry, &supervisor->instances) {
		struct instance *instance = entry->value;
		int64_t due = instance->scheduled_sec;

		if (!has_schedule(instance) || !due || instance->by_hand)
			continue;
		if (is_systemds(instance))
			arm(instance, now);
		else if (due > now ||
			 schedule_makes_up(due, now, instance->service->berth.schedule.persistent))
			arm(instance, due - 1);
		else
			arm(instance, now);
	}
}

void schedule_ended(struct instance *instance)
{
	struct schedule_state *schedule = instance->schedule;

	if (!schedule || !schedule->queued || instance->state != INSTANCE_EXITED)
		return;
	schedule->queued = false;
	if (sd_event_add_time_relative(instance->supervisor->event, &schedule->soon,
				       CLOCK_MONOTONIC, 0, 1, on_soon, instance) < 0)
		log_error("%s: no timer for the run that was queued", instance->name);
}

int64_t schedule_next_nsec(const struct instance *instance)
{
	int64_t next = instance->scheduled_sec, now = now_sec();
	struct error ignored = ERROR_INIT;
	struct calendar calendar;

	if (!has_schedule(instance) || instance->by_hand || !next)
		return 0;
	/* We are told when its time has come, not when it was left out. */
	if (next < now && is_systemds(instance) &&
	    calendar_parse(instance->service->berth.schedule.calendar, &calendar, &ignored) == 0)
		next = calendar_next(&calendar, now);
	return next * NSEC_PER_SEC;
}

void schedule_free(struct schedule_state *schedule)
{
	if (!schedule)
		return;
	event_source_drop(&schedule->timer);
	event_source_drop(&schedule->soon);
	free(schedule);
}
