// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/handover.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/json.h"
#include "common/log.h"
#include "common/units.h"

#include "netmgr/inbound.h"

#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/network/names.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/state.h"

/* Who has just looked up its address, or is on the way to it, may still come. */
#define LEAST_USEC (300 * (int64_t)USEC_PER_MSEC)

struct drain {
	struct instance *instance;
	int fd;
	sd_event_source *ended, *least, *limit;
	bool may_end; /* LEAST_USEC are over */
};

static void leave_names(struct instance *instance)
{
	const struct endpoint *endpoints;
	size_t count = 0;

	if (!instance->attachment)
		return;
	endpoints = attachment_endpoints(instance->attachment, &count);
	for (size_t i = 0; i < count; i++)
		names_leave(instance, endpoints[i].network);
}

static void tell(struct instance *to, const struct instance *from)
{
	json_t *attributes = json_object();

	json_put_string(attributes, "from", from->id);
	events_emit(to, "switch_traffic", attributes);
}

int handover_switch(struct instance *to, struct instance *from, struct error *err)
{
	struct ports_exchange exchange;

	if (!to->standby)
		return 0;
	if (ports_exchange(to, from, to->model, to->service, &exchange, err) < 0)
		return error_wrap(err, "container %s", to->name);
	/* First who has it, then who has it no more: a crash in between leaves both. */
	to->standby = false;
	if (state_write(to, err) < 0) {
		to->standby = true;
		ports_exchange_undo(to, &exchange);
		return -err->code;
	}
	from->retired = true;
	state_note(from);
	names_announce(to);
	leave_names(from);
	ports_exchange_finish(to, &exchange);
	names_flush(to->supervisor);
	tell(to, from);
	return 0;
}

void drain_stop(struct instance *instance)
{
	struct drain *drain = TAKE_PTR(instance->drain);

	if (!drain)
		return;
	event_source_drop(&drain->ended);
	event_source_drop(&drain->least);
	event_source_drop(&drain->limit);
	cleanup_close_fd(&drain->fd);
	free(drain);
}

static void over(struct instance *instance)
{
	drain_stop(instance);
	executor_instance_changed(instance->supervisor->executor, instance);
}

static void look(struct drain *drain)
{
	struct error err = ERROR_INIT;
	int count = inbound_count(drain->instance->pidfd, &err);

	if (count < 0)
		log_warning("%s: %s", drain->instance->name, err.message);
	if (count <= 0)
		over(drain->instance);
}

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct drain *drain = data;
	char buffer[4096];

	/* Which ones does not matter; that some were lost neither. */
	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
	if (drain->may_end)
		look(drain);
	return 0;
}

static int on_least(sd_event_source *source, uint64_t usec, void *data)
{
	struct drain *drain = data;

	drain->may_end = true;
	look(drain);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *data)
{
	struct drain *drain = data;

	log_info("%s: it still has connections; it is stopped all the same", drain->instance->name);
	over(drain->instance);
	return 0;
}

static int watch(struct drain *drain, int64_t limit_usec, struct error *err)
{
	sd_event *event = drain->instance->supervisor->event;
	int r;

	drain->fd = inbound_watch(drain->instance->pidfd, err);
	if (drain->fd < 0)
		return drain->fd;
	r = sd_event_add_io(event, &drain->ended, drain->fd, EPOLLIN, on_ended, drain);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &drain->least, CLOCK_MONOTONIC, LEAST_USEC, 1,
					       on_least, drain);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &drain->limit, CLOCK_MONOTONIC,
					       (uint64_t)limit_usec, 1, on_limit, drain);
	return r < 0 ? error_code(err, r, "watch its connections") : 0;
}

int drain_start(struct instance *instance, int64_t limit_usec, struct error *err)
{
	struct drain *drain;
	int r;

	if (instance->pidfd < 0 || instance->drain || limit_usec <= 0)
		return 0;
	drain = new (struct drain);
	drain->instance = instance;
	drain->fd = -EBADF;
	instance->drain = drain;
	r = watch(drain, limit_usec, err);
	if (r < 0)
		drain_stop(instance);
	return r;
}
