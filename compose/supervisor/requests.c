// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/requests.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/control/message.h"
#include "compose/control/requests.h"
#include "compose/supervisor/events.h"
#include "compose/supervisor/exec.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance.h"
#include "compose/supervisor/keeper_client.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/membership.h"
#include "compose/supervisor/names.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/oneoff.h"
#include "compose/supervisor/update.h"
#include "compose/supervisor/usage.h"

#define CONNECTIONS_MAX 1024
#define QUEUED_MAX      (4 << 20)

struct connection {
	struct connection *next;
	struct server *server;
	struct message_stream *stream;
	sd_event_source *source;
	char id[33];
	bool asked;  /* its request came */
	bool ending; /* its last message is on the way */
	void (*closed)(struct connection *connection, void *data);
	void *data;
	char **waiting; /* `wait`: ids that did not exit yet */
};

struct server {
	struct supervisor *supervisor;
	int fd;
	sd_event_source *source;
	struct connection *first;
	size_t count;
};

/* Those that have all they asked for, or are to be told as the last thing, keep nobody here. */
bool server_idle(const struct server *server)
{
	for (const struct connection *at = server->first; at; at = at->next)
		if (!(at->ending && !message_queued(at->stream)) &&
		    !executor_is_parting(server->supervisor->executor, at))
			return false;
	return true;
}

void connection_on_closed(struct connection *connection,
			  void (*closed)(struct connection *connection, void *data), void *data)
{
	connection->closed = closed;
	connection->data = data;
}

static void connection_free(struct connection *connection)
{
	struct connection **at = &connection->server->first;
	struct supervisor *supervisor = connection->server->supervisor;

	while (*at && *at != connection)
		at = &(*at)->next;
	if (*at)
		*at = connection->next;
	connection->server->count--;
	if (connection->closed)
		connection->closed(connection, connection->data);
	executor_forget_listener(supervisor->executor, connection);
	events_unsubscribe(supervisor->events, connection);
	sd_event_source_disable_unref(connection->source);
	message_stream_free(connection->stream);
	strv_free(connection->waiting);
	free(connection);
}

static void watch(struct connection *connection)
{
	bool queued = message_queued(connection->stream) > 0;

	(void)sd_event_source_set_io_events(connection->source, EPOLLIN | (queued ? EPOLLOUT : 0));
}

static void send_message(struct connection *connection, json_t *message, const int *fds,
			 size_t count)
{
	struct error err = ERROR_INIT;

	/* What fails here shows as an end of the stream in the loop, which then lets it go. */
	if (message_queued(connection->stream) > QUEUED_MAX)
		(void)shutdown(message_stream_fd(connection->stream), SHUT_RDWR);
	else if (message_send(connection->stream, message, fds, count, &err) < 0)
		log_debug("a client: %s", err.message);
	json_decref(message);
	watch(connection);
}

void connection_event(struct connection *connection, json_t *event, const int *fds, size_t count)
{
	send_message(connection, event, fds, count);
}

/* The client reads to the end and closes; so do we, when all is written. */
static void end(struct connection *connection)
{
	connection->ending = true;
	connection->closed = NULL;
	executor_forget_listener(connection->server->supervisor->executor, connection);
	events_unsubscribe(connection->server->supervisor->events, connection);
	if (!message_queued(connection->stream))
		(void)shutdown(message_stream_fd(connection->stream), SHUT_WR);
}

void connection_done(struct connection *connection, json_t *fields, const int *fds, size_t count)
{
	json_t *message = fields ?: json_object();

	json_put_string(message, "reply", "done");
	send_message(connection, message, fds, count);
	end(connection);
}

void connection_fail(struct connection *connection, const struct error *err, int exit_code)
{
	json_t *message = json_object();

	json_put_string(message, "reply", "error");
	json_put_int(message, "code", err->code);
	json_put_string(message, "where", err->where);
	json_put_string(message, "message", err->message);
	json_put_int(message, "exit", exit_code);
	send_message(connection, message, NULL, 0);
	end(connection);
}

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

static void handle_attach(struct connection *connection, const json_t *request, int *fds,
			  size_t count)
{
	const char *name = json_get_string(request, "container");
	struct instance *instance =
		name ? supervisor_find(connection->server->supervisor, name) : NULL;
	struct error err = ERROR_INIT;
	json_t *reply;
	int fd;

	if (!instance || !instance->pid) {
		error_set(&err, ENOENT, "container %s is not running", name ?: "(no name)");
		connection_fail(connection, &err, 1);
		return;
	}
	for (size_t i = 0; i < count && i < 2 && instance->log; i++)
		if (log_pump_tee(instance->log, TAKE_FD(fds[i]), 1u << (LOG_STDOUT + i), &err) < 0)
			log_warning("%s: %s", instance->name, err.message);
	reply = json_object();
	json_put_bool(reply, "tty", instance->tty);
	fd = instance->tty ? instance->pty_fd : instance->stdin_fd;
	connection_done(connection, reply, &fd, fd >= 0 ? 1 : 0);
}

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

