// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/view/list_filter.h"

static bool is_it(const void *object, const char *value)
{
	return list_filter_name(object, value);
}

static bool is_long(const void *object, const char *value)
{
	return list_filter_is_true(value) == (strlen(object) > 3);
}

static const struct list_filter rows[] = {{"name", is_it}, {"long", is_long}, {NULL, NULL}};

Test(list_filter, any_value_of_a_key_and_every_key)
{
	static const struct {
		const char *filters, *names; /* of "web", "web-two" and "db" */
	} cases[] = {
		{"", "web web-two db"},
		{"name=web", "web web-two"},
		{"name=^web$", "web"},
		{"name=^web$ name=^db$", "web db"},
		{"name=web long=true", "web-two"},
		{"long=1 long=0", "web web-two db"},
		{"name=(", ""},
		{"label=a", "web web-two db"},
		{"label=a label=b", ""},
		{"label!=a", ""},
		{"name=b label=a=1", "web web-two db"},
	};
	static const char *const names[] = {"web", "web-two", "db"};
	_cleanup_json_ json_t *labels = json_pack("{s:s}", "a", "1");

	array_foreach(c, cases) {
		_cleanup_strv_ char **filters = strv_split(c->filters, " "), **found = NULL;
		_cleanup_free_ char *shown = NULL;
		struct error err = ERROR_INIT;

		cr_expect_eq(list_filter_check(filters, rows, &err), 0, "%s", c->filters);
		array_foreach(name, names)
			if (list_filter_passes(filters, rows, *name, labels))
				strv_append(&found, *name);
		shown = strv_join(found, " ");
		cr_expect_str_eq(shown ? shown : "", c->names, "%s: %s", c->filters, shown);
	}
}

Test(list_filter, what_is_no_filter)
{
	static const char *const bad[] = {"nosuch=1", "name", "", "namex=1", "label"};

	array_foreach(word, bad) {
		char *filters[] = {(char *)*word, NULL};
		struct error err = ERROR_INIT;

		cr_expect_eq(list_filter_check(filters, rows, &err), -EINVAL, "%s", *word);
		cr_expect(strstr(err.message, "invalid filter"), "%s", err.message);
	}
}
