// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/env_words.h"
#include "compose/cli/args/mount_words.h"
#include "compose/cli/args/network_words.h"
#include "compose/cli/container/container_flags.h"
#include "compose/cli/container/container_flags_given.h"
#include "compose/cli/container/volumes_from.h"
#include "compose/cli/machine.h"
#include "compose/cli/registry/docker_config.h"
#include "compose/cli/run/run_service.h"
#include "compose/model/project.h"

enum how { PUT_TEXT, PUT_NUMBER, PUT_BOOL, PUT_LIST, PUT_MAP, PUT_RATES, PUT_WEIGHTS };

/* Which attribute of the service a flag is: "a.b" lies in a mapping a. */
static const struct {
	const void *value;
	enum how how;
	const char *path;
} rows[] = {
	{&container_given.add_host, PUT_LIST, "extra_hosts"},
	{&container_given.annotation, PUT_MAP, "annotations"},
	{&container_given.blkio_weight, PUT_NUMBER, "blkio_config.weight"},
	{&container_given.blkio_weight_device, PUT_WEIGHTS, "blkio_config.weight_device"},
	{&container_given.cap_add, PUT_LIST, "cap_add"},
	{&container_given.cap_drop, PUT_LIST, "cap_drop"},
	{&container_given.cgroup_parent, PUT_TEXT, "cgroup_parent"},
	{&container_given.cgroupns, PUT_TEXT, "cgroup"},
	{&container_given.cpu_period, PUT_TEXT, "cpu_period"},
	{&container_given.cpu_quota, PUT_TEXT, "cpu_quota"},
	{&container_given.cpu_rt_period, PUT_TEXT, "cpu_rt_period"},
	{&container_given.cpu_rt_runtime, PUT_TEXT, "cpu_rt_runtime"},
	{&container_given.cpu_shares, PUT_NUMBER, "cpu_shares"},
	{&container_given.cpus, PUT_TEXT, "cpus"},
	{&container_given.cpuset_cpus, PUT_TEXT, "cpuset"},
	{&container_given.cpuset_mems, PUT_TEXT, "x-berth.cpuset_mems"},
	{&container_given.device, PUT_LIST, "devices"},
	{&container_given.device_cgroup_rule, PUT_LIST, "device_cgroup_rules"},
	{&container_given.device_read_bps, PUT_RATES, "blkio_config.device_read_bps"},
	{&container_given.device_read_iops, PUT_RATES, "blkio_config.device_read_iops"},
	{&container_given.device_write_bps, PUT_RATES, "blkio_config.device_write_bps"},
	{&container_given.device_write_iops, PUT_RATES, "blkio_config.device_write_iops"},
	{&container_given.dns, PUT_LIST, "dns"},
	{&container_given.dns_option, PUT_LIST, "dns_opt"},
	{&container_given.dns_search, PUT_LIST, "dns_search"},
	{&container_given.domainname, PUT_TEXT, "domainname"},
	{&container_given.expose, PUT_LIST, "expose"},
	{&container_given.group_add, PUT_LIST, "group_add"},
	{&container_given.health_interval, PUT_TEXT, "healthcheck.interval"},
	{&container_given.health_retries, PUT_NUMBER, "healthcheck.retries"},
	{&container_given.health_start_interval, PUT_TEXT, "healthcheck.start_interval"},
	{&container_given.health_start_period, PUT_TEXT, "healthcheck.start_period"},
	{&container_given.health_timeout, PUT_TEXT, "healthcheck.timeout"},
	{&container_given.hostname, PUT_TEXT, "hostname"},
	{&container_given.init, PUT_BOOL, "init"},
	{&container_given.ipc, PUT_TEXT, "ipc"},
	{&container_given.label, PUT_MAP, "labels"},
	{&container_given.link, PUT_LIST, "external_links"},
	{&container_given.log_driver, PUT_TEXT, "logging.driver"},
	{&container_given.log_opt, PUT_MAP, "logging.options"},
	{&container_given.mac_address, PUT_TEXT, "mac_address"},
	{&container_given.memory, PUT_TEXT, "mem_limit"},
	{&container_given.memory_reservation, PUT_TEXT, "mem_reservation"},
	{&container_given.memory_swap, PUT_TEXT, "memswap_limit"},
	{&container_given.memory_swappiness, PUT_NUMBER, "mem_swappiness"},
	{&container_given.no_healthcheck, PUT_BOOL, "healthcheck.disable"},
	{&container_given.oom_kill_disable, PUT_BOOL, "oom_kill_disable"},
	{&container_given.oom_score_adj, PUT_NUMBER, "oom_score_adj"},
	{&container_given.pid, PUT_TEXT, "pid"},
	{&container_given.pids_limit, PUT_NUMBER, "pids_limit"},
	{&container_given.platform, PUT_TEXT, "platform"},
	{&container_given.privileged, PUT_BOOL, "privileged"},
	{&container_given.publish, PUT_LIST, "ports"},
	{&container_given.read_only, PUT_BOOL, "read_only"},
	{&container_flags.restart, PUT_TEXT, "restart"},
	{&container_given.security_opt, PUT_LIST, "security_opt"},
	{&container_given.shm_size, PUT_TEXT, "shm_size"},
	{&container_given.stop_signal, PUT_TEXT, "stop_signal"},
	{&container_given.sysctl, PUT_MAP, "sysctls"},
	{&container_given.tmpfs, PUT_LIST, "tmpfs"},
	{&container_given.user, PUT_TEXT, "user"},
	{&container_given.userns, PUT_TEXT, "userns_mode"},
	{&container_given.uts, PUT_TEXT, "uts"},
	{&container_given.workdir, PUT_TEXT, "working_dir"},
	{&container_flags.interactive, PUT_BOOL, "stdin_open"},
	{&container_flags.tty, PUT_BOOL, "tty"},
};

