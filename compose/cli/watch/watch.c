// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/up_options.h"
#include "compose/cli/view/output.h"
#include "compose/cli/watch/watch_session.h"

#define EXIT_INTERRUPTED 130

static bool no_up, prune = true, quiet;

static const struct option options[] = {
	{"no-up", 0, OPTION_FLAG, &no_up, NULL, "Leave it at what runs: do not bring it up first"},
	{"prune", 0, OPTION_FLAG, &prune, NULL,
	 "Remove images that a rebuild replaced (on; --prune=false)"},
	{"quiet", 0, OPTION_FLAG, &quiet, NULL, "No output of the builds"},
	{NULL},
};

static int watch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM};

	return process_signals_fd(signals, ARRAY_SIZE(signals));
}

static int loop(struct watch_session *session, int signals, struct error *err)
{
	for (;;) {
		struct pollfd polls[WATCH_SESSION_POLLS + 1];
		int r;

		watch_session_polls(session, polls);
		polls[WATCH_SESSION_POLLS] = (struct pollfd){signals, POLLIN};
		(void)poll(polls, WATCH_SESSION_POLLS + 1, watch_session_timeout(session));
		if (polls[WATCH_SESSION_POLLS].revents)
			return 0;
		r = watch_session_work(session, err);
		if (r < 0)
			return r;
	}
}

static int bring_up(struct project_args *args, char **argv, struct project **project)
{
	struct converge converge = {.verb = "up"};
	struct watch_rules rules = {0};
	struct error err = ERROR_INIT;
	int r;

	up_options.quiet_build = quiet;
	r = up_options_prepare(args, argv, false, project, &converge);
	/* What cannot be watched is not started for it. */
	if (r == 0 && watch_rules_read(*project, argv, &rules, &err) < 0)
		r = output_fail(args, &err);
	watch_rules_done(&rules);
	if (r == 0 && (!no_up || args->dry_run))
		r = converge_run(args, &converge);
	up_options_done(&converge);
	return r;
}

static int run(struct project_args *args, int argc, char **argv)
{
	const struct watch_session_options with = {.prune = prune, .quiet = quiet, .stop_usec = -1};
	_cleanup_close_ int signals = -EBADF;
	struct watch_session *session = NULL;
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	int r = bring_up(args, argv, &project);

	if (r == 0 && !args->dry_run) {
		signals = watch_signals();
		if (watch_session_open(args, project, argv, &with, &session, &err) < 0 ||
		    loop(session, signals, &err) < 0)
			r = output_fail(args, &err);
		else
			r = EXIT_INTERRUPTED;
		watch_session_close(session);
	}
	project_free(project);
	return r;
}

const struct command command_watch = {
	.name = "watch",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Bring changed files into containers, as `develop.watch` says",
	.options = options,
	.max_operands = -1,
	.run = run,
};
