// SPDX-License-Identifier: GPL-2.0-or-later
/* deploy.c - `deploy` (of which docker compose obeys a part) and `logging`. */
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

#define GENERIC(field) offsetof(struct generic_resource, field), NO_FIELD
/* clang-format off */
static const struct attribute discrete_attributes[] = {
	{"kind",  GENERIC(kind),  &shape_string},
	{"value", GENERIC(value), &shape_count},
};
/* clang-format on */
static const struct schema discrete_schema = {"generic resource", discrete_attributes,
					      ARRAY_SIZE(discrete_attributes),
					      offsetof(struct generic_resource, rest)};
static const struct shape shape_discrete = {decode_block, encode_block, release_block,
					    &discrete_schema};
static const struct attribute generic_attributes[] = {
	{"discrete_resource_spec", 0, NO_FIELD, &shape_discrete},
};
static const struct schema generic_schema = {"generic resource", generic_attributes,
					     ARRAY_SIZE(generic_attributes),
					     offsetof(struct generic_resource, outer_rest)};

static void generic_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_rows(d, node, slot);
	decode_unheeded(d, node, "only Swarm counts such resources");
}

static const struct shape shape_generic = {generic_decode,
					   encode_rows,
					   release_rows,
					   &generic_schema,
					   .element_size = sizeof(struct generic_resource),
					   .elements = true};

static void reserved_cpus_decode(struct decoder *d, const struct node *node,
				 const struct slot *slot)
{
	shape_number.decode(d, node, slot);
	decode_unheeded(d, node, "only Swarm reserves processors; cpu_shares gives a part of them");
}

static json_t *number_encode(const struct slot *slot)
{
	return shape_number.encode(slot);
}

static const struct shape shape_reserved_cpus = {reserved_cpus_decode, number_encode, NULL};

#define RESOURCES(field) offsetof(struct deploy_resources, field), NO_FIELD
#define RESOURCE_ROWS(field, count) \
	offsetof(struct deploy_resources, field), offsetof(struct deploy_resources, count)
/* clang-format off */
static const struct attribute limits_attributes[] = {
	{"cpus",   RESOURCES(cpus),   &shape_number},
	{"memory", RESOURCES(memory), &shape_bytes},
	{"pids",   RESOURCES(pids),   &shape_int},
};
static const struct attribute reservations_attributes[] = {
	{"cpus",              RESOURCES(cpus),                                          &shape_reserved_cpus, MERGE_DEEP, CHANGE_UPDATE},
	{"memory",            RESOURCES(memory),                                        &shape_bytes,  MERGE_DEEP, CHANGE_UPDATE},
	{"devices",           RESOURCE_ROWS(devices, device_count),                     &shape_reserved_devices},
	{"generic_resources", RESOURCE_ROWS(generic_resources, generic_resource_count), &shape_generic},
};
/* clang-format on */
static const struct schema limits_schema = {"limits", limits_attributes,
					    ARRAY_SIZE(limits_attributes),
					    offsetof(struct deploy_resources, rest)};
static const struct schema reservations_schema = {"reservations", reservations_attributes,
						  ARRAY_SIZE(reservations_attributes),
						  offsetof(struct deploy_resources, rest)};

/* An object without `given`: empty is as good as none. */
static void part_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_object(d, node, slot->attribute->shape->schema, slot->field);
}

static json_t *part_encode(const struct slot *slot)
{
	json_t *json = encode_object(slot->attribute->shape->schema, slot->field);

	if (json_object_size(json))
		return json;
	json_decref(json);
	return NULL;
}

static const struct shape shape_limits = {part_decode, part_encode, release_block, &limits_schema};
static const struct shape shape_reservations = {part_decode, part_encode, release_block,
						&reservations_schema};

#define DEPLOY(field) offsetof(struct deploy, field), NO_FIELD
/* clang-format off */
static const struct attribute resources_attributes[] = {
	{"limits",       DEPLOY(limits),       &shape_limits, MERGE_DEEP, CHANGE_UPDATE},
	{"reservations", DEPLOY(reservations), &shape_reservations},
};
/* clang-format on */
static const struct schema resources_schema = {"resources", resources_attributes,
					       ARRAY_SIZE(resources_attributes),
					       offsetof(struct deploy, resources_rest)};

