// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/record.h"

#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/process.h"
#include "common/sha256.h"
#include "common/str.h"

#include "compose/supervisor/instance/hooks.h"
#include "compose/supervisor/instance/restart.h"
#include "compose/supervisor/models.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/probes/unhealthy.h"

static const char *const state_names[INSTANCE_STATES] = {
	[INSTANCE_CREATED] = "created",   [INSTANCE_STARTING] = "starting",
	[INSTANCE_RUNNING] = "running",   [INSTANCE_PAUSED] = "paused",
	[INSTANCE_STOPPING] = "stopping", [INSTANCE_BACKOFF] = "backoff",
	[INSTANCE_EXITED] = "exited",
};

/* Of a start that has not cloned anything nothing is to be known. */
static const char *state_name(const struct instance *instance)
{
	return state_names[instance->state == INSTANCE_ENTERING ? instance->entered_from
								: instance->state];
}

static json_t *mapping_to_json(const struct mapping *mapping)
{
	json_t *object = json_object();

	for (size_t i = 0; i < mapping->count; i++)
		json_put_string(object, mapping->items[i].key, mapping->items[i].value);
	return object;
}

/* What most containers are not. */
static void put_flags(json_t *record, const struct instance *instance)
{
	if (instance->listens)
		json_put_bool(record, "listens", true);
	if (instance->revive)
		json_put_bool(record, "revive", true);
	if (instance->again)
		json_put_bool(record, "again", true);
	if (instance->standby)
		json_put_bool(record, "standby", true);
	if (instance->retired)
		json_put_bool(record, "retired", true);
	if (instance->updating)
		json_put_bool(record, "updating", true);
	if (instance->systemd)
		json_put_bool(record, "systemd", true);
}

json_t *record_of(const struct instance *instance)
{
	json_t *record = json_object(), *unhealthy = unhealthy_to_json(&instance->unhealthy);
	bool process = instance->pid > 0;

	json_put_int(record, "version", 1);
	json_put_string(record, "id", instance->id);
	json_put_string(record, "name", instance->name);
	json_put_string(record, "service", instance->service_name);
	json_put_int(record, "number", instance->number);
	json_put_bool(record, "oneoff", instance->oneoff);
	if (instance->oneoff) {
		json_put_bool(record, "use_aliases", instance->use_aliases);
		json_put_bool(record, "foreground", instance->foreground);
		json_put_bool(record, "auto_remove", instance->auto_remove);
	}
	json_put_string(record, "project", instance->model->hash);
	json_put_string(record, "config_hash", instance->config_hash);
	json_put_string(record, "image_id", instance->image_id);
	json_put_int(record, "created", instance->created_nsec);
	json_put_int(record, "started", instance->started_nsec);
	json_put_int(record, "finished", instance->finished_nsec);
	json_put_string(record, "state", state_name(instance));
	json_put_int(record, "exit_code", instance->exit_code);
	json_put_bool(record, "oom_killed", instance->oom_killed);
	json_put_int(record, "restarts", instance->restarts);
	json_put_string(record, "error", instance->error);
	json_put_bool(record, "by_hand", instance->by_hand);
	if (instance->slice_scope)
		json_put_string(record, "slice_scope", instance->slice_scope);
	put_flags(record, instance);
	if (instance->dependents_due)
		json_put_int(record, "dependents_due", instance->dependents_due);
	json_put_string(record, "request", instance->request);
	json_put_string(record, "created_by", instance->created_by);
	if (instance->volumes)
		json_object_set_new(record, "volumes", json_from_strv(instance->volumes));
	if (instance->anonymous.count)
		json_object_set_new(record, "anonymous", mapping_to_json(&instance->anonymous));
	if (instance->image_volumes.count)
		json_object_set_new(record, "image_volumes",
				    mapping_to_json(&instance->image_volumes));
	if (instance->parents)
		json_object_set_new(record, "parents", json_from_strv(instance->parents));
	if (instance->network_names)
		json_object_set_new(record, "networks", json_from_strv(instance->network_names));
	if (instance->attachment)
		json_object_set_new(record, "attachment", attachment_to_json(instance->attachment));
	if (instance->port_count)
		json_object_set_new(record, "ports", ports_to_json(instance));
	if (instance->restart)
		json_object_set_new(record, "restart", restart_to_json(instance->restart));
	if (instance->scheduled_sec)
		json_put_int(record, "scheduled", instance->scheduled_sec);
	if (unhealthy)
		json_object_set_new(record, "unhealthy", unhealthy);
	if (process) {
		json_t *hooks = hooks_to_json(instance);

		if (hooks)
			json_object_set_new(record, "hooks", hooks);
		json_put_int(record, "health", instance->known_health);
		json_put_int(record, "pid", instance->pid);
		json_put_int(record, "start_ticks", (int64_t)instance->start_ticks);
		json_put_string(record, "boot_id", process_boot_id());
	}
	return record;
}

static enum instance_state state_from_name(const char *name)
{
	for (int i = 0; name && i < INSTANCE_STATES; i++)
		if (state_names[i] && strcmp(name, state_names[i]) == 0)
			return (enum instance_state)i;
	return INSTANCE_EXITED;
}

