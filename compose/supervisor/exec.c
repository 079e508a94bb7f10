// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/exec.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/instance.h"
#include "compose/supervisor/keeper_client.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/requests.h"
#include "compose/supervisor/start.h"
#include "compose/supervisor/translate/translate.h"

#define RECORD_MAX      4096
#define FINISHED_MAX    64
#define ENDED_UNNOTICED 255

struct exec_session {
	struct exec_session *next;
	struct exec_sessions *sessions;
	char id[33];
	char container[65];
	pid_t pid;
	uint64_t start_ticks;
	bool tty, detach, over;
	bool lost; /* found at start with no process: the keeper may still say how it ended */
	int exit_code;
	struct error err; /* why it could not be started */
	unsigned short rows, columns;
	struct birth birth;
	struct child *child;
	sd_event_source *report;
	int pty; /* until the client has it; the keeper has another */
	struct connection **clients;
	size_t client_count;
	exec_ended *ended; /* of one for ourselves */
	void *ended_context;
};

struct exec_sessions {
	struct supervisor *supervisor;
	int dir;
	struct exec_session *first;
	size_t finished;
};

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

static struct exec_session *find(struct exec_sessions *sessions, const char *id)
{
	struct exec_session *session = sessions->first;

	while (session && (!id || strcmp(session->id, id) != 0))
		session = session->next;
	return session;
}

static struct exec_session *session_new(struct exec_sessions *sessions, const char *id)
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

static void record_write(struct exec_session *session)
{
	_cleanup_json_ json_t *record = json_object();
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	json_put_string(record, "container", session->container);
	json_put_int(record, "pid", session->pid);
	json_put_int(record, "start_ticks", (int64_t)session->start_ticks);
	json_put_bool(record, "tty", session->tty);
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

static void close_birth(struct exec_session *session)
{
	session->report = sd_event_source_disable_unref(session->report);
	birth_done(&session->birth);
	session->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
}

static void session_free(struct exec_session *session)
{
	struct exec_session **at = &session->sessions->first;

	while (*at && *at != session)
		at = &(*at)->next;
	if (*at)
		*at = session->next;
	children_forget(session->sessions->supervisor->children, session->child);
	close_birth(session);
	cleanup_close_fd(&session->pty);
	free(session->clients);
	free(session);
}

void exec_sessions_free(struct exec_sessions *sessions)
{
	if (!sessions)
		return;
	while (sessions->first)
		session_free(sessions->first);
	cleanup_close_fd(&sessions->dir);
	free(sessions);
}

static void client_left(struct connection *connection, void *data)
{
	struct exec_session *session = data;

	for (size_t i = session->client_count; i-- > 0;)
		if (session->clients[i] == connection)
			session->clients[i] = session->clients[--session->client_count];
}

static void add_client(struct exec_session *session, struct connection *connection)
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
	session_free(oldest);
}

/* The last thing that is done with a session: whoever hears of it may begin another. */
static void tell_ended(struct exec_session *session, int exit_code, const struct error *err)
{
	exec_ended *ended = session->ended;

	session->ended = NULL;
	if (ended)
		ended(session->ended_context, exit_code, err);
}

/* What a client hears that is there at the end, or asks once more after it. */
static void tell_end(const struct exec_session *session, struct connection *connection)
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

static void finish(struct exec_session *session, int exit_code)
{
	struct exec_sessions *sessions = session->sessions;
	char name[64];

	session->over = true;
	session->exit_code = exit_code;
	record_write(session);
	snprintf(name, sizeof(name), "exec:%s:*", session->id);
	keeper_client_drop(session->sessions->supervisor->keeper, name);
	cleanup_close_fd(&session->pty);
	session->pty = -EBADF;
	while (session->client_count)
		tell_end(session, session->clients[--session->client_count]);
	tell_ended(session, exit_code, session->err.code ? &session->err : NULL);
	forget_oldest(sessions);
}

static void fail(struct exec_session *session, const struct error *err, int exit_code)
{
	session->err = *err;
	finish(session, exit_code);
}

static void tell_started(struct exec_session *session, struct connection *connection)
{
	json_t *event = json_object();

	json_put_string(event, "event", "started");
	json_put_string(event, "exec", session->id);
	connection_event(connection, event, &session->pty, session->pty >= 0 ? 1 : 0);
}

