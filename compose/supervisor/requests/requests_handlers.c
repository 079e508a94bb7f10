// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/control/message.h"
#include "compose/control/requests.h"
#include "compose/supervisor/exec/exec.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/oneoff.h"
#include "compose/supervisor/instance/start.h"
#include "compose/supervisor/instance/start_stdio.h"
#include "compose/supervisor/instance/update.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/network/membership.h"
#include "compose/supervisor/network/names.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/requests/requests_internal.h"
#include "compose/supervisor/requests/usage.h"
#include "compose/supervisor/schedule.h"

static void on_plan_event(void *context, json_t *event)
{
	connection_event(context, json_incref(event), NULL, 0);
}

static void on_plan_done(void *context, const struct error *err, int exit_code, json_t *plan_text)
{
	struct connection *connection = context;
	_cleanup_close_ int keeper = -EBADF;

	if (err->code) {
		connection_fail(connection, err, exit_code);
		return;
	}
	/* By it the client sees when the last one of us is gone. */
	if (connection->server->supervisor->ending)
		keeper = process_pidfd_open(getppid());
	connection_done(connection, NULL, &keeper, keeper >= 0 ? 1 : 0);
}

static void handle_converge(struct connection *connection, const json_t *request, int *fds,
			    size_t count)
{
	struct executor_listener listener = {on_plan_event, on_plan_done, connection};
	struct error err = ERROR_INIT;

	if (executor_converge(connection->server->supervisor->executor, request, connection->id,
			      NULL, 0, &listener, &err) < 0)
		connection_fail(connection, &err, 1);
}

static void handle_run(struct connection *connection, const json_t *request, int *fds, size_t count)
{
	oneoff_request(connection->server->supervisor->oneoffs, connection, connection->id, request,
		       fds, count);
}

static void handle_kill(struct connection *connection, const json_t *request, int *fds,
			size_t count)
{
	const char *name = json_get_string(request, "container");
	struct instance *instance =
		name ? supervisor_find(connection->server->supervisor, name) : NULL;
	int signal = (int)json_get_int(request, "signal", SIGKILL);
	struct error err = ERROR_INIT;

	if (!instance)
		error_set(&err, ENOENT, "No such container: %s", name ?: "(no name)");
	else if (signal < 1 || signal > 64)
		error_set(&err, EINVAL, "there is no signal %d", signal);
	else
		(void)instance_kill(instance, signal, &err);
	if (err.code)
		connection_fail(connection, &err, 1);
	else
		connection_done(connection, NULL, NULL, 0);
}

static void handle_usage(struct connection *connection, const json_t *request, int *fds,
			 size_t count)
{
	connection_done(connection, usage_of_containers(connection->server->supervisor), NULL, 0);
}

static void handle_root(struct connection *connection, const json_t *request, int *fds,
			size_t count)
{
	usage_root_request(connection->server->supervisor, connection, request);
}

static void handle_connect(struct connection *connection, const json_t *request, int *fds,
			   size_t count)
{
	membership_connect(connection->server->supervisor, connection, request);
}

static void handle_disconnect(struct connection *connection, const json_t *request, int *fds,
			      size_t count)
{
	membership_disconnect(connection->server->supervisor, connection, request);
}

static void handle_update(struct connection *connection, const json_t *request, int *fds,
			  size_t count)
{
	update_request(connection->server->supervisor, connection, request);
}

static void handle_rename(struct connection *connection, const json_t *request, int *fds,
			  size_t count)
{
	const char *name = json_get_string(request, "container");
	const char *wanted = json_get_string(request, "name");
	struct supervisor *supervisor = connection->server->supervisor;
	struct instance *instance = name ? supervisor_find(supervisor, name) : NULL;
	struct error err = ERROR_INIT;

	if (!instance || !wanted)
		error_set(&err, ENOENT, "No such container: %s", name ?: "(no name)");
	else if (!str_equal(instance->name, wanted) && supervisor_find(supervisor, wanted))
		error_set(&err, EEXIST, "container name \"%s\" is already in use", wanted);
	else
		(void)instance_rename(instance, wanted, &err);
	names_flush(supervisor);
	if (err.code)
		connection_fail(connection, &err, 1);
	else
		connection_done(connection, NULL, NULL, 0);
}

