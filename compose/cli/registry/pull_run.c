// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/registry/pull_run.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/cli/image/store_here.h"
#include "compose/cli/registry/pull_view.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/progress.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct progress *, progress_free);
DEFINE_CLEANUP(struct pull *, pull_free);

int pull_run_signals(struct error *err)
{
	static const int signals[] = {SIGINT, SIGTERM};
	int fd = process_signals_fd(signals, ARRAY_SIZE(signals));

	return fd < 0 ? error_code(err, fd, "signals") : fd;
}

void pull_run_signals_end(int fd)
{
	struct signalfd_siginfo taken;
	sigset_t signals;

	/* Or what has come would end us once it is let through. */
	while (read(fd, &taken, sizeof(taken)) > 0)
		;
	close(fd);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

void pull_run_add(struct pull *pull, const struct pull_services *set, struct pull_view *view)
{
	for (size_t i = 0; i < set->skip_count; i++)
		pull_view_skip(view, set->skips[i].image, set->skips[i].why);
	for (size_t i = 0; i < set->count; i++) {
		struct pull_item *item = &set->items[i];
		const struct pull_options options = {
			.platform = item->platform,
			.policy = item->policy,
		};

		item->pull = pull_add(pull, item->image, &options);
	}
}

/* With what wanted it, and where that is written. */
static struct error placed(const struct project_args *args, const struct pull_item *item,
			   const struct error *err)
{
	struct error first = *err;

	if (!item->service->name)
		return first;
	if (item->other)
		error_set(&first, first.code, "%s (it is here for %s, not for %s)", err->message,
			  item->other, item->platform);
	project_args_image_at(args, item->service->name,
			      !str_equal(item->service->image, item->image), first.where,
			      sizeof(first.where));
	error_wrap(&first, "service %s", item->service->name);
	return first;
}

int pull_run_judge(struct project_args *args, const struct pull_services *set, bool ignore_failures)
{
	_cleanup_strv_ char **to_build = NULL;
	_cleanup_free_ char *names = NULL;
	struct error err = ERROR_INIT, first = ERROR_INIT;

	for (size_t i = 0; i < set->count; i++) {
		if (pull_result(set->items[i].pull, &err) >= 0)
			continue;
		if (set->items[i].buildable)
			strv_append(&to_build, set->items[i].service->name);
		else if (!first.code) {
			first = placed(args, &set->items[i], &err);
			output_blame(args, set->items[i].service->name);
		}
	}
	if (to_build) {
		names = strv_join(to_build, " ");
		output_warn("Some service image(s) must be built from source by running: berth "
			    "build %s",
			    names);
	}
	if (!first.code)
		return 0;
	if (!ignore_failures)
		return output_fail(args, &first);
	output_warn("%s", first.message);
	return 0;
}

static int run(struct project_args *args, struct pull_services *set, struct progress *progress,
	       bool quiet, bool ignore_failures, struct error *err)
{
	struct pull_view view = {.progress = progress, .quiet = quiet};
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_pull_free) struct pull *pull = NULL;
	struct pollfd wait = {.events = POLLIN};
	bool interrupted = false;

	if (store_here_open(&store, err) < 0 ||
	    pull_new(store, pull_view_event, &view, &pull, err) < 0)
		return -err->code;
	wait.fd = pull_run_signals(err);
	if (wait.fd < 0)
		return wait.fd;
	pull_run_add(pull, set, &view);
	while (!interrupted && pull_step(pull, &wait, 1, progress_timeout(progress))) {
		progress_tick(progress);
		interrupted = wait.revents != 0;
	}
	progress_freeze(progress);
	pull_run_signals_end(wait.fd);
	return interrupted ? PULL_INTERRUPTED : pull_run_judge(args, set, ignore_failures);
}

int pull_run(struct project_args *args, struct pull_services *set, const char *verb, bool quiet,
	     bool ignore_failures)
{
	_cleanup_(cleanup_progress_free) struct progress *progress = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (!set->count && !set->skip_count)
		return 0;
	progress = progress_new(args, verb);
	r = run(args, set, progress, quiet, ignore_failures, &err);
	if (r >= 0)
		return r;
	progress_freeze(progress);
	return output_fail(args, &err);
}
