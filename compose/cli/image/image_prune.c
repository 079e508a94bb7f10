// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth image prune` and `berth image history`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/map.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/image/variants.h"

#include "compose/cli/command.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/projects.h"
#include "compose/cli/system/prune.h"
#include "compose/cli/view/output.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);

static bool prune_all, prune_force;
static char **prune_filters;

static const struct option prune_options[] = {
	{"all", 'a', OPTION_FLAG, &prune_all, NULL,
	 "All that no container uses, not only those without a name"},
	{"filter", 0, OPTION_LIST, &prune_filters, "filter",
	 "until=24h, label=KEY[=VALUE], label!=KEY[=VALUE], dangling=false: as --all"},
	{"force", 'f', OPTION_FLAG, &prune_force, NULL, "Do not ask"},
	{NULL},
};

/* Also one that has it for another platform. */
static bool is_used(struct image_store *store, const struct image_user *users, size_t count,
		    const struct image *image)
{
	_cleanup_strv_ char **ids = count ? image_all_ids(store, image) : NULL;

	for (size_t i = 0; i < count; i++)
		if (str_equal(users[i].image_id, image->id) ||
		    strv_contains(ids, users[i].image_id))
			return true;
	return false;
}

static uint64_t layer_bytes(struct image_store *store, struct image **images, size_t count)
{
	struct map seen = {0};
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		strv_foreach(chain, images[i]->layer_chain_ids) {
			if (map_get(&seen, chain))
				continue;
			map_set(&seen, chain, images[i]);
			bytes += image_layer_bytes(store, chain);
		}
	}
	map_done(&seen, NULL);
	return bytes;
}

static void free_list(struct image **images, size_t count)
{
	for (size_t i = 0; i < count; i++)
		image_free(images[i]);
	free(images);
}

/* Between the list of users and this one may have come: then it says so, and stays. */
static void remove_one(struct image_store *store, const struct image *image, bool *heading)
{
	_cleanup_strv_ char **removed = NULL;
	struct error err = ERROR_INIT;

	if ((image->reference ? image_remove(store, image->reference, false, &projects_image_users,
					     &removed, &err)
			      : image_remove_unnamed(store, image, &projects_image_users, &removed,
						     &err)) < 0) {
		output_warn("%s", err.message);
		return;
	}
	if (!*heading && removed)
		puts("Deleted Images:");
	*heading |= removed != NULL;
	strv_foreach(line, removed) {
		line[0] = (char)(line[0] | 0x20);
		puts(line);
	}
}

int prune_images(const struct prune_filter *filter, bool all, uint64_t *bytes, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct image **images = NULL, **left = NULL;
	size_t count = 0, left_count = 0, user_count = 0;
	struct image_user *users = NULL;
	uint64_t before;
	bool heading = false;

	if (store_here_open(&store, err) < 0 ||
	    projects_image_users.list(NULL, &users, &user_count, err) < 0)
		return -err->code;
	if (image_list(store, &images, &count, err) < 0) {
		image_users_free(users, user_count);
		return -err->code;
	}
	before = layer_bytes(store, images, count);
	for (size_t i = 0; i < count; i++)
		if ((all || !images[i]->reference) &&
		    !is_used(store, users, user_count, images[i]) &&
		    prune_filter_matches(filter, images[i]->labels, images[i]->created_nsec))
			remove_one(store, images[i], &heading);
	if (heading)
		putchar('\n');
	free_list(images, count);
	image_users_free(users, user_count);
	if (image_list(store, &left, &left_count, err) < 0)
		return -err->code;
	*bytes += before - layer_bytes(store, left, left_count);
	free_list(left, left_count);
	return 0;
}

/* The filters without dangling=, which says the same as --all, the other way round. */
static int take_dangling(char ***ret, struct error *err)
{
	strv_foreach(word, prune_filters) {
		if (!str_starts_with(word, "dangling=")) {
			strv_append(ret, word);
			continue;
		}
		if (!strcmp(word, "dangling=false") || !strcmp(word, "dangling=0"))
			prune_all = true;
		else if (strcmp(word, "dangling=true") != 0 && strcmp(word, "dangling=1") != 0)
			return error_set(err, EINVAL, "invalid filter '%s': true or false", word);
	}
	return 0;
}

static int prune(struct project_args *args, int argc, char **argv)
{
	_cleanup_strv_ char **filters = NULL;
	struct error err = ERROR_INIT;
	struct prune_filter filter;
	uint64_t bytes = 0;

	if (take_dangling(&filters, &err) < 0 ||
	    prune_filter_parse(filters, NULL, &filter, &err) < 0)
		return output_fail(args, &err);
	if (!prune_force &&
	    !prune_confirmed("image prune",
			     prune_all ? "This will remove all images without at least one "
					 "container associated to them."
				       : "This will remove all dangling images."))
		return 1;
	if (prune_images(&filter, prune_all, &bytes, &err) < 0)
		return output_fail(args, &err);
	prune_print_total(bytes);
	return 0;
}

