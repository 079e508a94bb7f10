// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/probes/health.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/notify.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/probes/probe.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/state.h"

#define LOG_KEPT            5
#define REASON_MAX          160
#define TIMED_OUT           (-1)
#define INTERVAL_USEC       (30 * (int64_t)USEC_PER_SEC)
#define START_INTERVAL_USEC (5 * (int64_t)USEC_PER_SEC)
/* A start is watched closely: the first probes come when a quick program is ready. */
#define EAGER_FIRST_USEC (50 * (int64_t)USEC_PER_MSEC)
#define SPREAD_USEC      (100 * USEC_PER_MSEC)

struct result {
	int64_t start_nsec, end_nsec;
	int exit_code;
	bool timed_out, not_run;
	char *output;
};

struct health {
	struct instance *instance;
	struct health_plan plan;
	struct probe *probe; /* NULL once it has stopped */
	enum health_status status;
	unsigned int failures;
	int64_t started_usec; /* of the container, monotonic */
	int64_t eager_usec;
	sd_event_source *timer; /* until the next probe, or until this one is too late */

	bool probing, timed_out;
	int64_t probe_nsec;

	struct result log[LOG_KEPT];
	size_t log_next;
};

static int64_t field(const struct optional_int *given, int64_t of_image, int64_t otherwise)
{
	if (given->set && given->value)
		return given->value;
	return of_image ? of_image : otherwise;
}

/* CMD words, or CMD-SHELL text for the image's shell; NULL for NONE. */
static char **test_words(char *const *test, const struct image *image)
{
	char **words = NULL;

	if (!test || !test[0] || str_equal(test[0], "NONE") || !test[1])
		return NULL;
	if (str_equal(test[0], "CMD"))
		return strv_dup(test + 1);
	if (!str_equal(test[0], "CMD-SHELL"))
		return strv_dup(test);
	if (image->shell) {
		words = strv_dup(image->shell);
	} else {
		strv_append(&words, "/bin/sh");
		strv_append(&words, "-c");
	}
	strv_append(&words, test[1]);
	return words;
}

/* What the image says is about its own test. */
static void plan_of_probe(const struct berth_extension *berth, struct health_plan *ret)
{
	ret->probe = &berth->probe;
	ret->interval_usec = field(&berth->interval, 0, INTERVAL_USEC);
	ret->timeout_usec = field(&berth->timeout, 0, INTERVAL_USEC);
	ret->start_period_usec = field(&berth->start_period, 0, 0);
	ret->start_interval_usec = field(&berth->start_interval, 0, START_INTERVAL_USEC);
	ret->retries = (unsigned int)field(&berth->retries, 0, 3);
}

void health_plan_of(const struct service *service, const struct image *image,
		    struct health_plan *ret)
{
	const struct healthcheck *check = &service->healthcheck;
	const struct image_healthcheck *of_image = &image->healthcheck;

	*ret = (struct health_plan){0};
	if (service->berth.probe.given) {
		plan_of_probe(&service->berth, ret);
		return;
	}
	if (check->disable)
		return;
	ret->test = test_words(check->test.set ? check->test.args : of_image->test, image);
	ret->interval_usec = field(&check->interval, of_image->interval_usec, INTERVAL_USEC);
	ret->timeout_usec = field(&check->timeout, of_image->timeout_usec, INTERVAL_USEC);
	ret->start_period_usec = field(&check->start_period, of_image->start_period_usec, 0);
	ret->start_interval_usec =
		field(&check->start_interval, of_image->start_interval_usec, START_INTERVAL_USEC);
	ret->retries = (unsigned int)field(&check->retries, of_image->retries, 3);
}

bool health_plan_probes(const struct health_plan *plan)
{
	return plan->test || plan->probe;
}

void health_plan_done(struct health_plan *plan)
{
	strv_free(plan->test);
	plan->test = NULL;
}

enum health_status health_status_of(const struct health *health)
{
	return health ? health->status : HEALTH_NONE;
}

