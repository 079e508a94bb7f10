// SPDX-License-Identifier: GPL-2.0-or-later
/* Go's own functions, and those that docker adds. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"

#include "compose/cli/view/go_template.h"

typedef json_t *function(json_t *const *a, size_t n, struct error *err);

static json_t *text_value(char *text)
{
	json_t *value = json_string(text);

	free(text);
	return value ? value : json_string("");
}

static json_t *f_json(json_t *const *a, size_t n, struct error *err)
{
	return text_value(json_dumps(a[0], JSON_ENCODE_ANY | JSON_COMPACT));
}

static json_t *change_case(const json_t *value, int (*change)(int), bool every)
{
	char *text = template_text(value);

	for (char *p = text; *p; p++)
		if (every || p == text || isspace((unsigned char)p[-1]))
			*p = (char)change((unsigned char)*p);
	return text_value(text);
}

static json_t *f_upper(json_t *const *a, size_t n, struct error *err)
{
	return change_case(a[0], toupper, true);
}

static json_t *f_lower(json_t *const *a, size_t n, struct error *err)
{
	return change_case(a[0], tolower, true);
}

static json_t *f_title(json_t *const *a, size_t n, struct error *err)
{
	return change_case(a[0], toupper, false);
}

static json_t *f_len(json_t *const *a, size_t n, struct error *err)
{
	if (json_is_array(a[0]))
		return json_integer((json_int_t)json_array_size(a[0]));
	if (json_is_object(a[0]))
		return json_integer((json_int_t)json_object_size(a[0]));
	if (json_is_string(a[0]))
		return json_integer((json_int_t)json_string_length(a[0]));
	error_set(err, EINVAL, "template: len of a value that has no length");
	return NULL;
}

static json_t *index_one(json_t *of, const json_t *index, struct error *err)
{
	json_t *value = NULL;

	if (json_is_object(of) && json_is_string(index)) {
		value = json_object_get(of, json_string_value(index));
		return value ? value : json_string("");
	}
	if (json_is_array(of) && json_is_integer(index))
		value = json_array_get(of, (size_t)json_integer_value(index));
	if (!value)
		error_set(err, EINVAL, "template: error calling index: %s",
			  json_is_array(of) ? "index out of range" : "cannot index this value");
	return value;
}

static json_t *f_index(json_t *const *a, size_t n, struct error *err)
{
	json_t *value = a[0];

	for (size_t i = 1; i < n && value; i++)
		value = index_one(value, a[i], err);
	return json_incref(value);
}

static json_t *f_slice(json_t *const *a, size_t n, struct error *err)
{
	size_t length = json_is_array(a[0]) ? json_array_size(a[0]) : json_string_length(a[0]);
	json_int_t from = n > 1 ? json_integer_value(a[1]) : 0;
	json_int_t to = n > 2 ? json_integer_value(a[2]) : (json_int_t)length;
	json_t *list;

	if (from < 0 || to < from || (size_t)to > length) {
		error_set(err, EINVAL, "template: error calling slice: index out of range");
		return NULL;
	}
	if (json_is_string(a[0]))
		return text_value(
			alloc_string_n(json_string_value(a[0]) + from, (size_t)(to - from)));
	list = json_array();
	for (; from < to; from++)
		json_array_append(list, json_array_get(a[0], (size_t)from));
	return list;
}

static json_t *f_join(json_t *const *a, size_t n, struct error *err)
{
	struct strbuf out = {0};
	json_t *item;
	size_t i;

	json_array_foreach(a[0], i, item) {
		_cleanup_free_ char *text = template_text(item);

		strbuf_addf(&out, "%s%s", i ? json_string_value(a[1]) ?: "" : "", text);
	}
	return text_value(strbuf_take(&out));
}

static json_t *f_split(json_t *const *a, size_t n, struct error *err)
{
	const char *text = json_string_value(a[0]) ?: "", *by = json_string_value(a[1]) ?: "";
	json_t *list = json_array();
	const char *next;

	while (*by && (next = strstr(text, by))) {
		json_array_append_new(list,
				      text_value(alloc_string_n(text, (size_t)(next - text))));
		text = next + strlen(by);
	}
	json_array_append_new(list, json_string(text));
	return list;
}

static json_t *f_truncate(json_t *const *a, size_t n, struct error *err)
{
	const char *text = json_string_value(a[0]) ?: "";
	json_int_t size = json_integer_value(a[1]);

	return text_value(alloc_string_n(
		text, strlen(text) > (size_t)size && size >= 0 ? (size_t)size : strlen(text)));
}

#define PAD_MAX 1000

static json_t *f_pad(json_t *const *a, size_t n, struct error *err)
{
	json_int_t left = json_integer_value(a[1]), right = json_integer_value(a[2]);
	const char *text = json_string_value(a[0]) ?: "";

	if (!*text)
		return json_string("");
	if (left < 0 || right < 0 || left > PAD_MAX || right > PAD_MAX) {
		error_set(err, EINVAL, "template: error calling pad: between 0 and %d", PAD_MAX);
		return NULL;
	}
	return text_value(str_printf("%*s%s%*s", (int)left, "", text, (int)right, ""));
}

static json_t *printed(json_t *const *a, size_t n, const char *between, const char *end)
{
	struct strbuf out = {0};

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *text = template_text(a[i]);

		strbuf_addf(&out, "%s%s", i ? between : "", text);
	}
	strbuf_add(&out, end);
	return text_value(strbuf_take(&out));
}

static json_t *f_print(json_t *const *a, size_t n, struct error *err)
{
	return printed(a, n, n > 1 && json_is_string(a[0]) ? "" : " ", "");
}

static json_t *f_println(json_t *const *a, size_t n, struct error *err)
{
	return printed(a, n, " ", "\n");
}

/* Length of "%-10.3s" at @format, and its parts. */
struct directive {
	bool left, zero;
	int width, precision;
	char verb;
	size_t length;
};

