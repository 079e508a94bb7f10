// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/inspect/inspect_parts.h"
#include "compose/model/replica.h"

#define NSEC_PER_USEC 1000

void inspect_put_list(json_t *object, const char *key, char *const *list)
{
	json_object_set_new(object, key, list && list[0] ? json_from_strv(list) : json_null());
}

void inspect_put_text(json_t *object, const char *key, const char *text)
{
	json_put_string(object, key, text ?: "");
}

char *inspect_port(const struct port *port)
{
	static const char *const protocols[] = {
		[PORT_TCP] = "tcp", [PORT_UDP] = "udp", [PORT_SCTP] = "sctp"};

	return str_printf("%u/%s", port->target, protocols[port->protocol]);
}

static void expose(json_t *object, const char *port, json_t *(*value)(void))
{
	_cleanup_free_ char *whole =
		strchr(port, '/') ? alloc_string(port) : str_printf("%s/tcp", port);

	if (!json_object_get(object, whole))
		json_object_set_new(object, whole, value());
}

json_t *inspect_exposed(const struct container_record *record, json_t *(*value)(void))
{
	const struct service *service = record->service;
	json_t *object = json_object();

	strv_foreach(port, record->image ? record->image->exposed_ports : NULL)
		expose(object, port, value);
	strv_foreach(port, service->expose)
		expose(object, port, value);
	for (size_t i = 0; i < service->port_count; i++) {
		_cleanup_free_ char *port = inspect_port(&service->ports[i]);

		expose(object, port, value);
	}
	return object;
}

static struct replica replica_of(const struct container_record *record)
{
	return (struct replica){
		.service = record->service->name,
		.name = json_get_string(record->record, "name") ?: "",
		.id = json_get_string(record->record, "id") ?: "",
		.number = (unsigned int)json_get_int(record->record, "number", 1),
	};
}

/* As the supervisor gives it to the program, but for what it adds by itself. */
static json_t *environment(const struct container_record *record)
{
	const struct service *service = record->service;
	const struct replica replica = replica_of(record);
	_cleanup_strv_ char **list = NULL;

	strv_foreach(row, record->image ? record->image->env : NULL)
		strv_append(&list, row);
	strv_foreach(row, record->project->proxies) {
		const char *equals = strchr(row, '=');
		_cleanup_free_ char *name =
			alloc_string_n(row, equals ? (size_t)(equals - row) : strlen(row));

		strv_env_set(&list, name, equals ? equals + 1 : "");
	}
	for (size_t i = 0; i < service->environment.count; i++) {
		const char *value = service->environment.items[i].value;
		_cleanup_free_ char *own = replica_expand(&replica, value);

		strv_env_set(&list, service->environment.items[i].key, own ?: value);
	}
	return json_from_strv(list);
}

static void put_time(json_t *object, const char *key, bool set, int64_t usec)
{
	if (set && usec)
		json_put_int(object, key, usec * NSEC_PER_USEC);
}

static json_t *own_healthcheck(const struct healthcheck *check)
{
	json_t *object = json_object();
	static const char *const none[] = {"NONE", NULL};

	inspect_put_list(object, "Test", check->disable ? (char *const *)none : check->test.args);
	put_time(object, "Interval", check->interval.set, check->interval.value);
	put_time(object, "Timeout", check->timeout.set, check->timeout.value);
	put_time(object, "StartPeriod", check->start_period.set, check->start_period.value);
	put_time(object, "StartInterval", check->start_interval.set, check->start_interval.value);
	if (check->retries.set)
		json_put_int(object, "Retries", check->retries.value);
	return object;
}

static json_t *image_healthcheck(const struct image_healthcheck *check)
{
	json_t *object = json_object();

	inspect_put_list(object, "Test", check->test);
	put_time(object, "Interval", true, check->interval_usec);
	put_time(object, "Timeout", true, check->timeout_usec);
	put_time(object, "StartPeriod", true, check->start_period_usec);
	put_time(object, "StartInterval", true, check->start_interval_usec);
	if (check->retries)
		json_put_int(object, "Retries", check->retries);
	return object;
}

static void put_healthcheck(json_t *config, const struct container_record *record)
{
	const struct healthcheck *own = &record->service->healthcheck;

	if (own->given && (own->test.set || own->disable))
		json_object_set_new(config, "Healthcheck", own_healthcheck(own));
	else if (record->image && record->image->healthcheck.test)
		json_object_set_new(config, "Healthcheck",
				    image_healthcheck(&record->image->healthcheck));
}

static json_t *volumes(const struct container_record *record)
{
	json_t *object = json_object();
	const char *target;
	json_t *name;

	json_object_foreach(json_object_get(record->record, "anonymous"), target, name)
		json_object_set_new(object, target, json_object());
	if (json_object_size(object))
		return object;
	json_decref(object);
	return json_null();
}

static void put_streams(json_t *config, const struct container_record *record)
{
	bool foreground = json_get_bool(record->record, "foreground", false);
	bool open = record->service->stdin_open == TRI_TRUE;

	json_put_bool(config, "AttachStdin", foreground && open);
	json_put_bool(config, "AttachStdout", foreground);
	json_put_bool(config, "AttachStderr", foreground);
	json_put_bool(config, "Tty", record->service->tty == TRI_TRUE);
	json_put_bool(config, "OpenStdin", open);
	json_put_bool(config, "StdinOnce", foreground && open);
}

/* One of whom the supervisor found that it is systemd is asked by its own. */
static const char *stop_signal(const struct container_record *record)
{
	if (record->service->stop_signal)
		return record->service->stop_signal;
	if (record->image && record->image->stop_signal && record->image->stop_signal[0])
		return record->image->stop_signal;
	return json_get_bool(record->record, "systemd", false) ? "SIGRTMIN+3" : NULL;
}

json_t *inspect_config(const struct container_record *record)
{
	const struct service *service = record->service;
	const struct image *image = record->image;
	const char *id = json_get_string(record->container, "id") ?: "";
	_cleanup_free_ char *short_id = alloc_string_n(id, strnlen(id, 12));
	const struct replica replica = replica_of(record);
	_cleanup_free_ char *hostname = replica_expand(&replica, service->hostname);
	json_t *config = json_object(), *labels = json_object_get(record->container, "labels");

	inspect_put_text(config, "Hostname", hostname ?: service->hostname ?: short_id);
	inspect_put_text(config, "Domainname", service->domainname);
	inspect_put_text(config, "User", service->user ?: image ? image->user : NULL);
	put_streams(config, record);
	json_object_set_new(config, "ExposedPorts", inspect_exposed(record, json_object));
	json_object_set_new(config, "Env", environment(record));
	inspect_put_list(config, "Cmd", container_record_command(record));
	put_healthcheck(config, record);
	inspect_put_text(config, "Image", service->image);
	json_object_set_new(config, "Volumes", volumes(record));
	inspect_put_text(config, "WorkingDir",
			 service->working_dir
				 ?: image ? image->working_dir
					  : NULL);
	inspect_put_list(config, "Entrypoint", container_record_entrypoint(record));
	json_object_set_new(config, "OnBuild", json_null());
	json_object_set_new(config, "Labels", labels ? json_incref(labels) : json_object());
	json_put_string(config, "StopSignal", stop_signal(record));
	if (service->stop_grace_period.set)
		json_put_int(config, "StopTimeout",
			     service->stop_grace_period.value / (int64_t)USEC_PER_SEC);
	return config;
}
