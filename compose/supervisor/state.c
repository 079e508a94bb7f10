// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/sha256.h"
#include "common/str.h"

#include "compose/control/log_name.h"
#include "compose/control/requests.h"
#include "compose/supervisor/groups.h"
#include "compose/supervisor/jobs.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/ports.h"
#include "compose/supervisor/restart.h"

#define RECORD_MAX  (4 << 20)
#define PROJECT_MAX (64 << 20)

static const char *const state_names[INSTANCE_STATES] = {
	[INSTANCE_CREATED] = "created",   [INSTANCE_STARTING] = "starting",
	[INSTANCE_RUNNING] = "running",   [INSTANCE_PAUSED] = "paused",
	[INSTANCE_STOPPING] = "stopping", [INSTANCE_BACKOFF] = "backoff",
	[INSTANCE_EXITED] = "exited",
};

static int open_below(int dir, const char *name, int *ret, struct error *err)
{
	int fd = fs_mkdir_open(dir, name, 0710, err);

	if (fd < 0)
		return fd;
	*ret = fd;
	return 0;
}

int state_open(struct supervisor *supervisor, struct error *err)
{
	_cleanup_free_ char *path = paths_project_state(supervisor->project);
	int trash = -EBADF, r;

	supervisor->runtime_path = paths_project_runtime(supervisor->project);
	supervisor->runtime_dir = fs_mkdir_path(supervisor->runtime_path, 0700, err);
	if (supervisor->runtime_dir < 0)
		return supervisor->runtime_dir;
	supervisor->state_dir = fs_mkdir_path(path, 0710, err);
	if (supervisor->state_dir < 0)
		return supervisor->state_dir;
	r = open_below(supervisor->state_dir, "containers", &supervisor->containers_dir, err);
	if (r < 0)
		return r;
	r = open_below(supervisor->state_dir, "accepted", &supervisor->accepted_dir, err);
	if (r < 0)
		return r;
	r = open_below(supervisor->state_dir, "trash", &trash, err);
	if (r == 0)
		close(trash);
	return r;
}

struct model *model_ref(struct model *model)
{
	model->refs++;
	return model;
}

void model_unref(struct supervisor *supervisor, struct model *model)
{
	_cleanup_free_ char *file = NULL;

	if (!model || --model->refs)
		return;
	map_remove(&supervisor->models, model->hash);
	/* While we end, what is on disk is still needed by the next supervisor. */
	if (!supervisor->ending) {
		file = str_printf("%s.json", model->hash);
		(void)unlinkat(supervisor->accepted_dir, file, 0);
	}
	project_free(model->project);
	free(model);
}

static int model_new(struct supervisor *supervisor, const json_t *json, const char *hash,
		     struct model **ret, struct error *err)
{
	struct project *project = NULL;
	struct model *model = map_get(&supervisor->models, hash);
	int r;

	if (model) {
		*ret = model_ref(model);
		return 0;
	}
	r = project_from_json(json, &project, err);
	if (r < 0)
		return r;
	if (!str_equal(project->name, supervisor->project)) {
		r = error_set(err, EINVAL, "project %s was sent to the supervisor of project %s",
			      project->name ?: "(no name)", supervisor->project);
		project_free(project);
		return r;
	}
	model = new (struct model);
	strcpy(model->hash, hash);
	model->refs = 1;
	model->project = project;
	map_set(&supervisor->models, hash, model);
	*ret = model;
	return 0;
}

static int model_load(struct supervisor *supervisor, const char *hash, struct model **ret,
		      struct error *err)
{
	_cleanup_free_ char *file = str_printf("%s.json", hash);
	_cleanup_json_ json_t *json = NULL;
	struct model *model = map_get(&supervisor->models, hash);
	int r;

	if (model) {
		*ret = model_ref(model);
		return 0;
	}
	r = json_read(supervisor->accepted_dir, file, PROJECT_MAX, &json, err);
	if (r < 0)
		return error_wrap(err, "accepted project %.12s", hash);
	return model_new(supervisor, json, hash, ret, err);
}

int model_parse(struct supervisor *supervisor, const json_t *json, struct model **ret,
		struct error *err)
{
	_cleanup_free_ char *text = json_text(json);
	char hash[SHA256_HEX_SIZE];

	sha256_of(text, strlen(text), hash);
	return model_new(supervisor, json, hash, ret, err);
}

static int accept_as(struct supervisor *supervisor, const json_t *json, bool current,
		     struct model **ret, struct error *err)
{
	_cleanup_free_ char *text = json_text(json), *file = NULL;
	char hash[SHA256_HEX_SIZE];
	struct model *model = NULL;
	int r;

