// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/container_flags.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/env_words.h"
#include "compose/cli/machine.h"
#include "compose/cli/mount_words.h"
#include "compose/cli/network_words.h"
#include "compose/cli/run_service.h"
#include "compose/cli/volumes_from.h"
#include "compose/model/project.h"

struct container_flags container_flags = {.sig_proxy = true};

/* What was given, by the flag's name. */
static struct {
	char **add_host, **annotation, **blkio_weight_device, **cap_add, **cap_drop, **device,
		**device_cgroup_rule, **device_read_bps, **device_read_iops, **device_write_bps,
		**device_write_iops, **dns, **dns_option, **dns_search, **env, **env_file, **expose,
		**group_add, **label, **label_file, **link, **link_local_ip, **log_opt, **mount,
		**network, **network_alias, **publish, **security_opt, **sysctl, **tmpfs, **ulimit,
		**volume, **volumes_from;
	const char *blkio_weight, *cgroup_parent, *cgroupns, *cpu_period, *cpu_quota,
		*cpu_rt_period, *cpu_rt_runtime, *cpu_shares, *cpus, *cpuset_cpus, *cpuset_mems,
		*domainname, *entrypoint, *gpus, *health_cmd, *health_interval, *health_retries,
		*health_start_interval, *health_start_period, *health_timeout, *hostname, *ip, *ip6,
		*ipc, *isolation, *log_driver, *mac_address, *memory, *memory_reservation,
		*memory_swap, *memory_swappiness, *oom_score_adj, *pid, *pids_limit, *platform,
		*shm_size, *stop_signal, *stop_timeout, *user, *userns, *uts, *volume_driver,
		*workdir;
	bool init, no_healthcheck, oom_kill_disable, privileged, read_only;
} given;

/* What has no equal: the flag is refused by name. */
static char **storage_opt;
static const char *kernel_memory, *cpu_count, *cpu_percent, *io_maxbandwidth, *io_maxiops, *runtime;
static bool ignored, use_api_socket;

#define FLAG(x)   OPTION_FLAG, &(x), NULL
#define TEXT(x)   OPTION_STRING, &(x), "string"
#define BYTES(x)  OPTION_STRING, &(x), "bytes"
#define NUMBER(x) OPTION_STRING, &(x), "int"
#define TIME(x)   OPTION_STRING, &(x), "duration"
#define LIST(x)   OPTION_LIST, &(x), "list"

