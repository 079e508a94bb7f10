// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth search`: as docker's. */
#include "runtime/image/search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/view/output.h"

#define LIMIT_USUAL     25
#define DESCRIPTION_MAX 45

static char **filters;
static const char *format;
static bool no_trunc;
static int limit;

static const struct option options[] = {
	{"filter", 'f', OPTION_LIST, &filters, "filter",
	 "stars=NUMBER, is-official=BOOL or is-automated=BOOL: only such"},
	{"format", 0, OPTION_STRING, &format, "string", "A Go template for each, or json"},
	{"limit", 0, OPTION_INT, &limit, "int", "At most so many (25)"},
	{"no-trunc", 0, OPTION_FLAG, &no_trunc, NULL, "Show descriptions whole"},
	{NULL},
};

struct wanted {
	int64_t stars;
	int official, automated; /* -1: either */
};

static int parse_switch(const char *filter, const char *value, int *ret, struct error *err)
{
	if (!strcmp(value, "true") || !strcmp(value, "1"))
		*ret = 1;
	else if (!strcmp(value, "false") || !strcmp(value, "0"))
		*ret = 0;
	else
		return error_set(err, EINVAL, "invalid filter '%s': true or false", filter);
	return 0;
}

static int parse_filter(const char *filter, struct wanted *ret, struct error *err)
{
	const char *value = strchr(filter, '=');
	char *end;

	if (!value)
		return error_set(err, EINVAL, "invalid filter '%s': it has the form KEY=VALUE",
				 filter);
	value++;
	if (str_starts_with(filter, "is-official="))
		return parse_switch(filter, value, &ret->official, err);
	if (str_starts_with(filter, "is-automated="))
		return parse_switch(filter, value, &ret->automated, err);
	if (!str_starts_with(filter, "stars="))
		return error_set(err, EINVAL,
				 "invalid filter '%s': there are stars, is-official and "
				 "is-automated",
				 filter);
	ret->stars = strtoll(value, &end, 10);
	return end == value || *end || ret->stars < 0
		       ? error_set(err, EINVAL, "invalid filter '%s': a number of stars", filter)
		       : 0;
}

static bool is_wanted(const struct wanted *wanted, const json_t *result)
{
	int official = json_get_bool(result, "is_official", false);
	int automated = json_get_bool(result, "is_automated", false);

	return json_get_int(result, "star_count", 0) >= wanted->stars &&
	       (wanted->official < 0 || wanted->official == official) &&
	       (wanted->automated < 0 || wanted->automated == automated);
}

/* Characters, not bytes. */
static char *shorten(const char *text)
{
	size_t characters = 0, cut = 0, i = 0;

	for (; text[i]; i++) {
		if (((unsigned char)text[i] & 0xc0) == 0x80)
			continue;
		if (characters++ == DESCRIPTION_MAX - 1)
			cut = i;
	}
	return characters > DESCRIPTION_MAX && !no_trunc ? str_printf("%.*s…", (int)cut, text)
							 : str_printf("%s", text);
}

static const char *switch_text(bool value)
{
	bool json = format && !strcmp(format, "json");

	return json ? (value ? "true" : "false") : value ? "[OK]" : "";
}

static json_t *row_of(const json_t *result)
{
	_cleanup_free_ char *description = shorten(json_get_string(result, "description"));
	_cleanup_free_ char *stars =
		str_printf("%lld", (long long)json_get_int(result, "star_count", 0));
	json_t *row = json_object();

	json_put_string(row, "Description", description);
	json_put_string(row, "IsAutomated",
			switch_text(json_get_bool(result, "is_automated", false)));
	json_put_string(row, "IsOfficial",
			switch_text(json_get_bool(result, "is_official", false)));
	json_put_string(row, "Name", json_get_string(result, "name"));
	json_put_string(row, "StarCount", stars);
	return row;
}

static int check(const char *term, struct wanted *ret, struct error *err)
{
	*ret = (struct wanted){.official = -1, .automated = -1};
	if (!*term)
		return error_set(err, EINVAL, "there is nothing to search for");
	if (limit < 0 || limit > SEARCH_LIMIT_MAX)
		return error_set(err, EINVAL, "limit %d is outside the range of [1, %d]", limit,
				 SEARCH_LIMIT_MAX);
	strv_foreach(filter, filters) {
		if (parse_filter(filter, ret, err) < 0)
			return -err->code;
	}
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	static const char *const columns[] = {"NAME",        "Name",       "DESCRIPTION",
					      "Description", "STARS",      "StarCount",
					      "OFFICIAL",    "IsOfficial", NULL};
	_cleanup_json_ json_t *results = NULL, *rows = json_array();
	struct error err = ERROR_INIT;
	const json_t *result;
	struct wanted wanted;
	size_t i;

	if (check(argv[0], &wanted, &err) < 0 ||
	    image_search(argv[0], limit ? (size_t)limit : LIMIT_USUAL, &results, &err) < 0)
		return output_fail(args, &err);
	json_array_foreach(results, i, result) {
		if (is_wanted(&wanted, result))
			json_array_append_new(rows, row_of(result));
	}
	if (output_rows(rows, format, columns, OUTPUT_LINES, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_search = {
	.name = "search",
	.operands = "[OPTIONS] TERM",
	.summary = "Look for images at a registry",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.outside = true,
	.run = run,
};