static void handle_ping(struct connection *connection, const json_t *request, int *fds,
			size_t count)
{
	json_t *reply = json_object();

	json_put_string(reply, "version", BERTH_VERSION);
	json_put_int(reply, "pid", getpid());
	json_put_int(reply, "keeper_pid", getppid());
	json_put_bool(reply, "outdated", process_is_outdated());
	connection_done(connection, reply, NULL, 0);
}

static void handle_ps(struct connection *connection, const json_t *request, int *fds, size_t count)
{
	connection_done(connection,
			observe_containers(connection->server->supervisor,
					   json_get_bool(request, "all", false),
					   json_get_bool(request, "brief", false)),
			NULL, 0);
}

static void on_event(void *context, json_t *event)
{
	connection_event(context, json_incref(event), NULL, 0);
}

static void handle_events(struct connection *connection, const json_t *request, int *fds,
			  size_t count)
{
	connection->follows = true;
	connection->guest = json_get_bool(request, "guest", false);
	events_subscribe(connection->server->supervisor->events, json_get_int(request, "since", 0),
			 on_event, connection);
}

static void handle_exec(struct connection *connection, const json_t *request, int *fds,
			size_t count)
{
	exec_request(connection->server->supervisor->execs, connection, connection->id, request,
		     fds, count);
	for (size_t i = 0; i < count; i++)
		fds[i] = -EBADF;
}

static void handle_exec_wait(struct connection *connection, const json_t *request, int *fds,
			     size_t count)
{
	exec_wait_request(connection->server->supervisor->execs, connection, request);
}

/* Before its start: what it says first is not to be missed, and its input is asked for after it. */
static void attach_ahead(struct connection *connection, struct instance *instance, int fds[2])
{
	for (size_t i = 0; i < ARRAY_SIZE(instance->attached_ahead); i++) {
		cleanup_close_fd(&instance->attached_ahead[i]);
		instance->attached_ahead[i] = TAKE_FD(fds[i]);
	}
	connection_done(connection, NULL, NULL, 0);
}

static void handle_attach(struct connection *connection, const json_t *request, int *fds,
			  size_t count)
{
	const char *name = json_get_string(request, "container");
	struct instance *instance =
		name ? supervisor_find(connection->server->supervisor, name) : NULL;
	struct error err = ERROR_INIT;
	json_t *reply;
	int fd;

	if (instance && !instance->pid && count == 2 && json_get_bool(request, "ahead", false)) {
		attach_ahead(connection, instance, fds);
		return;
	}
	if (!instance || !instance->pid) {
		error_set(&err, ENOENT, "container %s is not running", name ?: "(no name)");
		connection_fail(connection, &err, 1);
		return;
	}
	if (count == 2)
		start_attach(instance, fds);
	reply = json_object();
	json_put_bool(reply, "tty", instance->tty);
	fd = instance->tty ? instance->pty_fd : instance->stdin_fd;
	connection_done(connection, reply, &fd, fd >= 0 ? 1 : 0);
}

static void handle_end_input(struct connection *connection, const json_t *request, int *fds,
			     size_t count)
{
	const char *name = json_get_string(request, "container");
	struct instance *instance =
		name ? supervisor_find(connection->server->supervisor, name) : NULL;

	if (instance)
		start_stdio_end_input(instance);
	connection_done(connection, NULL, NULL, 0);
}

static void handle_end_output(struct connection *connection, const json_t *request, int *fds,
			      size_t count)
{
	const char *name = json_get_string(request, "container");
	struct instance *instance =
		name ? supervisor_find(connection->server->supervisor, name) : NULL;

	if (instance)
		start_stdio_end_output(instance, json_get_int(request, "stream", 0) == LOG_STDERR
							 ? LOG_STDERR
							 : LOG_STDOUT);
	connection_done(connection, NULL, NULL, 0);
}

