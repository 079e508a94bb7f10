// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/exec/exec_internal.h"
#include "compose/supervisor/instance/start.h"
#include "compose/supervisor/supervisor.h"

#define ENDED_UNNOTICED 255

static int claim(struct exec_session *session, const char *kind)
{
	char name[64];

	snprintf(name, sizeof(name), "exec:%s:%s", session->id, kind);
	return supervisor_claim_fd(session->sessions->supervisor, name);
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
			exec_session_take_pty(session, report.pty_master);
		container_report_taken(&session->birth);
	}
	if (news == BIRTH_PENDING && exec_session_watch_report(session, &err) < 0)
		log_warning("exec %.12s: %s", session->id, err.message);
	if (news == BIRTH_PENDING)
		return;
	exec_session_close_birth(session);
	if (news == BIRTH_ORPHANED) {
		/* Nothing has run: the client's next request begins it anew. */
		(void)unlinkat(session->sessions->dir, session->id, 0);
		exec_session_free(session);
	} else if (news != BIRTH_EXECUTED) {
		exec_session_fail(session, &err, news == BIRTH_FAILED ? report.exit_status : 126);
	}
}

static void load(struct exec_sessions *sessions, const char *id)
{
	_cleanup_json_ json_t *record = NULL;
	_cleanup_close_ int pidfd = -EBADF;
	struct error err = ERROR_INIT;
	struct exec_session *session;

	if (strlen(id) != 32 || json_read(sessions->dir, id, EXEC_RECORD_MAX, &record, &err) < 0) {
		(void)unlinkat(sessions->dir, id, 0);
		return;
	}
	session = exec_session_new(sessions, id);
	snprintf(session->container, sizeof(session->container), "%s",
		 json_get_string(record, "container") ?: "");
	session->pid = (pid_t)json_get_int(record, "pid", 0);
	session->start_ticks = (uint64_t)json_get_int(record, "start_ticks", 0);
	session->tty = json_get_bool(record, "tty", false);
	session->unread = json_get_bool(record, "unread", false);
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
				      session->start_ticks, exec_session_ended, session);
	if (session->unread)
		exec_session_drain(session);
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
		exec_session_finish(at, ENDED_UNNOTICED);
	}
}
