// SPDX-License-Identifier: GPL-2.0-or-later
/* files.c - secrets and configs: what a service asks for, and the top-level ones; env_file. */
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

#define FILE_REFERENCE(field) offsetof(struct file_reference, field), NO_FIELD
/* clang-format off */
static const struct attribute reference_attributes[] = {
	{"source", FILE_REFERENCE(source), &shape_string},
	{"target", FILE_REFERENCE(target), &shape_string},
	{"uid",    FILE_REFERENCE(uid),    &shape_string},
	{"gid",    FILE_REFERENCE(gid),    &shape_string},
	{"mode",   FILE_REFERENCE(mode),   &shape_mode},
};
/* clang-format on */
static const struct schema reference_schema = {"reference", reference_attributes,
					       ARRAY_SIZE(reference_attributes),
					       offsetof(struct file_reference, rest)};

static void decode_reference(struct decoder *d, const struct node *item,
			     struct file_reference *reference)
{
	if (item->kind == NODE_STRING)
		reference->source = alloc_string(item->text);
	else if (item->kind == NODE_MAPPING)
		decode_object(d, item, &reference_schema, reference);
	else
		decode_wrong_type(d, item, "a string or a mapping");
	if (!reference->source && node_get(item, "source") == NULL && item->kind == NODE_MAPPING)
		decode_problem(d, item, "source is required");
	if (!reference->source)
		reference->source = alloc_string("");
}

static void references_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	if (!decode_sequence_kind(d, node))
		return;
	node_foreach(item, node) {
		struct file_reference *reference =
			array_add(*(struct file_reference **)slot->field, *slot->count);

		decoder_push_index(d, i++);
		decode_reference(d, item, reference);
		decoder_pop(d);
	}
	decode_unique_items(d, node);
}

static void release_reference(void *row)
{
	release_object(&reference_schema, row);
}

static void target_key(const void *row, struct strbuf *text)
{
	const struct file_reference *reference = row;

	strbuf_addf(text, "%s%s", reference->target ? "" : "/",
		    reference->target ? reference->target : reference->source);
}

/* A name is a file in /run/secrets. */
static void secret_key(const void *row, struct strbuf *text)
{
	const struct file_reference *reference = row;

	strbuf_addf(text, "%s%s", *reference->target == '/' ? "" : "/run/secrets/",
		    reference->target);
}

static void configs_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	references_decode(d, node, slot);
	rows_unify(*(void **)slot->field, slot->count, sizeof(struct file_reference), target_key,
		   release_reference);
}

/* A secret says where it goes; for a config, "/SOURCE" is understood. */
static void secrets_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct file_reference **items = slot->field;

	references_decode(d, node, slot);
	for (size_t i = 0; i < *slot->count; i++)
		if (!(*items)[i].target)
			(*items)[i].target = str_printf("/run/secrets/%s", (*items)[i].source);
	rows_unify(*items, slot->count, sizeof(**items), secret_key, release_reference);
}

static json_t *references_encode(const struct slot *slot)
{
	const struct file_reference *items = *(struct file_reference **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_array();
	for (size_t i = 0; i < *slot->count; i++)
		json_array_append_new(json, encode_object(&reference_schema, &items[i]));
	return json;
}

static void references_release(const struct slot *slot)
{
	struct file_reference **items = slot->field;

	for (size_t i = 0; i < *slot->count; i++)
		release_object(&reference_schema, &(*items)[i]);
	free(TAKE_PTR(*items));
	*slot->count = 0;
}

const struct shape shape_secrets = {secrets_decode, references_encode, references_release,
				    &reference_schema, .elements = true};
const struct shape shape_configs = {configs_decode, references_encode, references_release,
				    &reference_schema, .elements = true};

struct old_external {
	char *name;
};

static const struct attribute old_external_attributes[] = {
	{"name", offsetof(struct old_external, name), NO_FIELD, &shape_string},
};
static const struct schema old_external_schema = {"external", old_external_attributes,
						  ARRAY_SIZE(old_external_attributes), NO_FIELD};

/* true, "true", or the old {name: X}, whose name load takes over. */
static void external_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct old_external old = {0};

	if (node->kind != NODE_MAPPING) {
		decode_bool(d, node, slot->field);
		return;
	}
	*(bool *)slot->field = true;
	decode_object(d, node, &old_external_schema, &old);
	release_object(&old_external_schema, &old);
}