static void keep(struct exec_session *session, const char *kind, int fd)
{
	char name[64];
	const char *list[] = {name};

	snprintf(name, sizeof(name), "exec:%s:%s", session->id, kind);
	(void)keeper_client_store(session->sessions->supervisor->keeper, list, &fd, 1);
}

static int claim(struct exec_session *session, const char *kind)
{
	char name[64];

	snprintf(name, sizeof(name), "exec:%s:%s", session->id, kind);
	return supervisor_claim_fd(session->sessions->supervisor, name);
}

static void take_pty(struct exec_session *session, int master)
{
	keep(session, "pty", master);
	cleanup_close_fd(&session->pty);
	session->pty = master;
	if (session->rows && session->columns)
		(void)container_resize(master, session->rows, session->columns);
}

static void executed(struct exec_session *session)
{
	session->report = sd_event_source_disable_unref(session->report);
	for (size_t i = session->client_count; i-- > 0;)
		tell_started(session, session->clients[i]);
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
				take_pty(session, report.pty_master);
			container_report_taken(&session->birth);
			continue;
		}
		if (news == BIRTH_EXECUTED) {
			executed(session);
			return;
		}
		session->report = sd_event_source_disable_unref(session->report);
		fail(session, &err, news == BIRTH_FAILED ? report.exit_status : 126);
		return;
	}
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *data)
{
	read_report(data);
	return 0;
}

static int watch_report(struct exec_session *session, struct error *err)
{
	int r = sd_event_add_io(session->sessions->supervisor->event, &session->report,
				session->birth.report_fd, EPOLLIN, on_report, session);

	return r < 0 ? error_code(err, r, "watch the new process") : 0;
}

static void on_ended(void *owner, const struct process_exit *info)
{
	struct exec_session *session = owner;

	session->child = NULL;
	session->lost = false;
	if (session->report)
		read_report(session);
	close_birth(session);
	if (!session->over)
		finish(session, info->exit_code);
}

static struct instance *container_of(struct supervisor *supervisor, const json_t *request,
				     struct error *err)
{
	const char *container = json_get_string(request, "container");
	const char *service = json_get_string(request, "service");
	int64_t index = json_get_int(request, "index", 0);
	struct instance *instance = NULL;

	if (container)
		instance = supervisor_find(supervisor, container);
	else if (service)
		instance = supervisor_find_service(supervisor, service, (unsigned int)index);
	if (!instance || !instance->pid || instance->state == INSTANCE_STARTING) {
		if (container)
			error_set(err, ENOENT, "container %s is not running", container);
		else if (index > 0)
			error_set(err, ENOENT, "service \"%s\" is not running container #%lld",
				  service ?: "", (long long)index);
		else
			error_set(err, ENOENT, "service \"%s\" is not running", service ?: "");
		return NULL;
	}
	if (instance->state == INSTANCE_PAUSED) {
		error_set(err, EBUSY, "container %s is paused, unpause it before exec",
			  instance->name);
		return NULL;
	}
	return instance;
}

static int translate_session(struct translation *translation, struct instance *instance,
			     const json_t *request, struct error *err)
{
	const struct image *image = observe_image(instance->supervisor, instance->image_id, err);
	_cleanup_strv_ char **env = json_get_strv(request, "env");
	char **args = json_get_strv(request, "args");
	const char *text;

	*translation = (struct translation){
		.instance = instance,
		.service = instance->service,
		.project = instance->model->project,
		.image = image,
	};
	strv_foreach(word, args)
		translation_own(translation, word);
	translation_own(translation, args);
	if (!image)
		return -err->code;
	if (!args)
		return error_set(err, EINVAL, "there is no command to execute");
	translation->spec.id = instance->id;
	translation->spec.stdin_fd = translation->spec.stdout_fd = -EBADF;
	translation->spec.stderr_fd = -EBADF;
	if (translate_exec_process(translation, json_get_bool(request, "privileged", false), err) <
	    0)
		return -err->code;
	translation->spec.args = (const char *const *)args;
	translation->spec.terminal = json_get_bool(request, "tty", false);
	if (translation->spec.terminal)
		strv_env_set(&translation->env, "TERM", "xterm");
	strv_foreach(row, env) {
		_cleanup_free_ char *key = alloc_string_n(row, strcspn(row, "="));

		strv_env_set(&translation->env, key, row[strlen(key)] ? row + strlen(key) + 1 : "");
	}
	translation->spec.env = (const char *const *)translation->env;
	text = json_get_string(request, "user");
	if (text && text[0])
		translation->spec.user = text;
	text = json_get_string(request, "cwd");
	if (text && text[0])
		translation->spec.cwd = text;
	translation->spec.cgroup_handle = instance->cgroup;
	return 0;
}

