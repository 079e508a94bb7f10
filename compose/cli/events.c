// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/target.h"
#include "compose/cli/client.h"
#include "compose/cli/command.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

/* Events of the past come at once, but not in no time. */
#define ARRIVAL_MSEC 1000

static bool as_json;
static const char *since, *until;

static const struct option options[] = {
	{"json", 0, OPTION_FLAG, &as_json, NULL, "One JSON object a line"},
	{"since", 0, OPTION_STRING, &since, "string",
	 "From this time on (a timestamp, or 10m for ten minutes ago)"},
	{"until", 0, OPTION_STRING, &until, "string", "Up to this time"},
	{NULL},
};

DEFINE_CLEANUP(struct client *, client_free);

static void print_json(const json_t *event, const char *when)
{
	json_t *attributes = json_object_get(event, "attributes");
	_cleanup_json_ json_t *line = json_object();
	_cleanup_free_ char *text = NULL;

	json_put_string(line, "time", when);
	json_put_string(line, "type", "container");
	json_put_string(line, "service", json_get_string(event, "service") ?: "");
	json_put_string(line, "id", json_get_string(event, "container_id") ?: "");
	json_put_string(line, "action", json_get_string(event, "action") ?: "");
	if (attributes)
		json_object_set(line, "attributes", attributes);
	else
		json_object_set_new(line, "attributes", json_object());
	text = json_text(line);
	puts(text);
}

static void print_text(const json_t *event, int64_t nsec)
{
	_cleanup_free_ char *list = output_attributes(json_object_get(event, "attributes"));
	time_t seconds = (time_t)(nsec / 1000000000);
	char when[40];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s.%06jd container %s %s (%s)\n", when, (intmax_t)(nsec / 1000 % 1000000),
	       json_get_string(event, "action") ?: "", json_get_string(event, "container_id") ?: "",
	       list);
}

static void print_event(const json_t *event, char *const *services)
{
	const char *service = json_get_string(event, "service") ?: "";
	int64_t nsec = json_get_int(event, "time", 0);
	char when[UNITS_TIME_MAX];

	if (!str_equal(json_get_string(event, "event"), "container") ||
	    (services[0] && !strv_contains(services, service)))
		return;
	if (as_json)
		print_json(event, units_format_time(nsec, when, sizeof(when)));
	else
		print_text(event, nsec);
	fflush(stdout);
}

static int msec_until(int64_t until_nsec)
{
	int64_t left_msec = (until_nsec - units_now_nsec()) / 1000000;

	return !until_nsec             ? -1
	       : left_msec > INT32_MAX ? INT32_MAX
	       : left_msec < 0         ? 0
				       : (int)left_msec;
}

/* The folders in which a project's socket comes to be; the outer ones until they are there. */
static int watch_for_socket(const char *project)
{
	_cleanup_free_ char *folder = paths_project_runtime(project);
	_cleanup_free_ char *projects = str_printf("%s/projects", paths_runtime());
	_cleanup_free_ char *above = str_printf("%s/..", paths_runtime());
	const char *const paths[] = {folder, projects, paths_runtime(), above};
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	for (size_t i = 0; watch >= 0 && i < ARRAY_SIZE(paths); i++)
		(void)inotify_add_watch(watch, paths[i], IN_CREATE | IN_MOVED_TO | IN_ATTRIB);
	return watch;
}

/* Scripts listen before they start the project. 1: --until has passed before there was one. */
static int subscribe(const char *project, enum client_start start, int64_t since_nsec,
		     int64_t until_nsec, struct client **ret, struct error *err)
{
	_cleanup_json_ json_t *arguments = json_pack("{s:b}", "guest", 1);

	if (since_nsec)
		json_put_int(arguments, "since", since_nsec);
	for (;;) {
		_cleanup_close_ int watch = watch_for_socket(project);
		struct pollfd change = {watch, POLLIN};
		int r = client_request(project, start, REQUEST_EVENTS, arguments, NULL, 0, ret,
				       err);

		if (r != -ENOENT)
			return r;
		error_clear(err);
		if (watch < 0)
			return error_errno(err, "watch for the project");
		if (poll(&change, 1, msec_until(until_nsec)) == 0)
			return 1;
	}
}

/* False: --until has passed, and what was before it has had the time to arrive. */
static bool more_may_come(const struct client *client, int64_t until_nsec)
{
	struct pollfd readable = {client_fd(client), POLLIN};
	int left_msec = msec_until(until_nsec);

	if (!until_nsec)
		return true;
	return poll(&readable, 1, left_msec < ARRIVAL_MSEC ? ARRIVAL_MSEC : left_msec) != 0;
}

/*
 * Until --until, 0 or 1; -EPIPE: nobody is there any more who would tell. *since_nsec becomes what
 * has not been told yet.
 */
static int follow(struct client *client, char *const *services, int64_t until_nsec,
		  int64_t *since_nsec, struct error *err)
{
	client_stay(client);
	for (;;) {
		_cleanup_json_ json_t *event = NULL;
		int64_t time;
		int r;

		if (!more_may_come(client, until_nsec))
			return 0;
		r = client_next(client, &event, NULL, NULL, err);
		if (r <= 0)
			return r;
		time = json_get_int(event, "time", 0);
		if (until_nsec && time > until_nsec)
			return 0;
		print_event(event, services);
		*since_nsec = time ? time + 1 : *since_nsec;
	}
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_client_free) struct client *client = NULL;
	_cleanup_target_ struct target target = {0};
	int64_t since_nsec = 0, until_nsec = 0, now = units_now_nsec();
	enum client_start start = CLIENT_START_FOR_STATE;
	struct error err = ERROR_INIT;

	if ((since && units_parse_time(since, now, &since_nsec) < 0) ||
	    (until && units_parse_time(until, now, &until_nsec) < 0)) {
		error_set(&err, EINVAL, "failed to parse --since or --until");
		return output_fail(args, &err);
	}
	if (target_open(args, argv, &target, &err) < 0)
		return output_fail(args, &err);
	converge_exit_on_signals();
	for (;;) {
		int r = subscribe(target.name, start, since_nsec, until_nsec, &client, &err);

		if (r == 0)
			r = follow(client, argv, until_nsec, &since_nsec, &err);
		if (r != -EPIPE)
			return r < 0 ? output_fail(args, &err) : 0;
		/*
		 * Its supervisor has gone: maybe the whole project, maybe to come again. What was
		 * told to end is not started again to be listened to.
		 */
		start = CLIENT_NEVER_START;
		error_clear(&err);
		client_free(TAKE_PTR(client));
		since_nsec = since_nsec ?: now;
	}
}

const struct command command_events = {
	.name = "events",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Tell what happens to the containers, as it happens",
	.options = options,
	.max_operands = -1,
	.run = run,
};
