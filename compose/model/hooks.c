// SPDX-License-Identifier: GPL-2.0-or-later
/* hooks.c - commands beside the container's own: pre_start, post_start, pre_stop; `develop`. */
#include <string.h>

#include "common/alloc.h"
#include "common/path.h"

#include "compose/model/shapes.h"

#define HOOK(field) offsetof(struct hook, field), NO_FIELD
/* clang-format off */
static const struct attribute hook_attributes[] = {
	{"command",     HOOK(command),     &shape_argv,        MERGE_REPLACE},
	{"user",        HOOK(user),        &shape_string},
	{"privileged",  HOOK(privileged),  &shape_switch},
	{"working_dir", HOOK(working_dir), &shape_string},
	{"environment", HOOK(environment), &shape_environment, MERGE_MAPPING},
};
static const struct attribute pre_start_attributes[] = {
	{"command",     HOOK(command),     &shape_argv,        MERGE_REPLACE},
	{"image",       HOOK(image),       &shape_string},
	{"user",        HOOK(user),        &shape_string},
	{"privileged",  HOOK(privileged),  &shape_switch},
	{"working_dir", HOOK(working_dir), &shape_string},
	{"environment", HOOK(environment), &shape_environment, MERGE_MAPPING},
	{"per_replica", HOOK(per_replica), &shape_switch},
};
/* clang-format on */
static const struct schema hook_schema = {"hook", hook_attributes, ARRAY_SIZE(hook_attributes),
					  offsetof(struct hook, rest)};
static const struct schema pre_start_schema = {"hook", pre_start_attributes,
					       ARRAY_SIZE(pre_start_attributes),
					       offsetof(struct hook, rest)};

/* What runs in the container has no command of its own to fall back to. */
static void hooks_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	decode_rows(d, node, slot);
	if (node->kind != NODE_SEQUENCE)
		return;
	node_foreach(item, node) {
		const struct hook *hook = &(*(struct hook **)slot->field)[i];

		decoder_push_index(d, i++);
		if (item->kind == NODE_MAPPING && !hook->command.args)
			decode_problem(d, item, "command is required");
		decoder_pop(d);
	}
}

#define HOOK_ROWS(name, decode_, schema_)                               \
	const struct shape name = {decode_,                             \
				   encode_rows,                         \
				   release_rows,                        \
				   &schema_,                            \
				   .element_size = sizeof(struct hook), \
				   .elements = true}
HOOK_ROWS(shape_hooks, hooks_decode, hook_schema);
HOOK_ROWS(shape_pre_start, decode_rows, pre_start_schema);

static void exec_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_object(d, node, &hook_schema, slot->field);
}

static json_t *exec_encode(const struct slot *slot)
{
	return encode_object(&hook_schema, slot->field);
}

static const struct shape shape_exec = {exec_decode, exec_encode, release_block, &hook_schema};

static void action_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const actions[] = {"rebuild", "sync", "restart", "sync+restart",
					      "sync+exec"};

	decode_word(d, node, slot->field, actions, ARRAY_SIZE(actions));
}

static json_t *string_encode(const struct slot *slot)
{
	return shape_string.encode(slot);
}

static void string_release(const struct slot *slot)
{
	shape_string.release(slot);
}

/* What is watched is compared with paths of events: no "//", no slash at the end. */
static void watched_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **path = slot->field, *cleaned;

	shape_path.decode(d, node, slot);
	if (!*path || **path != '/')
		return;
	cleaned = path_clean(*path);
	free(*path);
	*path = cleaned;
}

static const struct shape shape_watched = {watched_decode, string_encode, string_release};
static const struct shape shape_action = {action_decode, string_encode, string_release};

#define TRIGGER(field) offsetof(struct watch_trigger, field), NO_FIELD
/* clang-format off */
static const struct attribute trigger_attributes[] = {
	{"path",         TRIGGER(path),         &shape_watched},
	{"action",       TRIGGER(action),       &shape_action},
	{"target",       TRIGGER(target),       &shape_string},
	{"exec",         TRIGGER(exec),         &shape_exec},
	{"include",      TRIGGER(include),      &shape_string_list, MERGE_LIST},
	{"ignore",       TRIGGER(ignore),       &shape_string_list, MERGE_LIST},
	{"initial_sync", TRIGGER(initial_sync), &shape_switch},
};
/* clang-format on */
static const struct schema trigger_schema = {"watch", trigger_attributes,
					     ARRAY_SIZE(trigger_attributes),
					     offsetof(struct watch_trigger, rest)};

static void check_trigger(struct decoder *d, const struct node *item,
			  const struct watch_trigger *trigger)
{
	if (!trigger->path)
		decode_problem(d, item, "path is required");
	if (!node_get(item, "action"))
		decode_problem(d, item, "action is required");
	if (!trigger->target && trigger->action && str_starts_with(trigger->action, "sync"))
		decode_problem(d, item, "target is required for %s action", trigger->action);
	if (str_equal(trigger->action, "sync+exec") && !trigger->exec.command.args)
		decode_problem(d, item, "exec with a command is required for sync+exec action");
}

static void watch_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	decode_rows(d, node, slot);
	if (node->kind != NODE_SEQUENCE)
		return;
	node_foreach(item, node) {
		const struct watch_trigger *trigger = &(*(struct watch_trigger **)slot->field)[i];

		decoder_push_index(d, i++);
		if (item->kind == NODE_MAPPING)
			check_trigger(d, item, trigger);
		decoder_pop(d);
	}
}

static const struct shape shape_watch = {watch_decode,
					 encode_rows,
					 release_rows,
					 &trigger_schema,
					 .element_size = sizeof(struct watch_trigger),
					 .elements = true};

/* clang-format off */
static const struct attribute develop_attributes[] = {
	{"watch", offsetof(struct develop, watch), offsetof(struct develop, watch_count), &shape_watch},
};
/* clang-format on */
static const struct schema develop_schema = {"develop", develop_attributes,
					     ARRAY_SIZE(develop_attributes),
					     offsetof(struct develop, rest)};

const struct shape shape_develop = {decode_block, encode_block, release_block, &develop_schema,
				    .nullable = true};