/* clang-format off */
const struct option container_options[] = {
	{"add-host", 0, LIST(given.add_host), "NAME:ADDRESS for its /etc/hosts"},
	{"annotation", 0, LIST(given.annotation), "KEY=VALUE as an annotation"},
	{"attach", 'a', LIST(container_flags.attach), "Show only this of what it says: stdout or stderr"},
	{"blkio-weight", 0, NUMBER(given.blkio_weight), "Share of block I/O, 10 to 1000"},
	{"blkio-weight-device", 0, LIST(given.blkio_weight_device), "The same for a device: PATH:WEIGHT"},
	{"cap-add", 0, LIST(given.cap_add), "A capability beside the usual ones"},
	{"cap-drop", 0, LIST(given.cap_drop), "A capability that it is not to have"},
	{"cgroup-parent", 0, TEXT(given.cgroup_parent), "The group that its cgroup is made in"},
	{"cgroupns", 0, TEXT(given.cgroupns), "Its cgroup namespace: private or host"},
	{"cidfile", 0, TEXT(container_flags.cidfile), "Write its id to this file, which must not be there"},
	{"cpu-count", 0, NUMBER(cpu_count), NULL},
	{"cpu-percent", 0, NUMBER(cpu_percent), NULL},
	{"cpu-period", 0, NUMBER(given.cpu_period), "Microseconds of a period of CPU time"},
	{"cpu-quota", 0, NUMBER(given.cpu_quota), "Microseconds that it may have of each period"},
	{"cpu-rt-period", 0, NUMBER(given.cpu_rt_period), "The same for real-time scheduling"},
	{"cpu-rt-runtime", 0, NUMBER(given.cpu_rt_runtime), "The same for real-time scheduling"},
	{"cpu-shares", 'c', NUMBER(given.cpu_shares), "Share of CPU time, relative to others"},
	{"cpus", 0, OPTION_STRING, &given.cpus, "decimal", "How many CPUs it may use"},
	{"cpuset-cpus", 0, TEXT(given.cpuset_cpus), "Which CPUs: 0-3,5"},
	{"cpuset-mems", 0, TEXT(given.cpuset_mems), "Which memory nodes: 0-1"},
	{"detach", 'd', FLAG(container_flags.detach), "Return once it is started; prints its id"},
	{"detach-keys", 0, TEXT(container_flags.detach_keys), "Keys that leave its terminal (ctrl-p,ctrl-q)"},
	{"device", 0, LIST(given.device), "A device of this machine: /dev/x[:/dev/y[:rwm]], or by its CDI name"},
	{"device-cgroup-rule", 0, LIST(given.device_cgroup_rule), "Devices it may use: 'c 1:3 mr'"},
	{"device-read-bps", 0, LIST(given.device_read_bps), "Bytes a second that it may read: PATH:RATE"},
	{"device-read-iops", 0, LIST(given.device_read_iops), "Reads a second: PATH:RATE"},
	{"device-write-bps", 0, LIST(given.device_write_bps), "Bytes a second that it may write: PATH:RATE"},
	{"device-write-iops", 0, LIST(given.device_write_iops), "Writes a second: PATH:RATE"},
	{"disable-content-trust", 0, FLAG(ignored), NULL},
	{"dns", 0, LIST(given.dns), "A name server"},
	{"dns-opt", 0, LIST(given.dns_option), NULL},
	{"dns-option", 0, LIST(given.dns_option), "An option of its resolver"},
	{"dns-search", 0, LIST(given.dns_search), "A domain to look for names in"},
	{"domainname", 0, TEXT(given.domainname), "The domain of its host name"},
	{"entrypoint", 0, TEXT(given.entrypoint), "Instead of the image's entrypoint"},
	{"env", 'e', LIST(given.env), "KEY=VALUE for its environment; KEY: the value that we have"},
	{"env-file", 0, LIST(given.env_file), "Variables for its environment, from a file"},
	{"expose", 0, LIST(given.expose), "A port that it has, not published"},
	{"gpus", 0, TEXT(given.gpus), "GPUs: all, or how many"},
	{"group-add", 0, LIST(given.group_add), "A group beside the user's"},
	{"health-cmd", 0, TEXT(given.health_cmd), "A command that tells whether it is well"},
	{"health-interval", 0, TIME(given.health_interval), "Time between two checks"},
	{"health-retries", 0, NUMBER(given.health_retries), "So many failures make it unhealthy"},
	{"health-start-interval", 0, TIME(given.health_start_interval), "Time between two checks while it starts"},
	{"health-start-period", 0, TIME(given.health_start_period), "Time to start in, when failures do not count"},
	{"health-timeout", 0, TIME(given.health_timeout), "Time that a check may take"},
	{"hostname", 'h', TEXT(given.hostname), "Its host name"},
	{"init", 0, FLAG(given.init), "An init in front of it that passes signals on and reaps"},
	{"interactive", 'i', FLAG(container_flags.interactive), "Give it our input"},
	{"io-maxbandwidth", 0, BYTES(io_maxbandwidth), NULL},
	{"io-maxiops", 0, NUMBER(io_maxiops), NULL},
	{"ip", 0, TEXT(given.ip), "Its address on the network"},
	{"ip6", 0, TEXT(given.ip6), "Its IPv6 address on the network"},
	{"ipc", 0, TEXT(given.ipc), "Its IPC namespace: private, host, container:NAME"},
	{"isolation", 0, TEXT(given.isolation), NULL},
	{"kernel-memory", 0, BYTES(kernel_memory), NULL},
	{"label", 'l', LIST(given.label), "KEY=VALUE as a label of it"},
	{"label-file", 0, LIST(given.label_file), "Labels from a file, one a line"},
	{"link", 0, LIST(given.link), "NAME[:ALIAS] of another container, to be found by it"},
	{"link-local-ip", 0, LIST(given.link_local_ip), "A link-local address"},
	{"log-driver", 0, TEXT(given.log_driver), "Where its output goes: json-file, local, none"},
	{"log-opt", 0, LIST(given.log_opt), "KEY=VALUE for that: max-size=10m"},
	{"mac-address", 0, TEXT(given.mac_address), "Its MAC address"},
	{"memory", 'm', BYTES(given.memory), "Memory that it may use: 512m"},
	{"memory-reservation", 0, BYTES(given.memory_reservation), "Memory that it is to keep"},
	{"memory-swap", 0, BYTES(given.memory_swap), "Memory and swap together; -1: no limit"},
	{"memory-swappiness", 0, NUMBER(given.memory_swappiness), "0 to 100"},
	{"mount", 0, LIST(given.mount), "type=bind|volume|tmpfs|image,source=X,target=/y[,readonly]"},
	{"name", 0, TEXT(container_flags.name), "Its name (one is made up, without)"},
	{"net", 0, LIST(given.network), NULL},
	{"net-alias", 0, LIST(given.network_alias), NULL},
	{"network", 0, LIST(given.network), "A network; bridge (default), host, none, container:NAME"},
	{"network-alias", 0, LIST(given.network_alias), "Another name on the network"},
	{"no-healthcheck", 0, FLAG(given.no_healthcheck), "Without the image's health check"},
	{"oom-kill-disable", 0, FLAG(given.oom_kill_disable), "It waits for memory rather than being killed"},
	{"oom-score-adj", 0, NUMBER(given.oom_score_adj), "-1000 (last to be killed) to 1000"},
	{"pid", 0, TEXT(given.pid), "Its PID namespace: host, container:NAME"},
	{"pids-limit", 0, NUMBER(given.pids_limit), "So many processes at most; -1: no limit"},
	{"platform", 0, TEXT(given.platform), "The image's platform: linux/arm64"},
	{"privileged", 0, FLAG(given.privileged), "With all capabilities and devices"},
	{"publish", 'p', LIST(given.publish), "Publish a port: 8080:80, 127.0.0.1:53:53/udp"},
	{"publish-all", 'P', FLAG(container_flags.publish_all), "Publish all ports that the image exposes"},
	{"pull", 0, TEXT(container_flags.pull), "When to pull: always, missing or never"},
	{"quiet", 'q', FLAG(container_flags.quiet), "No progress while pulling"},
	{"read-only", 0, FLAG(given.read_only), "Its root is not to be written to"},
	{"restart", 0, TEXT(container_flags.restart), "no, always, unless-stopped, on-failure[:N]"},
	{"rm", 0, FLAG(container_flags.auto_remove), "Remove it when it ends"},
	{"runtime", 0, TEXT(runtime), NULL},
	{"security-opt", 0, LIST(given.security_opt), "seccomp=FILE, no-new-privileges, ..."},
	{"shm-size", 0, BYTES(given.shm_size), "Size of /dev/shm"},
	{"sig-proxy", 0, FLAG(container_flags.sig_proxy), "Pass signals that we get on to it (on; --sig-proxy=false)"},
	{"stop-signal", 0, TEXT(given.stop_signal), "The signal that asks it to stop"},
	{"stop-timeout", 0, NUMBER(given.stop_timeout), "Seconds that it has then"},
	{"storage-opt", 0, LIST(storage_opt), NULL},
	{"sysctl", 0, LIST(given.sysctl), "KEY=VALUE: net.core.somaxconn=1024"},
	{"tmpfs", 0, LIST(given.tmpfs), "A tmpfs: /run:size=64m"},
	{"tty", 't', FLAG(container_flags.tty), "Give it a terminal"},
	{"ulimit", 0, LIST(given.ulimit), "NAME=SOFT[:HARD]: nofile=1024:2048"},
	{"use-api-socket", 0, FLAG(use_api_socket), NULL},
	{"user", 'u', TEXT(given.user), "As this user: NAME, UID, or USER:GROUP"},
	{"userns", 0, TEXT(given.userns), "Its user namespace: host"},
	{"uts", 0, TEXT(given.uts), "Its UTS namespace: host"},
	{"volume", 'v', LIST(given.volume), "Mount a volume or a directory: NAME:/path[:ro]"},
	{"volume-driver", 0, TEXT(given.volume_driver), NULL},
	{"volumes-from", 0, LIST(given.volumes_from), "The volumes of another container: NAME[:ro]"},
	{"workdir", 'w', TEXT(given.workdir), "In this directory of the container"},
	{NULL},
};
/* clang-format on */