static json_t *external_encode(const struct slot *slot)
{
	return *(bool *)slot->field ? json_true() : NULL;
}

const struct shape shape_external = {external_decode, external_encode, NULL};

/* `content: ""` is a file, an empty one. */
static json_t *content_encode(const struct slot *slot)
{
	const char *text = *(char **)slot->field;

	return text ? json_string_nocheck(text) : NULL;
}

static void content_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_string(d, node, slot->field);
}

static void content_release(const struct slot *slot)
{
	shape_string.release(slot);
}

static const struct shape shape_content = {content_decode, content_encode, content_release};

static void swarm_driver_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (decode_string(d, node, slot->field))
		decode_unheeded(d, node, "only Swarm has drivers for it");
}

static const struct shape shape_swarm_driver = {swarm_driver_decode, content_encode,
						content_release};

#define FILE_OBJECT(field) offsetof(struct file_object, field), NO_FIELD
#define CREDENTIAL_MAX     255

/* systemd.exec(5): a file's name, which goes into lists with colons between. */
static void credential_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **name = slot->field;
	bool good;

	if (!decode_string(d, node, name))
		return;
	good = **name && **name != '.' && strlen(*name) <= CREDENTIAL_MAX;
	for (const char *c = *name; *c; c++)
		good = good && *c > ' ' && *c < 0x7f && !strchr("/:\\\"'%", *c);
	if (!good)
		decode_problem(d, node, "is no name of a credential: \"%s\"", *name);
}

static void credential_release(const struct slot *slot)
{
	shape_string.release(slot);
}

static const struct shape shape_credential = {credential_decode, NULL, credential_release};
static const struct attribute file_berth_attributes[] = {
	{"credential", FILE_OBJECT(berth.credential), &shape_credential},
};
static const struct schema file_berth_schema = {"x-berth", file_berth_attributes,
						ARRAY_SIZE(file_berth_attributes), NO_FIELD};

static void file_berth_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct file_object *object =
		(void *)((char *)slot->field - offsetof(struct file_object, berth));

	decode_object(d, node, &file_berth_schema, object);
}

static void file_berth_release(const struct slot *slot)
{
	struct file_object *object =
		(void *)((char *)slot->field - offsetof(struct file_object, berth));

	release_object(&file_berth_schema, object);
}

/* Not encoded: the object keeps it as it was written, as every extension. */
static const struct shape shape_file_berth = {file_berth_decode, NULL, file_berth_release,
					      &file_berth_schema};
/* clang-format off */
static const struct attribute file_attributes[] = {
	{"name",        FILE_OBJECT(name),        &shape_name},
	{"file",        FILE_OBJECT(file),        &shape_path},
	{"environment", FILE_OBJECT(environment), &shape_string},
	{"content",     FILE_OBJECT(content),     &shape_content},
	{"external",    FILE_OBJECT(external),    &shape_external},
	{"labels",      FILE_OBJECT(labels),      &shape_labels,   MERGE_MAPPING},
	/* Secrets only. */
	{"driver",          FILE_OBJECT(driver),          &shape_swarm_driver},
	{"driver_opts",     FILE_OBJECT(driver_opts),     &shape_options,      MERGE_DEEP},
	{"template_driver", FILE_OBJECT(template_driver), &shape_swarm_driver},
	{"x-berth",         FILE_OBJECT(berth),           &shape_file_berth},
};
/* clang-format on */
const struct schema secret_schema = {"secret", file_attributes, ARRAY_SIZE(file_attributes),
				     offsetof(struct file_object, rest)};
