// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every tests/fixtures/config/TOPIC/NAME.yaml: loaded, it gives NAME.json (canonical form) or
 * NAME.error (the whole report). Beside it may stand
 *
 *     NAME.2.yaml    a further -f, and so on
 *     NAME.env       the client's environment, one KEY=VALUE a line
 *     NAME.options   one a line: profile=P, service=S, project_name=N, all_resources,
 *                    no_normalize, no_path_resolution, no_env_resolution, no_consistency;
 *                    draft: as `config --no-interpolate`; explain=PATH: as `config --explain`;
 *                    variables: as `config --variables`
 *     NAME.warnings  which warnings come
 *     NAME.out       what `config` prints, where quotes and order are what it is about; the text
 *                    of explain
 *
 * The first comment of a fixture names the section of the specification that it is about. With
 * BERTH_FIXTURES_WRITE=1 what is missing is written, with =all what differs too, to be looked at
 * before it is kept.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/load/explain.h"
#include "compose/load/load.h"
#include "compose/model/emit.h"

#define FIXTURES "tests/fixtures/config"

struct fixture {
	const char *directory, *name; /* directory: absolute */
	char **environment, **files, **options;
	char **warnings;
};

static char *read_beside(const struct fixture *f, const char *suffix)
{
	struct error err = ERROR_INIT;
	_cleanup_free_ char *path = str_printf("%s/%s%s", f->directory, f->name, suffix);
	char *text = NULL;

	(void)fs_read(AT_FDCWD, path, 1 << 20, &text, NULL, &err);
	return text;
}

static void warn(void *data, const char *message)
{
	struct fixture *f = data;

	strv_append(&f->warnings, message);
}

static char *replace_all(char *text, const char *what, const char *with)
{
	struct strbuf out = {0};
	const char *at = text, *next;

	while ((next = strstr(at, what))) {
		strbuf_add_n(&out, at, (size_t)(next - at));
		strbuf_add(&out, with);
		at = next + strlen(what);
	}
	strbuf_add(&out, at);
	free(text);
	return strbuf_take(&out);
}

/* Wherever the sources lie: fixtures say /project, and /projects for what is beside it. */
static char *without_place(const struct fixture *f, char *text)
{
	_cleanup_free_ char *above =
		alloc_string_n(f->directory, (size_t)(strrchr(f->directory, '/') - f->directory));

	return replace_all(replace_all(text, f->directory, "/project"), above, "/projects");
}

static bool has_option(const struct fixture *f, const char *name)
{
	return strv_contains(f->options, name);
}

/* All values of an option that may be given several times. New list, NULL when there is none. */
static char **option_values(const struct fixture *f, const char *name)
{
	_cleanup_free_ char *start = str_printf("%s=", name);
	char **values = NULL;

	strv_foreach(option, f->options)
		if (str_starts_with(option, start))
			strv_append(&values, option + strlen(start));
	return values;
}

static struct load_options options_of(struct fixture *f, char **files, char **profiles,
				      char **services)
{
	return (struct load_options){
		.working_dir = f->directory,
		.project_directory = f->directory,
		.project_name = strv_env_get(f->options, "project_name"),
		.environment = f->environment,
		.files = files,
		.profiles = profiles,
		.services = services,
		.with_dependencies = true,
		.all_resources = has_option(f, "all_resources"),
		.no_normalize = has_option(f, "no_normalize"),
		.no_path_resolution = has_option(f, "no_path_resolution"),
		.no_env_resolution = has_option(f, "no_env_resolution"),
		.no_consistency = has_option(f, "no_consistency"),
		.warn = warn,
		.warn_data = f,
	};
}

static int load(struct fixture *f, char **files, struct project **ret, char **ret_report,
		struct error *err)
{
	_cleanup_strv_ char **profiles = option_values(f, "profile");
	_cleanup_strv_ char **services = option_values(f, "service");
	struct load_options options = options_of(f, files, profiles, services);

	return load_project(&options, ret, ret_report, err);
}

static void compare(struct fixture *f, const char *suffix, char *actual)
{
	_cleanup_free_ char *expected = read_beside(f, suffix);
	_cleanup_free_ char *path = str_printf("%s/%s%s", f->directory, f->name, suffix);

	if (getenv("BERTH_FIXTURES_WRITE") &&
	    (!expected || !strcmp(getenv("BERTH_FIXTURES_WRITE"), "all"))) {
		FILE *out = fopen(path, "we");

		fputs(actual, out);
		fclose(out);
		return;
	}
	cr_expect(expected, "%s is missing; what came is:\n%s", path, actual);
	if (expected)
		cr_expect(!strcmp(actual, expected), "%s: expected\n%s\nbut got\n%s", path,
			  expected, actual);
}

/* The internal form read back is the same project, with the same hashes. */
static void check_round_trip(const struct fixture *f, const struct project *project)
{
	_cleanup_json_ json_t *json = project_to_json(project, true), *again = NULL;
	struct project *back = NULL;
	struct error err = ERROR_INIT;

	if (project_from_json(json, &back, &err) < 0) {
		cr_expect_fail("%s: %s", f->name, err.message);
		return;
	}
	again = project_to_json(back, true);
	cr_expect(json_equal(json, again), "%s: is another one after a round trip", f->name);
	for (size_t i = 0; i < project->service_count; i++) {
		char before[65], after[65];

		service_hash(project, &project->services[i], before);
		service_hash(back, &back->services[i], after);
		cr_expect_str_eq(before, after, "%s: hash of %s", f->name,
				 project->services[i].name);
	}
	project_free(back);
}