static int number_at(const char **at)
{
	int n = 0;

	while (isdigit((unsigned char)**at))
		n = n < PAD_MAX ? n * 10 + (*(*at)++ - '0') : ((*at)++, PAD_MAX);
	return n > PAD_MAX ? PAD_MAX : n;
}

static struct directive read_directive(const char *format)
{
	struct directive d = {.precision = -1};
	const char *at = format + 1;

	for (; *at == '-' || *at == '0' || *at == '+' || *at == ' ' || *at == '#'; at++) {
		d.left |= *at == '-';
		d.zero |= *at == '0';
	}
	d.width = number_at(&at);
	if (*at == '.') {
		at++;
		d.precision = number_at(&at);
	}
	d.verb = *at;
	d.length = (size_t)(at - format) + (*at != '\0');
	return d;
}

static char *format_one(const struct directive *d, const json_t *value)
{
	switch (d->verb) {
	case 'q':
		return json_is_string(value) ? json_dumps(value, JSON_ENCODE_ANY)
					     : template_text(value);
	case 'x':
		return json_is_integer(value)
			       ? str_printf("%llx", (long long)json_integer_value(value))
			       : template_text(value);
	case 'f':
		return str_printf("%.*f", d->precision < 0 ? 6 : d->precision,
				  json_number_value(value));
	case 'd':
	case 's':
	case 't':
	case 'v':
		return template_text(value);
	default:
		return str_printf("%%!%c", d->verb);
	}
}

static void add_directive(struct strbuf *out, const struct directive *d, const json_t *value)
{
	_cleanup_free_ char *text = format_one(d, value);
	int width = d->left ? -d->width : d->width;

	if (d->zero && !d->left && (d->verb == 'd' || d->verb == 'x'))
		strbuf_addf(out, "%0*lld", d->width, (long long)json_integer_value(value));
	else if (d->verb == 's' && d->precision >= 0)
		strbuf_addf(out, "%*.*s", width, d->precision, text);
	else
		strbuf_addf(out, "%*s", width, text);
}