const struct schema config_schema = {"config", file_attributes, ARRAY_SIZE(file_attributes),
				     offsetof(struct file_object, rest)};

#define ENV_FILE(field) offsetof(struct env_file, field), NO_FIELD
/* clang-format off */
static const struct attribute env_file_attributes[] = {
	{"path",     ENV_FILE(path),     &shape_string},
	{"required", ENV_FILE(required), &shape_bool},
	{"format",   ENV_FILE(format),   &shape_string},
};
/* clang-format on */
static const struct schema env_file_schema = {"env_file", env_file_attributes,
					      ARRAY_SIZE(env_file_attributes), NO_FIELD};

static void decode_env_file(struct decoder *d, const struct node *item, const struct slot *slot)
{
	struct env_file *file = array_add(*(struct env_file **)slot->field, *slot->count);

	file->required = true;
	if (item->kind == NODE_STRING)
		file->path = alloc_string(item->text);
	else if (item->kind == NODE_MAPPING)
		decode_object(d, item, &env_file_schema, file);
	else
		decode_wrong_type(d, item, "a string or a mapping");
	if (item->kind == NODE_MAPPING && !node_get(item, "path"))
		decode_problem(d, item, "path is required");
	if (file->format && strcmp(file->format, "raw"))
		decode_problem(d, item, "unsupported env_file format \"%s\"; there is \"raw\"",
			       file->format);
	if (!file->path)
		file->path = alloc_string("");
	decode_resolve(d, item, &file->path);
}

static void path_key(const void *row, struct strbuf *text)
{
	strbuf_add(text, ((const struct env_file *)row)->path);
}

static void release_env_file(void *row)
{
	release_object(&env_file_schema, row);
}

static void env_files_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	if (node->kind == NODE_STRING) {
		decode_env_file(d, node, slot);
		return;
	}
	if (!decode_sequence_kind(d, node))
		return;
	node_foreach(item, node) {
		decoder_push_index(d, i++);
		decode_env_file(d, item, slot);
		decoder_pop(d);
	}
	rows_unify(*(void **)slot->field, slot->count, sizeof(struct env_file), path_key,
		   release_env_file);
}

static json_t *env_files_encode(const struct slot *slot)
{
	const struct env_file *files = *(struct env_file **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_array();
	for (size_t i = 0; i < *slot->count; i++) {
		json_t *item = json_string_nocheck(files[i].path);

		if (!files[i].required || files[i].format) {
			item = json_pack("{s:o}", "path", item);
			json_object_set_new(item, "required", json_boolean(files[i].required));
			if (files[i].format)
				json_object_set_new(item, "format", json_string(files[i].format));
		}
		json_array_append_new(json, item);
	}
	return json;
}

static void env_files_release(const struct slot *slot)
{
	struct env_file **files = slot->field;

	for (size_t i = 0; i < *slot->count; i++)
		release_object(&env_file_schema, &(*files)[i]);
	free(TAKE_PTR(*files));
	*slot->count = 0;
}

const struct shape shape_env_files = {env_files_decode, env_files_encode, env_files_release,
				      &env_file_schema, .elements = true};

static void label_files_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **paths;

	shape_string_list.decode(d, node, slot);
	paths = *(char ***)slot->field;
	for (size_t i = 0; paths && paths[i]; i++)
		decode_resolve(d, node->kind == NODE_SEQUENCE ? node->items[i] : node, &paths[i]);
}

static json_t *label_files_encode(const struct slot *slot)
{
	return shape_strings.encode(slot);
}

static void label_files_release(const struct slot *slot)
{
	shape_strings.release(slot);
}

const struct shape shape_label_files = {label_files_decode, label_files_encode,
					label_files_release};
