// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as compose.yaml, all the way to a project and to what `config` prints of it. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/fd.h"

#include "compose/load/load.h"
#include "compose/model/emit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct project *project)
{
	static FILE *out;
	json_t *json = project_to_json(project, false);

	if (!out)
		out = fopen("/dev/null", "we");
	assert(config_render_yaml(json, out) == 0 && config_render_json(json, out) == 0);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[FD_PATH_MAX];
	char *files[] = {(char *)fd_path(fd, path), NULL};
	char *environment[] = {(char *)"A=value", (char *)"HOME=/home/u", NULL};
	/* Without env_file: the input would choose which files of the machine are read. */
	struct load_options options = {
		.working_dir = "/nowhere",
		.project_directory = "/nowhere",
		.environment = environment,
		.files = files,
		.no_env_resolution = true,
	};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	char *report = NULL;

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	if (load_project(&options, &project, &report, &err) < 0)
		assert(err.code && err.message[0] && report && *report);
	else
		print(project);
	free(report);
	project_free(project);
	close(fd);
	return 0;
}
