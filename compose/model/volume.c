// SPDX-License-Identifier: GPL-2.0-or-later
/* volume.c - top-level volumes, with `x-berth`: whose the folder is that they are made with. */
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

static bool parse_id(const char *text, size_t length, struct optional_int *ret)
{
	if (!length || length > 10 || strspn(text, "0123456789") < length)
		return false;
	ret->set = true;
	ret->value = strtoll(text, NULL, 10);
	return ret->value < UINT32_MAX;
}

/* UID[:GID], in numbers: a volume is of no image whose names could be meant. */
static void owner_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct volume_extension *berth = slot->field;
	_cleanup_free_ char *text = NULL;
	const char *colon;
	size_t length;

	if (!decode_text(d, node, &text))
		return;
	colon = strchr(text, ':');
	length = colon ? (size_t)(colon - text) : strlen(text);
	if (!parse_id(text, length, &berth->uid) ||
	    (colon && !parse_id(colon + 1, strlen(colon + 1), &berth->gid)))
		decode_problem(d, node, "must be UID or UID:GID, in numbers, not \"%s\"", text);
}

static const struct shape shape_owner = {owner_decode, NULL, NULL};

#define BERTH(field) offsetof(struct volume_extension, field), NO_FIELD
static const struct attribute berth_attributes[] = {
	{"owner", NO_FIELD, NO_FIELD, &shape_owner},
	{"mode", BERTH(mode), &shape_mode},
};
static const struct schema berth_schema = {"x-berth", berth_attributes,
					   ARRAY_SIZE(berth_attributes), NO_FIELD};

static void berth_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	((struct volume_extension *)slot->field)->given = true;
	decode_object(d, node, &berth_schema, slot->field);
}

/* Not encoded: the volume keeps it as it was written, as every extension. */
static const struct shape shape_volume_berth = {berth_decode, NULL, NULL, &berth_schema};

#define VOLUME(field) offsetof(struct volume, field), NO_FIELD
/* clang-format off */
static const struct attribute volume_attributes[] = {
	{"name",        VOLUME(name),        &shape_name},
	{"driver",      VOLUME(driver),      &shape_string},
	{"driver_opts", VOLUME(driver_opts), &shape_options,      MERGE_DEEP},
	{"external",    VOLUME(external),    &shape_external},
	{"labels",      VOLUME(labels),      &shape_labels,       MERGE_MAPPING},
	{"x-berth",     VOLUME(berth),       &shape_volume_berth},
};
/* clang-format on */
const struct schema volume_schema = {"volume", volume_attributes, ARRAY_SIZE(volume_attributes),
				     offsetof(struct volume, rest)};
