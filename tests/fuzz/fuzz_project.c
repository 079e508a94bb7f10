// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several files at once, all the way to a project: what -f puts together, what they extend and
 * include, their env_file and .env, and `config --explain` of a value.
 *
 * The input is cut at lines of "%%". The first part is written as .env, the others as 1.yaml,
 * 2.yaml, ... of which the first two are given; they name further ones as they like.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"

#include "compose/load/explain.h"
#include "compose/load/load.h"
#include "compose/model/emit.h"

#define PARTS_MAX 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int folder = -EBADF;
static char path[] = "/dev/shm/berth-fuzz-XXXXXX";

static void clean_up(void)
{
	char name[16] = ".env";

	for (int i = 1; i <= PARTS_MAX; i++) {
		(void)unlinkat(folder, name, 0);
		(void)snprintf(name, sizeof(name), "%d.yaml", i);
	}
	(void)rmdir(path);
}

static void put(size_t number, const uint8_t *data, size_t size)
{
	char name[16] = ".env";
	int fd;

	if (number)
		(void)snprintf(name, sizeof(name), "%zu.yaml", number);
	fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	close(fd);
}

static size_t write_parts(const uint8_t *data, size_t size)
{
	size_t parts = 0;

	while (parts < PARTS_MAX) {
		const uint8_t *cut = memmem(data, size, "%%\n", 3);
		size_t length = cut && parts + 1 < PARTS_MAX ? (size_t)(cut - data) : size;

		put(parts++, data, length);
		if (length == size)
			break;
		data += length + 3;
		size -= length + 3;
	}
	return parts;
}

static void print(const struct project *project)
{
	static FILE *out;
	json_t *json = project_to_json(project, false), *internal = project_to_json(project, true);
	struct project *back = NULL;
	struct error err = ERROR_INIT;

	if (!out)
		out = fopen("/dev/null", "we");
	assert(config_render_yaml(json, out) == 0 && config_render_json(json, out) == 0);
	assert(project_from_json(internal, &back, &err) == 0);
	project_free(back);
	json_decref(json);
	json_decref(internal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char first[64], second[64];
	char *files[] = {first, second, NULL};
	char *environment[] = {(char *)"A=value", (char *)"HOME=/home/u", NULL};
	char *profiles[] = {(char *)"dev", NULL};
	struct load_options options = {
		.working_dir = path,
		.environment = environment,
		.files = files,
		.profiles = profiles,
		.with_dependencies = true,
		.unset_sources = true,
	};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	char *report = NULL, *text = NULL;

	if (folder < 0) {
		if (!mkdtemp(path) || (folder = open(path, O_DIRECTORY | O_CLOEXEC)) < 0)
			abort();
		(void)atexit(clean_up);
	}
	(void)snprintf(first, sizeof(first), "%s/1.yaml", path);
	(void)snprintf(second, sizeof(second), "%s/2.yaml", path);
	if (write_parts(data, size) < 3)
		files[1] = NULL;
	if (load_project(&options, &project, &report, &err) < 0)
		assert(err.code && err.message[0] && report && *report);
	else
		print(project);
	free(report);
	project_free(project);
	if (size % 4 == 0 &&
	    load_explain(&options, "services.web.environment", &text, &report, &err) < 0)
		free(report);
	free(text);
	return 0;
}
