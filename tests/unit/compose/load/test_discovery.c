// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files are read, from where, and what the project is called then. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/load/load.h"

#define SERVICE(image) "services: {a: {image: \"" image "\"}}\n"

static char root[64];

static void put(const char *name, const char *text)
{
	struct error err = ERROR_INIT;
	_cleanup_free_ char *path = str_printf("%s/%s", root, name);
	FILE *file;

	*strrchr(path, '/') = '\0';
	close(fs_mkdir_path(path, 0755, &err));
	path[strlen(path)] = '/';
	file = fopen(path, "we");
	cr_assert(file, "%s", path);
	fputs(text, file);
	fclose(file);
}

static void setup(void)
{
	strcpy(root, "/tmp/berth-load-XXXXXX");
	cr_assert(mkdtemp(root));
	put("My.App/compose.yaml", SERVICE("${TAG:-none}"));
	put("My.App/.env", "TAG=dotenv\nOTHER=1\n");
	put("My.App/sub/deep/x", "");
	put("My.App/sub/.env", "TAG=sub\nONLY_SUB=1\n");
	put("over/docker-compose.yml", SERVICE("base"));
	put("over/docker-compose.override.yml", "services: {a: {user: over}}\n");
	put("two/compose.yaml", SERVICE("first"));
	put("two/docker-compose.yaml", SERVICE("second"));
	put("file/.env", "COMPOSE_FILE=one.yaml:two.yaml\nCOMPOSE_PROJECT_NAME=fromenv\n");
	put("file/one.yaml", SERVICE("one"));
	put("file/two.yaml", "services: {a: {user: two}}\n");
	put("file/broken.yaml", "services: [\n");
	put("file/given.env", "TAG=given\n");
	put("file/later.env", "TAG=later\n");
	put("file/tag.yaml", SERVICE("$TAG"));
	put("empty/x", "");
}

static void teardown(void)
{
	struct error err = ERROR_INIT;

	cr_expect(fs_remove_tree(AT_FDCWD, root, &err) == 0, "%s", err.message);
}

struct row {
	const char *cwd, *files, *environment, *env_files, *name, *directory;
	const char *expect; /* "NAME IMAGE USER", or the error */
};

static const struct row rows[] = {
	{"My.App", .expect = "myapp dotenv -"},
	{"My.App/sub/deep", .expect = "myapp dotenv -"},
	{"My.App/sub", .expect = "myapp dotenv -"},
	{"My.App", .environment = "TAG=shell", .expect = "myapp shell -"},
	{"My.App", .environment = "COMPOSE_DISABLE_ENV_FILE=1", .expect = "myapp none -"},
	{"over", .expect = "over base over"},
	{"over", .files = "docker-compose.yml", .expect = "over base -"},
	{"two", .expect = "two first -"},
	{"file", .expect = "fromenv one two"},
	{"file", .files = "one.yaml", .expect = "fromenv one -"},
	{"file", .files = "one.yaml", .name = "mine", .expect = "mine one -"},
	{"file", .name = "Not OK",
	 .expect = "invalid project name \"Not OK\": must consist only of "
		   "lowercase alphanumeric characters, hyphens, and "
		   "underscores as well as start with a letter or number"},
	{"file", .environment = "COMPOSE_FILE=tag.yaml;COMPOSE_PROJECT_NAME=zzz;TAG=t",
	 .expect = "zzz t -"},
	{"file", .files = "tag.yaml", .env_files = "given.env", .expect = "file given -"},
	{"file", .files = "tag.yaml", .env_files = "given.env;later.env", .expect = "file later -"},
	{"file", .files = "tag.yaml", .env_files = "later.env;given.env",
	 .environment = "TAG=shell", .expect = "file shell -"},
	{"file", .files = "tag.yaml", .env_files = "no.env",
	 .expect = "couldn't find env file: ROOT/file/no.env"},
	{"empty", .files = "../over/docker-compose.yml", .expect = "over base -"},
	{"empty", .files = "../over/docker-compose.yml", .directory = "../My.App",
	 .expect = "myapp base -"},
	{"empty", .files = "none.yaml",
	 .expect = "open ROOT/empty/none.yaml: no such file or "
		   "directory"},
};