enum how { PUT_TEXT, PUT_NUMBER, PUT_BOOL, PUT_LIST, PUT_MAP, PUT_RATES, PUT_WEIGHTS };

/* Which attribute of the service a flag is: "a.b" lies in a mapping a. */
static const struct {
	const void *value;
	enum how how;
	const char *path;
} rows[] = {
	{&given.add_host, PUT_LIST, "extra_hosts"},
	{&given.annotation, PUT_MAP, "annotations"},
	{&given.blkio_weight, PUT_NUMBER, "blkio_config.weight"},
	{&given.blkio_weight_device, PUT_WEIGHTS, "blkio_config.weight_device"},
	{&given.cap_add, PUT_LIST, "cap_add"},
	{&given.cap_drop, PUT_LIST, "cap_drop"},
	{&given.cgroup_parent, PUT_TEXT, "cgroup_parent"},
	{&given.cgroupns, PUT_TEXT, "cgroup"},
	{&given.cpu_period, PUT_TEXT, "cpu_period"},
	{&given.cpu_quota, PUT_TEXT, "cpu_quota"},
	{&given.cpu_rt_period, PUT_TEXT, "cpu_rt_period"},
	{&given.cpu_rt_runtime, PUT_TEXT, "cpu_rt_runtime"},
	{&given.cpu_shares, PUT_NUMBER, "cpu_shares"},
	{&given.cpus, PUT_TEXT, "cpus"},
	{&given.cpuset_cpus, PUT_TEXT, "cpuset"},
	{&given.cpuset_mems, PUT_TEXT, "x-berth.cpuset_mems"},
	{&given.device, PUT_LIST, "devices"},
	{&given.device_cgroup_rule, PUT_LIST, "device_cgroup_rules"},
	{&given.device_read_bps, PUT_RATES, "blkio_config.device_read_bps"},
	{&given.device_read_iops, PUT_RATES, "blkio_config.device_read_iops"},
	{&given.device_write_bps, PUT_RATES, "blkio_config.device_write_bps"},
	{&given.device_write_iops, PUT_RATES, "blkio_config.device_write_iops"},
	{&given.dns, PUT_LIST, "dns"},
	{&given.dns_option, PUT_LIST, "dns_opt"},
	{&given.dns_search, PUT_LIST, "dns_search"},
	{&given.domainname, PUT_TEXT, "domainname"},
	{&given.expose, PUT_LIST, "expose"},
	{&given.group_add, PUT_LIST, "group_add"},
	{&given.health_interval, PUT_TEXT, "healthcheck.interval"},
	{&given.health_retries, PUT_NUMBER, "healthcheck.retries"},
	{&given.health_start_interval, PUT_TEXT, "healthcheck.start_interval"},
	{&given.health_start_period, PUT_TEXT, "healthcheck.start_period"},
	{&given.health_timeout, PUT_TEXT, "healthcheck.timeout"},
	{&given.hostname, PUT_TEXT, "hostname"},
	{&given.init, PUT_BOOL, "init"},
	{&given.ipc, PUT_TEXT, "ipc"},
	{&given.label, PUT_MAP, "labels"},
	{&given.link, PUT_LIST, "external_links"},
	{&given.log_driver, PUT_TEXT, "logging.driver"},
	{&given.log_opt, PUT_MAP, "logging.options"},
	{&given.mac_address, PUT_TEXT, "mac_address"},
	{&given.memory, PUT_TEXT, "mem_limit"},
	{&given.memory_reservation, PUT_TEXT, "mem_reservation"},
	{&given.memory_swap, PUT_TEXT, "memswap_limit"},
	{&given.memory_swappiness, PUT_NUMBER, "mem_swappiness"},
	{&given.no_healthcheck, PUT_BOOL, "healthcheck.disable"},
	{&given.oom_kill_disable, PUT_BOOL, "oom_kill_disable"},
	{&given.oom_score_adj, PUT_NUMBER, "oom_score_adj"},
	{&given.pid, PUT_TEXT, "pid"},
	{&given.pids_limit, PUT_NUMBER, "pids_limit"},
	{&given.platform, PUT_TEXT, "platform"},
	{&given.privileged, PUT_BOOL, "privileged"},
	{&given.publish, PUT_LIST, "ports"},
	{&given.read_only, PUT_BOOL, "read_only"},
	{&container_flags.restart, PUT_TEXT, "restart"},
	{&given.security_opt, PUT_LIST, "security_opt"},
	{&given.shm_size, PUT_TEXT, "shm_size"},
	{&given.stop_signal, PUT_TEXT, "stop_signal"},
	{&given.sysctl, PUT_MAP, "sysctls"},
	{&given.tmpfs, PUT_LIST, "tmpfs"},
	{&given.user, PUT_TEXT, "user"},
	{&given.userns, PUT_TEXT, "userns_mode"},
	{&given.uts, PUT_TEXT, "uts"},
	{&given.workdir, PUT_TEXT, "working_dir"},
	{&container_flags.interactive, PUT_BOOL, "stdin_open"},
	{&container_flags.tty, PUT_BOOL, "tty"},
};

