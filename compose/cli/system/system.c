// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth system`: what the disk is used for, and giving it back; what else there is of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/map.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/cache.h"
#include "volumes/volume.h"

#include "compose/cli/command.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/projects.h"
#include "compose/cli/system/prune.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/tree_size.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct volume_store *, volume_store_close);

/* A kind of thing: a row of the summary, and with -v a table of its own. */
struct kind {
	const char *name;
	size_t total, active;
	uint64_t bytes, reclaimable;
	json_t *rows;
};

static void kind_add(struct kind *kind, bool active, uint64_t bytes, json_t *row)
{
	char size[32];

	kind->total++;
	kind->active += active;
	kind->bytes += bytes;
	kind->reclaimable += active ? 0 : bytes;
	json_put_string(row, "Size", units_format_size(bytes, size, sizeof(size)));
	json_array_append_new(kind->rows, row);
}

static size_t count_users(const json_t *records, const char *image_id)
{
	size_t i, count = 0;
	json_t *record;

	json_array_foreach((json_t *)records, i, record)
		count += str_equal(json_get_string(record, "image_id"), image_id);
	return count;
}

/* Layers that several images have count once, and are of use as long as one is. */
static void measure_layers(struct image_store *store, struct image **images, size_t count,
			   const json_t *records, struct kind *kind)
{
	struct map used = {0}, seen = {0};

	kind->bytes = kind->reclaimable = 0;
	for (size_t i = 0; i < count; i++)
		strv_foreach(chain, images[i]->layer_chain_ids)
			if (count_users(records, images[i]->id))
				map_set(&used, chain, kind);
	for (size_t i = 0; i < count; i++) {
		strv_foreach(chain, images[i]->layer_chain_ids) {
			uint64_t bytes = image_layer_bytes(store, chain);

			if (map_get(&seen, chain))
				continue;
			map_set(&seen, chain, kind);
			kind->bytes += bytes;
			kind->reclaimable += map_get(&used, chain) ? 0 : bytes;
		}
	}
	map_done(&used, NULL);
	map_done(&seen, NULL);
}