static char **split(const char *text)
{
	return text ? strv_split(text, ";") : NULL;
}

static char *outcome(const struct row *row)
{
	_cleanup_free_ char *cwd = str_printf("%s/%s", root, row->cwd);
	_cleanup_strv_ char **files = split(row->files), **env_files = split(row->env_files);
	_cleanup_strv_ char **environment = split(row->environment);
	struct load_options options = {
		.working_dir = cwd,
		.files = files,
		.env_files = env_files,
		.environment = environment,
		.project_name = row->name,
		.project_directory = row->directory,
	};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	char *result, *name = NULL;

	if (load_project(&options, &project, NULL, &err) < 0)
		return alloc_string(err.message);
	result = str_printf("%s %s %s", project->name, project->services[0].image,
			    project->services[0].user ? project->services[0].user : "-");
	cr_expect(load_project_name(&options, &name, &err) == 0, "%s", err.message);
	cr_expect_str_eq(name, project->name);
	free(name);
	project_free(project);
	return result;
}

Test(discovery, rows, .init = setup, .fini = teardown)
{
	array_foreach(row, rows) {
		char *actual = outcome(row), *at = strstr(actual, root);
		_cleanup_free_ char *shown =
			at ? str_printf("%.*sROOT%s", (int)(at - actual), actual, at + strlen(root))
			   : alloc_string(actual);

		cr_expect_str_eq(shown, row->expect, "%s (%s): %s", row->cwd,
				 row->files ? row->files : "", shown);
		free(actual);
	}
}

Test(discovery, nothing_found)
{
	struct load_options options = {.working_dir = "/proc/self"};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	char *report = NULL;

	cr_expect_eq(load_project(&options, &project, &report, &err), -ENOENT);
	cr_expect_str_eq(err.message, "no configuration file provided: not found");
	cr_expect_str_eq(report, "no configuration file provided: not found\n");
	free(report);
}

/* The name is known without a file, and with one that is broken. */
Test(discovery, name_alone, .init = setup, .fini = teardown)
{
	_cleanup_free_ char *cwd = str_printf("%s/file", root);
	char *files[] = {(char *)"broken.yaml", NULL};
	struct load_options options = {.working_dir = cwd, .files = files, .project_name = "p"};
	struct error err = ERROR_INIT;
	char *name = NULL;

	cr_assert(load_project_name(&options, &name, &err) == 0, "%s", err.message);
	cr_expect_str_eq(name, "p");
	free(name);
	options.project_name = NULL;
	cr_assert(load_project_name(&options, &name, &err) == 0, "%s", err.message);
	cr_expect_str_eq(name, "fromenv");
	free(name);
	options.working_dir = "/proc/self";
	options.files = NULL;
	cr_expect_eq(load_project_name(&options, &name, &err), -ENOENT);
}

Test(variables, mentioned, .init = setup, .fini = teardown)
{
	_cleanup_free_ char *cwd = str_printf("%s/vars", root), *text = NULL;
	struct load_options options = {.working_dir = cwd};
	struct error err = ERROR_INIT;
	json_t *rows_found = NULL;

	put("vars/compose.yaml",
	    "services: {a: {image: \"${A:-d$B}${C?x}\", user: \"${D+y}$A\"}}\n");
	cr_assert(load_variables(&options, &rows_found, NULL, &err) == 0, "%s", err.message);
	text = json_text(rows_found);
	cr_expect_str_eq(text,
			 "[{\"name\":\"A\",\"required\":false,\"default\":\"d$B\","
			 "\"alternate\":\"\"},"
			 "{\"name\":\"B\",\"required\":false,\"default\":\"\",\"alternate\":\"\"},"
			 "{\"name\":\"C\",\"required\":true,\"default\":\"\",\"alternate\":\"\"},"
			 "{\"name\":\"D\",\"required\":false,\"default\":\"\","
			 "\"alternate\":\"y\"}]");
	json_decref(rows_found);
}
