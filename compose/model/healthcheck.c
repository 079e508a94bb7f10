// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/shapes.h"

#define HEALTH(field) offsetof(struct healthcheck, field), NO_FIELD
/* clang-format off */
static const struct attribute attributes[] = {
	{"test",           HEALTH(test),           &shape_health_test, MERGE_REPLACE},
	{"timeout",        HEALTH(timeout),        &shape_duration},
	{"interval",       HEALTH(interval),       &shape_duration},
	{"retries",        HEALTH(retries),        &shape_count},
	{"start_period",   HEALTH(start_period),   &shape_duration},
	{"start_interval", HEALTH(start_interval), &shape_duration},
	{"disable",        HEALTH(disable),        &shape_bool},
};
/* clang-format on */
static const struct schema healthcheck_schema = {"healthcheck", attributes, ARRAY_SIZE(attributes),
						 offsetof(struct healthcheck, rest)};

static void healthcheck_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct healthcheck *healthcheck = slot->field;

	healthcheck->given = true;
	decode_object(d, node, &healthcheck_schema, healthcheck);
	if (healthcheck->disable && healthcheck->test.args &&
	    str_equal(healthcheck->test.args[0], "CMD"))
		decode_warning(d, "healthcheck: disable is set, the test will not run");
}

static json_t *healthcheck_encode(const struct slot *slot)
{
	const struct healthcheck *healthcheck = slot->field;

	return healthcheck->given ? encode_object(&healthcheck_schema, healthcheck) : NULL;
}

static void healthcheck_release(const struct slot *slot)
{
	release_object(&healthcheck_schema, slot->field);
}

const struct shape shape_healthcheck = {healthcheck_decode, healthcheck_encode, healthcheck_release,
					&healthcheck_schema};
