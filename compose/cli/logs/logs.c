// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/logs/log_session.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static bool follow, no_color, no_log_prefix, timestamps;
static int container_index;
static const char *since, *until, *tail = "all";

static const struct option options[] = {
	{"follow", 'f', OPTION_FLAG, &follow, NULL, "Stay and show what comes"},
	{"index", 0, OPTION_INT, &container_index, "int", "Which replica, by its number"},
	{"no-color", 0, OPTION_FLAG, &no_color, NULL, "No colours"},
	{"no-log-prefix", 0, OPTION_FLAG, &no_log_prefix, NULL,
	 "Lines without the container's name"},
	{"since", 0, OPTION_STRING, &since, "string",
	 "From this time on: 2026-01-31T12:00:00Z, or 42m for the last 42 minutes"},
	{"tail", 'n', OPTION_STRING, &tail, "string",
	 "Only the last so many lines of each container"},
	{"timestamps", 't', OPTION_FLAG, &timestamps, NULL, "With the time of each line"},
	{"until", 0, OPTION_STRING, &until, "string", "Up to this time, written as for --since"},
	{NULL},
};

/* Of a single container: there is no name in front of its lines. */
static const struct option single_options[] = {
	{"details", 0, OPTION_FLAG, &no_log_prefix, NULL, NULL},
	{"follow", 'f', OPTION_FLAG, &follow, NULL, "Stay and show what comes"},
	{"since", 0, OPTION_STRING, &since, "string",
	 "From this time on: 2026-01-31T12:00:00Z, or 42m for the last 42 minutes"},
	{"tail", 'n', OPTION_STRING, &tail, "string", "Only the last so many lines"},
	{"timestamps", 't', OPTION_FLAG, &timestamps, NULL, "With the time of each line"},
	{"until", 0, OPTION_STRING, &until, "string", "Up to this time, written as for --since"},
	{NULL},
};

static int read_time(const char *flag, const char *text, int64_t *ret, struct error *err)
{
	if (!text || !text[0])
		return 0;
	if (units_parse_time(text, units_now_nsec(), ret) < 0)
		return error_set(err, EINVAL, "invalid value for \"%s\": failed to parse \"%s\"",
				 flag, text);
	return 0;
}

static int read_options(struct log_reader_options *ret, struct error *err)
{
	char *end;

	*ret = (struct log_reader_options){.tail = LOG_TAIL_ALL, .follow = follow};
	if (strcmp(tail, "all") != 0) {
		ret->tail = strtol(tail, &end, 10);
		if (end == tail || *end)
			return error_set(err, EINVAL, "invalid value for \"tail\": %s", tail);
		if (ret->tail < 0)
			ret->tail = LOG_TAIL_ALL;
	}
	if (read_time("since", since, &ret->since_nsec, err) < 0)
		return -err->code;
	return read_time("until", until, &ret->until_nsec, err);
}

static int follow_session(struct log_session *session, struct error *err)
{
	while (session->events && !session->printer.write_error &&
	       log_session_running(session) > 0) {
		_cleanup_free_ struct pollfd *polls =
			new_array(struct pollfd, log_session_polls_max(session) + 1);
		size_t n = log_session_polls(session, polls);

		polls[n] = (struct pollfd){STDOUT_FILENO, 0};
		if (poll(polls, n + 1, -1) < 0)
			continue;
		/* Who read it has gone: as the next line would end us, however long it takes. */
		if (polls[n].revents & POLLERR)
			(void)raise(SIGPIPE);
		if (log_session_work(session, polls[0].revents != 0, err) < 0)
			return -err->code;
	}
	log_session_finish(session);
	return 0;
}

static int show(struct log_session *session, struct error *err)
{
	struct error ignored = ERROR_INIT;
	int r = 0;

	if (follow)
		r = log_session_follow(session, err);
	else
		(void)client_call(session->project, CLIENT_START_FOR_STATE, REQUEST_LOGS_SYNC, NULL,
				  NULL, &ignored);
	if (r >= 0)
		r = log_session_open(session, err);
	if (r < 0)
		return r;
	log_session_drain(session);
	r = follow ? follow_session(session, err) : 0;
	if (r >= 0 && session->printer.write_error)
		return error_code(err, session->printer.write_error, "write the output");
	return r;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	struct log_session session = {0};
	struct error err = ERROR_INIT;
	int r;

	if (read_options(&session.options, &err) < 0 || target_open(args, argv, &target, &err) < 0)
		return output_fail(args, &err);
	if (!client_project_known(target.name))
		return 0;
	converge_exit_on_signals();
	session.project = target.name;
	session.services = argv;
	session.index = container_index;
	/* Whoever wants bare lines wants nothing but them. */
	session.quiet_exits = no_log_prefix;
	session.printer = (struct log_printer){
		.prefix = !no_log_prefix,
		.timestamps = timestamps,
		.color = !no_color && output_color(args, STDOUT_FILENO),
	};
	r = show(&session, &err);
	log_session_done(&session);
	return r < 0 ? output_fail(args, &err) : 0;
}

const struct command command_logs = {
	.name = "logs",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Show what containers wrote",
	.options = options,
	.max_operands = -1,
	.run = run,
};

static int run_single(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *container = NULL;
	struct log_session session = {.quiet_exits = true};
	struct error err = ERROR_INIT;
	int r;

	if (read_options(&session.options, &err) < 0 || machine_find(argv[0], &container, &err) < 0)
		return output_fail(args, &err);
	converge_exit_on_signals();
	session.project = json_get_string(container, "project");
	session.container = json_get_string(container, "id");
	session.printer = (struct log_printer){.timestamps = timestamps};
	r = show(&session, &err);
	log_session_done(&session);
	return r < 0 ? output_fail(args, &err) : 0;
}

const struct command command_container_logs = {
	.name = "logs",
	.operands = "[OPTIONS] CONTAINER",
	.summary = "Show what a container wrote",
	.options = single_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_single,
};