/* PATH:VALUE as [{path, @key}] */
static json_t *devices_of(char *const *words, const char *key)
{
	json_t *list = json_array();

	strv_foreach(word, words) {
		const char *colon = strrchr(word, ':');
		_cleanup_free_ char *path =
			alloc_string_n(word, colon ? (size_t)(colon - word) : strlen(word));
		json_t *row = json_object();

		json_put_string(row, "path", path);
		json_put_string(row, key, colon ? colon + 1 : "");
		json_array_append_new(list, row);
	}
	return list;
}

/* A number where it is one; what is none is for the decoder to complain of. */
static json_t *number_of(const char *text)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	return end != text && !*end ? json_integer(n) : json_string(text);
}

static json_t *value_of(enum how how, const void *value)
{
	const char *text = how <= PUT_NUMBER ? *(const char *const *)value : NULL;
	char *const *list = how >= PUT_LIST ? *(char **const *)value : NULL;

	switch (how) {
	case PUT_TEXT:
		return text ? json_string(text) : NULL;
	case PUT_NUMBER:
		return text ? number_of(text) : NULL;
	case PUT_BOOL:
		return *(const bool *)value ? json_true() : NULL;
	case PUT_LIST:
		return list ? json_from_strv(list) : NULL;
	case PUT_MAP:
		return list ? json_from_pairs(list) : NULL;
	case PUT_RATES:
		return list ? devices_of(list, "rate") : NULL;
	case PUT_WEIGHTS:
		return list ? devices_of(list, "weight") : NULL;
	}
	return NULL;
}

static void put_rows(json_t *service)
{
	container_given.platform = docker_platform(container_given.platform);
	array_foreach(row, rows) {
		json_t *value = value_of(row->how, row->value), *object = service;
		const char *dot = strchr(row->path, '.'), *key = row->path;

		if (!value)
			continue;
		if (dot) {
			_cleanup_free_ char *outer =
				alloc_string_n(row->path, (size_t)(dot - row->path));

			object = json_object_at(service, outer);
			key = dot + 1;
		}
		json_object_set_new(object, key, value);
	}
}

static int put_environment(json_t *service, struct error *err)
{
	_cleanup_strv_ char **words = NULL;

	strv_foreach(path, container_given.env_file) {
		if (env_words_read(&words, path, err) < 0)
			return -err->code;
	}
	env_words_add(&words, container_given.env);
	if (words)
		json_object_set_new(service, "environment", json_from_pairs(words));
	strv_free(words);
	words = NULL;
	strv_foreach(path, container_given.label_file) {
		_cleanup_json_ json_t *labels = NULL;

		if (env_words_read(&words, path, err) < 0)
			return -err->code;
		labels = json_from_pairs(words);
		/* Those of the command line go before those of a file. */
		json_object_update(labels, json_object_get(service, "labels"));
		json_object_set(service, "labels", labels);
	}
	return 0;
}

