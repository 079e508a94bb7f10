// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of attributes is complete: every key of the Compose Specification's schema has a row,
 * and every row is such a key.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/model/shapes.h"

#define HOOK     "command user privileged working_dir environment"
#define UPDATE   "parallelism delay failure_action monitor max_failure_ratio order"
#define DEVICE   "capabilities count device_ids driver options"
#define FILE_USE "source target uid gid mode"
#define RATE     "path rate"

/* Path of the object in the schema, its keys. `extends`, `include`, `version` are the loader's. */
static const struct {
	const char *path, *keys;
} objects[] = {
	{"", "name services models networks volumes secrets configs"},
	{"services",
	 "develop deploy annotations attach build blkio_config cap_add cap_drop cgroup "
	 "cgroup_parent command configs container_name cpu_count cpu_percent cpu_shares cpu_quota "
	 "cpu_period cpu_rt_period cpu_rt_runtime cpus cpuset credential_spec depends_on "
	 "device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file "
	 "label_file environment expose provider external_links extra_hosts gpus group_add "
	 "healthcheck hostname image init ipc isolation labels links logging mac_address mem_limit "
	 "mem_reservation mem_swappiness memswap_limit network_mode models networks "
	 "oom_kill_disable oom_score_adj pid pids_limit platform ports pre_start post_start "
	 "pre_stop privileged profiles pull_policy pull_refresh_after read_only restart runtime "
	 "scale security_opt shm_size secrets sysctls stdin_open stop_grace_period stop_signal "
	 "storage_opt tmpfs tty ulimits use_api_socket user uts userns_mode volumes volumes_from "
	 "working_dir x-berth"},
	{"services.build",
	 "context dockerfile dockerfile_inline entitlements args ssh labels cache_from cache_to "
	 "no_cache no_cache_filter additional_contexts network provenance sbom pull target "
	 "shm_size "
	 "extra_hosts isolation privileged secrets tags ulimits platforms"},
	{"services.build.secrets", FILE_USE},
	{"services.build.ulimits", "hard soft"},
	{"services.blkio_config", "device_read_bps device_read_iops device_write_bps "
				  "device_write_iops weight weight_device"},
	{"services.blkio_config.weight_device", "path weight"},
	{"services.blkio_config.device_read_bps", RATE},
	{"services.blkio_config.device_read_iops", RATE},
	{"services.blkio_config.device_write_bps", RATE},
	{"services.blkio_config.device_write_iops", RATE},
	{"services.configs", FILE_USE},
	{"services.secrets", FILE_USE},
	{"services.credential_spec", "config file registry"},
	{"services.depends_on", "restart required condition"},
	{"services.deploy", "mode endpoint_mode replicas labels rollback_config update_config "
			    "resources restart_policy placement"},
	{"services.deploy.update_config", UPDATE},
	{"services.deploy.rollback_config", UPDATE},
	{"services.deploy.resources", "limits reservations"},
	{"services.deploy.resources.limits", "cpus memory pids"},
	{"services.deploy.resources.reservations", "cpus memory generic_resources devices"},
	{"services.deploy.resources.reservations.devices", DEVICE},
	{"services.deploy.resources.reservations.generic_resources", "discrete_resource_spec"},
	{"services.deploy.resources.reservations.generic_resources.discrete_resource_spec",
	 "kind value"},
	{"services.deploy.restart_policy", "condition delay max_attempts window"},
	{"services.deploy.placement", "constraints preferences max_replicas_per_node"},
	{"services.deploy.placement.preferences", "spread"},
	{"services.develop", "watch"},
	{"services.develop.watch", "ignore include path action target exec initial_sync"},
	{"services.develop.watch.exec", HOOK},
	{"services.devices", "source target permissions"},
	{"services.env_file", "path format required"},
	{"services.gpus", DEVICE},
	{"services.healthcheck",
	 "disable interval retries test timeout start_period start_interval"},
	{"services.logging", "driver options"},
	{"services.models", "endpoint_var model_var"},
	{"services.networks", "aliases interface_name ipv4_address ipv6_address link_local_ips "
			      "mac_address driver_opts priority gw_priority"},
	{"services.ports", "name mode host_ip target published protocol app_protocol"},
	{"services.post_start", HOOK},
	{"services.pre_stop", HOOK},
	{"services.pre_start", HOOK " image per_replica"},
	{"services.provider", "type options"},
	{"services.ulimits", "hard soft"},
	{"services.volumes", "type source target read_only consistency bind volume tmpfs image"},
	{"services.volumes.bind", "propagation create_host_path recursive selinux"},
	{"services.volumes.volume", "labels nocopy subpath"},
	{"services.volumes.tmpfs", "size mode"},
	{"services.volumes.image", "subpath"},
	{"services.x-berth", "probe socket interval timeout retries start_period start_interval "
			     "on_unhealthy restart_with_dependencies systemd schedule "
			     "cpuset_mems"},
	{"services.x-berth.schedule", "calendar overlap persistent"},
	{"services.x-berth.socket", "listen name"},
	{"services.x-berth.probe", "tcp http https unix log file notify"},
	{"services.x-berth.probe.http", "port path status headers"},
	{"services.x-berth.probe.https", "port path status headers ca"},
	{"services.x-berth.on_unhealthy", "action budget window"},
	{"models", "name model context_size runtime_flags"},
	{"networks", "name driver driver_opts ipam external internal enable_ipv4 enable_ipv6 "
		     "attachable labels"},
	{"networks.ipam", "driver config options"},
	{"networks.ipam.config", "subnet ip_range gateway aux_addresses"},
	{"volumes", "name driver driver_opts external labels x-berth"},
	{"volumes.x-berth", "owner mode"},
	{"secrets", "name environment file external labels driver driver_opts template_driver"},
	{"configs", "name content environment file external labels template_driver"},
};

static const struct schema *schema_at(const char *path)
{
	_cleanup_strv_ char **names = strv_split(path, ".");
	const struct schema *schema = &project_schema;

	strv_foreach(name, names) {
		const struct attribute *row = schema_attribute(schema, name);

		cr_assert(row && row->shape->schema, "%s: no object at %s", path, name);
		schema = row->shape->schema;
	}
	return schema;
}

Test(attributes, are_those_of_the_specification)
{
	array_foreach(object, objects) {
		_cleanup_strv_ char **keys = strv_split(object->keys, " ");
		const struct schema *schema = schema_at(object->path);
		/* Secrets and configs share a table; the loader refuses what a config has not. */
		bool shared = !strcmp(object->path, "secrets") || !strcmp(object->path, "configs");

		strv_foreach(key, keys)
			cr_expect(schema_attribute(schema, key), "%s has no %s", object->path, key);
		for (size_t i = 0; i < schema->count; i++)
			cr_expect(shared || strv_contains(keys, schema->attributes[i].name),
				  "%s: %s is no attribute of it", object->path,
				  schema->attributes[i].name);
	}
}
