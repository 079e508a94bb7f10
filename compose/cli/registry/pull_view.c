// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/registry/pull_view.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/image/image_times.h"

struct words {
	enum progress_status status;
	const char *text;
};

static const struct words pull_words[] = {
	[PULL_IMAGE_STARTED] = {PROGRESS_WORKING, "Pulling"},
	[PULL_IMAGE_PULLED] = {PROGRESS_DONE, "Pulled"},
	[PULL_IMAGE_HERE] = {PROGRESS_DONE, "Pulled"},
	[PULL_IMAGE_FAILED] = {PROGRESS_ERROR, "Error"},
	[PULL_LAYER_WAITING] = {PROGRESS_WORKING, "Pulling fs layer"},
	[PULL_LAYER_HERE] = {PROGRESS_DONE, "Already exists"},
	[PULL_LAYER_DOWNLOADING] = {PROGRESS_WORKING, "Downloading"},
	[PULL_LAYER_RETRYING] = {PROGRESS_WORKING, "Retrying"},
	[PULL_LAYER_EXTRACTING] = {PROGRESS_WORKING, "Extracting"},
	[PULL_LAYER_PULLED] = {PROGRESS_DONE, "Pull complete"},
};

void pull_view_event(void *data, const struct pull_event *event)
{
	struct pull_view *view = data;
	const struct words *words = &pull_words[event->state];
	_cleanup_free_ char *id = str_printf("Image %s", event->name), *text = NULL;

	image_times_pull(event);
	if (!event->layer) {
		progress_set(view->progress, id, words->status, words->text,
			     event->state == PULL_IMAGE_FAILED ? event->error->message : "");
		return;
	}
	if (view->quiet)
		return;
	if (event->state == PULL_LAYER_RETRYING)
		text = str_printf("Retrying in %llu second%s", (unsigned long long)event->current,
				  event->current == 1 ? "" : "s");
	progress_set_part(view->progress, id, event->layer, words->status, text ?: words->text,
			  event->state == PULL_LAYER_DOWNLOADING ? event->current : 0,
			  event->state == PULL_LAYER_DOWNLOADING ? event->total : 0);
}

void pull_view_skip(struct pull_view *view, const char *image, const char *why)
{
	_cleanup_free_ char *id = str_printf("Image %s", image);
	_cleanup_free_ char *details = str_printf("- %s", why);

	progress_set(view->progress, id, PROGRESS_DONE, "Skipped", details);
}
