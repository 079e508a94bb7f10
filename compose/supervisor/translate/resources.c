// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/control/place.h"
#include "compose/supervisor/translate/translate.h"

#define CPU_PERIOD_USEC 100000
#define DEVICES_MAX     4096

static int translate_memory(const struct service *service, struct resources_spec *resources,
			    struct error *err)
{
	if (service->mem_limit.set)
		resources->memory_bytes = service->mem_limit.value;
	else if (service->deploy.limits.memory.set)
		resources->memory_bytes = service->deploy.limits.memory.value;
	/* Most often a number whose unit was forgotten. */
	if (resources->memory_bytes > 0 && resources->memory_bytes < MEMORY_MIN_BYTES) {
		error_set(err, EINVAL,
			  "its memory limit is %lld bytes, and the least is 6 MB: \"512m\" are "
			  "megabytes, a number alone is bytes",
			  (long long)resources->memory_bytes);
		return service->mem_limit.set
			       ? place_under(err, "mem_limit", NULL)
			       : place_under(err, "deploy", "resources", "limits", "memory", NULL);
	}
	if (service->mem_reservation.set)
		resources->memory_reservation_bytes = service->mem_reservation.value;
	else if (service->deploy.reservations.memory.set)
		resources->memory_reservation_bytes = service->deploy.reservations.memory.value;
	/* As Docker: as much swap again as memory, unless said. */
	if (service->memswap_limit.set)
		resources->memory_swap_bytes = service->memswap_limit.value;
	if (!resources->memory_swap_bytes && resources->memory_bytes > 0)
		resources->memory_swap_bytes = 2 * resources->memory_bytes;
	resources->memory_swappiness =
		service->mem_swappiness.set ? service->mem_swappiness.value : -1;
	resources->oom_kill_disable = service->oom_kill_disable == TRI_TRUE;
	return 0;
}

static void translate_cpu(const struct service *service, struct resources_spec *resources)
{
	double cpus = service->cpus.set                 ? service->cpus.value
		      : service->deploy.limits.cpus.set ? service->deploy.limits.cpus.value
							: 0;

	if (cpus > 0) {
		resources->cpu_period_usec = CPU_PERIOD_USEC;
		resources->cpu_quota_usec = (int64_t)(cpus * CPU_PERIOD_USEC);
	}
	if (service->cpu_period.set)
		resources->cpu_period_usec = service->cpu_period.value;
	if (service->cpu_quota.set)
		resources->cpu_quota_usec = service->cpu_quota.value;
	if (service->cpu_shares.set)
		resources->cpu_shares = service->cpu_shares.value;
	if (service->cpu_rt_runtime.set)
		resources->cpu_rt_runtime_usec = service->cpu_rt_runtime.value;
	if (service->cpu_rt_period.set)
		resources->cpu_rt_period_usec = service->cpu_rt_period.value;
	resources->cpuset_cpus = service->cpuset;
	resources->cpuset_mems = service->berth.cpuset_mems;
}

static void add_rule(struct translation *translation, char type, int64_t major_number,
		     int64_t minor_number, const char *access)
{
	struct device_rule *rule =
		array_add(translation->device_rules, translation->device_rule_count);

	*rule = (struct device_rule){
		.type = type, .major = major_number, .minor = minor_number, .allow = true};
	snprintf(rule->access, sizeof(rule->access), "%s", access);
}

static bool is_complete(const struct device_node *wish)
{
	return wish->type && wish->major >= 0 && wish->minor >= 0;
}

int translation_add_node(struct translation *translation, const struct device_node *wish,
			 struct error *err)
{
	struct device_spec *device;
	struct stat st = {0};

	if (stat(wish->source, &st) < 0 && !is_complete(wish))
		return error_errno(err, "devices: %s", wish->source);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode) && !is_complete(wish))
		return error_set(err, ENODEV, "devices: %s is not a device", wish->source);
	device = array_add(translation->devices, translation->spec.device_count);
	*device = (struct device_spec){
		.path = translation_own(translation, alloc_string(wish->target)),
		.host = translation_own(translation, alloc_string(wish->source)),
		.type = wish->type            ? wish->type
			: S_ISCHR(st.st_mode) ? 'c'
					      : 'b',
		.major = wish->major >= 0 ? (unsigned int)wish->major : major(st.st_rdev),
		.minor = wish->minor >= 0 ? (unsigned int)wish->minor : minor(st.st_rdev),
		.mode = wish->mode >= 0 ? (mode_t)wish->mode & 0777
			: st.st_mode    ? st.st_mode & 0777
					: 0666,
		.uid = wish->uid >= 0 ? (uid_t)wish->uid : st.st_uid,
		.gid = wish->gid >= 0 ? (gid_t)wish->gid : st.st_gid,
	};
	add_rule(translation, device->type, device->major, device->minor, wish->permissions);
	return 0;
}

static int add_node(struct translation *translation, const char *source, const char *target,
		    const char *permissions, struct error *err)
{
	const struct device_node wish = {source, target, permissions, 0, -1, -1, -1, -1, -1};

	return translation_add_node(translation, &wish, err);
}

