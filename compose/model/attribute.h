/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_ATTRIBUTE_H
#define COMPOSE_MODEL_ATTRIBUTE_H

/*
 * attribute.h - the schema: for each attribute its name, its place in the struct, how it is read,
 * written and released, how files are merged, and what a change asks for.
 *
 * The steps of loading, `config`, hashing and the difference between two services all read these
 * rows. Rows stand in the order in which `docker compose config` prints them.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "compose/model/decoder.h"
#include "compose/tree/node.h"

enum merge_rule {
	MERGE_DEEP,         /* mappings key by key, lists one behind the other, scalars replaced */
	MERGE_REPLACE,      /* the later one as a whole */
	MERGE_MAPPING,      /* KEY=VALUE lists and mappings, by KEY */
	MERGE_NAMES,        /* a list of names is a mapping of nulls */
	MERGE_DEPENDENCIES, /* a list of names is a mapping of {condition: service_started} */
	MERGE_LIST,         /* one behind the other; one text or a mapping counts as a list */
	MERGE_LOGGING,      /* options only if the driver is the same */
	MERGE_IPAM,         /* by subnet */
	MERGE_BUILD,        /* a text is the context */
};

enum change_effect {
	CHANGE_RECREATE, /* a container made before the change is no longer what is asked for */
	CHANGE_UPDATE,   /* a container is given it as it stands */
	CHANGE_NONE,     /* concerns the project or berth, not the container */
};

struct attribute;

/* Where a value lives: the field, and the count beside it if it is an array. */
struct slot {
	const struct attribute *attribute;
	void *field;
	size_t *count;
};

struct shape {
	/* Reports what is wrong with @node and leaves the field as it can. */
	void (*decode)(struct decoder *d, const struct node *node, const struct slot *slot);
	json_t *(*encode)(const struct slot *slot); /* new reference; NULL: nothing to say */
	void (*release)(const struct slot *slot);
	const struct schema *schema; /* of an object, or of each element of a map of objects */
	size_t element_size;         /* map of objects */
	size_t key_offset;
	bool elements; /* the schema is of each element, not of the value itself */
	bool nullable; /* null is a value and not a mistake */
};

#define NO_FIELD ((size_t)-1)

struct attribute {
	const char *name;
	size_t field, count; /* offsets; NO_FIELD: none */
	const struct shape *shape;
	enum merge_rule merge;
	enum change_effect change;
};

#define SCHEMA_ATTRIBUTES_MAX 112

struct schema {
	const char *what; /* "service" */
	const struct attribute *attributes;
	size_t count;
	size_t rest; /* offset of a json_t * for x-* and what is kept as it is; NO_FIELD: dropped */
};

extern const struct schema service_schema, network_schema, volume_schema, secret_schema,
	config_schema, model_schema, project_schema;

/* NULL when there is none of this name. */
const struct attribute *schema_attribute(const struct schema *schema, const char *name);

void decode_object(struct decoder *d, const struct node *node, const struct schema *schema,
		   void *object);
json_t *encode_object(const struct schema *schema, const void *object);
void release_object(const struct schema *schema, void *object);

/* Takes x-* out of what encode_object() gave, at every depth. */
void schema_drop_extensions(const struct schema *schema, json_t *object);

/* What the row's field is in @object. */
struct slot attribute_slot(const struct attribute *attribute, void *object);

#endif
