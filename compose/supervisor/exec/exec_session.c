// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/exec/exec_internal.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/requests/connection.h"

#define FINISHED_MAX 64

struct exec_sessions *exec_sessions_new(struct supervisor *supervisor)
{
	struct exec_sessions *sessions = new (struct exec_sessions);
	struct error err = ERROR_INIT;

	sessions->supervisor = supervisor;
	sessions->dir = fs_mkdir_open(supervisor->runtime_dir, "execs", 0700, &err);
	if (sessions->dir < 0)
		log_warning("%s", err.message);
	return sessions;
}

struct exec_session *exec_session_find(struct exec_sessions *sessions, const char *id)
{
	struct exec_session *session = sessions->first;

	while (session && (!id || strcmp(session->id, id) != 0))
		session = session->next;
	return session;
}

struct exec_session *exec_session_new(struct exec_sessions *sessions, const char *id)
{
	struct exec_session *session = new (struct exec_session);

	session->sessions = sessions;
	snprintf(session->id, sizeof(session->id), "%s", id);
	session->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
	session->pty = -EBADF;
	session->next = sessions->first;
	sessions->first = session;
	return session;
}

void exec_session_write(struct exec_session *session)
{
	_cleanup_json_ json_t *record = json_object();
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	json_put_string(record, "container", session->container);
	json_put_int(record, "pid", session->pid);
	json_put_int(record, "start_ticks", (int64_t)session->start_ticks);
	json_put_bool(record, "tty", session->tty);
	json_put_bool(record, "unread", session->unread);
	if (session->over)
		json_put_int(record, "exit_code", session->exit_code);
	if (session->err.code) {
		json_put_int(record, "code", session->err.code);
		json_put_string(record, "error", session->err.message);
	}
	text = json_text(record);
	if (fs_replace(session->sessions->dir, session->id, text, strlen(text), FS_ATOMIC, &err) <
	    0)
		log_warning("exec %.12s: %s", session->id, err.message);
}

void exec_sessions_move(struct exec_sessions *sessions)
{
	_cleanup_free_ char *path = str_printf("%s/execs", sessions->supervisor->runtime_path);
	struct error err = ERROR_INIT;
	int dir = fs_mkdir_path(path, 0700, &err);

	if (dir < 0) {
		log_warning("%s", err.message);
		return;
	}
	cleanup_close_fd(&sessions->dir);
	sessions->dir = dir;
	for (struct exec_session *at = sessions->first; at; at = at->next)
		exec_session_write(at);
}

void exec_session_close_birth(struct exec_session *session)
{
	session->report = sd_event_source_disable_unref(session->report);
	birth_done(&session->birth);
	session->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
}

static void close_pty(struct exec_session *session)
{
	session->drain = sd_event_source_disable_unref(session->drain);
	cleanup_close_fd(&session->pty);
	session->pty = -EBADF;
}

void exec_session_free(struct exec_session *session)
{
	struct exec_session **at = &session->sessions->first;

	while (*at && *at != session)
		at = &(*at)->next;
	if (*at)
		*at = session->next;
	children_forget(session->sessions->supervisor->children, session->child);
	exec_session_close_birth(session);
	close_pty(session);
	free(session->clients);
	free(session);
}

void exec_sessions_free(struct exec_sessions *sessions)
{
	if (!sessions)
		return;
	while (sessions->first)
		exec_session_free(sessions->first);
	cleanup_close_fd(&sessions->dir);
	free(sessions);
}

static void client_left(struct connection *connection, void *data)
{
	struct exec_session *session = data;

	for (size_t i = session->client_count; i-- > 0;)
		if (session->clients[i] == connection)
			session->clients[i] = session->clients[--session->client_count];
	if (!session->client_count)
		exec_session_drain(session);
}

void exec_session_add_client(struct exec_session *session, struct connection *connection)
{
	*array_add(session->clients, session->client_count) = connection;
	connection_on_closed(connection, client_left, session);
}

/* A client that asks again much later is answered from the last few. */
static void forget_oldest(struct exec_sessions *sessions)
{
	struct exec_session *oldest = NULL;

	if (++sessions->finished <= FINISHED_MAX)
		return;
	for (struct exec_session *at = sessions->first; at; at = at->next)
		if (at->over && !at->client_count)
			oldest = at;
	if (!oldest)
		return;
	sessions->finished--;
	(void)unlinkat(sessions->dir, oldest->id, 0);
	exec_session_free(oldest);
}