static void handle_wait(struct connection *connection, const json_t *request, int *fds,
			size_t count)
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
	{REQUEST_CONNECT, handle_connect},
	{REQUEST_CONVERGE, handle_converge},
	{REQUEST_DISCONNECT, handle_disconnect},
	{REQUEST_EVENTS, handle_events},
	{REQUEST_EXEC, handle_exec},
	{REQUEST_EXEC_WAIT, handle_exec_wait},
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

static void dispatch(struct connection *connection, const json_t *request, int *fds, size_t count)
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

/* False: the connection is no more. */
static bool receive(struct connection *connection)
{
	struct error err = ERROR_INIT;
	int fds[FD_PASS_MAX];
	size_t count = 0;
	json_t *request = NULL;
	int r = message_receive(connection->stream, &request, fds, &count, &err);

	if (r == 0)
		return true;
	if (r < 0) {
		if (r != -EPIPE && !connection->ending) {
			connection_fail(connection, &err, 1);
			return true;
		}
		return false;
	}
	if (!connection->asked)
		dispatch(connection, request, fds, count);
	else if (json_get_string(request, "image"))
		executor_image_told(connection->server->supervisor->executor, connection, request);
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	json_decref(request);
	return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct connection *connection = data;
	struct supervisor *supervisor = connection->server->supervisor;
	struct error err = ERROR_INIT;
	bool alive = true;

	if (events & EPOLLOUT) {
		alive = message_flush(connection->stream, &err) >= 0;
		if (alive && connection->ending && !message_queued(connection->stream))
			(void)shutdown(fd, SHUT_WR);
	}
	if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		alive = receive(connection);
	if (alive && (events & EPOLLHUP))
		alive = false;
	if (alive) {
		watch(connection);
		return 0;
	}
	connection_free(connection);
	supervisor_maybe_end(supervisor);
	return 0;
}

static bool may_ask(int fd)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

static int on_connect(sd_event_source *source, int listening, uint32_t events, void *data)
{
	struct server *server = data;
	struct connection *connection;
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return 0;
	if (server->count >= CONNECTIONS_MAX || !may_ask(fd)) {
		close(fd);
		return 0;
	}
	server->supervisor->met = true;
	connection = new (struct connection);
	connection->server = server;
	connection->next = server->first;
	server->first = connection;
	server->count++;
	connection->stream = message_stream_new(fd);
	if (sd_event_add_io(server->supervisor->event, &connection->source, fd, EPOLLIN, on_io,
			    connection) < 0)
		connection_free(connection);
	return 0;
}

/* Named only once it listens, so that whoever finds it can connect. */
static int listen_anew(struct supervisor *supervisor, struct error *err)
{
	static const char *const name[] = {"control"};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char dir[FD_PATH_MAX];

	if (fd < 0)
		return error_errno(err, "make the control socket");
	/* By way of the descriptor: the path itself may be too long for a socket's address. */
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.new",
		 fd_path(supervisor->runtime_dir, dir));
	(void)unlinkat(supervisor->runtime_dir, "control.new", 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fchmodat(supervisor->runtime_dir, "control.new", 0600, 0) < 0 || listen(fd, 128) < 0 ||
	    renameat(supervisor->runtime_dir, "control.new", supervisor->runtime_dir,
		     "control.sock") < 0)
		return error_errno(err, "%s/control.sock", supervisor->runtime_path);
	(void)keeper_client_store(supervisor->keeper, name, &fd, 1);
	return TAKE_FD(fd);
}

/* The kept socket is worth something only as long as it is the one at our path. */
static int kept_socket(struct supervisor *supervisor)
{
	_cleanup_close_ int fd = supervisor_claim_fd(supervisor, "control");

	if (fd < 0 || faccessat(supervisor->runtime_dir, "control.sock", F_OK, 0) < 0)
		return -EBADF;
	return TAKE_FD(fd);
}

int server_new(struct supervisor *supervisor, struct server **ret, struct error *err)
{
	struct server *server;
	int fd = kept_socket(supervisor), r;

	if (fd < 0)
		fd = listen_anew(supervisor, err);
	if (fd < 0)
		return fd;
	server = new (struct server);
	server->supervisor = supervisor;
	server->fd = fd;
	r = sd_event_add_io(supervisor->event, &server->source, fd, EPOLLIN, on_connect, server);
	if (r < 0) {
		close(fd);
		free(server);
		return error_code(err, r, "watch the control socket");
	}
	*ret = server;
	return 0;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	while (server->first)
		connection_free(server->first);
	sd_event_source_disable_unref(server->source);
	close(server->fd);
	free(server);
}
