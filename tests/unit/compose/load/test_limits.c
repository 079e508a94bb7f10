// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that are made to hurt: each ends within moments, with a project or with an error that says
 * what is too much. The timeouts are for machines that are busy with other things as well.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/load/load.h"

/* Ten thousand services take some 80 MiB, a file that is too large nothing. */
#define RESIDENT_MAX_KIB (200 << 10)

#define SERVICE "services: {a: {image: x}}\n"

static char path[64];

static void setup(void)
{
	int fd;

	strcpy(path, "/tmp/berth-limits-XXXXXX");
	fd = mkstemp(path);
	cr_assert(fd >= 0);
	close(fd);
}

/* Each test is a process of its own: what it took at its height is what its files cost. */
static void teardown(void)
{
	struct rusage usage;

	unlink(path);
	cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
#ifndef __SANITIZE_ADDRESS__
	cr_expect(usage.ru_maxrss <= RESIDENT_MAX_KIB, "%ld KiB of memory", usage.ru_maxrss);
#endif
}

TestSuite(limits, .init = setup, .fini = teardown, .timeout = 120);

/* The number of services, or the error in @ret_error. */
static size_t load(const char *text, char ret_error[sizeof(((struct error *)0)->message)])
{
	char *environment[] = {(char *)"A=0123456789", NULL}, *files[] = {path, NULL};
	struct load_options options = {
		.working_dir = "/tmp",
		.environment = environment,
		.files = files,
		.project_name = "p",
	};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	FILE *file = text ? fopen(path, "we") : NULL;
	size_t count = 0;

	if (file) {
		fputs(text, file);
		fclose(file);
	}
	if (load_project(&options, &project, NULL, &err) == 0)
		count = project->service_count;
	strcpy(ret_error, err.message);
	project_free(project);
	return count;
}

static void repeat(struct strbuf *text, const char *what, size_t times)
{
	while (times--)
		strbuf_add(text, what);
}

static void expect_error(struct strbuf *text, const char *expect)
{
	char error[sizeof(((struct error *)0)->message)];

	cr_expect_eq(load(text->data, error), 0);
	cr_expect(strstr(error, expect), "expected '%s', got '%s'", expect, error);
	text->length = 0;
}

Test(limits, ten_thousand_services)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	char error[sizeof(((struct error *)0)->message)];

	strbuf_add(&text, "services:\n");
	for (int i = 0; i < 10000; i++)
		strbuf_addf(&text,
			    "  s%d:\n    image: x:%d\n    command: echo ${A}\n    environment: "
			    "{A: %d, B: b}\n    ports: ['%d:80']\n    volumes: ['d:/d', './x:/x']\n"
			    "    depends_on: [s%d]\n",
			    i, i, i, 1000 + i, i ? i - 1 : 10000);
	strbuf_add(&text, "  s10000: {image: x}\nvolumes: {d: {}}\n");
	cr_expect_eq(load(text.data, error), 10001, "%s", error);
}

Test(limits, chains_of_extends)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	strbuf_add(&text, "services:\n  s0: {image: x}\n");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, "  s%d: {extends: s%d}\n", 1000 - i, 999 - i);
	expect_error(&text, "a chain of more than 200 services");
}

Test(limits, aliases_that_multiply)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	strbuf_add(&text, SERVICE "x-0: &x0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n");
	for (int i = 1; i < 12; i++)
		strbuf_addf(&text, "x-%d: &x%d [*x%d, *x%d, *x%d, *x%d, *x%d, *x%d]\n", i, i, i - 1,
			    i - 1, i - 1, i - 1, i - 1, i - 1);
	expect_error(&text, "excessive aliasing");
	strbuf_add(&text, SERVICE "x-0: &x0 {a: 1}\n");
	for (int i = 1; i < 40; i++)
		strbuf_addf(&text, "x-%d: &x%d {<<: [*x%d, *x%d], k%d: *x%d}\n", i, i, i - 1, i - 1,
			    i, i - 1);
	expect_error(&text, "excessive aliasing");
}

Test(limits, deep_nesting)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	strbuf_add(&text, SERVICE "x-a: ");
	repeat(&text, "[", 300000);
	expect_error(&text, "nested deeper than 100 levels");
	strbuf_add(&text, "services: {a: {image: '");
	repeat(&text, "${A:+", 5000);
	strbuf_add(&text, "x");
	repeat(&text, "}", 5000);
	strbuf_add(&text, "'}}\n");
	expect_error(&text, "invalid interpolation format");
}

Test(limits, what_grows_beyond_reason)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	strbuf_add(&text, "services: {a: {image: '");
	repeat(&text, "$A", 1000000);
	strbuf_add(&text, "'}}\n");
	expect_error(&text, "too long after interpolation");
	strbuf_add(&text, "services:\n");
	for (int i = 0; i < 200; i++)
		strbuf_addf(&text, "  s%d: {image: x, ports: ['1-65535:1-65535']}\n", i);
	expect_error(&text, "the project has more than 500000 ports");
}

Test(limits, a_file_of_100_megabytes)
{
	char error[sizeof(((struct error *)0)->message)];

	cr_assert(truncate(path, 100 << 20) == 0);
	cr_expect_eq(load(NULL, error), 0);
	cr_expect(strstr(error, "larger than"), "%s", error);
}
