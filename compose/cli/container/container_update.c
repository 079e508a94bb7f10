// SPDX-License-Identifier: GPL-2.0-or-later

/* `container update`: limits and restart policy of containers, while they run. */

#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/client.h"
#include "compose/cli/command.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_rt_period, *cpu_rt_runtime,
	*cpu_shares, *cpus, *cpuset_cpus, *cpuset_mems, *kernel_memory, *memory,
	*memory_reservation, *memory_swap, *pids_limit, *restart;

#define TEXT(x)   OPTION_STRING, &(x), "string"
#define BYTES(x)  OPTION_STRING, &(x), "bytes"
#define NUMBER(x) OPTION_STRING, &(x), "int"

static const struct option options[] = {
	{"blkio-weight", 0, NUMBER(blkio_weight), "Share of block I/O, 10 to 1000"},
	{"cpu-period", 0, NUMBER(cpu_period), "Microseconds of a period of CPU time"},
	{"cpu-quota", 0, NUMBER(cpu_quota), "Microseconds that it may have of each period"},
	{"cpu-rt-period", 0, NUMBER(cpu_rt_period), "The same for real-time scheduling"},
	{"cpu-rt-runtime", 0, NUMBER(cpu_rt_runtime), "The same for real-time scheduling"},
	{"cpu-shares", 'c', NUMBER(cpu_shares), "Share of CPU time, relative to others"},
	{"cpus", 0, OPTION_STRING, &cpus, "decimal", "How many CPUs it may use"},
	{"cpuset-cpus", 0, TEXT(cpuset_cpus), "Which CPUs: 0-3,5"},
	{"cpuset-mems", 0, TEXT(cpuset_mems), "Which memory nodes: 0-1"},
	{"kernel-memory", 0, BYTES(kernel_memory), NULL},
	{"memory", 'm', BYTES(memory), "Memory that it may use: 512m"},
	{"memory-reservation", 0, BYTES(memory_reservation), "Memory that it is to keep"},
	{"memory-swap", 0, BYTES(memory_swap), "Memory and swap together; -1: no limit"},
	{"pids-limit", 0, NUMBER(pids_limit), "So many processes at most; -1: no limit"},
	{"restart", 0, TEXT(restart), "no, always, unless-stopped, on-failure[:N]"},
	{NULL},
};

/* Which attribute of the service a flag is, and which ones it takes the place of. */
static const struct {
	const char *const *value;
	const char *attribute;
	bool number;
	const char *instead[2];
} rows[] = {
	{&cpu_period, "cpu_period", false, {"cpus"}},
	{&cpu_quota, "cpu_quota", false, {"cpus"}},
	{&cpu_rt_period, "cpu_rt_period", false, {NULL}},
	{&cpu_rt_runtime, "cpu_rt_runtime", false, {NULL}},
	{&cpu_shares, "cpu_shares", true, {NULL}},
	{&cpus, "cpus", false, {"cpu_period", "cpu_quota"}},
	{&cpuset_cpus, "cpuset", false, {NULL}},
	{&memory, "mem_limit", false, {NULL}},
	{&memory_reservation, "mem_reservation", false, {NULL}},
	{&memory_swap, "memswap_limit", false, {NULL}},
	{&pids_limit, "pids_limit", true, {NULL}},
	{&restart, "restart", false, {NULL}},
};

/* A number where it is one; what is none is for the decoder to complain of. */
static json_t *value_of(const char *text, bool number)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	return number && end != text && !*end ? json_integer(n) : json_string(text);
}

/* null: what is there is to go. */
static json_t *changes(void)
{
	json_t *object = json_object();

	array_foreach(row, rows) {
		if (!*row->value)
			continue;
		array_foreach(other, row->instead)
			if (*other && !json_object_get(object, *other))
				json_object_set_new(object, *other, json_null());
		json_object_set_new(object, row->attribute, value_of(*row->value, row->number));
	}
	if (cpuset_mems)
		json_object_set_new(object, "x-berth",
				    json_pack("{s:s}", "cpuset_mems", cpuset_mems));
	if (blkio_weight)
		json_object_set_new(object, "blkio_config",
				    json_pack("{s:o}", "weight", value_of(blkio_weight, true)));
	return object;
}

static int update(struct project_args *args, const char *name, json_t *wanted, struct error *err)
{
	_cleanup_json_ json_t *container = NULL, *request = json_object();

	if (machine_find(name, &container, err) < 0)
		return -err->code;
	if (args->dry_run) {
		printf("update container %s (asked for)\n", json_get_string(container, "name"));
		return 0;
	}
	json_put_string(request, "container", json_get_string(container, "id"));
	json_object_set(request, "changes", wanted);
	if (client_call(json_get_string(container, "project"), CLIENT_START_FOR_STATE,
			REQUEST_UPDATE, request, NULL, err) < 0)
		return -err->code;
	puts(name);
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *wanted = changes();
	struct error err = ERROR_INIT;
	int exit_code = 0;

	if (kernel_memory)
		error_set(&err, EINVAL,
			  "--kernel-memory is not supported: kernels have no such limit; --memory "
			  "has it in");
	else if (!json_object_size(wanted))
		error_set(&err, EINVAL,
			  "you must provide one or more flags when using this "
			  "command");
	if (err.code)
		return output_fail(args, &err);
	strv_foreach(name, argv) {
		error_clear(&err);
		if (update(args, name, wanted, &err) < 0)
			exit_code = output_fail(args, &err);
	}
	return exit_code;
}

const struct command command_container_update = {
	.name = "update",
	.operands = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Change limits and restart policy of containers, while they run",
	.options = options,
	.min_operands = 1,
	.max_operands = -1,
	.run = run,
};
