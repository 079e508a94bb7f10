// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth images`: what the created containers of a project were made of. */
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/view/output.h"

static bool quiet;
static const char *format;

static const struct option options[] = {
	{"format", 0, OPTION_STRING, &format, "string", "table (default) or json"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Ids only"},
	{NULL},
};

static const char *const columns[] = {
	"CONTAINER", "ContainerName", "REPOSITORY", "Repository",   "TAG",
	"Tag",       "PLATFORM",      "Platform",   "IMAGE ID",     "ShortID",
	"SIZE",      "SizeText",      "CREATED",    "CreatedSince", NULL,
};

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);

static const char *bare(const char *id)
{
	return id && str_starts_with(id, "sha256:") ? id + 7 : id ? id : "";
}

/* An image that is gone from the store still has the name and id that the container knows. */
static json_t *make_row(struct image_store *store, const json_t *container)
{
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	_cleanup_free_ char *repository = NULL, *tag = NULL, *normal = NULL, *platform = NULL;
	_cleanup_free_ char *short_id = NULL;
	const char *id = json_get_string(container, "image_id");
	const char *name = json_get_string(container, "image") ?: "";
	struct error ignored = ERROR_INIT;
	char size[32] = "0B", since[64] = "N/A", created[UNITS_TIME_MAX] = "";
	json_t *row = json_object();

	if (reference_parse(name, &normal, &ignored) >= 0)
		reference_familiar(normal, &repository, &tag);
	if (id && image_find(store, id, &image, &ignored) >= 0) {
		int64_t age = (units_now_nsec() - image->created_nsec) / 1000;

		platform = str_printf("%s/%s", image->os ?: "linux", image->architecture ?: "");
		units_format_size(image->size_bytes, size, sizeof(size));
		units_format_ago(age < 0 ? 0 : age, since, sizeof(since) - 4);
		strcat(since, " ago");
		units_format_time(image->created_nsec, created, sizeof(created));
	}
	short_id = alloc_string_n(bare(id), 12);
	json_put_string(row, "ID", id ?: "");
	json_put_string(row, "ContainerName", json_get_string(container, "name") ?: "");
	json_put_string(row, "Repository", repository ?: "<none>");
	json_put_string(row, "Tag", tag ?: "<none>");
	json_put_string(row, "Platform", platform ?: "");
	json_put_int(row, "Size", image ? (int64_t)image->size_bytes : 0);
	json_put_string(row, "Created", created);
	json_put_string(row, "LastTagTime", created);
	json_put_string(row, "ShortID", short_id);
	json_put_string(row, "SizeText", size);
	json_put_string(row, "CreatedSince", since);
	return row;
}

static json_t *make_rows(struct image_store *store, const json_t *containers)
{
	json_t *rows = json_array(), *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		json_array_append_new(rows, make_row(store, container));
	}
	return rows;
}

static void print_ids(const json_t *rows)
{
	_cleanup_strv_ char **seen = NULL;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *id = bare(json_get_string(row, "ID"));

		if (strv_contains(seen, id))
			continue;
		strv_append(&seen, id);
		puts(id);
	}
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL, *rows = NULL;
	struct error err = ERROR_INIT;
	json_t *row;
	size_t i;

	if (target_open(args, argv, &target, &err) < 0 ||
	    target_containers(&target, true, argv, &containers, &err) < 0 ||
	    store_here_open(&store, &err) < 0)
		return output_fail(args, &err);
	rows = make_rows(store, containers);
	if (quiet) {
		print_ids(rows);
		return 0;
	}
	/* The table's own columns are not part of the JSON that scripts know. */
	if (format && !strcmp(format, "json")) {
		json_array_foreach(rows, i, row) {
			json_object_del(row, "ShortID");
			json_object_del(row, "SizeText");
			json_object_del(row, "CreatedSince");
		}
	}
	if (output_rows(rows, format, columns, OUTPUT_ARRAY, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_images = {
	.name = "images",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Show which images the containers were made from",
	.options = options,
	.max_operands = -1,
	.run = run,
};