/* Its fields are the deploy's own; docker compose prints it even when it is empty. */
static json_t *resources_encode(const struct slot *slot)
{
	return encode_object(&resources_schema, slot->field);
}

static const struct shape shape_resources = {part_decode, resources_encode, release_block,
					     &resources_schema};

static void failure_action_decode(struct decoder *d, const struct node *node,
				  const struct slot *slot)
{
	static const char *const actions[] = {"continue", "rollback", "pause"};

	decode_word(d, node, slot->field, actions, ARRAY_SIZE(actions));
}

static void order_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const orders[] = {"start-first", "stop-first"};

	decode_word(d, node, slot->field, orders, ARRAY_SIZE(orders));
}

static json_t *string_encode(const struct slot *slot)
{
	return shape_string.encode(slot);
}

static void string_release(const struct slot *slot)
{
	shape_string.release(slot);
}

static const struct shape shape_failure_action = {failure_action_decode, string_encode,
						  string_release};
static const struct shape shape_order = {order_decode, string_encode, string_release};

#define UPDATE(field) offsetof(struct update_config, field), NO_FIELD
/* clang-format off */
static const struct attribute update_attributes[] = {
	{"parallelism",       UPDATE(parallelism),       &shape_count},
	{"delay",             UPDATE(delay),             &shape_duration},
	{"failure_action",    UPDATE(failure_action),    &shape_failure_action},
	{"monitor",           UPDATE(monitor),           &shape_duration},
	{"max_failure_ratio", UPDATE(max_failure_ratio), &shape_number},
	{"order",             UPDATE(order),             &shape_order},
};
/* clang-format on */
static const struct schema update_schema = {"update_config", update_attributes,
					    ARRAY_SIZE(update_attributes),
					    offsetof(struct update_config, rest)};

static void update_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	const struct update_config *config = slot->field;

	decode_block(d, node, slot);
	if (!config->order || strcmp(config->order, "start-first") != 0)
		decode_unheeded(
			d, node,
			"without `order: start-first` up replaces all that changed at once");
}

static const struct shape shape_update = {update_decode, encode_block, release_block,
					  &update_schema};

static const struct attribute preference_attributes[] = {
	{"spread", offsetof(struct placement_preference, spread), NO_FIELD, &shape_string},
};
static const struct schema preference_schema = {"preference", preference_attributes,
						ARRAY_SIZE(preference_attributes),
						offsetof(struct placement_preference, rest)};
static const struct shape shape_preferences = {decode_rows,
					       encode_rows,
					       release_rows,
					       &preference_schema,
					       .element_size = sizeof(struct placement_preference),
					       .elements = true};

#define PLACEMENT(field) offsetof(struct placement, field)
/* clang-format off */
static const struct attribute placement_attributes[] = {
	{"constraints",           PLACEMENT(constraints), NO_FIELD,                      &shape_strings, MERGE_LIST},
	{"preferences",           PLACEMENT(preferences), PLACEMENT(preference_count),   &shape_preferences},
	{"max_replicas_per_node", PLACEMENT(max_replicas_per_node), NO_FIELD,            &shape_int},
};
/* clang-format on */
static const struct schema placement_schema = {"placement", placement_attributes,
					       ARRAY_SIZE(placement_attributes),
					       offsetof(struct placement, rest)};

static void placement_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_object(d, node, &placement_schema, slot->field);
	if (node->kind == NODE_MAPPING && node->count)
		decode_unheeded(d, node,
				"there is one machine, only Swarm places containers on others");
}

static json_t *placement_encode(const struct slot *slot)
{
	return encode_object(&placement_schema, slot->field);
}

static const struct shape shape_placement = {placement_decode, placement_encode, release_block,
					     &placement_schema};

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
					     ARRAY_SIZE(restart_attributes),
					     offsetof(struct deploy, restart_policy.rest)};

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

