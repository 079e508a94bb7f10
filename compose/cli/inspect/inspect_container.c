// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/inspect/inspect_parts.h"
#include "compose/cli/view/tree_size.h"
#include "compose/control/requests.h"

#define NEVER "0001-01-01T00:00:00Z" /* Go's zero time */

static void put_time(json_t *object, const char *key, int64_t nsec)
{
	char text[UNITS_TIME_MAX];

	json_put_string(object, key, nsec ? units_format_time(nsec, text, sizeof(text)) : NEVER);
}

static json_t *health_log(const json_t *probes)
{
	json_t *log = json_array(), *probe;
	size_t i;

	json_array_foreach((json_t *)probes, i, probe) {
		json_t *row = json_object();

		put_time(row, "Start", json_get_int(probe, "start", 0));
		put_time(row, "End", json_get_int(probe, "end", 0));
		json_put_int(row, "ExitCode", json_get_int(probe, "exit_code", 0));
		inspect_put_text(row, "Output", json_get_string(probe, "output"));
		json_array_append_new(log, row);
	}
	return log;
}

/* Failures since the last success. */
static int failing_streak(const json_t *probes)
{
	size_t at = json_array_size(probes);
	int streak = 0;

	while (at-- && json_get_int(json_array_get(probes, at), "exit_code", 0))
		streak++;
	return streak;
}

static void put_health(json_t *state, const json_t *container)
{
	const char *status = json_get_string(container, "health");
	const json_t *probes = json_object_get(container, "health_log");

	if (!status || !status[0])
		return;
	json_object_set_new(state, "Health",
			    json_pack("{s:s, s:i, s:o}", "Status", status, "FailingStreak",
				      failing_streak(probes), "Log", health_log(probes)));
}

static json_t *state_of(const json_t *container)
{
	const char *status = json_get_string(container, "state") ?: "";
	bool restarting = str_equal(status, "restarting"), paused = str_equal(status, "paused");
	json_t *state = json_object();

	json_put_string(state, "Status", status);
	json_put_bool(state, "Running", str_equal(status, "running") || paused || restarting);
	json_put_bool(state, "Paused", paused);
	json_put_bool(state, "Restarting", restarting);
	json_put_bool(state, "OOMKilled", json_get_bool(container, "oom_killed", false));
	json_put_bool(state, "Dead", false);
	json_put_int(state, "Pid", json_get_int(container, "pid", 0));
	json_put_int(state, "ExitCode", json_get_int(container, "exit_code", 0));
	inspect_put_text(state, "Error", json_get_string(container, "error"));
	put_time(state, "StartedAt", json_get_int(container, "started", 0));
	put_time(state, "FinishedAt", json_get_int(container, "finished", 0));
	put_health(state, container);
	return state;
}

json_t *inspect_mounts(const struct container_record *record)
{
	json_t *rows = json_array(), *mount;
	size_t i;

	json_array_foreach(json_object_get(record->container, "mounts"), i, mount) {
		const char *type = json_get_string(mount, "type") ?: "";
		bool writable = json_get_bool(mount, "rw", true);
		json_t *row = json_object();

		json_put_string(row, "Type", type);
		json_put_string(row, "Name", json_get_string(mount, "name"));
		inspect_put_text(row, "Source", json_get_string(mount, "source"));
		inspect_put_text(row, "Destination", json_get_string(mount, "destination"));
		if (str_equal(type, "volume"))
			json_put_string(row, "Driver", "local");
		inspect_put_text(row, "Mode", writable ? "" : "ro");
		json_put_bool(row, "RW", writable);
		inspect_put_text(row, "Propagation", str_equal(type, "bind") ? "rprivate" : "");
		json_array_append_new(rows, row);
	}
	return rows;
}

/* The program and its arguments, of both lists together. */
static void put_path(json_t *object, const struct container_record *record)
{
	_cleanup_strv_ char **words = NULL;

	strv_foreach(word, container_record_entrypoint(record))
		strv_append(&words, word);
	strv_foreach(word, container_record_command(record))
		strv_append(&words, word);
	inspect_put_text(object, "Path", words ? words[0] : NULL);
	json_object_set_new(object, "Args",
			    words && words[1] ? json_from_strv(words + 1) : json_array());
}

static void put_file(json_t *object, const char *key, const struct container_record *record,
		     const char *file)
{
	_cleanup_free_ char *runtime =
		paths_project_runtime(json_get_string(record->container, "project") ?: "");
	_cleanup_free_ char *path =
		str_printf("%s/containers/%s/%s", runtime,
			   json_get_string(record->container, "id") ?: "", file);

	json_put_string(object, key, path);
}

static void put_storage(json_t *object, const struct container_record *record, bool size)
{
	_cleanup_free_ char *upper = str_printf("%s/upper", record->folder);
	_cleanup_free_ char *work = str_printf("%s/work", record->folder);
	json_t *data = json_object();
	uint64_t written;

	json_put_string(data, "UpperDir", upper);
	json_put_string(data, "WorkDir", work);
	json_object_set_new(object, "GraphDriver",
			    json_pack("{s:s, s:o}", "Name", "overlay2", "Data", data));
	if (!size)
		return;
	written = tree_size(upper);
	json_put_int(object, "SizeRw", (int64_t)written);
	json_put_int(object, "SizeRootFs",
		     (int64_t)(written + (record->image ? record->image->size_bytes : 0)));
}

/* Files are only what the journal has not. */
static void put_log_path(json_t *object, const json_t *log)
{
	bool journal = str_equal(json_get_string(log, "driver"), "journald");

	inspect_put_text(object, "LogPath", journal ? "" : json_get_string(log, "path"));
}

json_t *inspect_container(const struct container_record *record, bool size)
{
	const json_t *container = record->container;
	_cleanup_free_ char *name = str_printf("/%s", json_get_string(container, "name") ?: "");
	json_t *object = json_object();

	inspect_put_text(object, "Id", json_get_string(container, "id"));
	put_time(object, "Created", json_get_int(container, "created", 0));
	put_path(object, record);
	json_object_set_new(object, "State", state_of(container));
	inspect_put_text(object, "Image", json_get_string(container, "image_id"));
	put_file(object, "ResolvConfPath", record, "resolv.conf");
	put_file(object, "HostnamePath", record, "hostname");
	put_file(object, "HostsPath", record, "hosts");
	put_log_path(object, json_object_get(container, "log"));
	json_put_string(object, "Name", name);
	json_put_int(object, "RestartCount", json_get_int(container, "restart_count", 0));
	json_put_string(object, "Driver", "overlay2");
	json_put_string(object, "Platform", "linux");
	json_put_string(object, "MountLabel", "");
	json_put_string(object, "ProcessLabel", "");
	json_put_string(object, "AppArmorProfile", "");
	json_object_set_new(object, "ExecIDs", json_null());
	json_object_set_new(object, "HostConfig", inspect_host_config(record));
	put_storage(object, record, size);
	json_object_set_new(object, "Mounts", inspect_mounts(record));
	json_object_set_new(object, "Config", inspect_config(record));
	json_object_set_new(object, "NetworkSettings", inspect_network_settings(record));
	return object;
}
