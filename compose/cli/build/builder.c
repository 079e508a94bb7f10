// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `berth builder`: what builds keep for the next ones.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/cache.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/build/build_network.h"
#include "compose/cli/command.h"
#include "compose/cli/system/prune.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static bool all, force;
static const char *keep, *most, *reserved, *least_free;
static char **filters;

static const struct option prune_options[] = {
	{"all", 'a', OPTION_FLAG, &all, NULL, "The folders of RUN --mount=type=cache as well"},
	{"filter", 0, OPTION_LIST, &filters, "filter", "until=24h: what was not used for so long"},
	{"force", 'f', OPTION_FLAG, &force, NULL, "Do not ask"},
	{"keep-storage", 0, OPTION_STRING, &keep, "bytes", NULL},
	{"max-used-space", 0, OPTION_STRING, &most, "bytes",
	 "Keep what was used last, up to so many bytes"},
	{"min-free-space", 0, OPTION_STRING, &least_free, "bytes",
	 "Remove no more than leaves so many bytes free on the disk"},
	{"reserved-space", 0, OPTION_STRING, &reserved, "bytes",
	 "The same as --max-used-space: so much is never removed"},
	{NULL},
};

static int parse_bytes(const char *flag, const char *text, uint64_t *ret, struct error *err)
{
	int64_t bytes;

	if (!text)
		return 0;
	if (units_parse_bytes(text, &bytes) < 0 || bytes < 0)
		return error_set(err, EINVAL, "--%s %s: not a size", flag, text);
	/* The largest of those that say what stays. */
	if ((uint64_t)bytes > *ret)
		*ret = (uint64_t)bytes;
	return 0;
}

static int parse_prune(struct cache_prune_options *ret, struct error *err)
{
	int64_t usec;

	*ret = (struct cache_prune_options){.mounts = all};
	if (parse_bytes("keep-storage", keep, &ret->keep_bytes, err) < 0 ||
	    parse_bytes("max-used-space", most, &ret->keep_bytes, err) < 0 ||
	    parse_bytes("reserved-space", reserved, &ret->keep_bytes, err) < 0 ||
	    parse_bytes("min-free-space", least_free, &ret->free_bytes, err) < 0)
		return -err->code;
	strv_foreach(filter, filters) {
		if (!str_starts_with(filter, "until=") ||
		    units_parse_duration(filter + strlen("until="), &usec) < 0 || usec < 0)
			return error_set(err, EINVAL, "--filter %s: it must be until=DURATION",
					 filter);
		/* What was used since stays. */
		ret->before_nsec = units_now_nsec() - usec * 1000;
	}
	return 0;
}

static int run_prune(struct project_args *args, int argc, char **argv)
{
	struct cache_prune_options options;
	struct error err = ERROR_INIT;
	uint64_t bytes;
	size_t entries;
	char size[32];

	if (parse_prune(&options, &err) < 0)
		return output_fail(args, &err);
	if (!force &&
	    !prune_confirmed("builder prune", all ? "This will remove all build cache."
						  : "This will remove all dangling build cache."))
		return 1;
	build_network_sweep();
	if (cache_prune(paths_root(), &options, &bytes, &entries, &err) < 0)
		return output_fail(args, &err);
	printf("Deleted %zu entries\nTotal reclaimed space: %s\n", entries,
	       units_format_size(bytes, size, sizeof(size)));
	return 0;
}

static int run_du(struct project_args *args, int argc, char **argv)
{
	struct table table = {.columns = 4};
	struct error err = ERROR_INIT;
	struct cache_entry *entries;
	size_t count;

	if (cache_list(paths_root(), &entries, &count, &err) < 0)
		return output_fail(args, &err);
	table_add(&table, "ID");
	table_add(&table, "SIZE");
	table_add(&table, "LAST USED");
	table_add(&table, "STEP");
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *id = alloc_string_n(entries[i].key, 12);
		_cleanup_free_ char *step = alloc_string_n(entries[i].text, 60);
		char size[32], ago[64];

		table_add(&table, id);
		table_add(&table, units_format_size(entries[i].bytes, size, sizeof(size)));
		table_add(&table, units_format_ago((units_now_nsec() - entries[i].used_nsec) / 1000,
						   ago, sizeof(ago)));
		table_add(&table, step);
	}
	table_print(&table, 0, stdout);
	table_done(&table);
	cache_list_free(entries, count);
	return 0;
}

static const struct command command_du = {
	.name = "du",
	.operands = "",
	.summary = "What the build cache holds",
	.run = run_du,
};

static const struct command command_prune = {
	.name = "prune",
	.operands = "[OPTIONS]",
	.summary = "Remove the build cache, or what of it was not used lately",
	.options = prune_options,
	.run = run_prune,
};

extern const struct command command_image_build;

static const struct command *const children[] = {&command_image_build, &command_du, &command_prune,
						 NULL};

const struct command command_builder = {
	.name = "builder",
	.operands = "COMMAND",
	.summary = "Look after the build cache",
	.children = children,
	.stop_at_operand = true,
	.max_operands = -1,
};
