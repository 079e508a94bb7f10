// SPDX-License-Identifier: GPL-2.0-or-later
/* deploy.c - `deploy` (of which docker compose obeys a part) and `logging`. */
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

#define RESOURCES(field) offsetof(struct deploy_resources, field), NO_FIELD
/* clang-format off */
static const struct attribute resources_attributes[] = {
	{"cpus",              RESOURCES(cpus),    &shape_number},
	{"memory",            RESOURCES(memory),  &shape_bytes},
	{"pids",              RESOURCES(pids),    &shape_int},
	{"generic_resources", NO_FIELD, NO_FIELD, &shape_ignored},
};
/* clang-format on */
static const char *const resources_refused[] = {"devices", NULL};
static const struct schema resources_schema = {"resources", resources_attributes,
					       ARRAY_SIZE(resources_attributes), NO_FIELD,
					       resources_refused};

static void resources_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_object(d, node, &resources_schema, slot->field);
}

static json_t *resources_encode(const struct slot *slot)
{
	json_t *json = encode_object(&resources_schema, slot->field);

	if (json_object_size(json))
		return json;
	json_decref(json);
	return NULL;
}

static const struct shape shape_resources = {resources_decode, resources_encode, NULL,
					     &resources_schema};

#define DEPLOY(field) offsetof(struct deploy, field), NO_FIELD
/* clang-format off */
static const struct attribute limits_attributes[] = {
	{"limits",       DEPLOY(limits),       &shape_resources},
	{"reservations", DEPLOY(reservations), &shape_resources},
};
/* clang-format on */
static const struct schema limits_schema = {"resources", limits_attributes,
					    ARRAY_SIZE(limits_attributes), NO_FIELD};

/* The fields of these blocks are the deploy's own. */
static void limits_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_object(d, node, &limits_schema, slot->field);
}

static json_t *limits_encode(const struct slot *slot)
{
	return encode_object(&limits_schema, slot->field);
}

static const struct shape shape_limits = {limits_decode, limits_encode, NULL, &limits_schema};

static void restart_condition_decode(struct decoder *d, const struct node *node,
				     const struct slot *slot)
{
	static const char *const conditions[] = {"none", "on-failure", "any"};
	char **text = slot->field;

	if (!decode_string(d, node, text))
		return;
	array_foreach(name, conditions)
		if (!strcmp(*name, *text))
			return;
	decode_problem(d, node, "must be one of none, on-failure, any");
}

static json_t *string_encode(const struct slot *slot)
{
	return shape_string.encode(slot);
}

static void string_release(const struct slot *slot)
{
	shape_string.release(slot);
}

static const struct shape shape_restart_condition = {restart_condition_decode, string_encode,
						     string_release};

/* clang-format off */
static const struct attribute restart_attributes[] = {
	{"condition",    DEPLOY(restart_policy.condition),    &shape_restart_condition},
	{"delay",        DEPLOY(restart_policy.delay),        &shape_duration},
	{"max_attempts", DEPLOY(restart_policy.max_attempts), &shape_count},
	{"window",       DEPLOY(restart_policy.window),       &shape_duration},
};
/* clang-format on */
static const struct schema restart_schema = {"restart_policy", restart_attributes,
					     ARRAY_SIZE(restart_attributes), NO_FIELD};

static void restart_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	((struct deploy *)slot->field)->restart_policy.given = true;
	decode_object(d, node, &restart_schema, slot->field);
}

static json_t *restart_encode(const struct slot *slot)
{
	const struct deploy *deploy = slot->field;

	return deploy->restart_policy.given ? encode_object(&restart_schema, deploy) : NULL;
}

static void restart_release(const struct slot *slot)
{
	release_object(&restart_schema, slot->field);
}

static const struct shape shape_restart_policy = {restart_decode, restart_encode, restart_release,
						  &restart_schema};

static void endpoint_mode_decode(struct decoder *d, const struct node *node,
				 const struct slot *slot)
{
	decode_string(d, node, slot->field);
}

static const struct shape shape_endpoint_mode = {endpoint_mode_decode, string_encode,
						 string_release};

/* clang-format off */
static const struct attribute deploy_attributes[] = {
	{"mode",            DEPLOY(mode),          &shape_string,         MERGE_DEEP,    CHANGE_NONE},
	{"replicas",        DEPLOY(replicas),      &shape_count,          MERGE_DEEP,    CHANGE_NONE},
	{"labels",          DEPLOY(labels),        &shape_labels,         MERGE_MAPPING},
	{"update_config",   DEPLOY(rest),          &shape_kept},
	{"rollback_config", DEPLOY(rest),          &shape_kept},
	{"resources",       NO_FIELD, NO_FIELD,    &shape_limits},
	{"restart_policy",  NO_FIELD, NO_FIELD,    &shape_restart_policy},
	{"placement",       DEPLOY(rest),          &shape_kept},
	{"endpoint_mode",   DEPLOY(endpoint_mode), &shape_endpoint_mode},
};
/* clang-format on */
static const struct schema deploy_schema = {
	"deploy", deploy_attributes, ARRAY_SIZE(deploy_attributes), offsetof(struct deploy, rest)};

static void deploy_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct deploy *deploy = slot->field;

	if (node->kind == NODE_NULL)
		return;
	deploy->given = true;
	decode_object(d, node, &deploy_schema, deploy);
	if (deploy->mode && strcmp(deploy->mode, "replicated") && strcmp(deploy->mode, "global"))
		decode_problem(d, node_get(node, "mode"),
			       "mode must be replicated or global (jobs are Swarm's)");
}

/* docker compose prints an empty `resources` and `placement` with every deploy. */
static json_t *deploy_encode(const struct slot *slot)
{
	const struct deploy *deploy = slot->field;
	json_t *json;

	if (!deploy->given)
		return NULL;
	json = encode_object(&deploy_schema, deploy);
	if (!json_object_get(json, "placement"))
		json_object_set_new(json, "placement", json_object());
	return json;
}

static void deploy_release(const struct slot *slot)
{
	release_object(&deploy_schema, slot->field);
}

const struct shape shape_deploy = {deploy_decode, deploy_encode, deploy_release, &deploy_schema,
				   .nullable = true};

#define LOGGING(field) offsetof(struct logging, field), NO_FIELD
/* clang-format off */
static const struct attribute logging_attributes[] = {
	{"driver",  LOGGING(driver),  &shape_string},
	{"options", LOGGING(options), &shape_options},
};
/* clang-format on */
static const struct schema logging_schema = {"logging", logging_attributes,
					     ARRAY_SIZE(logging_attributes), NO_FIELD};

static void logging_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	((struct logging *)slot->field)->given = true;
	decode_object(d, node, &logging_schema, slot->field);
}

static json_t *logging_encode(const struct slot *slot)
{
	const struct logging *logging = slot->field;

	return logging->given ? encode_object(&logging_schema, logging) : NULL;
}

static void logging_release(const struct slot *slot)
{
	release_object(&logging_schema, slot->field);
}

const struct shape shape_logging = {logging_decode, logging_encode, logging_release,
				    &logging_schema};