json_t *health_log(const struct health *health)
{
	json_t *rows = json_array();

	for (size_t i = 0; health && i < LOG_KEPT; i++) {
		const struct result *result = &health->log[(health->log_next + i) % LOG_KEPT];
		json_t *row;

		if (!result->end_nsec)
			continue;
		row = json_object();
		json_put_int(row, "start", result->start_nsec);
		json_put_int(row, "end", result->end_nsec);
		json_put_int(row, "exit_code", result->exit_code);
		json_put_string(row, "output", result->output ?: "");
		json_array_append_new(rows, row);
	}
	return rows;
}

/* The last line that says something: of a script, that is what ended it. */
static void add_last_line(struct strbuf *text, const char *output)
{
	size_t end = output ? strlen(output) : 0, begin, size;

	while (end && strchr(" \t\r\n", output[end - 1]))
		end--;
	for (begin = end; begin && output[begin - 1] != '\n'; begin--)
		;
	size = end - begin;
	if (size > REASON_MAX)
		size = REASON_MAX;
	while (size && !str_is_utf8(output + begin, size))
		size--;
	if (size)
		strbuf_addf(text, ": %.*s", (int)size, output + begin);
}

char *health_reason(const struct health *health)
{
	const struct result *last =
		health && health->log_next ? &health->log[(health->log_next - 1) % LOG_KEPT] : NULL;
	struct strbuf text = {0};
	char limit[32];

	if (!last || !last->exit_code)
		return NULL;
	if (health->plan.probe) {
		strbuf_add(&text, "its last probe failed");
		add_last_line(&text, last->output);
		return strbuf_take(&text);
	}
	if (last->timed_out) {
		strbuf_addf(&text, "its last check took longer than %s",
			    units_format_duration(health->plan.timeout_usec, limit, sizeof(limit)));
		return strbuf_take(&text);
	}
	if (last->not_run)
		strbuf_add(&text, "its check could not be run");
	else
		strbuf_addf(&text, "its last check exited %d", last->exit_code);
	add_last_line(&text, last->output);
	return strbuf_take(&text);
}

static int on_due(sd_event_source *source, uint64_t usec, void *data);

/* A start is waited for; later a little slack lets the kernel wake us once for several. */
static uint64_t slack(const struct health *health, int64_t delay_usec)
{
	uint64_t part = (uint64_t)delay_usec / 10;

	if (health->status == HEALTH_STARTING)
		return 1;
	return part > SPREAD_USEC ? SPREAD_USEC : part + 1;
}

static void arm(struct health *health, int64_t delay_usec)
{
	int r;

	if (health->timer) {
		(void)sd_event_source_set_time_accuracy(health->timer, slack(health, delay_usec));
		(void)sd_event_source_set_time_relative(health->timer, (uint64_t)delay_usec);
		(void)sd_event_source_set_enabled(health->timer, SD_EVENT_ONESHOT);
		return;
	}
	r = sd_event_add_time_relative(health->instance->supervisor->event, &health->timer,
				       CLOCK_MONOTONIC, (uint64_t)delay_usec,
				       slack(health, delay_usec), on_due, health);
	if (r < 0)
		log_error("%s: no timer for its health: %s", health->instance->name, strerror(-r));
}

static bool in_start_period(const struct health *health)
{
	return units_monotonic_usec() - health->started_usec < health->plan.start_period_usec;
}

/*
 * Before the first interval is over nobody else would have probed at all: probes that we make
 * then (the delay doubles from a fraction of a second) can only bring good news early.
 */
static int64_t before_first(const struct health *health)
{
	return health->plan.interval_usec - (units_monotonic_usec() - health->started_usec);
}

static int64_t next_delay(struct health *health)
{
	int64_t delay = health->plan.interval_usec, left = before_first(health);

	if (health->status != HEALTH_STARTING)
		return delay;
	if (in_start_period(health) && health->plan.start_interval_usec < delay)
		delay = health->plan.start_interval_usec;
	if (left > 0 && health->eager_usec < delay) {
		delay = health->eager_usec < left ? health->eager_usec : left;
		health->eager_usec *= 2;
	}
	return delay;
}

