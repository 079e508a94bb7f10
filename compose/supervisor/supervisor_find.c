// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "common/str.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/supervisor.h"

/* Apart from supervisor.c, which knows all that the askers are. */

int supervisor_claim_fd(struct supervisor *supervisor, const char *name)
{
	return keeper_fd_unpack(map_remove(&supervisor->keeper_fds, name));
}

struct instance *supervisor_find(struct supervisor *supervisor, const char *id_or_name)
{
	struct instance *found = map_get(&supervisor->instances, id_or_name);
	size_t length = strlen(id_or_name), matches = 0;

	if (found)
		return found;
	map_foreach(entry, &supervisor->instances) {
		struct instance *instance = entry->value;

		if (str_equal(instance->name, id_or_name))
			return instance;
		if (length >= 12 && strncmp(instance->id, id_or_name, length) == 0) {
			found = instance;
			matches++;
		}
	}
	return matches == 1 ? found : NULL;
}

struct instance *supervisor_find_service(struct supervisor *supervisor, const char *service,
					 unsigned int number)
{
	struct instance *best = NULL;

	map_foreach(entry, &supervisor->instances) {
		struct instance *instance = entry->value;

		if (!str_equal(instance->service_name, service) || instance->oneoff)
			continue;
		if (number && instance->number != number)
			continue;
		if (!best || (instance->pid && !best->pid) ||
		    (!instance->pid == !best->pid && instance->number < best->number))
			best = instance;
	}
	return best;
}
