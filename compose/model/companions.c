// SPDX-License-Identifier: GPL-2.0-or-later
/* companions.c - what stands beside containers: `provider`, `models`, `credential_spec`. */
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

static void option_values(struct decoder *d, const struct node *node, char ***values)
{
	if (!node_is_scalar(node) || node->kind == NODE_NULL || node->date)
		decode_wrong_type(d, node, "a string, a number or a boolean");
	else
		strv_take(values, node_scalar_text(node));
}

/* Each option is a flag, given once for each of its values. */
static void options_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (!decode_mapping_kind(d, node))
		return;
	node_foreach(child, node) {
		struct provider_option *option =
			array_add(*(struct provider_option **)slot->field, *slot->count);

		option->name = alloc_string(child->key);
		decoder_push(d, child->key);
		if (child->kind == NODE_SEQUENCE) {
			node_foreach(item, child)
				option_values(d, item, &option->values);
		} else {
			option_values(d, child, &option->values);
		}
		decoder_pop(d);
	}
}

static json_t *options_encode(const struct slot *slot)
{
	const struct provider_option *options = *(struct provider_option **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_object();
	for (size_t i = 0; i < *slot->count; i++) {
		json_t *values = json_array();

		strv_foreach(value, options[i].values)
			json_array_append_new(values, json_string_nocheck(value));
		json_object_set_new_nocheck(json, options[i].name, values);
	}
	return json;
}

static void options_release(const struct slot *slot)
{
	struct provider_option **options = slot->field;

	for (size_t i = 0; i < *slot->count; i++) {
		free((*options)[i].name);
		strv_free((*options)[i].values);
	}
	free(TAKE_PTR(*options));
	*slot->count = 0;
}

static const struct shape shape_provider_options = {options_decode, options_encode,
						    options_release};

/* clang-format off */
static const struct attribute provider_attributes[] = {
	{"type",    offsetof(struct provider, type), NO_FIELD,                                     &shape_string},
	{"options", offsetof(struct provider, options), offsetof(struct provider, option_count), &shape_provider_options},
};
/* clang-format on */
static const struct schema provider_schema = {"provider", provider_attributes,
					      ARRAY_SIZE(provider_attributes),
					      offsetof(struct provider, rest)};

static void provider_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct provider *provider = slot->field;

	decode_block(d, node, slot);
	if (node->kind == NODE_MAPPING && (!provider->type || !*provider->type))
		decode_problem(d, node, "type is required");
}

const struct shape shape_provider = {provider_decode, encode_block, release_block,
				     &provider_schema};

#define ON(field) offsetof(struct service_model, field), NO_FIELD
/* clang-format off */
static const struct attribute service_model_attributes[] = {
	{"endpoint_var", ON(endpoint_var), &shape_string},
	{"model_var",    ON(model_var),    &shape_string},
};
/* clang-format on */
static const struct schema service_model_schema = {"model", service_model_attributes,
						   ARRAY_SIZE(service_model_attributes),
						   offsetof(struct service_model, rest)};

static void service_models_decode(struct decoder *d, const struct node *node,
				  const struct slot *slot)
{
	_cleanup_node_ struct node *mapping = NULL;
	struct service_model **items = slot->field;

	if (node->kind == NODE_SEQUENCE) {
		mapping = decode_names(d, node);
		node = mapping;
	}
	decode_objects(d, node, slot);
	for (size_t i = 0; i < *slot->count; i++) {
		const struct node *said = node_get(node, (*items)[i].name);

		(*items)[i].given = said && said->kind != NODE_NULL;
	}
}

static json_t *service_models_encode(const struct slot *slot)
{
	const struct service_model *items = *(struct service_model **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_object();
	for (size_t i = 0; i < *slot->count; i++)
		json_object_set_new_nocheck(
			json, items[i].name,
			items[i].given ? encode_object(&service_model_schema, &items[i])
				       : json_null());
	return json;
}

const struct shape shape_service_models = {
	.decode = service_models_decode,
	.encode = service_models_encode,
	.release = release_objects,
	.schema = &service_model_schema,
	.element_size = sizeof(struct service_model),
	.key_offset = offsetof(struct service_model, name),
	.elements = true,
	.nullable = true,
};

#define MODEL(field) offsetof(struct ai_model, field), NO_FIELD
/* clang-format off */
static const struct attribute model_attributes[] = {
	{"name",          MODEL(name),          &shape_string},
	{"model",         MODEL(model),         &shape_string},
	{"context_size",  MODEL(context_size),  &shape_int},
	{"runtime_flags", MODEL(runtime_flags), &shape_strings, MERGE_LIST},
};
/* clang-format on */
const struct schema model_schema = {"model", model_attributes, ARRAY_SIZE(model_attributes),
				    offsetof(struct ai_model, rest)};

#define CREDENTIAL(field) offsetof(struct credential_spec, field), NO_FIELD
/* clang-format off */
static const struct attribute credential_attributes[] = {
	{"config",   CREDENTIAL(config),   &shape_string},
	{"file",     CREDENTIAL(file),     &shape_path},
	{"registry", CREDENTIAL(registry), &shape_string},
};
/* clang-format on */
static const struct schema credential_schema = {"credential_spec", credential_attributes,
						ARRAY_SIZE(credential_attributes),
						offsetof(struct credential_spec, rest)};

static void credential_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_block(d, node, slot);
	decode_unheeded(d, node, "managed service accounts are Windows'");
}

const struct shape shape_credential_spec = {credential_decode, encode_block, release_block,
					    &credential_schema};
