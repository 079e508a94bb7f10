// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/network/sockets.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/listen.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/message_ids.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/keeper/keeper_protocol.h"
#include "compose/supervisor/news.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

/* A service that ends at once, with its connection still waiting, is not started in a circle. */
#define STEADY_USEC      (10 * (int64_t)USEC_PER_SEC)
#define DELAY_FIRST_USEC (100 * USEC_PER_MSEC)
#define DELAY_LAST_USEC  (30 * USEC_PER_SEC)

struct held_socket {
	struct sockets *sockets;
	struct listen_address address; /* type 0: systemd's, and nobody has asked for it yet */
	char name[32];                 /* the keeper's */
	int fd;
	bool systemds;
	sd_event_source *ready; /* something waits to be accepted */
	sd_event_source *later; /* not to look before */
	unsigned int failures;  /* in a row */
	int64_t begun_usec;     /* when it last started something; 0: nothing yet */
};

struct sockets {
	struct supervisor *supervisor;
	struct held_socket **held;
	size_t count;
};

struct sockets *sockets_new(struct supervisor *supervisor)
{
	struct sockets *sockets = new (struct sockets);

	sockets->supervisor = supervisor;
	return sockets;
}

static struct held_socket *find(struct sockets *sockets, const struct listen_address *address)
{
	for (size_t i = 0; i < sockets->count; i++) {
		struct held_socket *held = sockets->held[i];

		if (held->address.type ? listen_same(&held->address, address)
				       : listen_is(address, held->fd)) {
			held->address = *address;
			return held;
		}
	}
	return NULL;
}

static bool has_sockets(const struct instance *instance)
{
	return instance->service->berth.socket_count && !instance->oneoff;
}

static bool is_of(const struct held_socket *held, const struct instance *instance)
{
	const struct berth_extension *berth = &instance->service->berth;

	for (size_t i = 0; held->address.type && !instance->oneoff && i < berth->socket_count; i++)
		if (listen_same(&held->address, &berth->sockets[i].address))
			return true;
	return false;
}

bool sockets_await(const struct instance *instance)
{
	return has_sockets(instance) && instance->listens && !instance->by_hand &&
	       !instance_runs(instance);
}

/* --- the first connection --- */

static void begin(struct instance *instance)
{
	news_log(instance, LOG_LEVEL_INFO, MESSAGE_CONNECTION, "somebody connects: starting it");
	/* With what it depends on, and by the next supervisor should this one die. */
	instance->revive = true;
	state_note(instance);
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct held_socket *held = data;
	struct supervisor *supervisor = held->sockets->supervisor;

	event_source_drop(&held->ready);
	held->begun_usec = units_monotonic_usec();
	map_foreach(entry, &supervisor->instances)
		if (is_of(held, entry->value) && sockets_await(entry->value))
			begin(entry->value);
	executor_revive(supervisor->executor);
	return 0;
}

static void watch(struct held_socket *held)
{
	sd_event *event = held->sockets->supervisor->event;
	int r = sd_event_add_io(event, &held->ready, held->fd, EPOLLIN, on_ready, held);
	char text[LISTEN_TEXT_MAX];

	if (r < 0)
		log_error("watch the socket %s: %s", listen_text(&held->address, text),
			  strerror(-r));
}

static int on_later(sd_event_source *source, uint64_t usec, void *data)
{
	struct held_socket *held = data;

	event_source_drop(&held->later);
	watch(held);
	return 0;
}

static bool is_pending(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0;
}

/* Whom it started has ended: how long until it may be started again. */
static uint64_t delay_usec(struct held_socket *held, bool failed)
{
	int64_t up_usec = units_monotonic_usec() - held->begun_usec;
	uint64_t delay = DELAY_FIRST_USEC;

	if (!held->begun_usec || up_usec >= STEADY_USEC || (!failed && !is_pending(held->fd))) {
		held->failures = 0;
		return 0;
	}
	held->begun_usec = 0;
	for (unsigned int i = 0; i < held->failures && delay < DELAY_LAST_USEC; i++)
		delay *= 2;
	held->failures++;
	return delay < DELAY_LAST_USEC ? delay : DELAY_LAST_USEC;
}

static void look(struct held_socket *held)
{
	struct supervisor *supervisor = held->sockets->supervisor;
	bool awaits = false, failed = false;
	uint64_t delay;

	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;

		if (!is_of(held, instance))
			continue;
		if (instance_runs(instance) || instance->revive) {
			awaits = false;
			break;
		}
		awaits = awaits || sockets_await(instance);
		failed = failed || instance->exit_code || instance->error;
	}
	if (!awaits || supervisor->shutdown) {
		event_source_drop(&held->ready);
		event_source_drop(&held->later);
		return;
	}
	if (held->ready || held->later)
		return;
	delay = delay_usec(held, failed);
	if (!delay || sd_event_add_time_relative(supervisor->event, &held->later, CLOCK_MONOTONIC,
						 delay, 1, on_later, held) < 0)
		watch(held);
}

/* --- holding --- */

static struct held_socket *add(struct sockets *sockets, int fd, const char *name)
{
	struct held_socket *held = new (struct held_socket);

	held->sockets = sockets;
	held->fd = fd;
	snprintf(held->name, sizeof(held->name), "%s", name);
	*array_add(sockets->held, sockets->count) = held;
	return held;
}

static void name_own(const struct sockets *sockets, char *ret, size_t size)
{
	bool used = true;

	for (unsigned int n = 0; used; n++) {
		used = false;
		snprintf(ret, size, SOCKET_OWN_PREFIX "%u", n);
		for (size_t i = 0; i < sockets->count; i++)
			used = used || str_equal(sockets->held[i]->name, ret);
	}
}