static const struct {
	const void *value;
	bool list;
	const char *flag, *hint;
} refused[] = {
	{&cpu_count, false, "--cpu-count", "it is of Windows; --cpus says how many it may use"},
	{&cpu_percent, false, "--cpu-percent", "it is of Windows; --cpus says how many it may use"},
	{&io_maxbandwidth, false, "--io-maxbandwidth",
	 "it is of Windows; --device-read-bps is there"},
	{&io_maxiops, false, "--io-maxiops", "it is of Windows; --device-read-iops is there"},
	{&kernel_memory, false, "--kernel-memory",
	 "kernels have no such limit; --memory has it in"},
	{&runtime, false, "--runtime", "containers are run by berth itself"},
	{&storage_opt, true, "--storage-opt",
	 "layers are directories, and have no size of their own"},
	{&given.volume_driver, false, "--volume-driver", "volumes are local directories"},
};

static json_t *member(json_t *object, const char *key)
{
	json_t *there = json_object_get(object, key);

	if (!there) {
		there = json_object();
		json_object_set_new(object, key, there);
	}
	return there;
}

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
	array_foreach(row, rows) {
		json_t *value = value_of(row->how, row->value), *object = service;
		const char *dot = strchr(row->path, '.'), *key = row->path;

		if (!value)
			continue;
		if (dot) {
			_cleanup_free_ char *outer =
				alloc_string_n(row->path, (size_t)(dot - row->path));

			object = member(service, outer);
			key = dot + 1;
		}
		json_object_set_new(object, key, value);
	}
}