static int session_begin(struct exec_session *session, struct instance *instance,
			 const struct translation *translation, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	int r = container_exec(instance->pidfd, &translation->spec, true, &session->birth, err);

	if (r < 0)
		return r;
	session->pid = session->birth.pid;
	session->start_ticks = session->birth.start_ticks;
	session->child = children_add(supervisor->children, session->pid, session->start_ticks,
				      on_ended, session);
	record_write(session);
	keep(session, "report", session->birth.report_fd);
	r = watch_report(session, err);
	if (r < 0)
		return r;
	r = container_release(&session->birth);
	return r < 0 && r != -EPIPE ? error_code(err, r, "let the process go") : 0;
}

/* The same id once more: its client lost us, not the session. */
static void answer_again(struct exec_session *session, struct connection *connection,
			 const json_t *request)
{
	session->detach = json_get_bool(request, "detach", false);
	if (session->over && session->detach && !session->err.code) {
		connection_done(connection, NULL, NULL, 0);
		return;
	}
	if (session->over) {
		tell_end(session, connection);
		return;
	}
	add_client(session, connection);
	/* Not executed yet: then it is told with the others. */
	if (session->report)
		return;
	tell_started(session, connection);
	if (session->detach) {
		session->client_count--;
		connection_done(connection, NULL, NULL, 0);
	}
}

