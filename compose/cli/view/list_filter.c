// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/view/list_filter.h"

#include <errno.h>
#include <regex.h>
#include <string.h>

#include "common/str.h"

#include "compose/cli/system/prune.h"

/* "label", "label!" or a row's; @filter has a "=" behind it. */
static bool has_key(const char *filter, const char *key)
{
	size_t length = strlen(key);

	return !strncmp(filter, key, length) && filter[length] == '=';
}

static const struct list_filter *row_of(const char *filter, const struct list_filter *rows)
{
	while (rows->key && !has_key(filter, rows->key))
		rows++;
	return rows->key ? rows : NULL;
}

int list_filter_check(char *const *filters, const struct list_filter *rows, struct error *err)
{
	for (; filters && *filters; filters++)
		if (!has_key(*filters, "label") && !has_key(*filters, "label!") &&
		    !row_of(*filters, rows))
			return error_set(err, EINVAL, "invalid filter '%s'", *filters);
	return 0;
}

static bool any_matches(char *const *filters, const struct list_filter *row, const void *object)
{
	for (; *filters; filters++)
		if (has_key(*filters, row->key) &&
		    row->matches(object, *filters + strlen(row->key) + 1))
			return true;
	return false;
}

bool list_filter_passes(char *const *filters, const struct list_filter *rows, const void *object,
			const json_t *labels)
{
	for (size_t i = 0; filters && filters[i]; i++) {
		const struct list_filter *row = row_of(filters[i], rows);
		char *const one[] = {filters[i], NULL};
		struct prune_filter label = {.filters = one};

		if (row ? !any_matches(filters, row, object)
			: !prune_filter_matches(&label, labels, 0))
			return false;
	}
	return true;
}

bool list_filter_name(const char *name, const char *pattern)
{
	regex_t compiled;
	bool found;

	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return strstr(name, pattern) != NULL;
	found = regexec(&compiled, name, 0, NULL, 0) == 0;
	regfree(&compiled);
	return found;
}

bool list_filter_is_true(const char *value)
{
	return !strcmp(value, "true") || !strcmp(value, "1");
}
