// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/registry/pull_beside.h"

#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/image/store_here.h"
#include "compose/cli/registry/pull_run.h"
#include "compose/cli/registry/pull_view.h"
#include "compose/cli/view/output.h"

struct coming {
	char *image;
	struct pull_image *pull;
	bool can_wait, known, told;
};

struct pull_beside {
	struct image_store *store;
	struct pull *pull;
	struct pull_view view;
	struct coming *items;
	size_t count;
	unsigned int reconnects; /* of the client that was told */
	bool running;
};

DEFINE_CLEANUP(struct pull_beside *, pull_beside_free);
DEFINE_CLEANUP(struct progress *, progress_free);

static void on_event(void *data, const struct pull_event *event)
{
	struct pull_beside *beside = data;

	/* The registry has it: its manifest is here. */
	for (size_t i = 0; i < beside->count; i++)
		if (event->state != PULL_IMAGE_STARTED &&
		    str_equal(beside->items[i].image, event->name))
			beside->items[i].known = true;
	pull_view_event(&beside->view, event);
}

static bool may_begin(const struct pull_beside *beside)
{
	for (size_t i = 0; i < beside->count; i++) {
		const struct coming *item = &beside->items[i];

		if (pull_result(item->pull, NULL) == 0 && !(item->can_wait && item->known))
			return false;
	}
	return true;
}

static bool any_coming(const struct pull_beside *beside)
{
	for (size_t i = 0; i < beside->count; i++)
		if (pull_result(beside->items[i].pull, NULL) == 0)
			return true;
	return false;
}

static int open_pull(struct pull_beside *beside, const struct pull_services *set, struct error *err)
{
	if (store_here_open(&beside->store, err) < 0 ||
	    pull_new(beside->store, on_event, beside, &beside->pull, err) < 0)
		return -err->code;
	pull_run_add(beside->pull, set, &beside->view);
	beside->items = new_array(struct coming, set->count + 1);
	for (size_t i = 0; i < set->count; i++)
		beside->items[beside->count++] = (struct coming){
			.image = alloc_string(set->items[i].image),
			.pull = set->items[i].pull,
			/* It is told by its name, which others may want for another platform. */
			.can_wait = set->items[i].missing && !set->items[i].buildable &&
				    (!set->items[i].platform || !*set->items[i].platform),
		};
	return 0;
}

static int wait_for_first(struct pull_beside *beside, struct error *err)
{
	struct pollfd wait = {.events = POLLIN};
	bool interrupted = false;

	wait.fd = pull_run_signals(err);
	if (wait.fd < 0)
		return wait.fd;
	beside->running = true;
	while (beside->running && !interrupted && !may_begin(beside)) {
		beside->running = pull_step(beside->pull, &wait, 1,
					    progress_timeout(beside->view.progress)) > 0;
		progress_tick(beside->view.progress);
		interrupted = wait.revents != 0;
	}
	pull_run_signals_end(wait.fd);
	return interrupted ? PULL_INTERRUPTED : 0;
}

int pull_beside_begin(struct project_args *args, const struct pull_services *set, const char *verb,
		      bool quiet, struct pull_beside **ret)
{
	_cleanup_(cleanup_progress_free) struct progress *progress = progress_new(args, verb);
	_cleanup_(cleanup_pull_beside_free) struct pull_beside *beside = new (struct pull_beside);
	struct error err = ERROR_INIT;
	int r;

	beside->view = (struct pull_view){.progress = progress, .quiet = quiet};
	r = open_pull(beside, set, &err);
	if (r == 0)
		r = wait_for_first(beside, &err);
	if (r == 0 && any_coming(beside)) {
		r = pull_run_judge(args, set, false);
		if (r == 0) {
			*ret = TAKE_PTR(beside);
			progress = NULL;
			return 0;
		}
	}
	progress_freeze(progress);
	if (r < 0)
		return output_fail(args, &err);
	return r ?: pull_run_judge(args, set, false);
}

void pull_beside_free(struct pull_beside *beside)
{
	if (!beside)
		return;
	pull_free(beside->pull);
	image_store_close(beside->store);
	for (size_t i = 0; i < beside->count; i++)
		free(beside->items[i].image);
	free(beside->items);
	free(beside);
}

struct progress *pull_beside_progress(struct pull_beside *beside)
{
	return beside->view.progress;
}

void pull_beside_be_brief(struct pull_beside *beside)
{
	beside->view.quiet = true;
}

json_t *pull_beside_coming(const struct pull_beside *beside)
{
	json_t *names;

	if (!beside)
		return NULL;
	names = json_array();
	for (size_t i = 0; i < beside->count; i++)
		if (beside->items[i].can_wait)
			json_array_append_new(names, json_string(beside->items[i].image));
	return names;
}

bool pull_beside_has(const struct pull_beside *beside, const char *image)
{
	for (size_t i = 0; beside && i < beside->count; i++)
		if (beside->items[i].can_wait && str_equal(beside->items[i].image, image))
			return true;
	return false;
}

void pull_beside_poll(struct pull_beside *beside, struct pollfd *fds, size_t count,
		      int timeout_msec)
{
	if (beside && beside->running) {
		beside->running = pull_step(beside->pull, fds, count, timeout_msec) > 0;
		return;
	}
	for (size_t i = 0; i < count; i++)
		fds[i].revents = 0;
	(void)poll(fds, count, timeout_msec);
}

static void tell(const struct coming *item, int result, const struct error *err,
		 struct client *client)
{
	_cleanup_json_ json_t *message = json_object();

	json_put_string(message, "image", item->image);
	if (result < 0) {
		json_put_int(message, "code", err->code);
		json_put_string(message, "message", err->message);
	}
	client_tell(client, message);
}

void pull_beside_tell_anew(struct pull_beside *beside)
{
	for (size_t i = 0; beside && i < beside->count; i++)
		beside->items[i].told = false;
	if (beside)
		beside->reconnects = 0;
}

void pull_beside_tell(struct pull_beside *beside, struct client *client)
{
	bool anew = beside && client_reconnects(client) != beside->reconnects;

	for (size_t i = 0; beside && i < beside->count; i++) {
		struct coming *item = &beside->items[i];
		struct error err = ERROR_INIT;
		int r = pull_result(item->pull, &err);

		if (!item->can_wait || r == 0 || (item->told && !anew))
			continue;
		tell(item, r, &err, client);
		item->told = true;
	}
	if (beside)
		beside->reconnects = client_reconnects(client);
}