static void set_status(struct health *health, enum health_status status)
{
	char action[64];

	if (health->status == status)
		return;
	health->status = status;
	health->instance->known_health = status;
	/* Killed in between, the next one would know that it is unhealthy, and do nothing. */
	if (status != HEALTH_UNHEALTHY || !unhealthy_is_acted_on(health->instance))
		state_note(health->instance);
	snprintf(action, sizeof(action), "health_status: %s", health_status_name(status));
	events_emit(health->instance, action, NULL);
	executor_instance_changed(health->instance->supervisor->executor, health->instance);
	notifier_look(health->instance->supervisor->notifier);
	if (status == HEALTH_HEALTHY)
		dependents_healthy(health->instance);
	else if (status == HEALTH_UNHEALTHY)
		unhealthy_act(health->instance);
}

static void judge(struct health *health, int exit_code)
{
	if (exit_code == 0) {
		health->failures = 0;
		set_status(health, HEALTH_HEALTHY);
		return;
	}
	if (health->status == HEALTH_STARTING &&
	    (in_start_period(health) || before_first(health) > 0))
		return;
	if (++health->failures >= health->plan.retries)
		set_status(health, HEALTH_UNHEALTHY);
}

static void conclude(void *data, const struct probe_answer *answer)
{
	struct health *health = data;
	struct result *result = &health->log[health->log_next++ % LOG_KEPT];
	int exit_code = health->timed_out ? TIMED_OUT : answer->exit_code;

	free(result->output);
	*result = (struct result){
		/* What comes by itself was not asked for. */
		.start_nsec = health->probing ? health->probe_nsec : units_now_nsec(),
		.end_nsec = units_now_nsec(),
		.exit_code = exit_code,
		.timed_out = health->timed_out,
		.not_run = answer->not_run && !health->timed_out,
		.output = answer->output,
	};
	if (health->timed_out && !probe_title(health->probe)) {
		free(result->output);
		result->output = alloc_string("Health check exceeded timeout");
	}
	health->probing = health->timed_out = false;
	judge(health, exit_code);
	if (!probe_is_settled(health->probe))
		arm(health, next_delay(health));
}

static void ask(struct health *health)
{
	health->probe_nsec = units_now_nsec();
	health->timed_out = false;
	health->probing = true;
	arm(health, health->plan.timeout_usec);
	probe_begin(health->probe);
}

void health_news(struct instance *instance)
{
	struct health *health = instance->health;

	if (health && health->probe && !health->probing && !probe_is_settled(health->probe))
		ask(health);
}

static int on_due(sd_event_source *source, uint64_t usec, void *data)
{
	struct health *health = data;

	if (health->probing) {
		health->timed_out = true;
		probe_give_up(health->probe);
	} else if (health->instance->state == INSTANCE_PAUSED) {
		arm(health, health->plan.interval_usec);
	} else if (!probe_is_settled(health->probe)) {
		ask(health);
	}
	return 0;
}

static void start(struct instance *instance, bool resumed)
{
	struct error err = ERROR_INIT;
	const struct image *image = observe_image(instance->supervisor, instance->image_id, &err);
	struct health_plan plan = {0};
	struct health *health;

	health_free(instance->health);
	instance->health = NULL;
	if (!image)
		return;
	health_plan_of(instance->service, image, &plan);
	if (!health_plan_probes(&plan))
		return;
	health = new (struct health);
	health->instance = instance;
	health->plan = plan;
	health->status = instance->known_health ?: HEALTH_STARTING;
	health->started_usec = instance->started_usec;
	health->eager_usec = EAGER_FIRST_USEC;
	instance->health = health;
	if (plan.probe)
		health->probe = probe_new(instance, plan.probe, resumed, conclude, health);
	else
		health->probe = probe_new_command(instance, plan.test, image, conclude, health);
	arm(health, 0);
}

void health_start(struct instance *instance)
{
	start(instance, false);
}

void health_resume(struct instance *instance)
{
	start(instance, true);
}

void health_stop(struct instance *instance)
{
	struct health *health = instance->health;

	if (!health)
		return;
	health->timer = sd_event_source_disable_unref(health->timer);
	probe_free(health->probe);
	health->probe = NULL;
	health->probing = false;
}

void health_free(struct health *health)
{
	if (!health)
		return;
	health_stop(health->instance);
	for (size_t i = 0; i < LOG_KEPT; i++)
		free(health->log[i].output);
	health_plan_done(&health->plan);
	free(health);
}
