// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/inspect/inspect_parts.h"

#define SHM_BYTES (64 << 20)
#define NANO_CPUS 1e9
#define UNLIMITED (-1)

static json_t *mapping_object(const struct mapping *mapping)
{
	json_t *object = json_object();

	for (size_t i = 0; i < mapping->count; i++)
		inspect_put_text(object, mapping->items[i].key, mapping->items[i].value);
	return object;
}

/* -v as it would be written: SOURCE:TARGET[:ro]. */
static json_t *binds(const struct container_record *record)
{
	const struct service *service = record->service;
	json_t *array = json_array();

	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];
		const struct volume *volume =
			mount->source ? project_volume(record->project, mount->source) : NULL;

		if (!mount->source || (mount->type != MOUNT_BIND && mount->type != MOUNT_VOLUME))
			continue;
		json_array_append_new(
			array, json_sprintf("%s:%s%s",
					    mount->type == MOUNT_VOLUME && volume ? volume->name
										  : mount->source,
					    mount->target, mount->read_only ? ":ro" : ""));
	}
	if (json_array_size(array))
		return array;
	json_decref(array);
	return json_null();
}

static const char *network_mode(const struct container_record *record)
{
	const struct service *service = record->service;
	const struct network *network = NULL;

	if (service->network_mode)
		return service->network_mode;
	if (!service->network_count)
		return "none";
	network = project_network(record->project, service->networks[0].name);
	return network ? network->name : service->networks[0].name;
}

static json_t *port_bindings(const struct service *service)
{
	json_t *object = json_object();

	for (size_t i = 0; i < service->port_count; i++) {
		const struct port *port = &service->ports[i];
		_cleanup_free_ char *key = inspect_port(port);
		json_t *rows = json_object_get(object, key);

		if (!rows) {
			rows = json_array();
			json_object_set_new(object, key, rows);
		}
		json_array_append_new(rows, json_pack("{s:s, s:s}", "HostIp", port->host_ip ?: "",
						      "HostPort", port->published ?: ""));
	}
	return object;
}

/* "on-failure:3" */
static json_t *restart_policy(const struct service *service)
{
	const char *restart = service->restart ?: "no", *colon = strchr(restart, ':');
	_cleanup_free_ char *name =
		alloc_string_n(restart, colon ? (size_t)(colon - restart) : strlen(restart));

	return json_pack("{s:s, s:i}", "Name", name, "MaximumRetryCount",
			 colon ? (int)strtol(colon + 1, NULL, 10) : 0);
}

static json_t *extra_hosts(const struct service *service)
{
	json_t *array = json_array();

	for (size_t i = 0; i < service->extra_host_count; i++)
		json_array_append_new(array, json_sprintf("%s:%s", service->extra_hosts[i].name,
							  service->extra_hosts[i].address));
	if (json_array_size(array))
		return array;
	json_decref(array);
	return json_null();
}

static json_t *devices(const struct service *service)
{
	json_t *array = json_array();

	for (size_t i = 0; i < service->device_count; i++) {
		const struct device *device = &service->devices[i];

		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s}", "PathOnHost",
						device->source ?: "", "PathInContainer",
						device->target ?: device->source ?: "",
						"CgroupPermissions", device->permissions ?: "rwm"));
	}
	return array;
}

static json_t *ulimits(const struct service *service)
{
	json_t *array = json_array();

	for (size_t i = 0; i < service->ulimit_count; i++)
		json_array_append_new(array,
				      json_pack("{s:s, s:I, s:I}", "Name", service->ulimits[i].name,
						"Hard", (json_int_t)service->ulimits[i].hard,
						"Soft", (json_int_t)service->ulimits[i].soft));
	return array;
}

static json_t *tmpfs(const struct service *service)
{
	json_t *object = json_object();

	strv_foreach(row, service->tmpfs) {
		const char *colon = strchr(row, ':');
		_cleanup_free_ char *path =
			alloc_string_n(row, colon ? (size_t)(colon - row) : strlen(row));

		json_put_string(object, path, colon ? colon + 1 : "");
	}
	return object;
}

static void put_optional(json_t *object, const char *key, const struct optional_int *value,
			 int64_t otherwise)
{
	json_put_int(object, key, value->set ? value->value : otherwise);
}