static int hold(struct sockets *sockets, const struct listen_address *address, struct error *err)
{
	struct held_socket *held = find(sockets, address);
	char name[sizeof(held->name)];
	const char *const names[] = {name};
	int fd;

	if (held)
		return 0;
	fd = listen_open(address, err);
	if (fd < 0)
		return fd;
	name_own(sockets, name, sizeof(name));
	held = add(sockets, fd, name);
	held->address = *address;
	(void)keeper_client_store(sockets->supervisor->keeper, names, &fd, 1);
	return 0;
}

int sockets_hold(struct sockets *sockets, const struct service *service, struct error *err)
{
	for (size_t i = 0; i < service->berth.socket_count; i++)
		if (hold(sockets, &service->berth.sockets[i].address, err) < 0)
			return error_wrap(err, "service \"%s\": socket", service->name);
	return 0;
}

static void hold_for(const struct instance *instance)
{
	struct error err = ERROR_INIT;

	if (sockets_hold(instance->supervisor->sockets, instance->service, &err) < 0)
		log_error("%s; its next `up` tries again", err.message);
}

void sockets_instance_changed(struct instance *instance)
{
	struct sockets *sockets = instance->supervisor->sockets;

	if (!has_sockets(instance))
		return;
	/* Of one that outlived its keeper, only itself had them. */
	if (sockets_await(instance))
		hold_for(instance);
	for (size_t i = 0; i < sockets->count; i++)
		if (is_of(sockets->held[i], instance))
			look(sockets->held[i]);
}

static void let_go(struct sockets *sockets, size_t i)
{
	struct held_socket *held = sockets->held[i];

	event_source_drop(&held->ready);
	event_source_drop(&held->later);
	if (held->systemds) {
		held->address = (struct listen_address){0};
		return;
	}
	listen_unlink(&held->address, held->fd);
	close(held->fd);
	keeper_client_drop(sockets->supervisor->keeper, held->name);
	free(held);
	sockets->count--;
	memmove(sockets->held + i, sockets->held + i + 1,
		(sockets->count - i) * sizeof(*sockets->held));
}

static bool is_wanted(const struct held_socket *held)
{
	map_foreach(entry, &held->sockets->supervisor->instances) {
		const struct instance *instance = entry->value;

		if (is_of(held, instance) && (instance->listens || instance_runs(instance)))
			return true;
	}
	return false;
}

void sockets_settle(struct sockets *sockets)
{
	for (size_t i = sockets->count; i-- > 0;)
		if (!is_wanted(sockets->held[i]))
			let_go(sockets, i);
	map_foreach(entry, &sockets->supervisor->instances)
		if (sockets_await(entry->value))
			hold_for(entry->value);
	for (size_t i = 0; i < sockets->count; i++)
		look(sockets->held[i]);
}

void sockets_adopt(struct sockets *sockets)
{
	struct supervisor *supervisor = sockets->supervisor;

	map_foreach(entry, &supervisor->keeper_fds) {
		bool systemds = str_starts_with(entry->key, SOCKET_GIVEN_PREFIX);
		_cleanup_free_ char *name = NULL;

		if (!systemds && !str_starts_with(entry->key, SOCKET_OWN_PREFIX))
			continue;
		name = alloc_string(entry->key);
		add(sockets, supervisor_claim_fd(supervisor, name), name)->systemds = systemds;
	}
	/* Each finds its own by the address; what is left over is no longer wanted. */
	map_foreach(entry, &supervisor->instances) {
		const struct berth_extension *berth =
			&((const struct instance *)entry->value)->service->berth;

		for (size_t i = 0; i < berth->socket_count; i++)
			(void)find(sockets, &berth->sockets[i].address);
	}
	sockets_settle(sockets);
}

/* --- up, stop --- */

static void set_listening(struct sockets *sockets, char *const *services, bool listens)
{
	map_foreach(entry, &sockets->supervisor->instances) {
		struct instance *instance = entry->value;

		if (!has_sockets(instance) ||
		    (services && !strv_contains(services, instance->service_name)))
			continue;
		instance->listens = listens;
		if (listens && !instance_runs(instance))
			instance->by_hand = false;
		state_note(instance);
	}
}

void sockets_resume(struct sockets *sockets, char *const *services)
{
	set_listening(sockets, services, true);
}

void sockets_suspend(struct sockets *sockets, char *const *services)
{
	set_listening(sockets, services, false);
}

/* --- a birth --- */

static void tell(struct translation *translation, const char *names)
{
	char count[24];

	snprintf(count, sizeof(count), "%zu", translation->spec.listen_count);
	strv_env_set(&translation->env, "LISTEN_FDS", count);
	/* Filled in by the container's init: spec.h. */
	strv_env_set(&translation->env, "LISTEN_PID", "0000000000");
	strv_env_set(&translation->env, "LISTEN_FDNAMES", names);
	translation->spec.env = (const char *const *)translation->env;
}

int sockets_give(struct translation *translation, struct error *err)
{
	const struct instance *instance = translation->instance;
	struct sockets *sockets = instance->supervisor->sockets;
	const struct berth_extension *berth = &instance->service->berth;
	_cleanup_strbuf_ struct strbuf names = {0};
	int *fds, r;

	if (!has_sockets(instance))
		return 0;
	r = sockets_hold(sockets, instance->service, err);
	if (r < 0)
		return r;
	fds = translation_own(translation, new_array(int, berth->socket_count));
	for (size_t i = 0; i < berth->socket_count; i++) {
		fds[i] = find(sockets, &berth->sockets[i].address)->fd;
		strbuf_addf(&names, "%s%s", i ? ":" : "",
			    berth->sockets[i].name ?: instance->service_name);
	}
	translation->spec.listen_fds = fds;
	translation->spec.listen_count = berth->socket_count;
	tell(translation, names.data);
	return 0;
}
