// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of a project as they travel: all of them, and what in them changes. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/load/portable.h"

#include "tests/support/scratch.h"

static char *path_of(const char *name)
{
	return str_printf("%s/%s", scratch_path(), name);
}

static void put(const char *name, const char *text)
{
	_cleanup_free_ char *path = path_of(name);
	FILE *file = fopen(path, "we");

	cr_assert(file, "%s", path);
	fputs(text, file);
	fclose(file);
}

static void setup(void)
{
	close(scratch_open());
	put("base.yaml", "services: {b: {image: base, env_file: sub.env}}\n");
	put("sub.env", "A=1\n");
	put("one.env", "# as it is\nB=2\n");
}

static int load(const char *text, struct portable *ret, struct error *err)
{
	_cleanup_free_ char *path = NULL, *report = NULL;
	char *files[2] = {NULL};
	char *none[] = {NULL};
	struct load_options options = {.files = files,
				       .environment = none,
				       .project_name = "p",
				       .working_dir = scratch_path()};

	put("compose.yaml", text);
	path = path_of("compose.yaml");
	files[0] = path;
	return load_portable(&options, ret, &report, err);
}

/* "name.yaml" as it is, those that travel under another name as <yaml> and <env>. */
static char *masked(const struct portable *files, const char *text)
{
	struct strbuf out = {0};

	while (*text) {
		bool found = false;

		for (size_t i = 0; i < files->count && !found; i++) {
			const struct portable_file *file = &files->files[i];

			if (file->kind == PORTABLE_COMPOSE || !str_starts_with(text, file->name))
				continue;
			strbuf_add(&out, file->kind == PORTABLE_EXTENDED ? "<yaml>" : "<env>");
			text += strlen(file->name);
			found = true;
		}
		if (!found)
			strbuf_addc(&out, *text++);
	}
	return strbuf_take(&out);
}

Test(portable, names_change_and_nothing_else, .init = setup, .fini = scratch_remove)
{
	static const struct {
		const char *text, *expect;
		size_t count;
	} cases[] = {
		{"services: {a: {image: x}} # é\n", "services: {a: {image: x}} # é\n", 1},
		{"services: {a: {image: x, env_file: one.env}}\n",
		 "services: {a: {image: x, env_file: <env>}}\n", 2},
		{"# é ü\nservices:\n  a:\n    image: é\n    env_file: ['one.env', \"./sub.env\"]\n",
		 "# é ü\nservices:\n  a:\n    image: é\n    env_file: [<env>, <env>]\n", 3},
		{"services: {a: {image: x, env_file: [{path: none.env, required: false}]}}\n",
		 "services: {a: {image: x, env_file: [{path: none.env, required: false}]}}\n", 1},
		{"services: {a: {extends: {file: base.yaml, service: b}}}\n",
		 "services: {a: {extends: {file: <yaml>, service: b}}}\n", 3},
		/* One of the same: it travels once. */
		{"services:\n  a: {extends: {file: base.yaml, service: b}}\n"
		 "  c: {extends: {file: ./base.yaml, service: b}}\n",
		 "services:\n  a: {extends: {file: <yaml>, service: b}}\n"
		 "  c: {extends: {file: <yaml>, service: b}}\n",
		 3},
	};

	array_foreach(c, cases) {
		struct portable files = {0};
		struct error err = ERROR_INIT;
		_cleanup_free_ char *shown = NULL;

		cr_assert_eq(load(c->text, &files, &err), 0, "%s%s", c->text, err.message);
		shown = masked(&files, files.files[0].text);
		cr_expect_str_eq(shown, c->expect);
		cr_expect_eq(files.count, c->count, "%s: %zu files", c->text, files.count);
		cr_expect_eq(files.files[0].kind, PORTABLE_COMPOSE);
		for (size_t i = 0; i < files.count; i++)
			cr_expect(files.files[i].text && !strchr(files.files[i].name, '/'));
		portable_done(&files);
	}
}

Test(portable, what_cannot_travel_is_told_with_its_place, .init = setup, .fini = scratch_remove)
{
	static const char *const cases[][2] = {
		{"include: [base.yaml]\nservices: {a: {image: x}}\n", "compose.yaml:1"},
		{"services: {a: {image: x, env_file: \"one\\x2eenv\"}}\n", "compose.yaml:1"},
		{"services: {a: {image: x, env_file: none.env}}\n", "none.env"},
	};

	array_foreach(c, cases) {
		struct portable files = {0};
		struct error err = ERROR_INIT;
		_cleanup_free_ char *all = NULL;

		cr_expect_lt(load((*c)[0], &files, &err), 0, "%s", (*c)[0]);
		all = str_printf("%s %s", err.where, err.message);
		cr_expect(strstr(all, (*c)[1]), "%s: %s", (*c)[0], all);
		portable_done(&files);
	}
}
