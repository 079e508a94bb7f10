// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/run/attached.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/timeline/timeline.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/terminal.h"
#include "compose/cli/watch/watch_session.h"
#include "compose/control/requests.h"

#define EXIT_INTERRUPTED 130
#define FOREGROUND_MSEC  300 /* until a job that is brought to the foreground notices */

DEFINE_CLEANUP(struct progress *, progress_free);

struct attached {
	struct project_args *args;
	struct converge *converge;
	const struct attached_options *options;
	struct log_session *session;
	struct progress *progress;
	struct client *work; /* the converge that is under way, or NULL */
	struct watch_session *watch;
	int signals, keys; /* keys: stdin, or -1 */
	unsigned int interrupts;
	bool opened, stopping, decided, asked_ended, up, detached, watch_wanted, background;
	int exit_code;
};

static int watch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM};

	return process_signals_fd(signals, ARRAY_SIZE(signals));
}

static void print_attaching(const struct log_session *session)
{
	bool any = false;

	for (size_t i = 0; i < session->count; i++) {
		if (!session->sources[i].reader)
			continue;
		printf("%s%s", any ? ", " : "Attaching to ", session->sources[i].name);
		any = true;
	}
	if (any)
		putchar('\n');
	fflush(stdout);
}

/* One line, once: a bar at the bottom would have to be torn by every line of the logs. */
static void print_menu(const struct attached *attached)
{
	if (attached->options->menu)
		fputs("d detaches, w watches, Ctrl+C stops\n", stderr);
}

/* The first container runs: from here on the screen belongs to the logs. */
static int open_session(struct attached *attached, struct error *err)
{
	if (attached->opened)
		return 0;
	attached->opened = true;
	if (log_session_open(attached->session, err) < 0)
		return -err->code;
	if (attached->converge->beside) {
		pull_beside_be_brief(attached->converge->beside);
		progress_by_lines(attached->progress);
	} else {
		progress_freeze(attached->progress);
	}
	print_attaching(attached->session);
	print_menu(attached);
	return 0;
}

static void end_watching(struct attached *attached)
{
	watch_session_close(attached->watch);
	attached->watch = NULL;
}

static int start_goal(struct attached *attached, enum plan_goal goal, struct error *err)
{
	struct plan_options options = {
		.goal = goal,
		.services = attached->converge->options.services,
		.timeout_usec = attached->converge->options.timeout_usec,
		.signal = goal == PLAN_KILL ? SIGKILL : 0,
	};
	_cleanup_json_ json_t *arguments =
		converge_arguments(attached->converge->project, &options, false);

	end_watching(attached);
	/* Nobody who pressed Ctrl-C wants to wait until the last one is healthy. */
	json_put_bool(arguments, "interrupt", true);
	client_free(attached->work);
	attached->work = NULL;
	pull_beside_free(TAKE_PTR(attached->converge->beside));
	progress_free(attached->progress);
	attached->progress = progress_new(attached->args, goal == PLAN_KILL ? "kill" : "stop");
	/* Logs go on between: a picture that is redrawn would tear them. */
	progress_by_lines(attached->progress);
	attached->stopping = true;
	return client_request(attached->converge->name, CLIENT_START_FOR_STATE, REQUEST_CONVERGE,
			      arguments, NULL, 0, &attached->work, err);
}