void exec_request(struct exec_sessions *sessions, struct connection *connection, const char *id,
		  const json_t *request, int *fds, size_t count)
{
	struct exec_session *session = id[0] ? find(sessions, id) : NULL;
	struct translation translation = {0};
	struct error err = ERROR_INIT;
	struct instance *instance;
	char random_id[33];

	if (session) {
		answer_again(session, connection, request);
		goto out;
	}
	instance = container_of(sessions->supervisor, request, &err);
	if (!instance) {
		connection_fail(connection, &err, 1);
		goto out;
	}
	fs_random_hex(random_id, 16);
	session = session_new(sessions, id[0] ? id : random_id);
	strcpy(session->container, instance->id);
	session->tty = json_get_bool(request, "tty", false);
	session->detach = json_get_bool(request, "detach", false);
	session->rows = (unsigned short)json_get_int(request, "rows", 0);
	session->columns = (unsigned short)json_get_int(request, "columns", 0);
	add_client(session, connection);
	if (translate_session(&translation, instance, request, &err) < 0) {
		fail(session, &err, 126);
		goto out;
	}
	if (!session->tty) {
		translation.spec.stdin_fd = count > 0 ? fds[0] : -EBADF;
		translation.spec.stdout_fd = count > 1 ? fds[1] : -EBADF;
		translation.spec.stderr_fd = count > 2 ? fds[2] : -EBADF;
	}
	if (session_begin(session, instance, &translation, &err) < 0)
		fail(session, &err, 126);
out:
	translation_done(&translation);
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void exec_start(struct instance *instance, const char *id, const json_t *request, const int *fds,
		exec_ended *ended, void *context)
{
	struct exec_session *session = session_new(instance->supervisor->execs, id);
	struct translation translation = {0};
	struct error err = ERROR_INIT;
	int r;

	strcpy(session->container, instance->id);
	session->ended = ended;
	session->ended_context = context;
	r = translate_session(&translation, instance, request, &err);
	if (r == 0) {
		translation.spec.stdin_fd = fds[0];
		translation.spec.stdout_fd = fds[1];
		translation.spec.stderr_fd = fds[2];
		r = session_begin(session, instance, &translation, &err);
	}
	translation_done(&translation);
	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (r < 0)
		fail(session, &err, 126);
}

int exec_follow(struct exec_sessions *sessions, const char *id, exec_ended *ended, void *context,
		int *ret_exit_code, struct error *ret_err)
{
	struct exec_session *session = find(sessions, id);

	if (!session)
		return -ENOENT;
	if (session->over) {
		*ret_exit_code = session->exit_code;
		*ret_err = session->err;
		return 1;
	}
	session->ended = ended;
	session->ended_context = context;
	return 0;
}

void exec_unfollow(struct exec_sessions *sessions, const char *id)
{
	struct exec_session *session = find(sessions, id);

	if (session)
		session->ended = NULL;
}

void exec_wait_request(struct exec_sessions *sessions, struct connection *connection,
		       const json_t *request)
{
	const char *id = json_get_string(request, "exec");
	struct exec_session *session = find(sessions, id);
	struct error err = ERROR_INIT;

	if (!session) {
		error_set(&err, ENOENT, "there is no exec session %s", id ?: "(no id)");
		connection_fail(connection, &err, 1);
		return;
	}
	if (!session->over) {
		add_client(session, connection);
		return;
	}
	tell_end(session, connection);
}

/* What the supervisor before us did not see the end of. */
static void resume_birth(struct exec_session *session)
{
	int64_t until_usec = units_monotonic_usec() + START_PATIENCE_USEC;
	struct birth_report report;
	struct error err = ERROR_INIT;
	int news;

	session->birth.report_fd = claim(session, "report");
	if (session->birth.report_fd < 0)
		return;
	while ((news = container_report_wait(&session->birth, until_usec, &report, &err)) ==
	       BIRTH_READY) {
		if (report.pty_master >= 0)
			take_pty(session, report.pty_master);
		container_report_taken(&session->birth);
	}
	if (news == BIRTH_PENDING && watch_report(session, &err) < 0)
		log_warning("exec %.12s: %s", session->id, err.message);
	if (news == BIRTH_PENDING)
		return;
	close_birth(session);
	if (news == BIRTH_ORPHANED) {
		/* Nothing has run: the client's next request begins it anew. */
		(void)unlinkat(session->sessions->dir, session->id, 0);
		session_free(session);
	} else if (news != BIRTH_EXECUTED) {
		fail(session, &err, news == BIRTH_FAILED ? report.exit_status : 126);
	}
}

static void load(struct exec_sessions *sessions, const char *id)
{
	_cleanup_json_ json_t *record = NULL;
	_cleanup_close_ int pidfd = -EBADF;
	struct error err = ERROR_INIT;
	struct exec_session *session;

	if (strlen(id) != 32 || json_read(sessions->dir, id, RECORD_MAX, &record, &err) < 0) {
		(void)unlinkat(sessions->dir, id, 0);
		return;
	}
	session = session_new(sessions, id);
	snprintf(session->container, sizeof(session->container), "%s",
		 json_get_string(record, "container") ?: "");
	session->pid = (pid_t)json_get_int(record, "pid", 0);
	session->start_ticks = (uint64_t)json_get_int(record, "start_ticks", 0);
	session->tty = json_get_bool(record, "tty", false);
	session->pty = claim(session, "pty");
	if (json_get_int(record, "code", 0) > 0)
		error_set(&session->err, (int)json_get_int(record, "code", 0), "%s",
			  json_get_string(record, "error") ?: "");
	session->over = json_object_get(record, "exit_code") != NULL;
	session->exit_code = (int)json_get_int(record, "exit_code", 0);
	if (session->over) {
		sessions->finished++;
		return;
	}
	pidfd = process_adopt(session->pid, session->start_ticks);
	session->lost = pidfd < 0;
	session->child = children_add(sessions->supervisor->children, session->pid,
				      session->start_ticks, on_ended, session);
	resume_birth(session);
}

void exec_sessions_load(struct exec_sessions *sessions)
{
	_cleanup_strv_ char **ids = NULL;
	struct error err = ERROR_INIT;

	if (sessions->dir < 0 || fs_list(sessions->dir, ".", &ids, &err) < 0)
		return;
	strv_foreach(id, ids)
		load(sessions, id);
}

void exec_sessions_settle(struct exec_sessions *sessions)
{
	struct exec_session *next;

	for (struct exec_session *at = sessions->first; at; at = next) {
		next = at->next;
		if (!at->lost || at->over)
			continue;
		children_forget(sessions->supervisor->children, TAKE_PTR(at->child));
		finish(at, ENDED_UNNOTICED);
	}
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
		session_free(at);
	}
}