const struct command command_image_prune = {
	.name = "prune",
	.operands = "[OPTIONS]",
	.summary = "Remove images that nobody uses",
	.options = prune_options,
	.run = prune,
};

/* image history */

static bool history_quiet, history_no_trunc, history_human = true;
static const char *history_format, *history_platform;

static const struct option history_options[] = {
	{"format", 0, OPTION_STRING, &history_format, "string",
	 "table, json, or a template such as '{{.CreatedBy}}'"},
	{"human", 'H', OPTION_FLAG, &history_human, NULL, "Sizes and times for people (default)"},
	{"no-trunc", 0, OPTION_FLAG, &history_no_trunc, NULL, "Show ids and commands whole"},
	{"platform", 0, OPTION_STRING, &history_platform, "string",
	 "Of an image for several platforms the one for this os/architecture"},
	{"quiet", 'q', OPTION_FLAG, &history_quiet, NULL, "Ids only"},
	{NULL},
};

static const char *const history_columns[] = {
	"IMAGE", "ID",   "CREATED", "CreatedSince", "CREATED BY", "CreatedBy",
	"SIZE",  "Size", "COMMENT", "Comment",      NULL,
};

static char *shortened(const char *text, size_t width)
{
	size_t n = strlen(text);
	_cleanup_free_ char *head = NULL;

	if (history_no_trunc || n <= width)
		return alloc_string(text);
	head = alloc_string_n(text, width - 1);
	return str_printf("%s\u2026", head);
}

static json_t *history_row(const json_t *step, const char *id, uint64_t bytes)
{
	const char *created = json_get_string(step, "created") ?: "";
	const char *by = json_get_string(step, "created_by") ?: "";
	_cleanup_free_ char *text = shortened(by, 45);
	char size[32], since[64] = "N/A";
	int64_t nsec = 0;
	json_t *row = json_object();

	if (units_parse_time(created, 0, &nsec) >= 0 && nsec > 0) {
		int64_t age = (units_now_nsec() - nsec) / 1000;

		units_format_ago(age < 0 ? 0 : age, since, sizeof(since) - 4);
		strcat(since, " ago");
	}
	if (history_human)
		units_format_size(bytes, size, sizeof(size));
	else
		snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	json_put_string(row, "Comment", json_get_string(step, "comment") ?: "");
	json_put_string(row, "CreatedAt", created);
	json_put_string(row, "CreatedBy", text);
	json_put_string(row, "CreatedSince", history_human ? since : created);
	json_put_string(row, "ID", id);
	json_put_string(row, "Size", size);
	return row;
}

/* Latest first; a step that changed no files has no layer. */
static json_t *history_rows(struct image_store *store, const struct image *image,
			    const json_t *config)
{
	json_t *rows = json_array(), *steps = json_object_get(config, "history"), *step;
	_cleanup_free_ char *id =
		history_no_trunc ? alloc_string(image->id) : alloc_string_n(image->id + 7, 12);
	size_t i, layer = 0, layers = strv_length(image->layer_chain_ids);

	json_array_foreach(steps, i, step) {
		bool last = i + 1 == json_array_size(steps);
		uint64_t bytes = 0;

		if (!json_get_bool(step, "empty_layer", false) && layer < layers)
			bytes = image_layer_bytes(store, image->layer_chain_ids[layer++]);
		json_array_insert_new(rows, 0, history_row(step, last ? id : "<missing>", bytes));
	}
	return rows;
}

static int history(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	_cleanup_json_ json_t *config = NULL, *rows = NULL;
	struct error err = ERROR_INIT;
	json_t *row;
	size_t i;

	if (store_here_open(&store, &err) < 0 ||
	    image_find_platform(store, argv[0], history_platform, &image, &err) < 0 ||
	    image_read_config(store, image, &config, &err) < 0)
		return output_fail(args, &err);
	rows = history_rows(store, image, config);
	if (history_quiet) {
		json_array_foreach(rows, i, row)
			puts(json_get_string(row, "ID"));
		return 0;
	}
	if (output_rows(rows, history_format, history_columns, OUTPUT_LINES, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_image_history = {
	.name = "history",
	.operands = "[OPTIONS] IMAGE",
	.summary = "Show the steps an image was made by, the latest first",
	.options = history_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = history,
};
