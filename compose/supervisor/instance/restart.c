// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/restart.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/message_ids.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/news.h"

#define DELAY_FIRST_USEC (100 * (int64_t)USEC_PER_MSEC)
#define DELAY_LAST_USEC  (60 * (int64_t)USEC_PER_SEC)
#define STEADY_USEC      (10 * (int64_t)USEC_PER_SEC)

struct restart_state {
	unsigned int attempts; /* in a row */
	int64_t delay_usec;    /* the last one */
	sd_event_source *timer;
};

static void policy_of_deploy(const struct deploy *deploy, struct restart_policy *ret)
{
	const char *condition = deploy->restart_policy.condition;

	ret->condition = RESTART_ALWAYS;
	if (str_equal(condition, "none"))
		ret->condition = RESTART_NO;
	else if (str_equal(condition, "on-failure"))
		ret->condition = RESTART_ON_FAILURE;
	if (deploy->restart_policy.max_attempts.set)
		ret->max_attempts = (unsigned int)deploy->restart_policy.max_attempts.value;
	if (deploy->restart_policy.delay.set)
		ret->delay_usec = deploy->restart_policy.delay.value;
	if (deploy->restart_policy.window.set)
		ret->window_usec = deploy->restart_policy.window.value;
}

void restart_policy_of(const struct service *service, struct restart_policy *ret)
{
	const char *text = service->restart;

	*ret = (struct restart_policy){.window_usec = STEADY_USEC};
	if (service->deploy.restart_policy.given) {
		policy_of_deploy(&service->deploy, ret);
		return;
	}
	if (!text || str_equal(text, "no"))
		return;
	if (str_equal(text, "always")) {
		ret->condition = RESTART_ALWAYS;
	} else if (str_equal(text, "unless-stopped")) {
		ret->condition = RESTART_UNLESS_STOPPED;
	} else if (str_starts_with(text, "on-failure")) {
		ret->condition = RESTART_ON_FAILURE;
		if (text[10] == ':')
			ret->max_attempts = (unsigned int)strtoul(text + 11, NULL, 10);
	}
}

bool restart_decide(const struct restart_policy *policy, int exit_code, int64_t up_usec,
		    unsigned int *attempts, int64_t *delay_usec, int64_t *ret_delay_usec)
{
	if (policy->condition == RESTART_NO)
		return false;
	if (up_usec >= policy->window_usec) {
		*attempts = 0;
		*delay_usec = 0;
	}
	if (policy->condition == RESTART_ON_FAILURE && exit_code == 0)
		return false;
	if (policy->max_attempts && *attempts >= policy->max_attempts)
		return false;
	(*attempts)++;
	if (policy->delay_usec)
		*delay_usec = policy->delay_usec;
	else if (!*delay_usec)
		*delay_usec = DELAY_FIRST_USEC;
	else if (*delay_usec < DELAY_LAST_USEC)
		*delay_usec = *delay_usec * 2 < DELAY_LAST_USEC ? *delay_usec * 2 : DELAY_LAST_USEC;
	*ret_delay_usec = *delay_usec;
	return true;
}

static int on_delay_over(sd_event_source *source, uint64_t usec, void *data)
{
	struct instance *instance = data;

	instance->restart->timer = sd_event_source_disable_unref(instance->restart->timer);
	instance_handle(instance, INSTANCE_BACKOFF_OVER);
	return 0;
}

static bool arm(struct instance *instance, int64_t delay_usec)
{
	int r;

	sd_event_source_disable_unref(instance->restart->timer);
	instance->restart->timer = NULL;
	r = sd_event_add_time_relative(instance->supervisor->event, &instance->restart->timer,
				       CLOCK_MONOTONIC, (uint64_t)delay_usec, 1, on_delay_over,
				       instance);
	if (r < 0)
		log_error("%s: no timer for its restart: %s", instance->name, strerror(-r));
	return r >= 0;
}

bool restart_wanted(const struct instance *instance)
{
	struct restart_policy policy;

	restart_policy_of(instance->service, &policy);
	return !instance->by_hand && policy.condition != RESTART_NO;
}

bool restart_after_exit(struct instance *instance, int exit_code, int64_t up_usec)
{
	struct restart_policy policy;
	char duration[32];
	int64_t delay;

	restart_policy_of(instance->service, &policy);
	if (instance->by_hand || policy.condition == RESTART_NO)
		return false;
	if (!instance->restart)
		instance->restart = new (struct restart_state);
	if (!restart_decide(&policy, exit_code, up_usec, &instance->restart->attempts,
			    &instance->restart->delay_usec, &delay))
		return false;
	units_format_duration(delay, duration, sizeof(duration));
	if (news_begun())
		news_log(instance, LOG_LEVEL_INFO, MESSAGE_RESTARTING, "restarting in %s",
			 duration);
	else
		log_info("%s: exited (%d), restarting in %s", instance->name, exit_code, duration);
	return arm(instance, delay);
}

void restart_soon(struct instance *instance)
{
	if (!instance->restart)
		instance->restart = new (struct restart_state);
	(void)arm(instance, 0);
}

void restart_cancel(struct instance *instance, bool forget)
{
	if (!instance->restart)
		return;
	instance->restart->timer = sd_event_source_disable_unref(instance->restart->timer);
	if (forget) {
		instance->restart->attempts = 0;
		instance->restart->delay_usec = 0;
	}
}

void restart_free(struct restart_state *restart)
{
	if (!restart)
		return;
	sd_event_source_disable_unref(restart->timer);
	free(restart);
}

json_t *restart_to_json(const struct restart_state *restart)
{
	json_t *json = json_object();

	json_put_int(json, "attempts", restart->attempts);
	json_put_int(json, "delay", restart->delay_usec);
	return json;
}

void restart_from_json(struct instance *instance, const json_t *json)
{
	if (!json)
		return;
	instance->restart = new (struct restart_state);
	instance->restart->attempts = (unsigned int)json_get_int(json, "attempts", 0);
	instance->restart->delay_usec = json_get_int(json, "delay", 0);
}

void restart_resume(struct instance *instance)
{
	if (!instance->restart)
		instance->restart = new (struct restart_state);
	(void)arm(instance, instance->restart->delay_usec ?: DELAY_FIRST_USEC);
}
