// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * instance_object.c - the half of instance.h that is about what a container is: made, named,
 * removed, whatever its state. The states are in instance.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/instance/groups.h"
#include "compose/supervisor/instance/handover.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/restart.h"
#include "compose/supervisor/instance/slices.h"
#include "compose/supervisor/instance/start.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/models.h"
#include "compose/supervisor/network/names.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/probes/health.h"
#include "compose/supervisor/probes/probe.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/requests/requests.h"
#include "compose/supervisor/schedule.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

struct instance *instance_new(struct supervisor *supervisor, const char *id)
{
	struct instance *instance = new (struct instance);

	instance->supervisor = supervisor;
	snprintf(instance->id, sizeof(instance->id), "%s", id);
	instance->pidfd = instance->stdin_fd = instance->pty_fd = instance->notify_fd = -EBADF;
	for (size_t i = 0; i < ARRAY_SIZE(instance->client); i++)
		instance->client[i] = -EBADF;
	instance->attached_ahead[0] = instance->attached_ahead[1] = -EBADF;
	instance->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
	return instance;
}

static void forget_former(struct instance *instance)
{
	for (size_t i = 0; i < instance->former_count; i++)
		model_unref(instance->supervisor, instance->former[i]);
	free(instance->former);
	instance->former = NULL;
	instance->former_count = 0;
}

void instance_free(struct instance *instance)
{
	if (!instance)
		return;
	health_free(instance->health);
	drain_stop(instance);
	hooks_cancel(instance);
	start_done(instance);
	slices_leave(instance);
	children_forget(instance->supervisor->children, instance->child);
	sd_event_source_disable_unref(instance->stop_timer);
	restart_free(instance->restart);
	schedule_free(instance->schedule);
	unhealthy_forget(&instance->unhealthy);
	log_pump_free(instance->log);
	probe_unwatch_log(instance);
	dns_listener_free(instance->dns);
	attachment_free(instance->attachment);
	groups_forget(instance);
	cgroup_free(instance->cgroup);
	cleanup_close_fd(&instance->stdin_fd);
	cleanup_close_fd(&instance->pty_fd);
	cleanup_close_fd(&instance->pidfd);
	cleanup_close_fd(&instance->notify_fd);
	for (size_t i = 0; i < ARRAY_SIZE(instance->client); i++)
		cleanup_close_fd(&instance->client[i]);
	cleanup_close_fd(&instance->attached_ahead[0]);
	cleanup_close_fd(&instance->attached_ahead[1]);
	for (size_t i = 0; i < instance->anonymous.count; i++) {
		free(instance->anonymous.items[i].key);
		free(instance->anonymous.items[i].value);
	}
	free(instance->anonymous.items);
	for (size_t i = 0; i < instance->image_volumes.count; i++) {
		free(instance->image_volumes.items[i].key);
		free(instance->image_volumes.items[i].value);
	}
	free(instance->image_volumes.items);
	strv_free(instance->volumes);
	strv_free(instance->parents);
	strv_free(instance->network_names);
	free(instance->ports);
	free(instance->name);
	free(instance->service_name);
	free(instance->image_id);
	free(instance->error);
	free(instance->hook_error);
	free(instance->slice_scope);
	free(instance->lacks);
	forget_former(instance);
	model_unref(instance->supervisor, instance->model);
	free(instance);
}

/* A volume of a random name for @target, or the one that the replaced container had there. */
static int add_anonymous(struct instance *instance, const char *target, const struct mapping *own,
			 const struct instance *replaces, struct error *err)
{
	const char *inherited = replaces ? mapping_get(&replaces->anonymous, target) : NULL;
	struct volume_options options = {.anonymous = true};
	json_t *labels = NULL;
	struct key_value *row;
	char name[65];
	int r = 0;

	if (inherited) {
		snprintf(name, sizeof(name), "%s", inherited);
	} else {
		fs_random_hex(name, 32);
		labels = json_object();
		for (size_t i = 0; own && i < own->count; i++)
			json_put_string(labels, own->items[i].key, own->items[i].value ?: "");
		json_put_string(labels, "com.docker.volume.anonymous", "");
		json_put_string(labels, "com.docker.compose.project",
				instance->supervisor->project);
		options.labels = labels;
		r = volume_create(instance->supervisor->volumes, name, &options, err);
		json_decref(labels);
	}
	if (r < 0)
		return error_wrap(err, "volume for %s", target);
	row = array_add(instance->anonymous.items, instance->anonymous.count);
	row->key = alloc_string(target);
	row->value = alloc_string(name);
	strv_append(&instance->volumes, name);
	return 0;
}

