// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe_news.c - `log` and `notify`: what the container does by itself.
 *
 * Both begin before its program runs and not with the first question, so that nothing is missed:
 * lines are looked at as the pump reads them, messages wait in their socket, which the keeper has
 * a copy of. What was logged while no supervisor was there is read from the log's files.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"

#include "netmgr/netns.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/jobs.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/logs/line_watch.h"
#include "compose/supervisor/probes/health.h"
#include "compose/supervisor/probes/probe_internal.h"

#define MESSAGE_MAX       4096
#define MESSAGES_PER_TURN 16

struct news_probe {
	struct probe probe;
	bool resumed, scanning;
	char *status;
	sd_event_source *messages;
};

static struct news_probe *of(struct probe *probe)
{
	return (struct news_probe *)probe;
}

static void happened(struct news_probe *self)
{
	struct probe *probe = &self->probe;

	probe->settled = true;
	if (self->status)
		probe_answer(probe, 0, "ready: %s", self->status);
	else
		probe_answer(probe, 0, probe->config->log ? "a line matched" : "ready");
}

/* --- log --- */

static void on_data(struct log_pump *pump, enum log_stream stream, const void *data, size_t size,
		    void *userdata)
{
	struct instance *instance = userdata;

	if (!line_watch_feed(instance->line_watch, stream, data, size))
		return;
	log_pump_on_data(pump, NULL, NULL);
	health_news(instance);
}

void probe_watch_log(struct instance *instance)
{
	const char *pattern = instance->service->berth.probe.log;
	struct error err = ERROR_INIT;

	probe_unwatch_log(instance);
	if (instance->log)
		log_pump_on_data(instance->log, NULL, NULL);
	if (!pattern || !instance->log)
		return;
	if (line_watch_new(pattern, &instance->line_watch, &err) < 0)
		log_error("%s: x-berth: %s", instance->name, err.message);
	else
		log_pump_on_data(instance->log, on_data, instance);
}

void probe_unwatch_log(struct instance *instance)
{
	line_watch_free(instance->line_watch);
	instance->line_watch = NULL;
}

static bool has_matched(const struct instance *instance)
{
	return instance->line_watch && line_watch_feed(instance->line_watch, LOG_STDOUT, NULL, 0);
}

/* What is not there is an error, as jobs say it. */
static int scan(void *data, struct error *err)
{
	struct news_probe *self = data;
	struct instance *instance = self->probe.instance;
	struct line_watch *watch = NULL;
	char path[96];
	int dir, r;

	r = line_watch_new(self->probe.config->log, &watch, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/logs", instance->id);
	dir = fs_open_dir(instance->supervisor->containers_dir, path, err);
	if (dir >= 0 && !line_watch_scan(watch, dir, instance->started_nsec))
		error_set(err, ENOENT, "no line matched");
	if (dir >= 0)
		close(dir);
	line_watch_free(watch);
	return -err->code;
}

static void scanned(void *context, const struct error *err)
{
	struct news_probe *self = context;

	self->scanning = false;
	if (!err->code && !self->probe.settled)
		happened(self);
}

static void scan_log(struct news_probe *self)
{
	struct instance *instance = self->probe.instance;
	struct error err = ERROR_INIT;

	if (job_start(instance->supervisor->jobs, scan, self, scanned, self, &err) < 0)
		log_error("%s: look through its log: %s", instance->name, err.message);
	else
		self->scanning = true;
}

/* --- notify --- */

char *probe_notify_address(const struct instance *instance)
{
	return str_printf("@berth/%s", instance->id);
}

int probe_open_notify(struct instance *instance, int netns_fd, struct error *err)
{
	_cleanup_free_ char *address = probe_notify_address(instance);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd =
		netns_socket(netns_fd, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, err);
	size_t length = strlen(address);
	char key[KEEPER_PORT_NAME_MAX];
	const char *keys[] = {key};
	const int yes = 1;

	if (fd < 0)
		return -err->code;
	/* Abstract: no file that its root would need, and only its network namespace has it. */
	memcpy(name.sun_path + 1, address + 1, length - 1);
	if (bind(fd, (const struct sockaddr *)&name,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		return error_errno(err, "bind the socket for its notifications");
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0)
		return error_errno(err, "ask who sends its notifications");
	snprintf(key, sizeof(key), "%s:notify", instance->id);
	(void)keeper_client_store(instance->supervisor->keeper, keys, &fd, 1);
	cleanup_close_fd(&instance->notify_fd);
	instance->notify_fd = TAKE_FD(fd);
	return 0;
}

/* Descriptors that come along (sd_notify_barrier(3)) are closed by there being no room for them. */
static ssize_t receive(int fd, char *message, size_t size, pid_t *ret_sender)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = {message, size};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct ucred sender;

	*ret_sender = 0;
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&header); c;
	     c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&sender, CMSG_DATA(c), sizeof(sender));
		*ret_sender = sender.pid;
	}
	return n;
}

static int on_message(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct news_probe *self = data;
	char message[MESSAGE_MAX];
	bool ready = false;

	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		pid_t sender;
		ssize_t n = receive(fd, message, sizeof(message), &sender);

		if (n < 0)
			break;
		if (probe_sender_is_inside(self->probe.instance, sender))
			probe_read_message(message, (size_t)n, &ready, &self->status);
	}
	if (ready && !self->probe.settled)
		happened(self);
	return 0;
}

static void watch_messages(struct news_probe *self)
{
	struct instance *instance = self->probe.instance;
	int r = instance->notify_fd < 0
			? -EBADF
			: sd_event_add_io(instance->supervisor->event, &self->messages,
					  instance->notify_fd, EPOLLIN, on_message, self);

	if (r < 0)
		log_error("%s: its notifications are not heard: %s", instance->name, strerror(-r));
}

static void begin(struct probe *probe)
{
	struct news_probe *self = of(probe);
	bool first = self->resumed;

	self->resumed = false;
	if (probe->config->notify && !self->messages)
		watch_messages(self);
	if (probe->config->log && first)
		scan_log(self);
	if (probe->settled || (probe->config->log && has_matched(probe->instance)))
		happened(self);
	else if (probe->config->log)
		probe_answer(probe, 1, "no line matched yet");
	else
		probe_answer(probe, 1, "not ready yet%s%s", self->status ? ": " : "",
			     self->status ?: "");
}

static void release(struct probe *probe)
{
	struct news_probe *self = of(probe);

	if (self->scanning)
		jobs_cancel(probe->instance->supervisor->jobs, self);
	event_source_drop(&self->messages);
	free(self->status);
	free(self);
}

static const struct probe_ops ops = {begin, NULL, release};

struct probe *probe_news_new(bool resumed)
{
	struct news_probe *self = new (struct news_probe);

	self->probe.ops = &ops;
	self->resumed = resumed;
	return &self->probe;
}
