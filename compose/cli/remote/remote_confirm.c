// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/remote/remote_confirm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/view/output.h"
#include "compose/load/load.h"
#include "compose/load/remote.h"

static const char *remote_file(const struct project_args *args)
{
	strv_foreach(file, args->files)
		if (remote_is(file))
			return file;
	return NULL;
}

static void add_row(struct table *table, const json_t *row, char *const *environment)
{
	const char *name = json_get_string(row, "name"), *value, *fallback;

	value = strv_env_get(environment, name);
	fallback = json_get_string(row, "default");
	table_add(table, name);
	table_add(table, value ? value : fallback && *fallback ? fallback : "<unset>");
	table_add(table, value ? "environment" : fallback && *fallback ? "compose file" : "");
	table_add(table, json_get_bool(row, "required", false) ? "yes" : "no");
	table_add(table, fallback ? fallback : "");
}

static void show(const json_t *rows, char *const *environment)
{
	static const char *const heads[] = {"VARIABLE", "VALUE", "SOURCE", "REQUIRED", "DEFAULT"};
	struct table table = {.columns = ARRAY_SIZE(heads)};
	const json_t *row;
	size_t i;

	array_foreach(head, heads)
		table_add(&table, *head);
	json_array_foreach(rows, i, row)
		add_row(&table, row, environment);
	fputs("Found the following variables in configuration:\n", stderr);
	table_print(&table, 0, stderr);
	table_done(&table);
}

/* Enter is a yes at a terminal; an end of file, or a pipe with nothing in it, is a no. */
static bool is_agreed(void)
{
	char answer[16] = "";
	bool read;

	fputs("\nDo you want to proceed with these variables? [Y/n]: ", stderr);
	read = fgets(answer, sizeof(answer), stdin);
	if (!read)
		fputc('\n', stderr);
	str_trim(answer);
	if (read && !*answer)
		return isatty(STDIN_FILENO);
	return !strcasecmp(answer, "y") || !strcasecmp(answer, "yes");
}

int remote_confirm(struct project_args *args, const struct project *project, bool yes,
		   struct error *err)
{
	const char *file = remote_file(args);
	_cleanup_strv_ char **environment = NULL;
	_cleanup_json_ json_t *rows = NULL;
	struct load_options load;
	int r;

	if (!file)
		return 0;
	if (!args->progress ||
	    (!str_equal(args->progress, "quiet") && !str_equal(args->progress, "json")))
		fprintf(stderr, "Your compose stack \"%s\" is stored in \"%s\"\n", file,
			project->working_dir);
	if (yes || args->dry_run)
		return 0;
	project_args_load_options(args, &load);
	r = load_variables(&load, &rows, &args->report, err);
	if (r >= 0)
		r = load_environment(&load, &environment, &args->report, err);
	if (r < 0 || !json_array_size(rows))
		return r;
	show(rows, environment);
	if (is_agreed())
		return 0;
	return error_set(err, ECANCELED,
			 "operation cancelled by user (--yes is the answer for scripts)");
}