/* What `config` prints is a file that gives the same project. */
static void check_printed(struct fixture *f, const json_t *json)
{
	char path[] = "/tmp/berth-fixture-XXXXXX";
	FILE *out = fdopen(mkstemp(path), "w");
	char *files[] = {path, NULL};
	struct project *back = NULL;
	struct error err = ERROR_INIT;
	_cleanup_json_ json_t *again = NULL;
	int r;

	cr_assert(config_render_yaml(json, out) == 0);
	fclose(out);
	r = load(f, files, &back, NULL, &err);
	cr_expect(r == 0, "%s: printed and read again: %s", f->name, err.message);
	if (r == 0) {
		again = project_to_json(back, false);
		cr_expect(json_equal(json, again), "%s: is another one after printing", f->name);
		project_free(back);
	}
	unlink(path);
}

static void check_warnings(struct fixture *f)
{
	_cleanup_free_ char *warnings = strv_join(f->warnings, "\n");
	char *lines;

	if (!*warnings)
		return;
	lines = without_place(f, str_printf("%s\n", warnings));
	compare(f, ".warnings", lines);
	free(lines);
}

static void compare_json(struct fixture *f, const json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	char *lines = without_place(f, str_printf("%s\n", text));

	compare(f, ".json", lines);
	free(text);
	free(lines);
}

/* Where it matters how it is written: NAME.out. */
static void check_text(struct fixture *f, const json_t *json)
{
	_cleanup_free_ char *path = str_printf("%s/%s.out", f->directory, f->name);
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	if (access(path, F_OK))
		return;
	out = open_memstream(&text, &size);
	cr_assert(config_render_yaml(json, out) == 0);
	fclose(out);
	text = without_place(f, text);
	compare(f, ".out", text);
	free(text);
}

static void check_project(struct fixture *f, const struct project *project)
{
	_cleanup_json_ json_t *json = project_to_json(project, false);

	compare_json(f, json);
	check_text(f, json);
	check_round_trip(f, project);
	/* Keys are never interpolated, so the doubled dollar of one stays. */
	if (strcmp(f->name, "keys_stay"))
		check_printed(f, json);
}

/* What is no project: the files before interpolation, variables, an explanation. */
static int check_other(struct fixture *f, char **ret_report, struct error *err)
{
	_cleanup_strv_ char **profiles = option_values(f, "profile");
	struct load_options options = options_of(f, f->files, profiles, NULL);
	const char *path = strv_env_get(f->options, "explain");
	_cleanup_json_ json_t *json = NULL;
	char *text = NULL;
	int r;

	if (path)
		r = load_explain(&options, path, &text, ret_report, err);
	else if (has_option(f, "variables"))
		r = load_variables(&options, &json, ret_report, err);
	else
		r = load_model(&options, &json, ret_report, err);
	if (r < 0)
		return r;
	if (json) {
		compare_json(f, json);
		return 0;
	}
	text = without_place(f, text);
	compare(f, ".out", text);
	free(text);
	return 0;
}

static void check_fixture(struct fixture *f)
{
	struct project *project = NULL;
	char *report = NULL;
	struct error err = ERROR_INIT;
	bool other = has_option(f, "draft") || has_option(f, "variables") ||
		     strv_env_get(f->options, "explain");
	int r = other ? check_other(f, &report, &err) : load(f, f->files, &project, &report, &err);

	check_warnings(f);
	if (r < 0) {
		/* What is about the command line and no file has no report. */
		report = without_place(f, report ? report : str_printf("%s\n", err.message));
		compare(f, ".error", report);
	} else if (project) {
		check_project(f, project);
	}
	free(report);
	project_free(project);
}

static void run_one(const char *directory, const char *file)
{
	_cleanup_free_ char *name = alloc_string_n(file, strlen(file) - strlen(".yaml"));
	struct fixture f = {.directory = directory, .name = name};
	_cleanup_free_ char *environment = read_beside(&f, ".env");
	_cleanup_free_ char *options = read_beside(&f, ".options");

	f.environment = environment ? strv_split(environment, "\n") : NULL;
	f.options = options ? strv_split(options, "\n") : NULL;
	strv_take(&f.files, str_printf("%s/%s", directory, file));
	for (int i = 2;; i++) {
		char *further = str_printf("%s/%s.%d.yaml", directory, name, i);

		if (access(further, F_OK)) {
			free(further);
			break;
		}
		strv_take(&f.files, further);
	}
	check_fixture(&f);
	strv_free(f.files);
	strv_free(f.environment);
	strv_free(f.options);
	strv_free(f.warnings);
}

Test(load, fixtures, .timeout = 60)
{
	struct error err = ERROR_INIT;
	_cleanup_strv_ char **topics = NULL;
	size_t count = 0;

	cr_assert(fs_list(AT_FDCWD, FIXTURES, &topics, &err) == 0, "%s", err.message);
	strv_foreach(topic, topics) {
		_cleanup_free_ char *relative = str_printf("%s/%s", FIXTURES, topic);
		_cleanup_free_ char *directory = realpath(relative, NULL);
		_cleanup_strv_ char **files = NULL;

		cr_assert(fs_list(AT_FDCWD, relative, &files, &err) == 0, "%s", err.message);
		strv_foreach(file, files) {
			size_t stem = strcspn(file, ".");

			if (strcmp(file + stem, ".yaml"))
				continue;
			run_one(directory, file);
			count++;
		}
	}
	cr_expect(count >= 550, "only %zu fixtures", count);
}
