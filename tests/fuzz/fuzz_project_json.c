// SPDX-License-Identifier: GPL-2.0-or-later
/* Any JSON as a project from the socket or the disk; what is accepted reads back as itself. */
#include <assert.h>
#include <stdint.h>

#include "common/json.h"

#include "compose/model/project.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct project *project)
{
	json_t *json = project_to_json(project, true), *again;
	struct project *back = NULL;
	struct error err = ERROR_INIT;
	char hash[65];

	if (project_from_json(json, &back, &err) < 0)
		abort();
	again = project_to_json(back, true);
	assert(json_equal(json, again));
	for (size_t i = 0; i < back->service_count; i++)
		service_hash(back, &back->services[i], hash);
	project_free(back);
	json_decref(json);
	json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	json_t *json = NULL;

	if (json_parse((const char *)data, size, &json, &err) < 0)
		return 0;
	if (project_from_json(json, &project, &err) == 0)
		check(project);
	else
		assert(err.code && err.message[0]);
	project_free(project);
	json_decref(json);
	return 0;
}
