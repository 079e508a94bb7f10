// SPDX-License-Identifier: GPL-2.0-or-later
/* blkio.c - `blkio_config`: weights and rates of block devices. */
#include "compose/model/shapes.h"

static void weight_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *weight = slot->field;

	if (!decode_int(d, node, &weight->value))
		return;
	weight->set = weight->value != 0;
	if (weight->set && (weight->value < 10 || weight->value > 1000))
		decode_problem(d, node, "must be between 10 and 1000");
}

static json_t *weight_encode(const struct slot *slot)
{
	return shape_int.encode(slot);
}

static const struct shape shape_weight = {weight_decode, weight_encode, NULL};

#define WEIGHT(field) offsetof(struct blkio_weight, field), NO_FIELD
#define RATE(field)   offsetof(struct blkio_rate, field), NO_FIELD
/* clang-format off */
static const struct attribute weight_attributes[] = {
	{"path",   WEIGHT(path),   &shape_string},
	{"weight", WEIGHT(weight), &shape_weight},
};
static const struct attribute rate_attributes[] = {
	{"path", RATE(path), &shape_string},
	{"rate", RATE(rate), &shape_bytes},
};
/* clang-format on */
static const struct schema weight_schema = {"weight", weight_attributes,
					    ARRAY_SIZE(weight_attributes),
					    offsetof(struct blkio_weight, rest)};
static const struct schema rate_schema = {"rate", rate_attributes, ARRAY_SIZE(rate_attributes),
					  offsetof(struct blkio_rate, rest)};

static const struct shape shape_weights = {decode_rows,
					   encode_rows,
					   release_rows,
					   &weight_schema,
					   .element_size = sizeof(struct blkio_weight),
					   .elements = true};
static const struct shape shape_rates = {decode_rows,
					 encode_rows,
					 release_rows,
					 &rate_schema,
					 .element_size = sizeof(struct blkio_rate),
					 .elements = true};

#define BLKIO(field, count) \
	offsetof(struct blkio_config, field), offsetof(struct blkio_config, count)
/* clang-format off */
static const struct attribute attributes[] = {
	{"weight",            offsetof(struct blkio_config, weight), NO_FIELD, &shape_weight},
	{"weight_device",     BLKIO(weight_devices, weight_device_count),      &shape_weights},
	{"device_read_bps",   BLKIO(read_bps, read_bps_count),                 &shape_rates},
	{"device_read_iops",  BLKIO(read_iops, read_iops_count),               &shape_rates},
	{"device_write_bps",  BLKIO(write_bps, write_bps_count),               &shape_rates},
	{"device_write_iops", BLKIO(write_iops, write_iops_count),             &shape_rates},
};
/* clang-format on */
static const struct schema blkio_schema = {"blkio_config", attributes, ARRAY_SIZE(attributes),
					   offsetof(struct blkio_config, rest)};

const struct shape shape_blkio = {decode_block, encode_block, release_block, &blkio_schema};
