// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/notify.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/event.h"
#include "common/notify.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/network/sockets.h"

#define SOON_USEC   (50 * USEC_PER_MSEC)
#define EXTEND_USEC (60 * USEC_PER_SEC)
#define AGAIN_USEC  (10 * USEC_PER_SEC)
#define NAMES_SHOWN 3

struct notifier {
	struct supervisor *supervisor;
	sd_event_source *soon, *again, *alive;
	uint64_t alive_usec; /* between two signs of life; 0: none are wanted */
	char *told;          /* the last status */
	bool looking, stopping, extending;
};

static void add_names(struct strbuf *text, char *const *names)
{
	size_t count = strv_length(names);

	for (size_t i = 0; i < count && i < NAMES_SHOWN; i++)
		strbuf_addf(text, "%s%s", i ? ", " : "", names[i]);
	if (count > NAMES_SHOWN)
		strbuf_addf(text, " and %zu more", count - NAMES_SHOWN);
}

char *notify_status(size_t well, size_t all, char *const *waited, char *const *unwell)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	if (!all)
		return alloc_string("no containers");
	strbuf_addf(&text, "%zu of %zu healthy", well, all);
	if (waited && waited[0]) {
		strbuf_add(&text, ", waiting for ");
		add_names(&text, waited);
	} else if (unwell && unwell[0]) {
		strbuf_add(&text, ": ");
		add_names(&text, unwell);
	}
	return strbuf_take(&text);
}

/* Also one that has done what it was for. */
static bool is_well(const struct instance *instance)
{
	enum health_status health = instance_health(instance);

	if (sockets_await(instance) && instance->state == INSTANCE_CREATED && !instance->error)
		return true;
	if (!instance->pid)
		return instance->state == INSTANCE_EXITED && instance->exit_code == 0 &&
		       !instance->by_hand && !instance->error;
	return instance->state == INSTANCE_RUNNING &&
	       (health == HEALTH_NONE || health == HEALTH_HEALTHY);
}

/* "web-2" of project shop, whose container is shop-web-2; of a service with one container "web". */
static char *short_name(const struct instance *instance)
{
	const struct instance *second = NULL;

	map_foreach(entry, &instance->supervisor->instances) {
		const struct instance *other = entry->value;

		if (other != instance && !other->oneoff &&
		    str_equal(other->service_name, instance->service_name))
			second = other;
	}
	return second ? str_printf("%s-%u", instance->service_name, instance->number)
		      : alloc_string(instance->service_name);
}

static char *unwell_text(const struct instance *instance)
{
	_cleanup_free_ char *name = short_name(instance);
	enum health_status health = instance_health(instance);

	if (instance->pid && health != HEALTH_NONE && instance->state == INSTANCE_RUNNING)
		return str_printf("%s %s", name, health_status_name(health));
	if (!instance->pid && instance->state == INSTANCE_EXITED)
		return str_printf("%s exited (%d)", name, instance->exit_code);
	if (instance->state == INSTANCE_ENTERING)
		return str_printf("%s waits for %s of systemd's", name,
				  instance->service->cgroup_parent);
	return str_printf("%s %s", name, container_state_name(instance_reported_state(instance)));
}

static void add_once(char ***names, const char *name)
{
	if (name && !strv_contains(*names, name))
		strv_append(names, name);
}

/* What is not made yet, and whom the commands at work wait for. */
static size_t look_at_command(const struct converge *converge, char ***waited)
{
	size_t missing = 0;

	for (size_t i = 0; converge->plan && i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];
		enum run_state state = converge->runs[i].state;

		if (operation->kind == OP_CREATE_CONTAINER && !operation->replaces &&
		    !operation->oneoff && (state == RUN_WAITING || state == RUN_RUNNING))
			missing++;
		if (state == RUN_RUNNING && operation->kind == OP_WAIT)
			add_once(waited, operation->service);
	}
	return missing;
}

