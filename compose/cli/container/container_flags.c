// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/container/container_flags.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/container/container_flags_given.h"

struct container_flags container_flags = {.sig_proxy = true};
struct container_given container_given;

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
	{"add-host", 0, LIST(container_given.add_host), "NAME:ADDRESS for its /etc/hosts"},
	{"annotation", 0, LIST(container_given.annotation), "KEY=VALUE as an annotation"},
	{"attach", 'a', LIST(container_flags.attach), "Show only this of what it says: stdout or stderr"},
	{"blkio-weight", 0, NUMBER(container_given.blkio_weight), "Share of block I/O, 10 to 1000"},
	{"blkio-weight-device", 0, LIST(container_given.blkio_weight_device), "The same for a device: PATH:WEIGHT"},
	{"cap-add", 0, LIST(container_given.cap_add), "A capability beside the usual ones"},
	{"cap-drop", 0, LIST(container_given.cap_drop), "A capability that it is not to have"},
	{"cgroup-parent", 0, TEXT(container_given.cgroup_parent), "The group that its cgroup is made in"},
	{"cgroupns", 0, TEXT(container_given.cgroupns), "Its cgroup namespace: private or host"},
	{"cidfile", 0, TEXT(container_flags.cidfile), "Write its id to this file, which must not be there"},
	{"cpu-count", 0, NUMBER(cpu_count), NULL},
	{"cpu-percent", 0, NUMBER(cpu_percent), NULL},
	{"cpu-period", 0, NUMBER(container_given.cpu_period), "Microseconds of a period of CPU time"},
	{"cpu-quota", 0, NUMBER(container_given.cpu_quota), "Microseconds that it may have of each period"},
	{"cpu-rt-period", 0, NUMBER(container_given.cpu_rt_period), "The same for real-time scheduling"},
	{"cpu-rt-runtime", 0, NUMBER(container_given.cpu_rt_runtime), "The same for real-time scheduling"},
	{"cpu-shares", 'c', NUMBER(container_given.cpu_shares), "Share of CPU time, relative to others"},
	{"cpus", 0, OPTION_STRING, &container_given.cpus, "decimal", "How many CPUs it may use"},
	{"cpuset-cpus", 0, TEXT(container_given.cpuset_cpus), "Which CPUs: 0-3,5"},
	{"cpuset-mems", 0, TEXT(container_given.cpuset_mems), "Which memory nodes: 0-1"},
	{"detach", 'd', FLAG(container_flags.detach), "Return once it is started; prints its id"},
	{"detach-keys", 0, TEXT(container_flags.detach_keys), "Keys that leave its terminal (ctrl-p,ctrl-q)"},
	{"device", 0, LIST(container_given.device), "A device of this machine: /dev/x[:/dev/y[:rwm]], or by its CDI name"},
	{"device-cgroup-rule", 0, LIST(container_given.device_cgroup_rule), "Devices it may use: 'c 1:3 mr'"},
	{"device-read-bps", 0, LIST(container_given.device_read_bps), "Bytes a second that it may read: PATH:RATE"},
	{"device-read-iops", 0, LIST(container_given.device_read_iops), "Reads a second: PATH:RATE"},
	{"device-write-bps", 0, LIST(container_given.device_write_bps), "Bytes a second that it may write: PATH:RATE"},
	{"device-write-iops", 0, LIST(container_given.device_write_iops), "Writes a second: PATH:RATE"},
	{"disable-content-trust", 0, FLAG(ignored), NULL},
	{"dns", 0, LIST(container_given.dns), "A name server"},
	{"dns-opt", 0, LIST(container_given.dns_option), NULL},
	{"dns-option", 0, LIST(container_given.dns_option), "An option of its resolver"},
	{"dns-search", 0, LIST(container_given.dns_search), "A domain to look for names in"},
	{"domainname", 0, TEXT(container_given.domainname), "The domain of its host name"},
	{"entrypoint", 0, TEXT(container_given.entrypoint), "Instead of the image's entrypoint"},
	{"env", 'e', LIST(container_given.env), "KEY=VALUE for its environment; KEY: the value that we have"},
	{"env-file", 0, LIST(container_given.env_file), "Variables for its environment, from a file"},
	{"expose", 0, LIST(container_given.expose), "A port that it has, not published"},
	{"gpus", 0, TEXT(container_given.gpus), "GPUs: all, or how many"},
	{"group-add", 0, LIST(container_given.group_add), "A group beside the user's"},
	{"health-cmd", 0, TEXT(container_given.health_cmd), "A command that tells whether it is well"},
	{"health-interval", 0, TIME(container_given.health_interval), "Time between two checks"},
	{"health-retries", 0, NUMBER(container_given.health_retries), "So many failures make it unhealthy"},
	{"health-start-interval", 0, TIME(container_given.health_start_interval), "Time between two checks while it starts"},
	{"health-start-period", 0, TIME(container_given.health_start_period), "Time to start in, when failures do not count"},
	{"health-timeout", 0, TIME(container_given.health_timeout), "Time that a check may take"},
	{"hostname", 'h', TEXT(container_given.hostname), "Its host name"},
	{"init", 0, FLAG(container_given.init), "An init in front of it that passes signals on and reaps"},
	{"interactive", 'i', FLAG(container_flags.interactive), "Give it our input"},
	{"io-maxbandwidth", 0, BYTES(io_maxbandwidth), NULL},
	{"io-maxiops", 0, NUMBER(io_maxiops), NULL},
	{"ip", 0, TEXT(container_given.ip), "Its address on the network"},
	{"ip6", 0, TEXT(container_given.ip6), "Its IPv6 address on the network"},
	{"ipc", 0, TEXT(container_given.ipc), "Its IPC namespace: private, host, container:NAME"},
	{"isolation", 0, TEXT(container_given.isolation), NULL},
	{"kernel-memory", 0, BYTES(kernel_memory), NULL},
	{"label", 'l', LIST(container_given.label), "KEY=VALUE as a label of it"},
	{"label-file", 0, LIST(container_given.label_file), "Labels from a file, one a line"},
	{"link", 0, LIST(container_given.link), "NAME[:ALIAS] of another container, to be found by it"},
	{"link-local-ip", 0, LIST(container_given.link_local_ip), "A link-local address"},
	{"log-driver", 0, TEXT(container_given.log_driver), "Where its output goes: json-file, local, none"},
	{"log-opt", 0, LIST(container_given.log_opt), "KEY=VALUE for that: max-size=10m"},
	{"mac-address", 0, TEXT(container_given.mac_address), "Its MAC address"},
	{"memory", 'm', BYTES(container_given.memory), "Memory that it may use: 512m"},
	{"memory-reservation", 0, BYTES(container_given.memory_reservation), "Memory that it is to keep"},
	{"memory-swap", 0, BYTES(container_given.memory_swap), "Memory and swap together; -1: no limit"},
	{"memory-swappiness", 0, NUMBER(container_given.memory_swappiness), "0 to 100"},
	{"mount", 0, LIST(container_given.mount), "type=bind|volume|tmpfs|image,source=X,target=/y[,readonly]"},
	{"name", 0, TEXT(container_flags.name), "Its name (one is made up, without)"},
	{"net", 0, LIST(container_given.network), NULL},
	{"net-alias", 0, LIST(container_given.network_alias), NULL},
	{"network", 0, LIST(container_given.network), "A network; bridge (default), host, none, container:NAME"},
	{"network-alias", 0, LIST(container_given.network_alias), "Another name on the network"},
	{"no-healthcheck", 0, FLAG(container_given.no_healthcheck), "Without the image's health check"},
	{"oom-kill-disable", 0, FLAG(container_given.oom_kill_disable), "It waits for memory rather than being killed"},
	{"oom-score-adj", 0, NUMBER(container_given.oom_score_adj), "-1000 (last to be killed) to 1000"},
	{"pid", 0, TEXT(container_given.pid), "Its PID namespace: host, container:NAME"},
	{"pids-limit", 0, NUMBER(container_given.pids_limit), "So many processes at most; -1: no limit"},
	{"platform", 0, TEXT(container_given.platform), "The image's platform: linux/arm64"},
	{"privileged", 0, FLAG(container_given.privileged), "With all capabilities and devices"},
	{"publish", 'p', LIST(container_given.publish), "Publish a port: 8080:80, 127.0.0.1:53:53/udp"},
	{"publish-all", 'P', FLAG(container_flags.publish_all), "Publish all ports that the image exposes"},
	{"pull", 0, TEXT(container_flags.pull), "When to pull: always, missing or never"},
	{"quiet", 'q', FLAG(container_flags.quiet), "No progress while pulling"},
	{"read-only", 0, FLAG(container_given.read_only), "Its root is not to be written to"},
	{"restart", 0, TEXT(container_flags.restart), "no, always, unless-stopped, on-failure[:N]"},
	{"rm", 0, FLAG(container_flags.auto_remove), "Remove it when it ends"},
	{"runtime", 0, TEXT(runtime), NULL},
	{"security-opt", 0, LIST(container_given.security_opt), "seccomp=FILE, no-new-privileges, ..."},
	{"shm-size", 0, BYTES(container_given.shm_size), "Size of /dev/shm"},
	{"sig-proxy", 0, FLAG(container_flags.sig_proxy), "Pass signals that we get on to it (on; --sig-proxy=false)"},
	{"stop-signal", 0, TEXT(container_given.stop_signal), "The signal that asks it to stop"},
	{"stop-timeout", 0, NUMBER(container_given.stop_timeout), "Seconds that it has then"},
	{"storage-opt", 0, LIST(storage_opt), NULL},
	{"sysctl", 0, LIST(container_given.sysctl), "KEY=VALUE: net.core.somaxconn=1024"},
	{"tmpfs", 0, LIST(container_given.tmpfs), "A tmpfs: /run:size=64m"},
	{"tty", 't', FLAG(container_flags.tty), "Give it a terminal"},
	{"ulimit", 0, LIST(container_given.ulimit), "NAME=SOFT[:HARD]: nofile=1024:2048"},
	{"use-api-socket", 0, FLAG(use_api_socket), NULL},
	{"user", 'u', TEXT(container_given.user), "As this user: NAME, UID, or USER:GROUP"},
	{"userns", 0, TEXT(container_given.userns), "Its user namespace: host"},
	{"uts", 0, TEXT(container_given.uts), "Its UTS namespace: host"},
	{"volume", 'v', LIST(container_given.volume), "Mount a volume or a directory: NAME:/path[:ro]"},
	{"volume-driver", 0, TEXT(container_given.volume_driver), NULL},
	{"volumes-from", 0, LIST(container_given.volumes_from), "The volumes of another container: NAME[:ro]"},
	{"workdir", 'w', TEXT(container_given.workdir), "In this directory of the container"},
	{NULL},
};
/* clang-format on */

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
	{&container_given.volume_driver, false, "--volume-driver", "volumes are local directories"},
};

int container_flags_check(struct error *err)
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
	if (container_given.isolation && strcmp(container_given.isolation, "default") != 0)
		return error_set(err, EINVAL,
				 "--isolation %s is not supported: it is of Windows; there is "
				 "default",
				 container_given.isolation);
	return 0;
}
