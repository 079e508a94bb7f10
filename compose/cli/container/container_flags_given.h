/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONTAINER_CONTAINER_FLAGS_GIVEN_H
#define COMPOSE_CLI_CONTAINER_CONTAINER_FLAGS_GIVEN_H

/*
 * container_flags_given.h - what the flags of container_flags.c were given, for
 * container_flags_project.c to make a service of.
 */

#include <stdbool.h>

#include "common/error.h"

/* By the flag's name; NULL or false: not container_given. */
struct container_given {
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
};

extern struct container_given container_given;

/* Those of docker's flags that have no equal here are refused by name. */
int container_flags_check(struct error *err);

#endif