/* The last thing that is done with a session: whoever hears of it may begin another. */
static void tell_ended(struct exec_session *session, int exit_code, const struct error *err)
{
	exec_ended *ended = session->ended;

	session->ended = NULL;
	if (ended)
		ended(session->ended_context, exit_code, err);
}

void exec_session_tell_end(const struct exec_session *session, struct connection *connection)
{
	json_t *reply;

	if (session->err.code) {
		connection_fail(connection, &session->err, session->exit_code);
		return;
	}
	reply = json_object();
	json_put_int(reply, "exit_code", session->exit_code);
	connection_done(connection, reply, NULL, 0);
}

void exec_session_finish(struct exec_session *session, int exit_code)
{
	struct exec_sessions *sessions = session->sessions;
	char name[64];

	session->over = true;
	session->exit_code = exit_code;
	exec_session_write(session);
	snprintf(name, sizeof(name), "exec:%s:*", session->id);
	keeper_client_drop(session->sessions->supervisor->keeper, name);
	close_pty(session);
	while (session->client_count)
		exec_session_tell_end(session, session->clients[--session->client_count]);
	tell_ended(session, exit_code, session->err.code ? &session->err : NULL);
	forget_oldest(sessions);
}

void exec_session_fail(struct exec_session *session, const struct error *err, int exit_code)
{
	session->err = *err;
	exec_session_finish(session, exit_code);
}

void exec_session_tell_started(struct exec_session *session, struct connection *connection)
{
	json_t *event = json_object();

	json_put_string(event, "event", "started");
	json_put_string(event, "exec", session->id);
	connection_event(connection, event, &session->pty, session->pty >= 0 ? 1 : 0);
}

void exec_session_keep(struct exec_session *session, const char *kind, int fd)
{
	char name[64];
	const char *list[] = {name};

	snprintf(name, sizeof(name), "exec:%s:%s", session->id, kind);
	(void)keeper_client_store(session->sessions->supervisor->keeper, list, &fd, 1);
}

void exec_session_take_pty(struct exec_session *session, int master)
{
	exec_session_keep(session, "pty", master);
	close_pty(session);
	session->pty = master;
	if (session->detach || session->unread)
		exec_session_drain(session);
	if (session->rows && session->columns)
		(void)container_resize(master, session->rows, session->columns);
}

static void executed(struct exec_session *session)
{
	session->report = sd_event_source_disable_unref(session->report);
	for (size_t i = session->client_count; i-- > 0;)
		exec_session_tell_started(session, session->clients[i]);
	while (session->detach && session->client_count)
		connection_done(session->clients[--session->client_count], NULL, NULL, 0);
}

static void read_report(struct exec_session *session)
{
	struct error err = ERROR_INIT;

	while (session->report) {
		struct birth_report report = {.pty_master = -EBADF};
		int news = container_report(&session->birth, &report, &err);

		if (news == BIRTH_PENDING)
			return;
		if (news == BIRTH_READY) {
			if (report.pty_master >= 0)
				exec_session_take_pty(session, report.pty_master);
			container_report_taken(&session->birth);
			continue;
		}
		if (news == BIRTH_EXECUTED) {
			executed(session);
			return;
		}
		session->report = sd_event_source_disable_unref(session->report);
		exec_session_fail(session, &err, news == BIRTH_FAILED ? report.exit_status : 126);
		return;
	}
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *data)
{
	read_report(data);
	return 0;
}

int exec_session_watch_report(struct exec_session *session, struct error *err)
{
	int r = sd_event_add_io(session->sessions->supervisor->event, &session->report,
				session->birth.report_fd, EPOLLIN, on_report, session);

	return r < 0 ? error_code(err, r, "watch the new process") : 0;
}

void exec_session_ended(void *owner, const struct process_exit *info)
{
	struct exec_session *session = owner;

	session->child = NULL;
	session->lost = false;
	if (session->report)
		read_report(session);
	exec_session_close_birth(session);
	if (!session->over)
		exec_session_finish(session, info->exit_code);
}

void exec_container_ended(struct instance *instance)
{
	struct exec_session *next;

	/* Their own ends come by the keeper; only what is long over is forgotten here. */
	for (struct exec_session *at = instance->supervisor->execs->first; at; at = next) {
		next = at->next;
		if (!at->over || at->client_count || strcmp(at->container, instance->id) != 0)
			continue;
		instance->supervisor->execs->finished--;
		(void)unlinkat(instance->supervisor->execs->dir, at->id, 0);
		exec_session_free(at);
	}
}