static void put_command(json_t *service, char *const *argv)
{
	json_put_string(service, "image", argv[0]);
	if (container_given.entrypoint) {
		json_object_set_new(service, "entrypoint",
				    container_given.entrypoint[0]
					    ? json_pack("[s]", container_given.entrypoint)
					    : json_array());
		/* What the image says is for the entrypoint it says. */
		json_object_set_new(service, "command", json_array());
	}
	if (argv[1])
		json_object_set_new(service, "command", json_from_strv(argv + 1));
	if (container_given.health_cmd)
		json_object_set_new(json_object_at(service, "healthcheck"), "test",
				    json_pack("[s, s]", "CMD-SHELL", container_given.health_cmd));
	if (container_given.stop_timeout) {
		_cleanup_free_ char *time = str_printf("%ss", container_given.stop_timeout);

		json_put_string(service, "stop_grace_period", time);
	}
}

/* NAME=SOFT[:HARD] */
static void put_ulimits(json_t *service)
{
	strv_foreach(word, container_given.ulimit) {
		_cleanup_free_ char *name = alloc_string(word);
		char *soft = strchr(name, '='), *hard;
		json_t *limit;

		if (soft)
			*soft++ = '\0';
		hard = soft ? strchr(soft, ':') : NULL;
		if (hard)
			*hard++ = '\0';
		limit = json_object();
		json_object_set_new(limit, "soft", number_of(soft ? soft : ""));
		json_object_set_new(limit, "hard", number_of(hard ? hard : soft ? soft : ""));
		json_object_set_new(json_object_at(service, "ulimits"), name, limit);
	}
}

/* "all", "2", "device=0,1", "count=2,capabilities=compute": as compose's own rows. */
static void put_gpus(json_t *service)
{
	json_t *row;

	if (!container_given.gpus)
		return;
	if (!strcmp(container_given.gpus, "all")) {
		json_put_string(service, "gpus", "all");
		return;
	}
	row = json_object();
	if (str_starts_with(container_given.gpus, "device=")) {
		_cleanup_strv_ char **ids =
			strv_split(container_given.gpus + strlen("device="), ",");

		json_object_set_new(row, "device_ids", json_from_strv(ids));
	} else {
		json_object_set_new(row, "count", number_of(container_given.gpus));
	}
	json_object_set_new(service, "gpus", json_pack("[o]", row));
}

static int put_networks(json_t *project, json_t *service, struct error *err)
{
	const struct network_words words = {
		.networks = container_given.network,
		.aliases = container_given.network_alias,
		.link_local_ips = container_given.link_local_ip,
		.ip = container_given.ip,
		.ip6 = container_given.ip6,
	};

	return network_words_put(project, service, &words, err);
}

static int put_mounts(json_t *project, json_t *service, struct error *err)
{
	if (volumes_from_put(project, service, container_given.volumes_from, err) < 0)
		return -err->code;
	run_service_put_volumes(project, service, container_given.volume);
	strv_foreach(word, container_given.mount) {
		if (mount_words_put(project, service, word, err) < 0)
			return -err->code;
	}
	return 0;
}

static void put_exposed(json_t *service, char *const *exposed)
{
	json_t *ports = json_object_get(service, "ports");

	if (!container_flags.publish_all)
		return;
	if (!ports) {
		ports = json_array();
		json_object_set_new(service, "ports", ports);
	}
	strv_foreach(port, exposed)
		json_array_append_new(ports, json_string(port));
	strv_foreach(port, container_given.expose)
		json_array_append_new(ports, json_string(port));
}

int container_flags_project(const char *name, char *const *argv, char *const *exposed, json_t **ret,
			    struct error *err)
{
	_cleanup_json_ json_t *json = json_object();
	_cleanup_free_ char *project_name = single_project_new(name), *here = getcwd(NULL, 0);
	json_t *service = json_object_at(json_object_at(json, "services"), name);
	struct project *project = NULL;

	if (container_flags_check(err) < 0)
		return -err->code;
	json_put_string(json, "name", project_name);
	json_put_string(service, "container_name", name);
	put_rows(service);
	put_command(service, argv);
	put_ulimits(service);
	put_gpus(service);
	put_exposed(service, exposed);
	if (put_environment(service, err) < 0 || put_networks(json, service, err) < 0 ||
	    put_mounts(json, service, err) < 0 || project_from_json(json, &project, err) < 0)
		return -err->code;
	project->working_dir = TAKE_PTR(here);
	*ret = project_to_json(project, true);
	project_free(project);
	return 0;
}
