// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/meant.h"

#include <string.h>

#include "common/str.h"

/* clang-format off */
static const struct {
	const char *object, *word, *meant;
} words[] = {
	{"service", "after",            "depends_on"},
	{"service", "args",             "command', or 'build: {args: ...}"},
	{"service", "cmd",              "command"},
	{"service", "context",          "build: {context: ...}"},
	{"service", "cpu",              "cpus"},
	{"service", "cpu_limit",        "cpus"},
	{"service", "dockerfile",       "build: {dockerfile: ...}"},
	{"service", "driver",           "logging: {driver: ...}"},
	{"service", "env",              "environment"},
	{"service", "gpu",              "gpus"},
	{"service", "host",             "hostname"},
	{"service", "img",              "image"},
	{"service", "ip",               "networks: {NAME: {ipv4_address: ...}}"},
	{"service", "ipv4_address",     "networks: {NAME: {ipv4_address: ...}}"},
	{"service", "aliases",          "networks: {NAME: {aliases: [...]}}"},
	{"service", "limits",           "deploy: {resources: {limits: ...}}"},
	{"service", "log_driver",       "logging: {driver: ...}"},
	{"service", "log_opt",          "logging: {options: ...}"},
	{"service", "memory",           "mem_limit"},
	{"service", "memory_limit",     "mem_limit"},
	{"service", "mount",            "volumes"},
	{"service", "mounts",           "volumes"},
	{"service", "name",             "container_name"},
	{"service", "net",              "network_mode"},
	{"service", "publish",          "ports"},
	{"service", "replicas",         "deploy: {replicas: ...}"},
	{"service", "requires",         "depends_on"},
	{"service", "resources",        "deploy: {resources: ...}"},
	{"service", "restart_policy",   "restart"},
	{"service", "target",           "build: {target: ...}"},
	{"service", "volume_driver",    "volumes: {NAME: {driver: ...}}' at the top"},
	{"service", "workdir",          "working_dir"},
	{"build",   "arg",              "args"},
	{"build",   "build_args",       "args"},
	{"build",   "buildargs",        "args"},
	{"build",   "file",             "dockerfile"},
	{"build",   "path",             "context"},
	{"networks", "gateway",          "ipam: {config: [{subnet: ..., gateway: ...}]}"},
	{"networks", "subnet",           "ipam: {config: [{subnet: ...}]}"},
	{"networks", "ipv6",             "enable_ipv6"},
	{"networks", "options",          "driver_opts"},
	{"volumes", "device",           "driver_opts: {device: ...}"},
	{"volumes", "options",          "driver_opts"},
	{"volumes", "path",             "driver_opts: {type: none, o: bind, device: ...}"},
	{"volumes", "type",             "driver_opts: {type: ...}"},
	{"healthcheck", "cmd",          "test"},
	{"healthcheck", "command",      "test"},
	{"healthcheck", "start",        "start_period"},
};
/* clang-format on */

const char *meant_elsewhere(const char *object, const char *word)
{
	array_foreach(row, words)
		if (str_equal(row->object, object) && str_equal(row->word, word))
			return row->meant;
	return NULL;
}
