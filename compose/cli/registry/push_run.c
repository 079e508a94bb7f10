// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/registry/push_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/str.h"

#include "runtime/image/push.h"

#include "compose/cli/image/store_here.h"
#include "compose/cli/registry/pull_run.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/progress.h"

static void add(char ***names, const char *name)
{
	if (!strv_contains(*names, name))
		strv_append(names, name);
}

/* As compose has it: what is built here, under all its tags; the rest is somebody else's. */
void push_run_gather(const struct project *project, char *const *services, bool include_deps,
		     char ***names, char ***skipped)
{
	struct map selected = {0};

	project_select(project, services, !include_deps, &selected);
	map_foreach(entry, &selected) {
		const struct service *service = entry->value;

		if (!service->build.given || !service->image || !*service->image) {
			add(skipped, service->name);
			continue;
		}
		add(names, service->image);
		strv_foreach(tag, service->build.tags)
			add(names, tag);
	}
	map_done(&selected, NULL);
}

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct progress *, progress_free);
DEFINE_CLEANUP(struct push *, push_free);

struct view {
	struct progress *progress;
	bool quiet;
};

static const struct {
	enum progress_status status;
	const char *text;
} words[] = {
	[PUSH_IMAGE_STARTED] = {PROGRESS_WORKING, "Pushing"},
	[PUSH_IMAGE_PUSHED] = {PROGRESS_DONE, "Pushed"},
	[PUSH_IMAGE_FAILED] = {PROGRESS_ERROR, "Error"},
	[PUSH_LAYER_WAITING] = {PROGRESS_WORKING, "Waiting"},
	[PUSH_LAYER_HERE] = {PROGRESS_DONE, "Layer already exists"},
	[PUSH_LAYER_MOUNTED] = {PROGRESS_DONE, "Mounted from another repository"},
	[PUSH_LAYER_PUSHING] = {PROGRESS_WORKING, "Pushing"},
	[PUSH_LAYER_PUSHED] = {PROGRESS_DONE, "Pushed"},
};

static void show(void *data, const struct push_event *event)
{
	struct view *view = data;
	_cleanup_free_ char *id = str_printf("Image %s", event->name);
	bool pushing = event->state == PUSH_LAYER_PUSHING;

	if (!event->layer)
		progress_set(view->progress, id, words[event->state].status,
			     words[event->state].text,
			     event->state == PUSH_IMAGE_FAILED ? event->error->message : "");
	else if (!view->quiet)
		progress_set_part(view->progress, id, event->layer, words[event->state].status,
				  words[event->state].text, pushing ? event->current : 0,
				  pushing ? event->total : 0);
}

static int judge(struct project_args *args, struct push_image *const *images, char *const *names,
		 const struct push_run_options *options)
{
	struct error first = ERROR_INIT, err = ERROR_INIT;

	for (size_t i = 0; names[i]; i++) {
		const char *tag, *digest;
		uint64_t size;

		if (push_result(images[i], &err) < 0) {
			if (!first.code)
				first = err;
			continue;
		}
		if (!options->print_digests)
			continue;
		digest = push_digest(images[i], &size);
		tag = strrchr(names[i], ':');
		if (options->quiet)
			printf("%s\n", names[i]);
		else
			printf("%s: digest: %s size: %llu\n",
			       tag && !strchr(tag, '/') ? tag + 1 : "latest", digest,
			       (unsigned long long)size);
	}
	if (!first.code)
		return 0;
	if (!options->ignore_failures)
		return output_fail(args, &first);
	output_warn("%s", first.message);
	return 0;
}

static void skip_all(const struct view *view, char *const *skipped)
{
	strv_foreach(name, skipped)
		progress_set(view->progress, name, PROGRESS_DONE, "Skipped", "");
}

static int run(struct project_args *args, struct progress *progress, char *const *names,
	       const struct push_run_options *options, struct error *err)
{
	struct view view = {.progress = progress, .quiet = options->quiet};
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_push_free) struct push *push = NULL;
	_cleanup_free_ struct push_image **images =
		new_array(struct push_image *, strv_length(names) + 1);
	struct pollfd wait = {.events = POLLIN};
	bool interrupted = false;

	if (store_here_open(&store, err) < 0 || push_new(store, show, &view, &push, err) < 0)
		return -err->code;
	wait.fd = pull_run_signals(err);
	if (wait.fd < 0)
		return wait.fd;
	skip_all(&view, options->skipped);
	for (size_t i = 0; names && names[i]; i++) {
		images[i] = push_add(push, names[i]);
		push_set_platform(images[i], options->platform);
	}
	while (!interrupted && push_step(push, &wait, 1, progress_timeout(progress))) {
		progress_tick(progress);
		interrupted = wait.revents != 0;
	}
	progress_freeze(progress);
	pull_run_signals_end(wait.fd);
	return interrupted ? PULL_INTERRUPTED : names ? judge(args, images, names, options) : 0;
}

int push_run(struct project_args *args, char *const *names, const struct push_run_options *options)
{
	_cleanup_(cleanup_progress_free) struct progress *progress = progress_new(args, "push");
	struct error err = ERROR_INIT;
	int r = run(args, progress, names, options, &err);

	if (r >= 0)
		return r;
	progress_freeze(progress);
	return output_fail(args, &err);
}