static char *status_now(const struct supervisor *supervisor)
{
	const struct converge *converge = executor_current(supervisor->executor);
	_cleanup_strv_ char **waited = NULL, **unwell = NULL;
	size_t well = 0, all = 0;

	if (converge)
		all = look_at_command(converge, &waited);
	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;

		if (instance->oneoff)
			continue;
		all++;
		if (is_well(instance))
			well++;
		else
			strv_take(&unwell, unwell_text(instance));
	}
	return notify_status(well, all, waited, unwell);
}

static bool takes_all_down(const struct supervisor *supervisor)
{
	const struct converge *converge = executor_current(supervisor->executor);

	return supervisor->shutdown ||
	       (converge && !converge->dry_run && converge->parsed.options.goal == PLAN_DOWN &&
		!converge->parsed.services);
}

static void tell_status(struct notifier *notifier)
{
	char *status;

	/* Why that is so has been told by who asked for it. */
	if (notifier->supervisor->shutdown)
		return;
	status = status_now(notifier->supervisor);
	if (str_equal(status, notifier->told)) {
		free(status);
		return;
	}
	notify_send("STATUS=%s", status);
	free(notifier->told);
	notifier->told = status;
}

static void arm(sd_event_source *source, uint64_t usec)
{
	(void)sd_event_source_set_time_relative(source, usec);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_soon(sd_event_source *source, uint64_t usec, void *data)
{
	struct notifier *notifier = data;

	notifier->looking = false;
	tell_status(notifier);
	if (!executor_idle(notifier->supervisor->executor) && !notifier->extending) {
		notifier->extending = true;
		arm(notifier->again, 0);
	}
	return 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *data)
{
	struct notifier *notifier = data;

	notifier->extending = !executor_idle(notifier->supervisor->executor);
	if (!notifier->extending)
		return 0;
	notify_send("EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)EXTEND_USEC);
	arm(source, AGAIN_USEC);
	return 0;
}

static int on_alive(sd_event_source *source, uint64_t usec, void *data)
{
	const struct notifier *notifier = data;

	keeper_client_alive(notifier->supervisor->keeper);
	arm(source, notifier->alive_usec);
	return 0;
}

void notifier_look(struct notifier *notifier)
{
	if (!notifier)
		return;
	/* At once: that may be over sooner than anybody looks again. */
	if (!notifier->stopping && takes_all_down(notifier->supervisor)) {
		notifier->stopping = true;
		notify_send("STOPPING=1");
	}
	if (notifier->looking)
		return;
	notifier->looking = true;
	arm(notifier->soon, SOON_USEC);
}

/* The keeper is who systemd has told to, so WATCHDOG_PID is not ours; four signs in its time. */
static uint64_t alive_interval(void)
{
	const char *limit = getenv("WATCHDOG_USEC");

	return limit ? strtoull(limit, NULL, 10) / 8 : 0;
}

int notifier_new(struct supervisor *supervisor, struct notifier **ret, struct error *err)
{
	struct notifier *notifier;
	int r;

	*ret = NULL;
	if (!notify_wanted())
		return 0;
	notifier = new (struct notifier);
	notifier->supervisor = supervisor;
	notifier->alive_usec = alive_interval();
	r = sd_event_add_time_relative(supervisor->event, &notifier->soon, CLOCK_MONOTONIC, 0, 0,
				       on_soon, notifier);
	if (r >= 0)
		r = sd_event_add_time_relative(supervisor->event, &notifier->again, CLOCK_MONOTONIC,
					       0, 0, on_again, notifier);
	if (r >= 0 && notifier->alive_usec)
		r = sd_event_add_time_relative(supervisor->event, &notifier->alive, CLOCK_MONOTONIC,
					       0, 0, on_alive, notifier);
	if (r < 0) {
		notifier_free(notifier);
		return error_code(err, r, "tell systemd how the project is");
	}
	*ret = notifier;
	return 0;
}

void notifier_free(struct notifier *notifier)
{
	if (!notifier)
		return;
	sd_event_source_disable_unref(notifier->soon);
	sd_event_source_disable_unref(notifier->again);
	sd_event_source_disable_unref(notifier->alive);
	free(notifier->told);
	free(notifier);
}