	sha256_of(text, strlen(text), hash);
	r = model_new(supervisor, json, hash, &model, err);
	if (r < 0)
		return r;
	file = str_printf("%s.json", hash);
	if (faccessat(supervisor->accepted_dir, file, F_OK, 0) < 0)
		r = fs_replace(supervisor->accepted_dir, file, text, strlen(text), FS_ATOMIC, err);
	if (r == 0 && current)
		r = fs_replace(supervisor->state_dir, "project.json", text, strlen(text), FS_ATOMIC,
			       err);
	if (r < 0) {
		model_unref(supervisor, model);
		return error_wrap(err, "write project %s down", supervisor->project);
	}
	*ret = model;
	return 0;
}

int state_accept(struct supervisor *supervisor, const json_t *json, struct model **ret,
		 struct error *err)
{
	return accept_as(supervisor, json, true, ret, err);
}

int state_accept_oneoff(struct supervisor *supervisor, const json_t *json, struct model **ret,
			struct error *err)
{
	return accept_as(supervisor, json, false, ret, err);
}

void state_make_current(struct supervisor *supervisor, struct model *model)
{
	struct model *before = supervisor->current;

	supervisor->current = model_ref(model);
	model_unref(supervisor, before);
}

static json_t *mapping_to_json(const struct mapping *mapping)
{
	json_t *object = json_object();

	for (size_t i = 0; i < mapping->count; i++)
		json_put_string(object, mapping->items[i].key, mapping->items[i].value);
	return object;
}

static json_t *record_of(const struct instance *instance)
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
	json_put_string(record, "state", state_names[instance->state]);
	json_put_int(record, "exit_code", instance->exit_code);
	json_put_bool(record, "oom_killed", instance->oom_killed);
	json_put_int(record, "restarts", instance->restarts);
	json_put_string(record, "error", instance->error);
	json_put_bool(record, "by_hand", instance->by_hand);
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

int state_write(struct instance *instance, struct error *err)
{
	_cleanup_json_ json_t *record = record_of(instance);
	_cleanup_free_ char *text = json_text(record);
	char path[96];
	int r;

	/* One open by path costs less than a directory descriptor kept for each container. */
	snprintf(path, sizeof(path), "%s/record.json", instance->id);
	r = fs_replace(instance->supervisor->containers_dir, path, text, strlen(text), FS_ATOMIC,
		       err);
	return r < 0 ? error_wrap(err, "container %s", instance->name) : 0;
}

void state_note(struct instance *instance)
{
	struct error err = ERROR_INIT;

	if (state_write(instance, &err) < 0)
		log_error("%s; a restart of the supervisor would not know of it", err.message);
}

int state_discard(struct instance *instance, struct error *err)
{
	char trash[96];

	snprintf(trash, sizeof(trash), "trash/%s", instance->id);
	if (renameat(instance->supervisor->containers_dir, instance->id,
		     instance->supervisor->state_dir, trash) < 0 &&
	    errno != ENOENT)
		return error_errno(err, "remove the files of container %s", instance->name);
	return 0;
}

static enum instance_state state_from_name(const char *name)
{
	for (int i = 0; name && i < INSTANCE_STATES; i++)
		if (strcmp(name, state_names[i]) == 0)
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

static int read_record(struct instance *instance, const json_t *record, struct error *err)
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

/* An older berth called the files otherwise; who wants to read them does not ask us. */
static void number_logs(const struct instance *instance)
{
	_cleanup_free_ char *path = str_printf("%s/logs", instance->id);
	_cleanup_close_ int dir = openat(instance->supervisor->containers_dir, path,
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		log_name_number_old(dir);
}

static void load_container(struct supervisor *supervisor, const char *id)
{
	_cleanup_free_ char *path = str_printf("%s/record.json", id);
	_cleanup_json_ json_t *record = NULL;
	struct instance *instance;
	struct error err = ERROR_INIT;

	if (strlen(id) != 64)
		return;
	instance = instance_new(supervisor, id);
	if (json_read(supervisor->containers_dir, path, RECORD_MAX, &record, &err) >= 0 &&
	    read_record(instance, record, &err) >= 0) {
		map_set(&supervisor->instances, instance->id, instance);
		number_logs(instance);
		return;
	}
	log_warning("container %.12s: %s; sweeping it away", id, err.message);
	error_clear(&err);
	if (!instance->name)
		instance->name = alloc_string(id);
	if (state_discard(instance, &err) < 0)
		log_error("%s", err.message);
	instance_free(instance);
}

/* Accepted projects that no container was made from any more. */
static void sweep_accepted(struct supervisor *supervisor)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	if (fs_list(supervisor->accepted_dir, ".", &names, &err) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *hash = alloc_string_n(name, 64);

		if (!map_get(&supervisor->models, hash))
			(void)unlinkat(supervisor->accepted_dir, name, 0);
	}
}

int state_load(struct supervisor *supervisor, struct error *err)
{
	_cleanup_strv_ char **ids = NULL;
	_cleanup_json_ json_t *json = NULL;
	int r;

	r = json_read(supervisor->state_dir, "project.json", PROJECT_MAX, &json, err);
	if (r >= 0)
		r = model_parse(supervisor, json, &supervisor->current, err);
	if (r < 0 && r != -ENOENT)
		log_warning("project.json: %s; going on without it", err->message);
	error_clear(err);
	r = fs_list(supervisor->containers_dir, ".", &ids, err);
	if (r < 0)
		return r;
	strv_foreach(id, ids)
		load_container(supervisor, id);
	sweep_accepted(supervisor);
	return 0;
}

struct attachment *state_attachment_unknown(struct supervisor *supervisor, const char *id)
{
	_cleanup_json_ json_t *record = json_object();
	json_t *rows = json_array();
	struct network_info **list = NULL;
	struct attachment *attachment = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0;