/* It is made anew once the name means another image. */
static int note_image_volume(struct instance *instance, const struct mount *mount,
			     struct error *err)
{
	const struct image *image = observe_image(instance->supervisor, mount->source, err);
	_cleanup_close_ int here =
		image ? image_hold(instance->supervisor->images, image, err) : -1;
	struct key_value *row;

	if (here < 0)
		return error_wrap(err, "volume %s: image %s", mount->target, mount->source);
	row = array_add(instance->image_volumes.items, instance->image_volumes.count);
	row->key = alloc_string(mount->target);
	row->value = alloc_string(image->id);
	return 0;
}

static int note_volume(struct instance *instance, const struct mount *mount, struct error *err)
{
	const char *name = translate_volume_name(instance, mount);

	if (!volume_exists(instance->supervisor->volumes, name))
		return error_set(err, ENOENT, "volume %s was removed meanwhile: run this again",
				 name);
	strv_append(&instance->volumes, name);
	return 0;
}

static int create_volumes(struct instance *instance, const struct image *image,
			  const struct instance *replaces, struct error *err)
{
	const struct service *service = instance->service;
	_cleanup_strv_ char **of_image = translate_image_volumes(service, image);
	int r = 0;

	for (size_t i = 0; r == 0 && i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		if (mount->type == MOUNT_IMAGE)
			r = note_image_volume(instance, mount, err);
		if (mount->type != MOUNT_VOLUME)
			continue;
		if (!mount->source)
			r = add_anonymous(instance, mount->target, &mount->volume.labels, replaces,
					  err);
		else
			r = note_volume(instance, mount, err);
	}
	strv_foreach(target, of_image)
		if (r == 0)
			r = add_anonymous(instance, target, NULL, replaces, err);
	return r;
}

static int create_folder(struct instance *instance, struct error *err)
{
	int base = instance->supervisor->containers_dir;
	char path[96];

	if (mkdirat(base, instance->id, 0710) < 0)
		return error_errno(err, "make its folder");
	snprintf(path, sizeof(path), "%s/upper", instance->id);
	if (mkdirat(base, path, 0755) < 0)
		return error_errno(err, "make its folder");
	snprintf(path, sizeof(path), "%s/work", instance->id);
	if (mkdirat(base, path, 0700) < 0)
		return error_errno(err, "make its folder");
	return 0;
}

static void note_networks(struct instance *instance)
{
	const struct service *service = instance->service;

	for (size_t i = 0; i < service->network_count; i++) {
		const struct network *network =
			project_network(instance->model->project, service->networks[i].name);

		strv_append(&instance->network_names,
			    network ? network->name : service->networks[i].name);
	}
}

/* Nothing is left of a creation that failed. */
static void uncreate(struct instance *instance, const struct instance *replaces)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < instance->anonymous.count; i++)
		if (!replaces ||
		    !strv_contains(replaces->volumes, instance->anonymous.items[i].value))
			(void)volume_remove(instance->supervisor->volumes,
					    instance->anonymous.items[i].value, &err);
	(void)state_discard(instance, &err);
	instance_free(instance);
}

bool instance_id_fits(const char *id)
{
	return strspn(id, "0123456789") < 12;
}

int instance_create(struct supervisor *supervisor, struct model *model, const char *service_name,
		    const char *name, unsigned int number, const struct instance_origin *origin,
		    struct instance **ret, struct error *err)
{
	const struct instance *replaces = origin->replaces;
	const struct service *service = project_service(model->project, service_name);
	_cleanup_close_ int hold = -EBADF, hold_volumes = -EBADF;
	const struct image *image;
	struct instance *instance;
	char id[65];
	int r;