static int measure_images(const json_t *records, struct kind *kind, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct image **images = NULL;
	struct map seen = {0};
	size_t count = 0;

	if (store_here_open(&store, err) < 0 || image_list(store, &images, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *repository = NULL, *tag = NULL;
		size_t users = count_users(records, images[i]->id);
		_cleanup_free_ char *short_id = alloc_string_n(images[i]->id + 7, 12);
		json_t *row;

		/* One that has several names is one image. */
		if (map_get(&seen, images[i]->id))
			continue;
		map_set(&seen, images[i]->id, kind);
		if (images[i]->reference)
			reference_familiar(images[i]->reference, &repository, &tag);
		row = json_pack("{s:s, s:s, s:s, s:I}", "Repository", repository ?: "<none>", "Tag",
				tag ?: "<none>", "ID", short_id, "Containers", (json_int_t)users);
		kind_add(kind, users > 0, images[i]->size_bytes, row);
	}
	map_done(&seen, NULL);
	measure_layers(store, images, count, records, kind);
	for (size_t i = 0; i < count; i++)
		image_free(images[i]);
	free(images);
	return 0;
}

static void measure_containers(const json_t *records, struct kind *kind)
{
	json_t *record;
	size_t i;

	json_array_foreach((json_t *)records, i, record) {
		const char *id = json_get_string(record, "id") ?: "";
		_cleanup_free_ char *state =
			paths_project_state(json_get_string(record, "project_name") ?: "");
		_cleanup_free_ char *path = str_printf("%s/containers/%s/upper", state, id);
		_cleanup_free_ char *short_id = alloc_string_n(id, 12);
		json_t *row = json_pack("{s:s, s:s, s:s}", "ID", short_id, "Names",
					json_get_string(record, "name") ?: "", "State",
					json_get_string(record, "state") ?: "");

		kind_add(kind, json_get_bool(record, "running", false), tree_size(path), row);
	}
}

static int measure_volumes(const json_t *records, struct kind *kind, struct error *err)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	struct volume_info **infos = NULL;
	size_t count = 0;

	if (volume_store_open(paths_root(), &store, err) < 0 ||
	    volume_list(store, &infos, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		bool used = projects_user_of(records, "volumes", infos[i]->name);

		kind_add(kind, used, tree_size(infos[i]->mountpoint),
			 json_pack("{s:s, s:b}", "Name", infos[i]->name, "InUse", used));
		volume_info_free(infos[i]);
	}
	free(infos);
	return 0;
}

static int measure_cache(struct kind *kind, struct error *err)
{
	struct cache_entry *entries = NULL;
	size_t count = 0;

	if (cache_list(paths_root(), &entries, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *id = alloc_string_n(entries[i].key, 12);

		kind_add(kind, false, entries[i].bytes,
			 json_pack("{s:s, s:s}", "ID", id, "Step", entries[i].text ?: ""));
	}
	cache_list_free(entries, count);
	return 0;
}

/* system df */

static bool df_verbose;
static const char *df_format;

static const struct option df_options[] = {
	{"format", 0, OPTION_STRING, &df_format, "string",
	 "table, json, or a template such as '{{.Type}}'"},
	{"verbose", 'v', OPTION_FLAG, &df_verbose, NULL, "Each of them"},
	{NULL},
};

static const char *const df_columns[] = {
	"TYPE", "Type", "TOTAL",       "TotalCount",  "ACTIVE", "Active",
	"SIZE", "Size", "RECLAIMABLE", "Reclaimable", NULL,
};

static const char *const image_columns[] = {
	"REPOSITORY", "Repository", "TAG",        "Tag",        "IMAGE ID", "ID",
	"SIZE",       "Size",       "CONTAINERS", "Containers", NULL,
};
static const char *const container_columns[] = {
	"CONTAINER ID", "ID", "NAMES", "Names", "STATUS", "State", "SIZE", "Size", NULL,
};
static const char *const volume_columns[] = {
	"VOLUME NAME", "Name", "IN USE", "InUse", "SIZE", "Size", NULL,
};
static const char *const cache_columns[] = {
	"CACHE ID", "ID", "SIZE", "Size", "STEP", "Step", NULL,
};

enum { IMAGES, CONTAINERS, VOLUMES, CACHE, KINDS };

static const char *const *const verbose_columns[KINDS] = {image_columns, container_columns,
							  volume_columns, cache_columns};

static json_t *summary(const struct kind *kind)
{
	char size[32], back[32], share[64];

	units_format_size(kind->bytes, size, sizeof(size));
	units_format_size(kind->reclaimable, back, sizeof(back));
	if (kind->bytes)
		snprintf(share, sizeof(share), "%s (%llu%%)", back,
			 (unsigned long long)(kind->reclaimable * 100 / kind->bytes));
	else
		snprintf(share, sizeof(share), "%s", back);
	return json_pack("{s:s, s:o, s:o, s:s, s:s}", "Type", kind->name, "TotalCount",
			 json_sprintf("%zu", kind->total), "Active",
			 json_sprintf("%zu", kind->active), "Size", size, "Reclaimable", share);
}

static json_t *summaries(const struct kind *kinds)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < KINDS; i++)
		json_array_append_new(rows, summary(&kinds[i]));
	return rows;
}

static int print_verbose(const struct kind *kinds, struct error *err)
{
	for (size_t i = 0; i < KINDS; i++) {
		printf("%s%s space usage:\n\n", i ? "\n" : "", kinds[i].name);
		if (output_rows(kinds[i].rows, NULL, verbose_columns[i], OUTPUT_LINES, err) < 0)
			return -err->code;
	}
	return 0;
}