static void put_resources(json_t *config, const struct service *service)
{
	const struct deploy_resources *limits = &service->deploy.limits;
	const struct deploy_resources *reserved = &service->deploy.reservations;
	double cpus = service->cpus.set  ? service->cpus.value
		      : limits->cpus.set ? limits->cpus.value
					 : 0;

	put_optional(config, "CpuShares", &service->cpu_shares, 0);
	put_optional(config, "Memory",
		     service->mem_limit.set ? &service->mem_limit : &limits->memory, 0);
	json_put_int(config, "NanoCpus", (int64_t)(cpus * NANO_CPUS));
	inspect_put_text(config, "CgroupParent", service->cgroup_parent);
	put_optional(config, "BlkioWeight", &service->blkio.weight, 0);
	put_optional(config, "CpuPeriod", &service->cpu_period, 0);
	put_optional(config, "CpuQuota", &service->cpu_quota, 0);
	put_optional(config, "CpuRealtimePeriod", &service->cpu_rt_period, 0);
	put_optional(config, "CpuRealtimeRuntime", &service->cpu_rt_runtime, 0);
	inspect_put_text(config, "CpusetCpus", service->cpuset);
	inspect_put_text(config, "CpusetMems", service->berth.cpuset_mems);
	json_object_set_new(config, "Devices", devices(service));
	inspect_put_list(config, "DeviceCgroupRules", service->device_cgroup_rules);
	json_object_set_new(config, "DeviceRequests", json_null());
	put_optional(config, "MemoryReservation",
		     service->mem_reservation.set ? &service->mem_reservation : &reserved->memory,
		     0);
	put_optional(config, "MemorySwap", &service->memswap_limit, 0);
	json_object_set_new(config, "MemorySwappiness",
			    service->mem_swappiness.set
				    ? json_integer(service->mem_swappiness.value)
				    : json_null());
	json_put_bool(config, "OomKillDisable", service->oom_kill_disable == TRI_TRUE);
	put_optional(config, "PidsLimit",
		     service->pids_limit.set ? &service->pids_limit : &limits->pids, UNLIMITED);
	json_object_set_new(config, "Ulimits", ulimits(service));
}

static void put_namespaces(json_t *config, const struct container_record *record)
{
	const struct service *service = record->service;

	inspect_put_text(config, "NetworkMode", network_mode(record));
	inspect_put_text(config, "CgroupnsMode", service->cgroup ?: "private");
	inspect_put_text(config, "IpcMode", service->ipc ?: "private");
	inspect_put_text(config, "Cgroup", NULL);
	inspect_put_text(config, "PidMode", service->pid);
	inspect_put_text(config, "UTSMode", service->uts);
	inspect_put_text(config, "UsernsMode", service->userns_mode);
	inspect_put_text(config, "Isolation", service->isolation);
}

static void put_rights(json_t *config, const struct service *service)
{
	inspect_put_list(config, "CapAdd", service->cap_add);
	inspect_put_list(config, "CapDrop", service->cap_drop);
	inspect_put_list(config, "GroupAdd", service->group_add);
	json_put_bool(config, "Privileged", service->privileged == TRI_TRUE);
	json_put_bool(config, "PublishAllPorts", false);
	json_put_bool(config, "ReadonlyRootfs", service->read_only == TRI_TRUE);
	inspect_put_list(config, "SecurityOpt", service->security_opt);
	put_optional(config, "OomScoreAdj", &service->oom_score_adj, 0);
}

json_t *inspect_host_config(const struct container_record *record)
{
	const struct service *service = record->service;
	json_t *config = json_object();

	json_object_set_new(config, "Binds", binds(record));
	inspect_put_text(config, "ContainerIDFile", NULL);
	json_object_set_new(config, "LogConfig",
			    json_pack("{s:s, s:o}", "Type", service->logging.driver ?: "json-file",
				      "Config", mapping_object(&service->logging.options)));
	put_namespaces(config, record);
	json_object_set_new(config, "PortBindings", port_bindings(service));
	json_object_set_new(config, "RestartPolicy", restart_policy(service));
	json_put_bool(config, "AutoRemove", json_get_bool(record->record, "auto_remove", false));
	inspect_put_text(config, "VolumeDriver", NULL);
	inspect_put_list(config, "VolumesFrom", service->volumes_from);
	put_rights(config, service);
	inspect_put_list(config, "Dns", service->dns);
	inspect_put_list(config, "DnsOptions", service->dns_opt);
	inspect_put_list(config, "DnsSearch", service->dns_search);
	json_object_set_new(config, "ExtraHosts", extra_hosts(service));
	inspect_put_list(config, "Links", service->external_links ?: service->links);
	put_optional(config, "ShmSize", &service->shm_size, SHM_BYTES);
	inspect_put_text(config, "Runtime", service->runtime ?: "berth");
	put_resources(config, service);
	if (service->init != TRI_UNSET)
		json_put_bool(config, "Init", service->init == TRI_TRUE);
	if (service->tmpfs)
		json_object_set_new(config, "Tmpfs", tmpfs(service));
	if (service->sysctls.count)
		json_object_set_new(config, "Sysctls", mapping_object(&service->sysctls));
	if (service->annotations.count)
		json_object_set_new(config, "Annotations", mapping_object(&service->annotations));
	return config;
}
