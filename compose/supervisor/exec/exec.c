// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/exec/exec.h"

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/exec/exec_internal.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/requests/connection.h"
#include "compose/supervisor/translate/translate.h"

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
				      exec_session_ended, session);
	exec_session_write(session);
	exec_session_keep(session, "report", session->birth.report_fd);
	r = exec_session_watch_report(session, err);
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
		exec_session_tell_end(session, connection);
		return;
	}
	exec_session_add_client(session, connection);
	/* Not executed yet: then it is told with the others. */
	if (session->report)
		return;
	exec_session_tell_started(session, connection);
	if (session->detach) {
		session->client_count--;
		connection_done(connection, NULL, NULL, 0);
	}
}

void exec_request(struct exec_sessions *sessions, struct connection *connection, const char *id,
		  const json_t *request, int *fds, size_t count)
{
	struct exec_session *session = id[0] ? exec_session_find(sessions, id) : NULL;
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
	session = exec_session_new(sessions, id[0] ? id : random_id);
	strcpy(session->container, instance->id);
	session->tty = json_get_bool(request, "tty", false);
	session->detach = json_get_bool(request, "detach", false);
	session->rows = (unsigned short)json_get_int(request, "rows", 0);
	session->columns = (unsigned short)json_get_int(request, "columns", 0);
	exec_session_add_client(session, connection);
	if (translate_session(&translation, instance, request, &err) < 0) {
		exec_session_fail(session, &err, 126);
		goto out;
	}
	if (!session->tty) {
		translation.spec.stdin_fd = count > 0 ? fds[0] : -EBADF;
		translation.spec.stdout_fd = count > 1 ? fds[1] : -EBADF;
		translation.spec.stderr_fd = count > 2 ? fds[2] : -EBADF;
	}
	if (session_begin(session, instance, &translation, &err) < 0)
		exec_session_fail(session, &err, 126);
out:
	translation_done(&translation);
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void exec_start(struct instance *instance, const char *id, const json_t *request, const int *fds,
		exec_ended *ended, void *context)
{
	struct exec_session *session = exec_session_new(instance->supervisor->execs, id);
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
		exec_session_fail(session, &err, 126);
}

int exec_follow(struct exec_sessions *sessions, const char *id, exec_ended *ended, void *context,
		int *ret_exit_code, struct error *ret_err)
{
	struct exec_session *session = exec_session_find(sessions, id);

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
	struct exec_session *session = exec_session_find(sessions, id);

	if (session)
		session->ended = NULL;
}

void exec_wait_request(struct exec_sessions *sessions, struct connection *connection,
		       const json_t *request)
{
	const char *id = json_get_string(request, "exec");
	struct exec_session *session = exec_session_find(sessions, id);
	struct error err = ERROR_INIT;

	if (!session) {
		error_set(&err, ENOENT, "there is no exec session %s", id ?: "(no id)");
		connection_fail(connection, &err, 1);
		return;
	}
	if (!session->over) {
		exec_session_add_client(session, connection);
		return;
	}
	exec_session_tell_end(session, connection);
}
