// SPDX-License-Identifier: GPL-2.0-or-later
/* build.c - `build`: where an image of one's own comes from (compose-spec build.md). */
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

bool build_context_is_remote(const char *context)
{
	static const char *const prefixes[] = {"git@", "github.com/", "service:"};

	array_foreach(prefix, prefixes)
		if (str_starts_with(context, *prefix))
			return true;
	return strstr(context, "://") != NULL;
}

static void resolve_context(struct decoder *d, const struct node *node, char **context)
{
	if (*context && !build_context_is_remote(*context))
		decode_resolve(d, node, context);
}

static void context_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (decode_string(d, node, slot->field))
		resolve_context(d, node, slot->field);
}

/* NAME: a folder, a URL, docker-image://REF, oci-layout://PATH, service:NAME */
static void contexts_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct mapping *contexts = slot->field;

	decode_mapping(d, node, contexts, true);
	for (size_t i = 0; i < contexts->count; i++) {
		const struct node *said = node_get(node, contexts->items[i].key);

		if (!*contexts->items[i].value)
			decode_problem(d, said ? said : node, "%s: says no context",
				       contexts->items[i].key);
		else
			resolve_context(d, said ? said : node, &contexts->items[i].value);
	}
}

/* "true", "false", or settings as "mode=max": text in the canonical form. */
static void switch_text_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **text = slot->field;

	if (node->kind == NODE_BOOL) {
		free(*text);
		*text = alloc_string(node->boolean ? "true" : "false");
	} else {
		decode_string(d, node, text);
	}
	if (*text && strcmp(*text, "false") != 0)
		decode_unheeded(d, node, "berth makes no attestations");
}

static void platforms_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	shape_strings.decode(d, node, slot);
	if (node->kind == NODE_SEQUENCE && node->count > 1)
		decode_warning_at(d, node,
				  "only the image of the service's platform, or else of this "
				  "machine's, is built");
}

static json_t *strings_encode(const struct slot *slot)
{
	return shape_strings.encode(slot);
}

static void strings_release(const struct slot *slot)
{
	shape_strings.release(slot);
}

/* `default`, or ID[=PATH] of a socket or key. */
static json_t *ssh_encode(const struct slot *slot)
{
	const struct mapping *keys = slot->field;
	json_t *json;

	if (!keys->count)
		return NULL;
	json = json_array();
	for (size_t i = 0; i < keys->count; i++) {
		const struct key_value *key = &keys->items[i];

		json_array_append_new(json, key->value && *key->value
						    ? json_sprintf("%s=%s", key->key, key->value)
						    : json_string_nocheck(key->key));
	}
	return json;
}

static void ssh_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct mapping *keys = slot->field;

	if (node->kind == NODE_STRING) {
		mapping_add(keys, node->text, NULL);
		return;
	}
	decode_mapping(d, node, keys, false);
	for (size_t i = 0; i < keys->count; i++) {
		const struct node *said = node_get(node, keys->items[i].key);

		decode_resolve(d, said ? said : node, &keys->items[i].value);
	}
}

static json_t *string_encode(const struct slot *slot)
{
	return shape_string.encode(slot);
}

static json_t *mapping_encode(const struct slot *slot)
{
	return shape_labels.encode(slot);
}

static void string_release(const struct slot *slot)
{
	shape_string.release(slot);
}

static void mapping_slot_release(const struct slot *slot)
{
	mapping_release(slot->field);
}

static const struct shape shape_platforms = {platforms_decode, strings_encode, strings_release};
static const struct shape shape_context = {context_decode, string_encode, string_release};
static const struct shape shape_contexts = {contexts_decode, mapping_encode, mapping_slot_release};
static const struct shape shape_switch_text = {switch_text_decode, string_encode, string_release};
static const struct shape shape_ssh = {ssh_decode, ssh_encode, mapping_slot_release};

#define BUILD(field)         offsetof(struct build, field), NO_FIELD
#define BUILDS(field, count) offsetof(struct build, field), offsetof(struct build, count)
/* clang-format off */
static const struct attribute build_attributes[] = {
	{"context",             BUILD(context),                        &shape_context},
	{"dockerfile",          BUILD(dockerfile),                     &shape_string},
	{"dockerfile_inline",   BUILD(dockerfile_inline),              &shape_string},
	{"entitlements",        BUILD(entitlements),                   &shape_strings,     MERGE_LIST},
	{"args",                BUILD(args),                           &shape_environment, MERGE_MAPPING},
	{"provenance",          BUILD(provenance),                     &shape_switch_text},
	{"sbom",                BUILD(sbom),                           &shape_switch_text},
	{"ssh",                 BUILD(ssh),                            &shape_ssh,         MERGE_MAPPING},
	{"labels",              BUILD(labels),                         &shape_labels,      MERGE_MAPPING},
	{"cache_from",          BUILD(cache_from),                     &shape_strings,     MERGE_LIST},
	{"cache_to",            BUILD(cache_to),                       &shape_strings,     MERGE_LIST},
	{"no_cache",            BUILD(no_cache),                       &shape_switch},
	{"no_cache_filter",     BUILD(no_cache_filter),                &shape_string_list, MERGE_LIST},
	{"additional_contexts", BUILD(additional_contexts),            &shape_contexts,    MERGE_MAPPING},
	{"pull",                BUILD(pull),                           &shape_switch},
	{"extra_hosts",         BUILDS(extra_hosts, extra_host_count), &shape_extra_hosts, MERGE_LIST},
	{"isolation",           BUILD(isolation),                      &shape_isolation},
	{"network",             BUILD(network),                        &shape_string},
	{"target",              BUILD(target),                         &shape_string},
	{"secrets",             BUILDS(secrets, secret_count),         &shape_configs,     MERGE_LIST},
	{"shm_size",            BUILD(shm_size),                       &shape_bytes},
	{"tags",                BUILD(tags),                           &shape_strings,     MERGE_LIST},
	{"ulimits",             BUILDS(ulimits, ulimit_count),         &shape_ulimits,     MERGE_MAPPING},
	{"platforms",           BUILD(platforms),                      &shape_platforms,     MERGE_LIST},
	{"privileged",          BUILD(privileged),                     &shape_switch},
};
/* clang-format on */
static const struct schema build_schema = {"build", build_attributes, ARRAY_SIZE(build_attributes),
					   offsetof(struct build, rest)};

/* A text is the context; the context is the project's own folder unless said. */
static void build_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct build *build = slot->field;

	if (node->kind == NODE_NULL)
		return;
	build->given = true;
	if (node->kind == NODE_STRING)
		build->context = alloc_string(node->text);
	else
		decode_object(d, node, &build_schema, build);
	if (node->kind == NODE_STRING || !build->context) {
		if (!build->context)
			build->context = alloc_string(".");
		resolve_context(d, node, &build->context);
	}
	/* `dockerfile_inline: ${LINES:-}` may come to nothing. */
	if (build->dockerfile_inline && !*build->dockerfile_inline)
		free(TAKE_PTR(build->dockerfile_inline));
	if (build->dockerfile && build->dockerfile_inline)
		decode_problem(d, node,
			       "declares mutually exclusive dockerfile and dockerfile_inline");
	if (!build->dockerfile && !build->dockerfile_inline)
		build->dockerfile = alloc_string("Dockerfile");
}

const struct shape shape_build = {build_decode, encode_block, release_block, &build_schema,
				  .nullable = true};