static void mode_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const modes[] = {"replicated", "global"};
	char **mode = slot->field;

	if (node->kind == NODE_STRING && str_ends_with(node->text, "-job"))
		decode_problem(d, node,
			       "must be replicated or global: jobs are Swarm's; a service "
			       "with `restart: \"no\"` runs once");
	else
		decode_word(d, node, mode, modes, ARRAY_SIZE(modes));
}

/* Names have all addresses of a service, in turns: dnsrr. One address for all is Swarm's. */
static void endpoint_mode_decode(struct decoder *d, const struct node *node,
				 const struct slot *slot)
{
	static const char *const modes[] = {"vip", "dnsrr"};

	if (decode_word(d, node, slot->field, modes, ARRAY_SIZE(modes)) &&
	    !strcmp(node->text, "vip"))
		decode_unheeded(d, node, "virtual addresses are Swarm's, names have all addresses");
}

/* docker compose, too, gives them to nothing. */
static void deploy_labels_decode(struct decoder *d, const struct node *node,
				 const struct slot *slot)
{
	shape_labels.decode(d, node, slot);
	decode_unheeded(d, node, "they are for Swarm's services; containers have `labels`");
}

static json_t *labels_encode(const struct slot *slot)
{
	return shape_labels.encode(slot);
}

static void labels_release(const struct slot *slot)
{
	shape_labels.release(slot);
}

static const struct shape shape_deploy_labels = {deploy_labels_decode, labels_encode,
						 labels_release};
static const struct shape shape_mode_word = {mode_decode, string_encode, string_release};
static const struct shape shape_endpoint_mode = {endpoint_mode_decode, string_encode,
						 string_release};

/* clang-format off */
static const struct attribute deploy_attributes[] = {
	{"mode",            DEPLOY(mode),            &shape_mode_word,      MERGE_DEEP,    CHANGE_NONE},
	{"replicas",        DEPLOY(replicas),        &shape_count,          MERGE_DEEP,    CHANGE_NONE},
	{"labels",          DEPLOY(labels),          &shape_deploy_labels,  MERGE_MAPPING, CHANGE_UPDATE},
	{"update_config",   DEPLOY(update_config),   &shape_update,         MERGE_DEEP,    CHANGE_NONE},
	{"rollback_config", DEPLOY(rollback_config), &shape_update,         MERGE_DEEP,    CHANGE_NONE},
	{"resources",       NO_FIELD, NO_FIELD,      &shape_resources},
	{"restart_policy",  NO_FIELD, NO_FIELD,      &shape_restart_policy, MERGE_DEEP,    CHANGE_UPDATE},
	{"placement",       DEPLOY(placement),       &shape_placement,      MERGE_DEEP,    CHANGE_NONE},
	{"endpoint_mode",   DEPLOY(endpoint_mode),   &shape_endpoint_mode,  MERGE_DEEP,    CHANGE_NONE},
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
}

/* docker compose prints an empty `resources` and `placement` with every deploy. */
static json_t *deploy_encode(const struct slot *slot)
{
	const struct deploy *deploy = slot->field;
	json_t *json;

	if (!deploy->given)
		return NULL;
	json = encode_object(&deploy_schema, deploy);
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
					     ARRAY_SIZE(logging_attributes),
					     offsetof(struct logging, rest)};

/* What Docker's own drivers put beside each line. */
static void warn_of_options(struct decoder *d, const struct node *options)
{
	static const char *const beside[] = {"env", "env-regex", "labels", "labels-regex", "tag"};

	decoder_push(d, "options");
	array_foreach(name, beside) {
		const struct node *option = node_get(options, *name);

		if (!option)
			continue;
		decoder_push(d, *name);
		decode_unheeded(d, option, "log files have nothing beside the lines");
		decoder_pop(d);
	}
	decoder_pop(d);
}

static void logging_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct logging *logging = slot->field;

	logging->given = true;
	decode_object(d, node, &logging_schema, logging);
	/* The journal has all of them: fields. */
	if (!str_equal(logging->driver, "journald"))
		warn_of_options(d, node_get(node, "options"));
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
