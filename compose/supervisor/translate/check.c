// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/translate/check.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/control/place.h"
#include "compose/supervisor/instance/start.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/translate/check_image.h"

struct check_room *check_room_new(struct supervisor *supervisor, const struct project *project)
{
	struct check_room *room = new (struct check_room);

	room->supervisor = supervisor;
	room->project = project;
	return room;
}

void check_room_free(struct check_room *room)
{
	if (!room)
		return;
	image_trees_done(room);
	strv_free(room->profiles);
	strv_free(room->warnings);
	free(room);
}

char *const *check_warnings(const struct check_room *room)
{
	return room->warnings;
}

static int check_logging(const struct service *service, struct error *err)
{
	struct log_options options = {0};

	return start_log_options(service, &options, err) < 0 ? place_under(err, "logging", NULL)
							     : 0;
}

/*
 * The same that its start will do. Devices that another service may bring are left to that, and
 * those of who is not started yet: they may be plugged in by then.
 */
static bool devices_may_come(const struct check_room *room, const struct check_wish *wish)
{
	const struct service *service = wish->service;

	if (wish->made && !wish->started)
		return true;
	for (size_t i = 0; i < service->device_count; i++)
		if (check_may_be_made(room, service, service->devices[i].source))
			return true;
	return false;
}

static int check_resources(struct check_room *room, const struct check_wish *wish,
			   struct error *err)
{
	struct translation translation = {.service = wish->service, .project = room->project};
	struct service without = *wish->service;
	int r = 0;

	if (devices_may_come(room, wish)) {
		without.device_count = without.gpu_count = 0;
		without.deploy.reservations.device_count = 0;
		translation.service = &without;
	}
	if (wish->made)
		r = translate_cdi(&translation, err);
	if (r == 0)
		r = translate_resources(&translation, err);
	if (r == 0)
		r = check_limits(wish->service, &translation.resources, err);
	translation_done(&translation);
	return r;
}

static int check_process(const struct service *service, struct error *err)
{
	const char *cwd = service->working_dir;
	const char *hostname = service->hostname;
	uint64_t capabilities;

	/* Placeholders in it are filled in for each container. */
	if (hostname && !strstr(hostname, "{{") && strlen(hostname) > HOST_NAME_MAX) {
		error_set(err, ENAMETOOLONG,
			  "hostname \"%.40s...\" has %zu characters; Linux takes %d", hostname,
			  strlen(hostname), HOST_NAME_MAX);
		return place_under(err, "hostname", NULL);
	}
	if (cwd && cwd[0] && cwd[0] != '/') {
		error_set(err, EINVAL, "working directory '%s': must be an absolute path", cwd);
		return place_under(err, "working_dir", NULL);
	}
	if (translate_capabilities(service, &capabilities, err) < 0)
		return str_starts_with(err->message, "cap_add")
			       ? place_under(err, "cap_add", NULL)
			       : place_under(err, "cap_drop", NULL);
	return 0;
}

static int check_all(struct check_room *room, const struct check_wish *wish, struct error *err)
{
	const struct service *service = wish->service;
	int r = check_logging(service, err);

	if (r == 0)
		r = check_resources(room, wish, err);
	if (r < 0 || !wish->made)
		return r;
	r = check_process(service, err);
	if (r == 0)
		r = check_machine(room, wish, err);
	if (r == 0)
		r = check_mounts(room, wish, err);
	if (r == 0)
		r = translate_check_files(room->project, service, err);
	if (r == 0)
		r = check_others(room, wish, err);
	return r == 0 ? check_image_of(room, wish, err) : r;
}

static int told(const struct check_wish *wish, int r, struct error *err)
{
	if (r >= 0)
		return 0;
	place_under(err, "services", wish->service->name, NULL);
	return error_wrap(err, "service %s", wish->service->name);
}

int check_wished(struct check_room *room, const struct check_wish *wish, struct error *err)
{
	return told(wish, check_all(room, wish, err), err);
}

int check_image(struct check_room *room, const struct check_wish *wish, struct error *err)
{
	return told(wish, check_image_of(room, wish, err), err);
}
