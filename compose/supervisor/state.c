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
#include "common/str.h"

#include "compose/control/log_name.h"
#include "compose/control/requests.h"
#include "compose/supervisor/instance/groups.h"
#include "compose/supervisor/instance/record.h"
#include "compose/supervisor/jobs.h"
#include "compose/supervisor/models.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/observe.h"

#define RECORD_MAX (4 << 20)

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

int state_write(struct instance *instance, struct error *err)
{
	_cleanup_json_ json_t *record = record_of(instance);
	_cleanup_free_ char *text = json_text(record);
	char path[96];
	int r;

	/* One open by path costs less than a directory descriptor kept for each container. */
	snprintf(path, sizeof(path), "%s/record.json", instance->id);
	r = fs_replace(instance->supervisor->containers_dir, path, text, strlen(text),
		       instance->going ? FS_FLEETING : FS_ATOMIC, err);
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
	    record_read(instance, record, &err) >= 0) {
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

int state_load(struct supervisor *supervisor, struct error *err)
{
	_cleanup_strv_ char **ids = NULL;
	_cleanup_json_ json_t *json = NULL;
	int r;

	r = json_read(supervisor->state_dir, "project.json", PROJECT_BYTES_MAX, &json, err);
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
	models_sweep(supervisor);
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
