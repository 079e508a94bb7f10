// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/map.h"
#include "common/units.h"

#include "compose/model/shapes.h"

static void string_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_string(d, node, slot->field);
}

static void text_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_text(d, node, slot->field);
}

/* An empty text is as good as none. */
static json_t *string_encode(const struct slot *slot)
{
	const char *value = *(char **)slot->field;

	return value && *value ? json_string_nocheck(value) : NULL;
}

static void string_release(const struct slot *slot)
{
	free(*(char **)slot->field);
	*(char **)slot->field = NULL;
}

const struct shape shape_string = {string_decode, string_encode, string_release};
static void path_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (decode_string(d, node, slot->field))
		decode_resolve(d, node, slot->field);
}

const struct shape shape_path = {path_decode, string_encode, string_release};
const struct shape shape_text = {text_decode, string_encode, string_release};

/* What names a network or volume on the machine: docker's own rule. */
static void name_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	char **name = slot->field;

	if (!decode_string(d, node, name))
		return;
	if (!**name || strchr("_.-", **name) || strlen(*name) > 255 ||
	    strspn(*name, letters) != strlen(*name))
		decode_problem(d, node,
			       "\"%s\" is not a name: letters, digits, '_', '.' and '-', the first "
			       "one a letter or a digit",
			       *name);
}

const struct shape shape_name = {name_decode, string_encode, string_release};

static void bool_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_bool(d, node, slot->field);
}

static json_t *bool_encode(const struct slot *slot)
{
	return *(bool *)slot->field ? json_true() : NULL;
}

const struct shape shape_bool = {bool_decode, bool_encode, NULL};

static void tristate_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	bool value;

	if (decode_bool(d, node, &value))
		*(enum tristate *)slot->field = value ? TRI_TRUE : TRI_FALSE;
}

static json_t *tristate_encode(const struct slot *slot)
{
	enum tristate value = *(enum tristate *)slot->field;

	return value == TRI_UNSET ? NULL : json_boolean(value == TRI_TRUE);
}

static json_t *switch_encode(const struct slot *slot)
{
	return *(enum tristate *)slot->field == TRI_TRUE ? json_true() : NULL;
}

const struct shape shape_tristate = {tristate_decode, tristate_encode, NULL};
const struct shape shape_switch = {tristate_decode, switch_encode, NULL};

static void int_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *value = slot->field;

	if (decode_int(d, node, &value->value))
		value->set = value->value != 0;
}

static void count_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *value = slot->field;

	value->set = decode_int(d, node, &value->value);
	if (value->set && (value->value < 0 || value->value > INT32_MAX))
		decode_problem(d, node, "must be greater than or equal to 0");
}

static json_t *int_encode(const struct slot *slot)
{
	const struct optional_int *value = slot->field;

	return value->set ? json_integer(value->value) : NULL;
}

/* cpu_rt_*: "400ms", or a number of microseconds (compose-spec 05-services.md). */
static void usec_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *value = slot->field;
	const char *text = node->kind == NODE_STRING ? node->text : "";

	if (*text && text[strspn(text, "0123456789")] &&
	    units_parse_duration(text, &value->value) >= 0)
		value->set = value->value != 0;
	else
		int_decode(d, node, slot);
}

static void oom_score_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *value = slot->field;

	int_decode(d, node, slot);
	if (value->value < -1000 || value->value > 1000)
		decode_problem(d, node, "must be between -1000 and 1000");
}

static void cgroup_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const words[] = {"host", "private"};

	if (node->kind != NODE_STRING || *node->text)
		decode_word(d, node, slot->field, words, ARRAY_SIZE(words));
}

const struct shape shape_usec = {usec_decode, int_encode, NULL};
const struct shape shape_oom_score = {oom_score_decode, int_encode, NULL};
const struct shape shape_cgroup = {cgroup_decode, string_encode, string_release};
const struct shape shape_int = {int_decode, int_encode, NULL};
const struct shape shape_count = {count_decode, int_encode, NULL};

