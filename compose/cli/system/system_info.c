// SPDX-License-Identifier: GPL-2.0-or-later
/* `system info`: what this machine is and has, with docker's names. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/map.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/command.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/projects.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

#define OS_RELEASE_MAX (64 << 10)

DEFINE_CLEANUP(struct image_store *, image_store_close);

static const char *format;

static const struct option options[] = {
	{"format", 'f', OPTION_STRING, &format, "string",
	 "json, or a template such as '{{.ServerVersion}}'"},
	{NULL},
};

static void put_containers(json_t *info, const json_t *records)
{
	size_t i, running = 0, paused = 0, count = json_array_size(records);
	json_t *record;

	json_array_foreach((json_t *)records, i, record) {
		if (!json_get_bool(record, "running", false))
			continue;
		if (str_equal(json_get_string(record, "state"), "paused"))
			paused++;
		else
			running++;
	}
	json_put_int(info, "Containers", (int64_t)count);
	json_put_int(info, "ContainersRunning", (int64_t)running);
	json_put_int(info, "ContainersPaused", (int64_t)paused);
	json_put_int(info, "ContainersStopped", (int64_t)(count - running - paused));
}

/* One that has several names is one image. */
static int put_images(json_t *info, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct image **images = NULL;
	struct map seen = {0};
	size_t count = 0;
	int64_t distinct = 0;

	if (store_here_open(&store, err) < 0 || image_list(store, &images, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		distinct += !map_get(&seen, images[i]->id);
		map_set(&seen, images[i]->id, info);
		image_free(images[i]);
	}
	free(images);
	map_done(&seen, NULL);
	json_put_int(info, "Images", distinct);
	return 0;
}

/* PRETTY_NAME of os-release(5). New string. */
static char *operating_system(void)
{
	static const char *const files[] = {"/etc/os-release", "/usr/lib/os-release"};
	struct error none = ERROR_INIT;

	array_foreach(file, files) {
		_cleanup_free_ char *text = NULL;
		_cleanup_strv_ char **lines = NULL;

		if (fs_read(AT_FDCWD, *file, OS_RELEASE_MAX, &text, NULL, &none) < 0)
			continue;
		lines = strv_split(text, "\n");
		strv_foreach(line, lines) {
			char *value = line + strlen("PRETTY_NAME=");
			size_t n;

			if (!str_starts_with(line, "PRETTY_NAME="))
				continue;
			n = strlen(value);
			if (n >= 2 && (value[0] == '"' || value[0] == '\'') &&
			    value[n - 1] == value[0])
				return alloc_string_n(value + 1, n - 2);
			return alloc_string(value);
		}
	}
	return alloc_string("Linux");
}

static void put_machine(json_t *info)
{
	_cleanup_free_ char *system = operating_system();
	struct utsname name = {0};
	struct sysinfo memory = {0};

	(void)uname(&name);
	(void)sysinfo(&memory);
	json_put_string(info, "Driver", "overlay2");
	json_put_string(info, "CgroupDriver", "cgroupfs");
	json_put_string(info, "CgroupVersion", "2");
	json_put_string(info, "KernelVersion", name.release);
	json_put_string(info, "OperatingSystem", system);
	json_put_string(info, "OSType", "linux");
	json_put_string(info, "Architecture", name.machine);
	json_put_int(info, "NCPU", get_nprocs());
	json_put_int(info, "MemTotal", (int64_t)memory.totalram * memory.mem_unit);
	json_put_string(info, "DockerRootDir", paths_root());
	json_put_string(info, "Name", name.nodename);
	json_put_string(info, "ServerVersion", BERTH_VERSION);
}

static void print_text(const json_t *info)
{
	static const char *const lines[][2] = {
		{"Containers", "Containers"},
		{" Running", "ContainersRunning"},
		{" Paused", "ContainersPaused"},
		{" Stopped", "ContainersStopped"},
		{"Images", "Images"},
		{"Server Version", "ServerVersion"},
		{"Storage Driver", "Driver"},
		{"Cgroup Driver", "CgroupDriver"},
		{"Cgroup Version", "CgroupVersion"},
		{"Kernel Version", "KernelVersion"},
		{"Operating System", "OperatingSystem"},
		{"OSType", "OSType"},
		{"Architecture", "Architecture"},
		{"CPUs", "NCPU"},
		{"Total Memory", "MemTotal"},
		{"Name", "Name"},
		{"Docker Root Dir", "DockerRootDir"},
	};

	array_foreach(line, lines) {
		_cleanup_free_ char *value = output_value(json_object_get(info, (*line)[1]));

		if (!strcmp((*line)[1], "MemTotal"))
			printf("%s: %.4gGiB\n", (*line)[0],
			       (double)json_get_int(info, "MemTotal", 0) / (1 << 30));
		else
			printf("%s: %s\n", (*line)[0], value);
	}
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *records = NULL, *info = json_object(), *rows = json_array();
	struct error err = ERROR_INIT;

	if (projects_records(&records, &err) < 0)
		return output_fail(args, &err);
	put_containers(info, records);
	if (put_images(info, &err) < 0)
		return output_fail(args, &err);
	put_machine(info);
	json_array_append(rows, info);
	if (!format || !format[0])
		print_text(info);
	else if (output_rows(rows, format, NULL, OUTPUT_LINES, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_system_info = {
	.name = "info",
	.operands = "[OPTIONS]",
	.summary = "Show what this machine is and has",
	.options = options,
	.run = run,
};