/* A directory stands for all devices below it, as with Docker; other files are passed over. */
static int add_directory(struct translation *translation, const char *source, const char *target,
			 const char *permissions, struct error *err)
{
	_cleanup_dir_ DIR *dir = opendir(source);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return error_errno(err, "devices: %s", source);
	while (r == 0 && (entry = readdir(dir))) {
		_cleanup_free_ char *from = NULL, *to = NULL;
		struct stat st;

		if (entry->d_name[0] == '.' || translation->spec.device_count > DEVICES_MAX)
			continue;
		from = str_printf("%s/%s", source, entry->d_name);
		to = str_printf("%s/%s", target, entry->d_name);
		if (lstat(from, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			r = add_directory(translation, from, to, permissions, err);
		else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			r = add_node(translation, from, to, permissions, err);
	}
	return r;
}

static int add_device(struct translation *translation, const struct device *device,
		      struct error *err)
{
	const char *target = device->target ?: device->source;
	const char *permissions = device->permissions ?: "rwm";
	struct stat st;

	/* Those by name: cdi.c */
	if (device->source[0] != '/')
		return 0;
	if (stat(device->source, &st) == 0 && S_ISDIR(st.st_mode))
		return add_directory(translation, device->source, target, permissions, err);
	return add_node(translation, device->source, target, permissions, err);
}

static bool rule_number(const char *text, int64_t *ret)
{
	char *end;

	*ret = -1;
	if (strcmp(text, "*") == 0)
		return true;
	*ret = strtol(text, &end, 10);
	return *end == '\0' && *ret >= 0;
}

/* "c 1:3 mr", "a *:* rwm": the kernel's own form (cgroup-v1/devices.rst). */
static int add_rule_text(struct translation *translation, const char *text, struct error *err)
{
	char type, major_text[12], minor_text[12], access[4], rest;
	int64_t major_number, minor_number;

	if (sscanf(text, "%c %11[0-9*]:%11[0-9*] %3[rwm]%c", &type, major_text, minor_text, access,
		   &rest) != 4 ||
	    !strchr("abc", type) || !rule_number(major_text, &major_number) ||
	    !rule_number(minor_text, &minor_number))
		return error_set(err, EINVAL, "device_cgroup_rules: '%s' is not like 'c 1:3 mr'",
				 text);
	add_rule(translation, type, major_number, minor_number, access);
	return 0;
}

static int add_devices(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;
	char number[24];

	for (size_t i = 0; i < service->device_count; i++)
		if (add_device(translation, &service->devices[i], err) < 0) {
			snprintf(number, sizeof(number), "%zu", i);
			return place_under(err, "devices", number, NULL);
		}
	return 0;
}

static int add_rules(struct translation *translation, struct error *err)
{
	strv_foreach(rule, translation->service->device_cgroup_rules)
		if (add_rule_text(translation, rule, err) < 0)
			return place_under(err, "device_cgroup_rules", NULL);
	return 0;
}

static int block_device(const char *path, struct block_limit *ret, struct error *err)
{
	struct stat st;

	if (!path || stat(path, &st) < 0)
		return error_errno(err, "blkio_config: %s", path ?: "a device without a path");
	if (!S_ISBLK(st.st_mode))
		return error_set(err, ENOTBLK, "blkio_config: %s is not a block device", path);
	ret->major = major(st.st_rdev);
	ret->minor = minor(st.st_rdev);
	return 0;
}

static int translate_rates(struct translation *translation, const struct blkio_rate *rates,
			   size_t count, enum block_rate kind, struct error *err)
{
	struct resources_spec *resources = &translation->resources;

	for (size_t i = 0; i < count; i++) {
		struct block_limit *limit =
			array_add(translation->block_rates, resources->block_rate_count);

		limit->kind = kind;
		limit->value = rates[i].rate.value;
		if (block_device(rates[i].path, limit, err) < 0)
			return -err->code;
	}
	resources->block_rates = translation->block_rates;
	return 0;
}

static int translate_blkio(struct translation *translation, struct error *err)
{
	const struct blkio_config *blkio = &translation->service->blkio;
	struct resources_spec *resources = &translation->resources;
	const struct {
		const struct blkio_rate *rates;
		size_t count;
		enum block_rate kind;
		const char *key;
	} rows[] = {
		{blkio->read_bps, blkio->read_bps_count, BLOCK_READ_BPS, "device_read_bps"},
		{blkio->write_bps, blkio->write_bps_count, BLOCK_WRITE_BPS, "device_write_bps"},
		{blkio->read_iops, blkio->read_iops_count, BLOCK_READ_IOPS, "device_read_iops"},
		{blkio->write_iops, blkio->write_iops_count, BLOCK_WRITE_IOPS, "device_write_iops"},
	};

	resources->block_weight = blkio->weight.set ? blkio->weight.value : 0;
	for (size_t i = 0; i < blkio->weight_device_count; i++) {
		struct block_limit *limit =
			array_add(translation->block_weights, resources->block_weight_count);

		limit->value = blkio->weight_devices[i].weight.value;
		if (block_device(blkio->weight_devices[i].path, limit, err) < 0)
			return place_under(err, "blkio_config", "weight_device", NULL);
	}
	resources->block_weights = translation->block_weights;
	array_foreach(row, rows)
		if (translate_rates(translation, row->rates, row->count, row->kind, err) < 0)
			return place_under(err, "blkio_config", row->key, NULL);
	return 0;
}

int translate_resources(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;
	struct resources_spec *resources = &translation->resources;
	int64_t pids = 0;
	int r = translate_memory(service, resources, err);

	translate_cpu(service, resources);
	if (service->pids_limit.set)
		pids = service->pids_limit.value;
	else if (service->deploy.limits.pids.set)
		pids = service->deploy.limits.pids.value;
	resources->pids = pids > 0 ? pids : 0;
	resources->all_devices = service->privileged == TRI_TRUE;
	if (r == 0)
		r = add_devices(translation, err);
	if (r == 0)
		r = add_rules(translation, err);
	if (r == 0)
		r = translate_blkio(translation, err);
	resources->device_rules = translation->device_rules;
	resources->device_rule_count = translation->device_rule_count;
	translation->spec.devices = translation->devices;
	return r;
}