static void number_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_number *value = slot->field;

	if (!decode_number(d, node, &value->value))
		return;
	if (value->value < 0)
		decode_problem(d, node, "must not be negative");
	value->set = value->value != 0;
}

static json_t *number_encode(const struct slot *slot)
{
	const struct optional_number *value = slot->field;

	if (!value->set)
		return NULL;
	if (node_number_is_whole(value->value) && value->value < 1e15)
		return json_integer((json_int_t)value->value);
	return json_real(value->value);
}

const struct shape shape_number = {number_decode, number_encode, NULL};

static void bytes_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *value = slot->field;

	if (decode_bytes(d, node, &value->value))
		value->set = value->value != 0;
}

static void swappiness_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *value = slot->field;

	value->set = decode_bytes(d, node, &value->value);
}

static json_t *bytes_encode(const struct slot *slot)
{
	const struct optional_int *value = slot->field;

	return value->set ? json_sprintf("%lld", (long long)value->value) : NULL;
}

const struct shape shape_bytes = {bytes_decode, bytes_encode, NULL};
const struct shape shape_swappiness = {swappiness_decode, bytes_encode, NULL};

static void duration_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *value = slot->field;

	value->set = decode_duration(d, node, &value->value);
}

static json_t *duration_encode(const struct slot *slot)
{
	const struct optional_int *value = slot->field;
	char text[64];

	return value->set ? json_string(units_format_duration(value->value, text, sizeof(text)))
			  : NULL;
}

const struct shape shape_duration = {duration_decode, duration_encode, NULL};

/* 0440 is octal to YAML already; "0440" is text that we read as octal. */
static void mode_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *value = slot->field;
	char *end = NULL;

	if (node->kind == NODE_STRING) {
		errno = 0;
		value->value = strtol(node->text, &end, 8);
		if (errno || end == node->text || *end) {
			decode_problem(d, node, "must be an octal file mode, not \"%s\"",
				       node->text);
			return;
		}
	} else if (!decode_int(d, node, &value->value)) {
		return;
	}
	value->set = true;
	if (value->value < 0 || value->value > 07777)
		decode_problem(d, node, "must be a file mode, between 0 and 07777");
}

static json_t *mode_encode(const struct slot *slot)
{
	const struct optional_int *value = slot->field;

	return value->set ? json_sprintf("0%llo", (long long)value->value) : NULL;
}

const struct shape shape_mode = {mode_decode, mode_encode, NULL};
const struct shape shape_mode_number = {mode_decode, int_encode, NULL};

void decode_unheeded(struct decoder *d, const struct node *node, const char *why)
{
	char path[200], where[160];

	if (d->no_unheeded)
		return;
	position_text(&node->at, where, sizeof(where));
	if (*where && d->told && map_set(d->told, where, d))
		return;
	decode_warning(d, "%s%s%s has no effect here: %s", where, *where ? ": " : "",
		       decoder_path(d, path, sizeof(path)), why);
}

void decode_warning_at(struct decoder *d, const struct node *node, const char *text)
{
	char path[200], where[160];

	position_text(&node->at, where, sizeof(where));
	decode_warning(d, "%s%s%s: %s", where, *where ? ": " : "",
		       decoder_path(d, path, sizeof(path)), text);
}

#define WINDOWS "only Windows has it"

static void isolation_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (decode_string(d, node, slot->field) && strcmp(node->text, "default"))
		decode_unheeded(d, node, WINDOWS);
}

static void cpu_count_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	count_decode(d, node, slot);
	decode_unheeded(d, node, WINDOWS);
}

static void cpu_percent_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_number *percent = slot->field;

	number_decode(d, node, slot);
	if (percent->value > 100)
		decode_problem(d, node, "must be between 0 and 100");
	decode_unheeded(d, node, WINDOWS);
}

const struct shape shape_isolation = {isolation_decode, string_encode, string_release};
const struct shape shape_cpu_count = {cpu_count_decode, int_encode, NULL};
const struct shape shape_cpu_percent = {cpu_percent_decode, number_encode, NULL};
