// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/revive.h"

#include "common/alloc.h"
#include "common/log.h"

#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/instance/instance.h"

struct converge *revive_new(struct supervisor *supervisor)
{
	struct error err = ERROR_INIT;
	struct converge *converge;
	const char **ids = NULL;
	size_t count = 0, ran = 0;

	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;

		if (!instance->revive)
			continue;
		*array_add(ids, count) = instance->id;
		/* Others are connected to. */
		ran += !instance->listens;
	}
	if (!count)
		return NULL;
	*array_add(ids, count) = NULL;
	if (ran)
		log_info("%zu containers ran before: starting them again", ran);
	converge = converge_new(supervisor, json_pack("{s:{s:s,s:b}}", "options", "goal", "start",
						      "by_label", !supervisor->current));
	converge->revive = true;
	converge->revived = ids;
	if (options_parse(converge->options_json, &converge->parsed, &err) < 0) {
		log_error("%s", err.message);
		converge_free(converge);
		return NULL;
	}
	converge->parsed.options.containers = ids;
	return converge;
}

void revive_end(struct converge *converge)
{
	if (converge->err.code && !converge->abandoned)
		log_error("start what ran before: %s", converge->err.message);
	if (converge->abandoned)
		return;
	for (const char **id = converge->revived; *id; id++) {
		struct instance *instance = map_get(&converge->supervisor->instances, *id);

		if (instance && instance->revive)
			instance_revive(instance);
	}
}
