// SPDX-License-Identifier: GPL-2.0-or-later
/* check_others.c - containers of elsewhere, by whose names a service means to have theirs. */
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/control/place.h"
#include "compose/supervisor/network/neighbours.h"
#include "compose/supervisor/translate/check.h"

/* Here, or one that may come to be made here. */
static bool is_ours(const struct check_room *room, const char *name)
{
	const struct project *project = room->project;
	size_t length = strlen(project->name);

	if (supervisor_find(room->supervisor, name))
		return true;
	if (strncmp(name, project->name, length) == 0 && strchr("-_", name[length]))
		return true;
	for (size_t i = 0; i < project->service_count; i++)
		if (str_equal(project->services[i].container_name, name))
			return true;
	return false;
}

static int check_one(const struct check_room *room, const char *name, bool runs, struct error *err)
{
	struct neighbour neighbour;
	int r;

	if (is_ours(room, name))
		return 0;
	r = neighbour_find(name, &neighbour, err);
	neighbour_done(&neighbour);
	if (r == -ESRCH && !runs) {
		error_clear(err);
		r = 0;
	}
	return r;
}

static int check_namespaces(const struct check_room *room, const struct check_wish *wish,
			    struct error *err)
{
	const struct service *service = wish->service;
	const struct {
		const char *key, *mode;
	} rows[] = {
		{"network_mode", service->network_mode},
		{"pid", service->pid},
		{"ipc", service->ipc},
		{"uts", service->uts},
	};

	array_foreach(row, rows)
		if (row->mode && str_starts_with(row->mode, "container:") &&
		    check_one(room, row->mode + strlen("container:"), wish->started, err) < 0) {
			error_wrap(err, "%s", row->key);
			return place_under(err, row->key, NULL);
		}
	return 0;
}

static int check_list(const struct check_room *room, char *const *list, const char *key, bool runs,
		      struct error *err)
{
	strv_foreach(text, list) {
		const char *start = text;
		_cleanup_free_ char *name = NULL;

		/* Services are the loader's to know. */
		if (str_equal(key, "volumes_from") && !str_starts_with(text, "container:"))
			continue;
		if (str_starts_with(text, "container:"))
			start += strlen("container:");
		name = alloc_string_n(start, strcspn(start, ":"));
		if (check_one(room, name, runs, err) < 0) {
			error_wrap(err, "%s", key);
			return place_under(err, key, NULL);
		}
	}
	return 0;
}

int check_others(struct check_room *room, const struct check_wish *wish, struct error *err)
{
	const struct service *service = wish->service;

	/* Volumes are there also of one that does not run. */
	if (check_namespaces(room, wish, err) < 0 ||
	    check_list(room, service->volumes_from, "volumes_from", false, err) < 0)
		return -err->code;
	return check_list(room, service->external_links, "external_links", wish->started, err);
}