static void handle_wait(struct connection *connection, const json_t *request, int *fds,
			size_t count)
{
	requests_wait(connection, request);
}

static void handle_logs_sync(struct connection *connection, const json_t *request, int *fds,
			     size_t count)
{
	map_foreach(entry, &connection->server->supervisor->instances) {
		struct instance *instance = entry->value;

		if (instance->log)
			log_pump_drain(instance->log);
	}
	connection_done(connection, NULL, NULL, 0);
}

static void handle_job(struct connection *connection, const json_t *request, int *fds, size_t count)
{
	const char *service = json_get_string(request, "service");
	size_t begun = schedule_due(connection->server->supervisor, service ?: "");

	connection_done(connection, json_pack("{s:I}", "begun", (json_int_t)begun), NULL, 0);
}

/* The keeper starts the program that lies at its path now, which finds everything again. */
static void handle_reexec(struct connection *connection, const json_t *request, int *fds,
			  size_t count)
{
	struct error ignored = ERROR_INIT;

	connection_done(connection, NULL, NULL, 0);
	(void)message_flush(connection->stream, &ignored);
	_exit(0);
}

static void handle_shutdown(struct connection *connection, const json_t *request, int *fds,
			    size_t count)
{
	struct supervisor *supervisor = connection->server->supervisor;
	struct error err = ERROR_INIT;

	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;

		if (instance_runs(instance)) {
			error_set(&err, EBUSY, "container %s is running", instance->name);
			connection_fail(connection, &err, 1);
			return;
		}
	}
	supervisor->shutdown = true;
	connection_done(connection, NULL, NULL, 0);
}

static const struct {
	const char *name;
	void (*handle)(struct connection *connection, const json_t *request, int *fds,
		       size_t count);
} handlers[] = {
	/* clang-format off */
	{REQUEST_ATTACH, handle_attach},
	{REQUEST_END_INPUT, handle_end_input},
	{REQUEST_END_OUTPUT, handle_end_output},
	{REQUEST_CONNECT, handle_connect},
	{REQUEST_CONVERGE, handle_converge},
	{REQUEST_DISCONNECT, handle_disconnect},
	{REQUEST_EVENTS, handle_events},
	{REQUEST_EXEC, handle_exec},
	{REQUEST_EXEC_WAIT, handle_exec_wait},
	{REQUEST_JOB, handle_job},
	{REQUEST_KILL, handle_kill},
	{REQUEST_LOGS_SYNC, handle_logs_sync},
	{REQUEST_PING, handle_ping},
	{REQUEST_PS, handle_ps},
	{REQUEST_REEXEC, handle_reexec},
	{REQUEST_RENAME, handle_rename},
	{REQUEST_ROOT, handle_root},
	{REQUEST_RUN, handle_run},
	{REQUEST_SHUTDOWN, handle_shutdown},
	{REQUEST_UPDATE, handle_update},
	{REQUEST_USAGE, handle_usage},
	{REQUEST_WAIT, handle_wait},
	/* clang-format on */
};

void requests_dispatch(struct connection *connection, const json_t *request, int *fds, size_t count)
{
	const char *name = json_get_string(request, "request");
	const char *id = json_get_string(request, "id");
	struct error err = ERROR_INIT;

	connection->asked = true;
	/* It becomes part of a file's name. */
	if (id && strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32)
		strcpy(connection->id, id);
	array_foreach(row, handlers) {
		if (str_equal(name, row->name)) {
			row->handle(connection, request, fds, count);
			return;
		}
	}
	error_set(&err, EINVAL, "this supervisor (version %s) knows no request '%s'", BERTH_VERSION,
		  name ?: "");
	connection_fail(connection, &err, 1);
}