static int check_refused(struct error *err)
{
	array_foreach(row, refused) {
		bool there = row->list ? *(char **const *)row->value != NULL
				       : *(const char *const *)row->value != NULL;

		if (there)
			return error_set(err, EINVAL, "%s is not supported: %s", row->flag,
					 row->hint);
	}
	if (use_api_socket)
		return error_set(err, EINVAL,
				 "--use-api-socket is not supported: there is no engine; mount the "
				 "socket that you mean with -v");
	if (given.isolation && strcmp(given.isolation, "default") != 0)
		return error_set(err, EINVAL,
				 "--isolation %s is not supported: it is of Windows; there is "
				 "default",
				 given.isolation);
	return 0;
}

static int put_environment(json_t *service, struct error *err)
{
	_cleanup_strv_ char **words = NULL;

	strv_foreach(path, given.env_file) {
		if (env_words_read(&words, path, err) < 0)
			return -err->code;
	}
	env_words_add(&words, given.env);
	if (words)
		json_object_set_new(service, "environment", json_from_pairs(words));
	strv_free(words);
	words = NULL;
	strv_foreach(path, given.label_file) {
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
	if (given.entrypoint) {
		json_object_set_new(service, "entrypoint",
				    given.entrypoint[0] ? json_pack("[s]", given.entrypoint)
							: json_array());
		/* What the image says is for the entrypoint it says. */
		json_object_set_new(service, "command", json_array());
	}
	if (argv[1])
		json_object_set_new(service, "command", json_from_strv(argv + 1));
	if (given.health_cmd)
		json_object_set_new(member(service, "healthcheck"), "test",
				    json_pack("[s, s]", "CMD-SHELL", given.health_cmd));
	if (given.stop_timeout) {
		_cleanup_free_ char *time = str_printf("%ss", given.stop_timeout);

		json_put_string(service, "stop_grace_period", time);
	}
}

/* NAME=SOFT[:HARD] */
static void put_ulimits(json_t *service)
{
	strv_foreach(word, given.ulimit) {
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
		json_object_set_new(member(service, "ulimits"), name, limit);
	}
}

/* "all", "2", "device=0,1", "count=2,capabilities=compute": as compose's own rows. */
static void put_gpus(json_t *service)
{
	json_t *row;

	if (!given.gpus)
		return;
	if (!strcmp(given.gpus, "all")) {
		json_put_string(service, "gpus", "all");
		return;
	}
	row = json_object();
	if (str_starts_with(given.gpus, "device=")) {
		_cleanup_strv_ char **ids = strv_split(given.gpus + strlen("device="), ",");

		json_object_set_new(row, "device_ids", json_from_strv(ids));
	} else {
		json_object_set_new(row, "count", number_of(given.gpus));
	}
	json_object_set_new(service, "gpus", json_pack("[o]", row));
}

static int put_networks(json_t *project, json_t *service, struct error *err)
{
	const struct network_words words = {
		.networks = given.network,
		.aliases = given.network_alias,
		.link_local_ips = given.link_local_ip,
		.ip = given.ip,
		.ip6 = given.ip6,
	};

	return network_words_put(project, service, &words, err);
}

static int put_mounts(json_t *project, json_t *service, struct error *err)
{
	if (volumes_from_put(project, service, given.volumes_from, err) < 0)
		return -err->code;
	run_service_put_volumes(project, service, given.volume);
	strv_foreach(word, given.mount) {
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
	strv_foreach(port, given.expose)
		json_array_append_new(ports, json_string(port));
}

int container_flags_project(const char *name, char *const *argv, char *const *exposed, json_t **ret,
			    struct error *err)
{
	_cleanup_json_ json_t *json = json_object();
	_cleanup_free_ char *project_name = single_project_new(name), *here = getcwd(NULL, 0);
	json_t *service = member(member(json, "services"), name);
	struct project *project = NULL;

	if (check_refused(err) < 0)
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