static int df(struct project_args *args, int argc, char **argv)
{
	struct kind kinds[KINDS] = {
		[IMAGES] = {.name = "Images", .rows = json_array()},
		[CONTAINERS] = {.name = "Containers", .rows = json_array()},
		[VOLUMES] = {.name = "Local Volumes", .rows = json_array()},
		[CACHE] = {.name = "Build Cache", .rows = json_array()},
	};
	_cleanup_json_ json_t *records = NULL, *rows = NULL;
	struct error err = ERROR_INIT;
	int r = projects_records(&records, &err);

	if (r >= 0)
		r = measure_images(records, &kinds[IMAGES], &err);
	if (r >= 0) {
		measure_containers(records, &kinds[CONTAINERS]);
		r = measure_volumes(records, &kinds[VOLUMES], &err);
	}
	if (r >= 0)
		r = measure_cache(&kinds[CACHE], &err);
	if (r >= 0 && df_verbose && !df_format) {
		r = print_verbose(kinds, &err);
	} else if (r >= 0) {
		rows = summaries(kinds);
		r = output_rows(rows, df_format, df_columns, OUTPUT_LINES, &err);
	}
	array_foreach(kind, kinds)
		json_decref(kind->rows);
	return r < 0 ? output_fail(args, &err) : 0;
}

static const struct command command_df = {
	.name = "df",
	.operands = "[OPTIONS]",
	.summary = "Show what the disk is used for",
	.options = df_options,
	.run = df,
};

/* system prune */

static bool prune_all, prune_force, prune_with_volumes;
static char **prune_words;

static const struct option prune_options[] = {
	{"all", 'a', OPTION_FLAG, &prune_all, NULL,
	 "All images that no container uses, not only those without a name"},
	{"filter", 0, OPTION_LIST, &prune_words, "filter",
	 "until=24h, label=KEY[=VALUE], label!=KEY[=VALUE]"},
	{"force", 'f', OPTION_FLAG, &prune_force, NULL, "Do not ask"},
	{"volumes", 0, OPTION_FLAG, &prune_with_volumes, NULL, "Anonymous volumes as well"},
	{NULL},
};

static bool prune_asked(void)
{
	_cleanup_free_ char *warning = str_printf(
		"This will remove:\n  - all stopped containers\n  - all networks not used by at "
		"least one container\n%s  - %s\n"
		"  - %s build cache\n",
		prune_with_volumes
			? "  - all anonymous volumes not used by at least one container\n"
			: "",
		prune_all ? "all images without at least one container associated to them"
			  : "all dangling images",
		prune_all ? "all" : "unused");

	return prune_confirmed("system prune", warning);
}

static int prune(struct project_args *args, int argc, char **argv)
{
	struct cache_prune_options cache = {.mounts = prune_all};
	struct error err = ERROR_INIT;
	struct prune_filter filter;
	uint64_t bytes = 0, cache_bytes = 0;
	size_t entries = 0;

	if (prune_filter_parse(prune_words, NULL, &filter, &err) < 0)
		return output_fail(args, &err);
	if (!prune_force && !prune_asked())
		return 1;
	cache.before_nsec = filter.before_nsec;
	if (prune_containers(args, &filter, &bytes, &err) < 0 ||
	    prune_networks(&filter, &err) < 0 ||
	    (prune_with_volumes && prune_volumes(&filter, false, &bytes, &err) < 0) ||
	    prune_images(&filter, prune_all, &bytes, &err) < 0 ||
	    cache_prune(paths_root(), &cache, &cache_bytes, &entries, &err) < 0)
		return output_fail(args, &err);
	prune_print_total(bytes + cache_bytes);
	return 0;
}

static const struct command command_prune = {
	.name = "prune",
	.operands = "[OPTIONS]",
	.summary =
		"Remove stopped containers, and images, networks and build cache that nobody uses",
	.options = prune_options,
	.run = prune,
};

/* clang-format off */
extern const struct command command_system_events;
extern const struct command command_system_info;

static const struct command *const children[] = {
	&command_df,
	&command_system_events,
	&command_system_info,
	&command_prune,
	NULL,
};
/* clang-format on */

const struct command command_system = {
	.name = "system",
	.operands = "COMMAND",
	.summary = "The machine: what it has, what happens on it, what its disk is used for",
	.children = children,
};
