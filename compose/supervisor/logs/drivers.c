// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "common/alloc.h"
#include "common/units.h"

#include "compose/supervisor/logs/log_driver.h"

/* The first one is what a service without `logging` gets. */
static const struct log_driver *const drivers[] = {&log_driver_cri, &log_driver_journald,
						   &log_driver_none};

#define MAX_FILE_LIMIT 1000

int log_driver_find(const char *name, const struct log_driver **ret, struct error *err)
{
	if (!name || !*name)
		name = drivers[0]->names[0];
	array_foreach(driver, drivers)
		for (const char *const *known = (*driver)->names; *known; known++)
			if (str_equal(*known, name)) {
				*ret = *driver;
				return 0;
			}
	return error_set(err, EINVAL,
			 "logging driver '%s' is not one that berth has: use json-file, local, "
			 "journald or none",
			 name);
}

static const char *driver_name(const struct log_driver *driver, const char *name)
{
	for (const char *const *known = driver->names; *known; known++)
		if (str_equal(*known, name))
			return *known;
	return driver->names[0];
}

static int parse_max_size(const char *value, struct log_options *options, struct error *err)
{
	int64_t bytes;

	/* Docker takes -1 as "unlimited". */
	if (str_equal(value, "-1")) {
		options->max_size_bytes = -1;
		return 0;
	}
	if (units_parse_bytes(value, &bytes) < 0 || bytes <= 0)
		return error_set(err, EINVAL,
				 "logging option max-size: '%s' is not a size such as 10m", value);
	options->max_size_bytes = bytes;
	return 0;
}

static int parse_max_file(const char *value, struct log_options *options, struct error *err)
{
	char *end;
	unsigned long count;

	errno = 0;
	count = strtoul(value, &end, 10);
	if (errno || end == value || *end || count < 1 || count > MAX_FILE_LIMIT)
		return error_set(err, EINVAL,
				 "logging option max-file: '%s' is not a number from 1 to %d",
				 value, MAX_FILE_LIMIT);
	options->max_file = count;
	return 0;
}

static int parse_mode(const char *value, struct log_options *options, struct error *err)
{
	if (!str_equal(value, "blocking") && !str_equal(value, "non-blocking"))
		return error_set(err, EINVAL,
				 "logging option mode: '%s' is neither blocking nor non-blocking",
				 value);
	return 0;
}

/*
 * What json-file and local take at Docker. Those without a function have nothing to decide here:
 * our files are not compressed, our pump never blocks on a full disk, and files
 * have no tags or labels beside the lines (the journal does: log_fields.h).
 */
static const struct log_option {
	const char *key;
	int (*parse)(const char *value, struct log_options *options, struct error *err);
} options_table[] = {
	{"max-size", parse_max_size}, {"max-file", parse_max_file},
	{"mode", parse_mode},         {"max-buffer-size", NULL},
	{"compress", NULL},           {"labels", NULL},
	{"labels-regex", NULL},       {"env", NULL},
	{"env-regex", NULL},          {"tag", NULL},
};

static int parse_option(const struct log_driver *driver, const char *key, const char *value,
			struct log_options *ret, struct error *err)
{
	const char *hint;
	size_t known = 0;

	for (; driver->options[known]; known++)
		if (str_equal(driver->options[known], key))
			break;
	if (!driver->options[known]) {
		hint = str_suggest(key, driver->options, known);
		return error_set(err, EINVAL, "logging driver '%s' has no option '%s'%s%s%s",
				 ret->driver, key, hint ? "; did you mean '" : "", hint ? hint : "",
				 hint ? "'?" : "");
	}
	array_foreach(option, options_table)
		if (str_equal(option->key, key) && option->parse)
			return option->parse(value, ret, err);
	return 0;
}

int log_options_parse(const char *driver, char *const *options, struct log_options *ret,
		      struct error *err)
{
	const struct log_driver *found = drivers[0];
	int r;

	r = log_driver_find(driver, &found, err);
	if (r < 0)
		return r;
	ret->driver = driver_name(found, driver);
	ret->max_size_bytes = LOG_MAX_SIZE_BYTES;
	ret->max_file = LOG_MAX_FILE;
	for (; options && *options; options++) {
		_cleanup_free_ char *key = NULL;
		const char *equals = strchr(*options, '=');

		if (!equals)
			return error_set(err, EINVAL, "logging option '%s' has no value", *options);
		key = alloc_string_n(*options, equals - *options);
		r = parse_option(found, key, equals + 1, ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}