static void take_string(char *into, size_t size, const char *from)
{
	snprintf(into, size, "%s", from ?: "");
}

static void read_mapping(const json_t *object, struct mapping *ret)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		struct key_value *item = array_add(ret->items, ret->count);

		item->key = alloc_string(key);
		item->value = alloc_string(json_string_value(value));
	}
}

/* The process part counts only in the boot it was written in. */
static void read_process(struct instance *instance, const json_t *record)
{
	bool same_boot = str_equal(json_get_string(record, "boot_id"), process_boot_id());

	if (same_boot) {
		instance->known_health = (enum health_status)json_get_int(record, "health", 0);
		instance->pid = (pid_t)json_get_int(record, "pid", 0);
		instance->start_ticks = (uint64_t)json_get_int(record, "start_ticks", 0);
		hooks_from_json(instance, json_object_get(record, "hooks"));
		return;
	}
	if (instance->state == INSTANCE_CREATED || instance->state == INSTANCE_EXITED)
		return;
	/* A start that never came so far as to have a process leaves what was there before. */
	if (!json_get_int(record, "pid", 0)) {
		/* Its policy, or on_unhealthy, has been asked already. */
		instance->revive = instance->state == INSTANCE_BACKOFF && !instance->by_hand;
		instance->state = instance->started_nsec ? INSTANCE_EXITED : INSTANCE_CREATED;
		return;
	}
	instance->state = INSTANCE_EXITED;
	instance->exit_code = 255;
	instance->revive = restart_wanted(instance);
}

int record_read(struct instance *instance, const json_t *record, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	const char *hash = json_get_string(record, "project");
	const json_t *attachment = json_object_get(record, "attachment");
	int r;

	instance->name = alloc_string(json_get_string(record, "name"));
	instance->service_name = alloc_string(json_get_string(record, "service"));
	/* The hash becomes part of a path. */
	if (!instance->name || !instance->service_name || !hash ||
	    strspn(hash, "0123456789abcdef") != SHA256_HEX_SIZE - 1 ||
	    strlen(hash) != SHA256_HEX_SIZE - 1)
		return error_set(err, EINVAL, "the record lacks a name, a service or a project");
	r = model_load(supervisor, hash, &instance->model, err);
	if (r < 0)
		return r;
	instance->service = project_service(instance->model->project, instance->service_name);
	if (!instance->service)
		return error_set(err, EINVAL, "its project has no service %s",
				 instance->service_name);
	instance->number = (unsigned int)json_get_int(record, "number", 1);
	instance->oneoff = json_get_bool(record, "oneoff", false);
	instance->use_aliases = json_get_bool(record, "use_aliases", false);
	instance->foreground = json_get_bool(record, "foreground", false);
	instance->auto_remove = json_get_bool(record, "auto_remove", false);
	take_string(instance->config_hash, sizeof(instance->config_hash),
		    json_get_string(record, "config_hash"));
	instance->image_id = alloc_string(json_get_string(record, "image_id"));
	instance->created_nsec = json_get_int(record, "created", 0);
	instance->started_nsec = json_get_int(record, "started", 0);
	instance->finished_nsec = json_get_int(record, "finished", 0);
	instance->state = state_from_name(json_get_string(record, "state"));
	instance->exit_code = (int)json_get_int(record, "exit_code", 0);
	instance->oom_killed = json_get_bool(record, "oom_killed", false);
	instance->restarts = (unsigned int)json_get_int(record, "restarts", 0);
	instance->error = alloc_string(json_get_string(record, "error"));
	instance->scheduled_sec = json_get_int(record, "scheduled", 0);
	instance->by_hand = json_get_bool(record, "by_hand", false);
	instance->slice_scope = alloc_string(json_get_string(record, "slice_scope"));
	instance->listens = json_get_bool(record, "listens", false);
	instance->revive = json_get_bool(record, "revive", false);
	instance->again = json_get_bool(record, "again", false);
	instance->standby = json_get_bool(record, "standby", false);
	instance->retired = json_get_bool(record, "retired", false);
	instance->updating = json_get_bool(record, "updating", false);
	instance->systemd = json_get_bool(record, "systemd", false);
	instance->dependents_due = (enum dependents_due)json_get_int(record, "dependents_due", 0);
	unhealthy_from_json(&instance->unhealthy, json_object_get(record, "unhealthy"));
	take_string(instance->request, sizeof(instance->request),
		    json_get_string(record, "request"));
	take_string(instance->created_by, sizeof(instance->created_by),
		    json_get_string(record, "created_by"));
	instance->volumes = json_get_strv(record, "volumes");
	instance->parents = json_get_strv(record, "parents");
	instance->network_names = json_get_strv(record, "networks");
	read_mapping(json_object_get(record, "anonymous"), &instance->anonymous);
	read_mapping(json_object_get(record, "image_volumes"), &instance->image_volumes);
	instance->tty = instance->service->tty == TRI_TRUE;
	read_process(instance, record);
	restart_from_json(instance, json_object_get(record, "restart"));
	ports_from_json(instance, json_object_get(record, "ports"));
	if (attachment) {
		r = attachment_from_json(supervisor->networks, attachment, &instance->attachment,
					 err);
		if (r < 0)
			return r;
	}
	return 0;
}
