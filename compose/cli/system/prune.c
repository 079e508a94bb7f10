// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/system/prune.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/view/output.h"

bool prune_confirmed(const char *what, const char *warning)
{
	printf("WARNING! %s\n", warning);
	if (output_ask("Are you sure you want to continue?"))
		return true;
	fprintf(stderr, "%s has been cancelled\n", what);
	return false;
}

static bool is_true(const char *word)
{
	return !strcmp(word, "1") || !strcasecmp(word, "true");
}

int prune_filter_parse(char *const *filters, const char *more, struct prune_filter *ret,
		       struct error *err)
{
	*ret = (struct prune_filter){.filters = filters};
	strv_foreach(filter, (char **)filters) {
		const char *equals = strchr(filter, '=');

		if (str_starts_with(filter, "until=")) {
			if (units_parse_time(equals + 1, units_now_nsec(), &ret->before_nsec) < 0)
				return error_set(err, EINVAL,
						 "--filter %s: not a time, nor a duration", filter);
			continue;
		}
		if (str_starts_with(filter, "label=") || str_starts_with(filter, "label!="))
			continue;
		if (!equals || !more || strlen(more) != (size_t)(equals - filter) ||
		    strncmp(filter, more, strlen(more)) != 0)
			return error_set(err, EINVAL, "invalid filter '%s'", filter);
		ret->all = is_true(equals + 1);
	}
	return 0;
}

static bool has_label(const json_t *labels, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	_cleanup_free_ char *key =
		equals ? alloc_string_n(wanted, (size_t)(equals - wanted)) : alloc_string(wanted);
	const char *value = json_get_string(labels, key);

	return value && (!equals || !strcmp(value, equals + 1));
}

bool prune_filter_matches(const struct prune_filter *filter, const json_t *labels,
			  int64_t created_nsec)
{
	if (filter->before_nsec && created_nsec >= filter->before_nsec)
		return false;
	strv_foreach(word, (char **)filter->filters) {
		if (str_starts_with(word, "label=") && !has_label(labels, word + 6))
			return false;
		if (str_starts_with(word, "label!=") && has_label(labels, word + 7))
			return false;
	}
	return true;
}

void prune_print_total(uint64_t bytes)
{
	char size[32];

	printf("Total reclaimed space: %s\n", units_format_size(bytes, size, sizeof(size)));
}
