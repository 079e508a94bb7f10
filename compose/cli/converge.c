// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/converge.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/dry_run.h"
#include "compose/cli/image/image_times.h"
#include "compose/cli/registry/config_proxies.h"
#include "compose/cli/registry/pull_run.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

#define PARTING_MSEC 5000

DEFINE_CLEANUP(struct client *, client_free);
DEFINE_CLEANUP(struct progress *, progress_free);

static const char *const goal_names[] = {
	[PLAN_UP] = "up",         [PLAN_DOWN] = "down",       [PLAN_START] = "start",
	[PLAN_STOP] = "stop",     [PLAN_RESTART] = "restart", [PLAN_KILL] = "kill",
	[PLAN_REMOVE] = "remove", [PLAN_PAUSE] = "pause",     [PLAN_UNPAUSE] = "unpause",
};
static const char *const recreate_names[] = {
	[RECREATE_DIVERGED] = "diverged",
	[RECREATE_FORCE] = "force",
	[RECREATE_NEVER] = "never",
};

static void put_flags(json_t *json, const struct plan_options *options)
{
	const struct {
		const char *name;
		bool value;
	} flags[] = {
		{"no_deps", options->no_deps},
		{"no_start", options->no_start},
		{"remove_orphans", options->remove_orphans},
		{"always_recreate_deps", options->always_recreate_deps},
		{"renew_anon_volumes", options->renew_anon_volumes},
		{"wait", options->wait},
		{"volumes", options->volumes},
		{"force_stop", options->force_stop},
		{"by_label", options->by_label},
		{"underscores", options->underscores || project_args.compatibility},
	};

	array_foreach(flag, flags) {
		if (flag->value)
			json_put_bool(json, flag->name, true);
	}
}

static json_t *images_json(const struct plan_options *options)
{
	json_t *images = json_array();

	for (size_t i = 0; i < options->image_count; i++) {
		const struct plan_image *image = &options->images[i];
		json_t *row = json_object();

		json_put_string(row, "image", image->image);
		json_put_string(row, "service", image->service);
		json_put_string(row, "cause", image->cause);
		json_put_bool(row, "refresh", image->refresh);
		json_array_append_new(images, row);
	}
	return images;
}

json_t *converge_options(const struct plan_options *options)
{
	json_t *json = json_object();

	json_put_string(json, "goal", goal_names[options->goal]);
	if (options->services && options->services[0])
		json_object_set_new(json, "services",
				    json_from_strv((char *const *)options->services));
	if (options->containers)
		json_object_set_new(json, "containers",
				    json_from_strv((char *const *)options->containers));
	put_flags(json, options);
	json_put_string(json, "recreate", recreate_names[options->recreate]);
	json_put_string(json, "recreate_dependencies",
			recreate_names[options->recreate_dependencies]);
	if (options->timeout_usec >= 0)
		json_put_int(json, "timeout_usec", options->timeout_usec);
	if (options->signal)
		json_put_int(json, "signal", options->signal);
	json_put_string(json, "oneoff", options->oneoff);
	if (options->scale_count) {
		json_t *scales = json_object();

		for (size_t i = 0; i < options->scale_count; i++)
			json_put_int(scales, options->scales[i].service,
				     options->scales[i].replicas);
		json_object_set_new(json, "scales", scales);
	}
	if (options->image_count)
		json_object_set_new(json, "images", images_json(options));
	return json;
}

json_t *converge_arguments(const struct project *project, const struct plan_options *options,
			   bool dry_run)
{
	json_t *arguments = json_object(), *gathered;

	json_object_set_new(arguments, "options", converge_options(options));
	if (project) {
		json_t *json = project_to_json(project, true);

		config_proxies_put(json);
		json_object_set_new(arguments, "project", json);
	}
	if (dry_run)
		json_put_bool(arguments, "dry_run", true);
	else if (options->goal == PLAN_UP && (gathered = image_times_json()))
		json_object_set_new(arguments, "gathered", gathered);
	if (project_args.parallel > 0)
		json_put_int(arguments, "parallel", project_args.parallel);
	return arguments;
}

static void show_warning(const char *message)
{
	if (str_starts_with(message, "Found orphan containers") &&
	    project_args_switch("COMPOSE_IGNORE_ORPHANS"))
		return;
	output_warn("%s", message);
}

void converge_show(struct progress *progress, const json_t *event)
{
	const char *name = json_get_string(event, "event");

	if (str_equal(name, "progress")) {
		progress_event(progress, event);
	} else if (str_equal(name, "warning")) {
		const char *message = json_get_string(event, "message");

		show_warning(message ?: json_get_string(event, "text") ?: "");
	} else if (str_equal(name, "plan")) {
		const char *text = json_get_string(event, "text");

		fputs(text ? text : "", stdout);
		fflush(stdout);
	}
}

static int time_left(const struct progress *progress, int64_t deadline_usec)
{
	int64_t left = (deadline_usec - units_monotonic_usec()) / 1000 + 1;
	int frame = progress_timeout(progress);

	if (deadline_usec && (frame < 0 || left < frame))
		return left < 0 ? 0 : left < INT32_MAX ? (int)left : INT32_MAX;
	return frame;
}

/* Those that had nothing left to keep are gone when the command is: its last reply bears a pidfd.
 */
