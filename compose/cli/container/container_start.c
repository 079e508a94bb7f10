// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/container/container_start.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/target.h"
#include "compose/cli/logs/log_session.h"
#include "compose/cli/machine.h"
#include "compose/cli/run/attach.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static int watch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

	return process_signals_fd(signals, ARRAY_SIZE(signals));
}

static void pass_on(int signals, const json_t *container)
{
	_cleanup_json_ json_t *arguments = json_object();
	struct signalfd_siginfo info;
	struct error ignored = ERROR_INIT;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return;
	json_put_string(arguments, "container", json_get_string(container, "id"));
	json_put_int(arguments, "signal", (int64_t)info.ssi_signo);
	(void)client_call(json_get_string(container, "project"), CLIENT_START_FOR_STATE,
			  REQUEST_KILL, arguments, NULL, &ignored);
}

static int follow(struct log_session *session, const json_t *container, int signals,
		  struct error *err)
{
	while (session->events && log_session_running(session) > 0) {
		_cleanup_free_ struct pollfd *polls =
			new_array(struct pollfd, log_session_polls_max(session) + 1);
		size_t n = log_session_polls(session, polls);

		polls[n] = (struct pollfd){signals, POLLIN, 0};
		if (poll(polls, n + 1, -1) < 0)
			continue;
		if (polls[n].revents)
			pass_on(signals, container);
		if (log_session_work(session, polls[0].revents != 0, err) < 0)
			return -err->code;
	}
	log_session_finish(session);
	return 0;
}

static int start(struct project_args *args, const json_t *container)
{
	const struct plan_options options = {.goal = PLAN_START, .timeout_usec = -1};
	const char *progress = args->progress;
	int r;

	if (container_is_running(container))
		return 0;
	/* Only the container itself says something. */
	args->progress = "quiet";
	r = machine_converge_one(args, container, &options);
	args->progress = progress;
	return r;
}

/* Of one that is removed at its end only the session knows it. */
static int exit_code_of(const struct log_session *session, const json_t *container)
{
	_cleanup_json_ json_t *now = NULL;
	struct error gone = ERROR_INIT;

	if (machine_find(json_get_string(container, "id"), &now, &gone) >= 0)
		return (int)json_get_int(now, "exit_code", 0);
	return session->count ? session->sources[0].exit_code : 0;
}

/* What it writes is read from its log, so that nothing of its beginning is missed. */
static int start_and_read(struct project_args *args, const json_t *container)
{
	struct log_session session = {
		.project = json_get_string(container, "project"),
		.container = json_get_string(container, "id"),
		.quiet_exits = true,
		.options = {.tail = LOG_TAIL_ALL, .follow = true, .since_nsec = units_now_nsec()},
	};
	struct error err = ERROR_INIT;
	int signals = watch_signals(), r, exit_code;

	r = log_session_follow(&session, &err);
	exit_code = r < 0 ? 1 : start(args, container);
	if (exit_code == 0)
		r = log_session_open(&session, &err);
	if (exit_code == 0 && r >= 0) {
		log_session_drain(&session);
		r = follow(&session, container, signals, &err);
		exit_code = exit_code_of(&session, container);
	}
	log_session_done(&session);
	close(signals);
	return r < 0 ? output_fail(args, &err) : exit_code;
}

int container_start_attached(struct project_args *args, const json_t *container,
			     const struct start_attached *how)
{
	const struct attach_options attaching = {.detach_keys = how->detach_keys,
						 .no_stdin = !how->interactive,
						 .ends_input = how->interactive,
						 .start = start};

	if (args->dry_run)
		return start(args, container);
	if (!how->interactive && !json_get_bool(container, "tty", false))
		return start_and_read(args, container);
	return attach_container(args, container, &attaching);
}
