// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/requests/requests_internal.h"

static void send_exited(struct connection *connection, const struct instance *instance)
{
	json_t *event = json_object();

	json_put_string(event, "event", "exited");
	json_put_string(event, "service", instance->service_name);
	json_put_string(event, "container", instance->name);
	json_put_int(event, "exit_code", instance->exit_code);
	connection_event(connection, event, NULL, 0);
}

static bool is_over(const struct instance *instance)
{
	return !instance_runs(instance);
}

static bool wait_wants(const struct instance *instance, char *const *services,
		       char *const *containers)
{
	if (!services && !containers)
		return true;
	return strv_contains(services, instance->service_name) ||
	       strv_contains(containers, instance->name) || strv_contains(containers, instance->id);
}

void requests_wait(struct connection *connection, const json_t *request)
{
	_cleanup_strv_ char **services = json_get_strv(request, "services");
	_cleanup_strv_ char **containers = json_get_strv(request, "containers");

	map_foreach(entry, &connection->server->supervisor->instances) {
		struct instance *instance = entry->value;

		if (!wait_wants(instance, services, containers))
			continue;
		if (is_over(instance))
			send_exited(connection, instance);
		else
			strv_append(&connection->waiting, instance->id);
	}
	if (!connection->waiting)
		connection_done(connection, NULL, NULL, 0);
}

/* True when the connection waited for that one. */
static bool waited_for(struct connection *connection, const char *id)
{
	char **at = connection->waiting;

	for (; at && *at; at++) {
		if (strcmp(*at, id) != 0)
			continue;
		free(*at);
		for (; *at; at++)
			at[0] = at[1];
		return true;
	}
	return false;
}

static void wait_over(struct server *server, struct instance *instance)
{
	for (struct connection *at = server ? server->first : NULL, *next; at; at = next) {
		next = at->next;
		if (!at->waiting || at->ending || !waited_for(at, instance->id))
			continue;
		send_exited(at, instance);
		if (!at->waiting[0])
			connection_done(at, NULL, NULL, 0);
	}
}

void server_instance_changed(struct server *server, struct instance *instance)
{
	if (is_over(instance))
		wait_over(server, instance);
}

void server_instance_gone(struct server *server, struct instance *instance)
{
	wait_over(server, instance);
}
