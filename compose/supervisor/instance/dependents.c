// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/dependents.h"

#include "common/json.h"
#include "common/str.h"

#include "compose/control/message_ids.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/news.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/state.h"

static const struct dependency *dependency_on(const struct instance *dependent,
					      const struct instance *instance)
{
	const struct service *service = dependent->service;

	if (dependent->oneoff || !service->berth.restart_with_dependencies)
		return NULL;
	for (size_t i = 0; i < service->dependency_count; i++)
		if (str_equal(service->depends_on[i].service, instance->service_name) &&
		    service->depends_on[i].condition != CONDITION_COMPLETED)
			return &service->depends_on[i];
	return NULL;
}

static void restart(struct instance *dependent, const struct instance *instance)
{
	json_t *attributes = json_object();

	/* What does not run is started after it in any case. */
	if (dependent->state != INSTANCE_RUNNING || dependent->by_hand)
		return;
	news_log(dependent, LOG_LEVEL_INFO, MESSAGE_RESTARTING, "restarting, for %s was",
		 instance->name);
	json_put_string(attributes, "cause", instance->name);
	events_emit(dependent, "restart_with_dependencies", attributes);
	instance_restart(dependent);
}

/* Those that wait for @condition; true if some are left that wait for more. */
static bool restart_those(struct instance *instance, enum condition condition)
{
	bool left = false;

	map_foreach(entry, &instance->supervisor->instances) {
		struct instance *dependent = entry->value;
		const struct dependency *dependency = dependency_on(dependent, instance);

		if (!dependency)
			continue;
		if (dependency->condition == condition)
			restart(dependent, instance);
		else
			left = true;
	}
	return left;
}

void dependents_expect(struct instance *instance)
{
	if (!instance->oneoff)
		instance->dependents_due = DEPENDENTS_ALL;
}

void dependents_running(struct instance *instance)
{
	if (instance->dependents_due != DEPENDENTS_ALL)
		return;
	instance->dependents_due =
		restart_those(instance, CONDITION_STARTED) ? DEPENDENTS_HEALTHY : DEPENDENTS_NONE;
	state_note(instance);
}

void dependents_healthy(struct instance *instance)
{
	if (instance->dependents_due != DEPENDENTS_HEALTHY)
		return;
	(void)restart_those(instance, CONDITION_HEALTHY);
	instance->dependents_due = DEPENDENTS_NONE;
	state_note(instance);
}