	json_put_string(record, "container", id);
	json_object_set_new(record, "endpoints", rows);
	(void)network_list(supervisor->networks, &list, &count, &err);
	for (size_t i = 0; i < count; i++) {
		json_t *row = json_object();

		json_put_string(row, "network", list[i]->name);
		json_put_string(row, "interface", "none");
		json_put_string(row, "host_interface", "none");
		if (observe_is_ours(supervisor, list[i]->labels))
			json_array_append(rows, row);
		json_decref(row);
		network_info_free(list[i]);
	}
	free(list);
	if (attachment_from_json(supervisor->networks, record, &attachment, &err) < 0)
		log_warning("container %.12s: %s", id, err.message);
	return attachment;
}

/* The attachment of a removed container, or NULL. */
static struct attachment *attachment_in_trash(struct supervisor *supervisor, const char *id)
{
	_cleanup_free_ char *path = str_printf("trash/%s/record.json", id);
	_cleanup_json_ json_t *record = NULL;
	struct attachment *attachment = NULL;
	struct error err = ERROR_INIT;
	const json_t *json;

	if (json_read(supervisor->state_dir, path, RECORD_MAX, &record, &err) < 0 ||
	    !json_object_get(record, "attachment"))
		return state_attachment_unknown(supervisor, id);
	json = json_object_get(record, "attachment");
	if (json && attachment_from_json(supervisor->networks, json, &attachment, &err) < 0)
		log_warning("container %.12s: %s", id, err.message);
	return attachment;
}

void state_finish_removals(struct supervisor *supervisor)
{
	_cleanup_free_ struct attachment **attachments = NULL;
	_cleanup_strv_ char **ids = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0;

	if (fs_list(supervisor->state_dir, "trash", &ids, &err) < 0 || !ids || !ids[0])
		return;
	strv_foreach(id, ids) {
		struct attachment *attachment = attachment_in_trash(supervisor, id);

		ports_forget(supervisor->ports, id);
		groups_sweep(supervisor, supervisor->cgroup_base, id);
		if (attachment)
			*array_add(attachments, count) = attachment;
	}
	if (count && attachment_release(supervisor->networks, attachments, count, &err) < 0)
		log_warning("give addresses back: %s", err.message);
	for (size_t i = 0; i < count; i++)
		attachment_free(attachments[i]);
	ports_flush(supervisor->ports);
	state_tidy_later(supervisor);
}

static int empty_work(void *data, struct error *err)
{
	const struct supervisor *supervisor = data;
	_cleanup_strv_ char **names = NULL;
	_cleanup_close_ int trash = fs_open_dir(supervisor->state_dir, "trash", err);
	int r = trash;

	if (trash >= 0 && fs_list(trash, ".", &names, err) >= 0) {
		r = 0;
		strv_foreach(name, names)
			if (fs_remove_tree(trash, name, err) < 0)
				r = -err->code;
	}
	return r;
}

static int tidy_work(void *data, struct error *err)
{
	const struct supervisor *supervisor = data;
	int r = empty_work(data, err);

	/* Everything the last operations wrote, by one wait for the disk. */
	if (!supervisor->removed)
		(void)syncfs(supervisor->state_dir);
	return r;
}

static void tidy_done(void *context, const struct error *err)
{
	if (err->code)
		log_warning("empty the trash of project %s: %s; the next command tries again",
			    ((struct supervisor *)context)->project, err->message);
	supervisor_maybe_end(context);
}

static void start_job(struct supervisor *supervisor, job_work *work)
{
	struct error err = ERROR_INIT;

	if (job_start(supervisor->jobs, work, supervisor, tidy_done, supervisor, &err) < 0)
		log_warning("empty the trash of project %s: %s", supervisor->project, err.message);
}

void state_empty_trash(struct supervisor *supervisor)
{
	start_job(supervisor, empty_work);
}

void state_tidy_later(struct supervisor *supervisor)
{
	start_job(supervisor, tidy_work);
}

void state_remove(struct supervisor *supervisor)
{
	_cleanup_close_ int projects = openat(supervisor->state_dir, "..", O_DIRECTORY | O_CLOEXEC);
	struct error err = ERROR_INIT;

	if (projects >= 0 && fs_remove_tree(projects, supervisor->project, &err) < 0)
		log_warning("remove the state of project %s: %s", supervisor->project, err.message);
}