static void see_off(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct pollfd gone = {fds[i], POLLIN};

		(void)poll(&gone, 1, PARTING_MSEC);
		close(fds[i]);
	}
}

/* 1: go on; 0: it is through; negative: it failed. */
static int take_event(struct project_args *args, struct client *client, struct progress *progress,
		      struct error *err)
{
	_cleanup_json_ json_t *event = NULL;
	int fds[FD_PASS_MAX];
	size_t count = 0;
	int r = client_next(client, &event, fds, &count, err);

	see_off(fds, count);
	if (r > 0) {
		output_blame(args, json_get_string(event, "blame"));
		converge_show(progress, event);
	}
	return r;
}

static int tell_timeout(const struct progress *progress, int64_t limit_usec, struct error *err)
{
	_cleanup_free_ char *unfinished = progress_unfinished(progress);
	char limit[32];

	units_format_duration(limit_usec, limit, sizeof(limit));
	if (!unfinished)
		return error_set(err, ETIMEDOUT, "application not healthy after %s", limit);
	return error_set(err, ETIMEDOUT,
			 "application not healthy after %s: still waiting for %s; see "
			 "`berth ps` and `berth logs`",
			 limit, unfinished);
}

/* @signals: to be interrupted by, or negative. */
static int follow(struct project_args *args, struct client *client, struct progress *progress,
		  struct converge *converge, int signals, struct error *err)
{
	int64_t limit_usec = converge->wait_timeout_usec;
	int64_t deadline = limit_usec ? units_monotonic_usec() + limit_usec : 0;
	int r = 1;

	while (r > 0) {
		struct pollfd fds[] = {{client_fd(client), POLLIN}, {signals, POLLIN}};

		pull_beside_tell(converge->beside, client);
		pull_beside_poll(converge->beside, fds, ARRAY_SIZE(fds),
				 time_left(progress, deadline));
		progress_tick(progress);
		if (fds[1].revents)
			return error_set(err, EINTR, "interrupted");
		if (fds[0].revents)
			r = take_event(args, client, progress, err);
		else if (deadline && units_monotonic_usec() > deadline)
			return tell_timeout(progress, limit_usec, err);
	}
	return r;
}

static int ask(struct project_args *args, struct converge *converge, struct progress *progress,
	       struct client **ret_client, struct error *err)
{
	_cleanup_json_ json_t *arguments =
		converge_arguments(converge->project, &converge->options, args->dry_run);
	_cleanup_close_ int signals = -EBADF;
	int r;

	if (converge->beside) {
		json_object_set_new(arguments, "coming", pull_beside_coming(converge->beside));
		/* A pull that is interrupted clears up. */
		signals = pull_run_signals(err);
		if (signals < 0)
			return signals;
	} else {
		converge_exit_on_signals();
	}
	r = client_request(converge->name, CLIENT_START, REQUEST_CONVERGE, arguments, NULL, 0,
			   ret_client, err);
	return r < 0 ? r : follow(args, *ret_client, progress, converge, signals, err);
}

bool converge_chose_again(struct converge *converge, struct progress *progress,
			  const struct error *err)
{
	bool moved = false;

	if (err->code == EADDRINUSE && converge->ports) {
		progress_by_lines(progress);
		moved = ports_auto_again(converge->ports);
	}
	ports_auto_free(TAKE_PTR(converge->ports));
	if (moved)
		pull_beside_tell_anew(converge->beside);
	return moved;
}

static int request(struct project_args *args, struct converge *converge)
{
	_cleanup_(cleanup_client_free) struct client *client = NULL;
	_cleanup_(cleanup_progress_free) struct progress *progress =
		converge->beside ? pull_beside_progress(converge->beside)
				 : progress_new(args, converge->verb);
	struct error err = ERROR_INIT;
	int r = ask(args, converge, progress, &client, &err);

	if (r < 0 && converge_chose_again(converge, progress, &err)) {
		client_free(TAKE_PTR(client));
		error_clear(&err);
		r = ask(args, converge, progress, &client, &err);
	}
	pull_beside_free(TAKE_PTR(converge->beside));
	if (r >= 0)
		return 0;
	progress_freeze(progress);
	if (err.code == EINTR)
		return PULL_INTERRUPTED;
	if (converge->project)
		project_args_place(args, &err);
	output_fail(args, &err);
	return client ? client_exit_code(client) : 1;
}

int converge_run(struct project_args *args, struct converge *converge)
{
	struct error err = ERROR_INIT;

	if (client_project_known(converge->name) ||
	    (converge->options.goal == PLAN_UP && !args->dry_run))
		return request(args, converge);
	converge->nothing = converge->options.goal != PLAN_UP;
	if (converge->nothing || !converge->project)
		return 0;
	if (dry_run_print(converge->project, &converge->options, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

int64_t converge_timeout_usec(bool given, int seconds)
{
	if (!given)
		return -1;
	return seconds < 0 ? INT64_MAX / 4 : (int64_t)seconds * (int64_t)USEC_PER_SEC;
}

static void leave(int signal)
{
	progress_show_cursor();
	_exit(130);
}

void converge_exit_on_signals(void)
{
	struct sigaction action = {.sa_handler = leave};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int converge_check_services(const struct project *project, char *const *services, struct error *err)
{
	strv_foreach(name, services) {
		if (project && !project_service(project, name))
			return project_no_such_service(project, name, err);
	}
	return 0;
}