static json_t *f_printf(json_t *const *a, size_t n, struct error *err)
{
	const char *format = json_string_value(a[0]) ?: "";
	struct strbuf out = {0};
	size_t next = 1;

	while (*format) {
		struct directive d;

		if (*format != '%') {
			strbuf_addc(&out, *format++);
			continue;
		}
		d = read_directive(format);
		format += d.length;
		if (d.verb == '%')
			strbuf_addc(&out, '%');
		else if (next >= n)
			strbuf_addf(&out, "%%!%c(MISSING)", d.verb);
		else
			add_directive(&out, &d, a[next++]);
	}
	return text_value(strbuf_take(&out));
}

static int compare(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b)) {
		double difference = json_number_value(a) - json_number_value(b);

		return difference < 0 ? -1 : difference > 0;
	}
	if (json_is_string(a) && json_is_string(b))
		return strcmp(json_string_value(a), json_string_value(b));
	return json_equal(a, b) ? 0 : 1;
}

static json_t *f_eq(json_t *const *a, size_t n, struct error *err)
{
	for (size_t i = 1; i < n; i++)
		if (compare(a[0], a[i]) == 0)
			return json_true();
	return json_false();
}

static json_t *f_ne(json_t *const *a, size_t n, struct error *err)
{
	return json_boolean(compare(a[0], a[1]) != 0);
}

static json_t *f_lt(json_t *const *a, size_t n, struct error *err)
{
	return json_boolean(compare(a[0], a[1]) < 0);
}

static json_t *f_le(json_t *const *a, size_t n, struct error *err)
{
	return json_boolean(compare(a[0], a[1]) <= 0);
}

static json_t *f_gt(json_t *const *a, size_t n, struct error *err)
{
	return json_boolean(compare(a[0], a[1]) > 0);
}

static json_t *f_ge(json_t *const *a, size_t n, struct error *err)
{
	return json_boolean(compare(a[0], a[1]) >= 0);
}

/* The caller stops at the argument that decides. */
static json_t *f_last(json_t *const *a, size_t n, struct error *err)
{
	return json_incref(a[n - 1]);
}

static json_t *f_not(json_t *const *a, size_t n, struct error *err)
{
	return json_boolean(!template_true(a[0]));
}

static const struct {
	const char *name;
	function *run;
	size_t min;
} functions[] = {
	{"and", f_last, 1},      {"eq", f_eq, 2},
	{"ge", f_ge, 2},         {"gt", f_gt, 2},
	{"index", f_index, 1},   {"join", f_join, 2},
	{"json", f_json, 1},     {"le", f_le, 2},
	{"len", f_len, 1},       {"lower", f_lower, 1},
	{"lt", f_lt, 2},         {"ne", f_ne, 2},
	{"not", f_not, 1},       {"or", f_last, 1},
	{"pad", f_pad, 3},       {"print", f_print, 0},
	{"printf", f_printf, 1}, {"println", f_println, 0},
	{"slice", f_slice, 1},   {"split", f_split, 2},
	{"title", f_title, 1},   {"truncate", f_truncate, 2},
	{"upper", f_upper, 1},
};

bool template_function_exists(const char *name)
{
	array_foreach(row, functions)
		if (!strcmp(row->name, name))
			return true;
	return false;
}

int template_call(const char *name, json_t *const *arguments, size_t count, json_t **ret,
		  struct error *err)
{
	array_foreach(row, functions) {
		if (strcmp(row->name, name) != 0)
			continue;
		if (count < row->min)
			return error_set(err, EINVAL,
					 "template: wrong number of args for %s: want at least "
					 "%zu got %zu",
					 name, row->min, count);
		*ret = row->run(arguments, count, err);
		return *ret ? 0 : -err->code;
	}
	return error_set(err, ENOSYS, "template: function \"%s\" not defined", name);
}