	if (!service)
		return error_set(err, ENOENT, "no such service: %s", service_name);
	image = observe_service_image(supervisor, service, err);
	if (!image)
		return -err->code;
	/* Until the record is there, which whoever removes images or volumes reads. */
	hold = image_hold(supervisor->images, image, err);
	if (hold < 0)
		return error_wrap(err, "image %s was removed meanwhile", service->image);
	hold_volumes = volume_hold(supervisor->volumes, err);
	if (hold_volumes < 0)
		return hold_volumes;
	do
		fs_random_hex(id, 32);
	while (!instance_id_fits(id));
	instance = instance_new(supervisor, id);
	instance->name = alloc_string(name);
	instance->service_name = alloc_string(service_name);
	instance->number = number;
	instance->oneoff = origin->oneoff;
	instance->use_aliases = origin->use_aliases;
	instance->foreground = origin->foreground;
	instance->auto_remove = origin->auto_remove;
	instance->standby = origin->standby;
	instance->model = model_ref(model);
	instance->service = (struct service *)service;
	instance->tty = service->tty == TRI_TRUE;
	instance->image_id = alloc_string(image->id);
	service_hash(model->project, service, instance->config_hash);
	instance->created_nsec = units_now_nsec();
	snprintf(instance->created_by, sizeof(instance->created_by), "%s", origin->request);
	note_networks(instance);
	r = create_folder(instance, err);
	if (r == 0)
		r = create_volumes(instance, image, replaces, err);
	if (r == 0)
		r = state_write(instance, err);
	if (r < 0) {
		uncreate(instance, replaces);
		return r;
	}
	map_set(&supervisor->instances, instance->id, instance);
	events_emit(instance, "create", NULL);
	*ret = instance;
	return 0;
}

static bool used_by_another(const struct instance *instance, const char *volume)
{
	map_foreach(entry, &instance->supervisor->instances) {
		const struct instance *other = entry->value;

		if (other != instance && strv_contains(other->volumes, volume))
			return true;
	}
	return false;
}

int instance_remove(struct instance *instance, bool volumes, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	int r;

	if (instance_runs(instance))
		return error_set(err, EBUSY, "container %s is running", instance->name);
	/* First the record: without it nobody believes that the container is there. */
	r = state_discard(instance, err);
	if (r < 0)
		return r;
	names_remove_files(instance);
	for (size_t i = 0; volumes && i < instance->anonymous.count; i++) {
		const char *name = instance->anonymous.items[i].value;
		struct error ignored = ERROR_INIT;

		/* One that a container of another project has as well is nobody's any more. */
		if (!used_by_another(instance, name) &&
		    volume_is_anonymous(supervisor->volumes, name) &&
		    volume_remove(supervisor->volumes, name, &ignored) < 0)
			log_warning("volume %s: %s", name, ignored.message);
	}
	events_emit(instance, "destroy", NULL);
	map_remove(&supervisor->instances, instance->id);
	server_instance_gone(supervisor->server, instance);
	instance_free(instance);
	return 0;
}

int instance_rename(struct instance *instance, const char *name, struct error *err)
{
	char *before = instance->name;
	int r;

	instance->name = alloc_string(name);
	r = state_write(instance, err);
	if (r < 0) {
		free(instance->name);
		instance->name = before;
		return r;
	}
	free(before);
	if (instance->pid)
		names_announce(instance);
	events_emit(instance, "rename", NULL);
	return 0;
}

enum container_state instance_reported_state(const struct instance *instance)
{
	static const enum container_state states[INSTANCE_STATES] = {
		[INSTANCE_CREATED] = CONTAINER_CREATED,  [INSTANCE_STARTING] = CONTAINER_CREATED,
		[INSTANCE_RUNNING] = CONTAINER_RUNNING,  [INSTANCE_PAUSED] = CONTAINER_PAUSED,
		[INSTANCE_STOPPING] = CONTAINER_RUNNING, [INSTANCE_BACKOFF] = CONTAINER_RESTARTING,
		[INSTANCE_EXITED] = CONTAINER_EXITED,
	};

	if (instance->state == INSTANCE_STARTING && instance->restarts)
		return CONTAINER_RESTARTING;
	return states[instance->state == INSTANCE_ENTERING ? instance->entered_from
							   : instance->state];
}

enum health_status instance_health(const struct instance *instance)
{
	return instance->pid ? health_status_of(instance->health) : HEALTH_NONE;
}