static int interrupted(struct attached *attached, struct error *err)
{
	struct signalfd_siginfo info;

	if (read(attached->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	attached->exit_code = EXIT_INTERRUPTED;
	attached->decided = true;
	attached->interrupts++;
	log_session_drain(attached->session);
	if (attached->interrupts == 1) {
		fputs("Gracefully Stopping... press Ctrl+C again to force\n", stderr);
		return start_goal(attached, PLAN_STOP, err);
	}
	if (attached->interrupts == 2)
		return start_goal(attached, PLAN_KILL, err);
	return error_set(err, EINTR, "interrupted");
}

static void container_ended(void *data, struct log_session *session,
			    const struct log_source *source)
{
	struct attached *attached = data;
	const struct attached_options *options = attached->options;
	struct error err = ERROR_INIT;
	bool failed = source->exit_code != 0, abort;

	if (options->exit_code_from && str_equal(source->service, options->exit_code_from) &&
	    !attached->asked_ended && !attached->interrupts) {
		attached->exit_code = source->exit_code;
		attached->decided = attached->asked_ended = true;
	}
	abort = options->abort_on_exit || (options->abort_on_failure && failed);
	if (!abort || attached->stopping || !source->awaited)
		return;
	/* That of the first one to end, unless the one that was asked for comes to an end. */
	if (!attached->decided) {
		attached->exit_code = source->exit_code;
		attached->decided = true;
	}
	fputs("Aborting on container exit...\n", stderr);
	if (start_goal(attached, PLAN_STOP, &err) < 0)
		output_fail(attached->args, &err);
}

static int ask(struct attached *attached, struct error *err)
{
	const struct converge *converge = attached->converge;
	_cleanup_json_ json_t *arguments =
		converge_arguments(converge->project, &converge->options, false);

	if (converge->beside)
		json_object_set_new(arguments, "coming", pull_beside_coming(converge->beside));
	return client_request(converge->name, CLIENT_START, REQUEST_CONVERGE, arguments, NULL, 0,
			      &attached->work, err);
}

/* The start is over, however it went. */
static void draw_start(struct attached *attached)
{
	if (attached->options->timeline && !attached->up && !attached->stopping)
		(void)timeline_save(attached->args, attached->converge->name,
				    attached->options->timeline, attached->converge->begun_nsec);
}

/* 1: go on, 0: the converge is through, negative: it failed. */
static int take_work(struct attached *attached, struct error *err)
{
	_cleanup_json_ json_t *event = NULL;
	int r = client_next(attached->work, &event, NULL, NULL, err);
	bool again;

	if (r > 0) {
		converge_show(attached->progress, event);
		return 1;
	}
	again = r < 0 && !attached->up && !attached->stopping &&
		converge_chose_again(attached->converge, attached->progress, err);
	if (r < 0 && !again && !attached->decided)
		attached->exit_code = client_exit_code(attached->work);
	client_free(attached->work);
	attached->work = NULL;
	if (!again) {
		draw_start(attached);
		return r;
	}
	error_clear(err);
	r = ask(attached, err);
	return r < 0 ? r : 1;
}

/* What cannot be watched is told, and the logs go on. */
static void begin_to_watch(struct attached *attached)
{
	const struct watch_session_options options = {
		.prune = true,
		.beside_logs = true,
		.stop_usec = attached->converge->options.timeout_usec,
	};
	struct error err = ERROR_INIT;

	attached->watch_wanted = false;
	log_session_drain(attached->session);
	if (watch_session_open(attached->args, attached->options->watched,
			       attached->options->services, &options, &attached->watch, &err) < 0)
		output_fail(attached->args, &err);
}

static void switch_watching(struct attached *attached)
{
	if (!attached->watch) {
		attached->watch_wanted = !attached->watch_wanted;
		return;
	}
	end_watching(attached);
	puts("watch | Watch disabled");
	fflush(stdout);
}

static void watch_some(struct attached *attached)
{
	struct error err = ERROR_INIT;

	/* Not before all is there. */
	if (attached->watch_wanted && attached->up && !attached->stopping)
		begin_to_watch(attached);
	if (attached->watch && watch_session_work(attached->watch, &err) < 0) {
		output_fail(attached->args, &err);
		end_watching(attached);
	}
}

static void take_key(struct attached *attached)
{
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1)
		attached->keys = -1;
	else if (key == 'd' && !attached->stopping)
		attached->detached = true;
	else if (key == 'w' && !attached->stopping)
		switch_watching(attached);
}

/* `fg` of a job that ran in the background sends no signal. */
static bool keys_are_ours(struct attached *attached)
{
	bool ours = attached->keys >= 0 && terminal_is_ours(attached->keys);

	if (ours && attached->background)
		terminal_regain();
	attached->background = attached->keys >= 0 && !ours;
	return ours;
}

static int sooner(int msec, int other_msec)
{
	return msec < 0 || (other_msec >= 0 && other_msec < msec) ? other_msec : msec;
}

static int timeout_of(const struct attached *attached)
{
	int frame = attached->work ? progress_timeout(attached->progress) : -1;

	return sooner(sooner(frame, watch_session_timeout(attached->watch)),
		      attached->background ? FOREGROUND_MSEC : -1);
}

static int step(struct attached *attached, struct error *err)
{
	_cleanup_free_ struct pollfd *polls = new_array(
		struct pollfd, log_session_polls_max(attached->session) + 3 + WATCH_SESSION_POLLS);
	size_t n = log_session_polls(attached->session, polls);
	bool event;
	int r;

	polls[n] = (struct pollfd){attached->signals, POLLIN};
	polls[n + 1] = (struct pollfd){attached->work ? client_fd(attached->work) : -1, POLLIN};
	/* As a job in the background we would be stopped for reading what others are typed. */
	polls[n + 2] = (struct pollfd){keys_are_ours(attached) ? attached->keys : -1, POLLIN};
	watch_session_polls(attached->watch, &polls[n + 3]);
	if (attached->work)
		pull_beside_tell(attached->converge->beside, attached->work);
	pull_beside_poll(attached->converge->beside, polls, n + 3 + WATCH_SESSION_POLLS,
			 timeout_of(attached));
	progress_tick(attached->progress);
	if (polls[n + 2].revents)
		take_key(attached);
	if (polls[n].revents && interrupted(attached, err) < 0)
		return -err->code;
	/* The converge that this descriptor belonged to may just have been replaced. */
	if (polls[n + 1].revents && attached->work && !polls[n].revents) {
		r = take_work(attached, err);
		if (r < 0)
			return r;
		attached->up = attached->up || r == 0;
		if (r == 0)
			pull_beside_free(TAKE_PTR(attached->converge->beside));
	}
	event = polls[0].revents != 0;
	if (event && !attached->opened && open_session(attached, err) < 0)
		return -err->code;
	if (attached->up && open_session(attached, err) < 0)
		return -err->code;
	watch_some(attached);
	return attached->opened ? log_session_work(attached->session, event, err) : 0;
}

static bool finished(const struct attached *attached)
{
	if (attached->work)
		return false;
	/* A rebuild takes the last container away and brings another. */
	return attached->stopping || (!attached->watch && !attached->watch_wanted &&
				      log_session_running(attached->session) == 0);
}

static int start(struct attached *attached, struct error *err)
{
	/* The supervisor is there once it took the first request; then its events can be had. */
	int r = ask(attached, err);

	return r < 0 ? r : log_session_follow(attached->session, err);
}

int attached_run(struct project_args *args, struct converge *converge, struct log_session *session,
		 const struct attached_options *options)
{
	struct attached attached = {
		.args = args,
		.converge = converge,
		.options = options,
		.session = session,
		.progress = converge->beside ? pull_beside_progress(converge->beside)
					     : progress_new(args, converge->verb),
		.signals = watch_signals(),
		.keys = options->menu ? STDIN_FILENO : -1,
		.watch_wanted = options->watch,
	};
	struct error err = ERROR_INIT;
	int r;

	session->options.follow = true;
	session->options.tail = LOG_TAIL_ALL;
	session->options.since_nsec = session->events_since_nsec = units_now_nsec();
	session->ended = container_ended;
	session->data = &attached;
	r = start(&attached, &err);
	if (options->menu)
		terminal_make_quick();
	while (r >= 0 && !attached.detached &&
	       !((attached.up || attached.stopping) && finished(&attached)))
		r = step(&attached, &err);
	end_watching(&attached);
	terminal_restore();
	if (r >= 0 && !attached.detached)
		log_session_finish(session);
	else
		log_session_drain(session);
	pull_beside_free(TAKE_PTR(converge->beside));
	progress_free(attached.progress);
	client_free(attached.work);
	close(attached.signals);
	if (r < 0 && !(attached.interrupts && err.code == EINTR)) {
		project_args_place(args, &err);
		output_fail(args, &err);
		return attached.exit_code ? attached.exit_code : 1;
	}
	return attached.exit_code;
}
