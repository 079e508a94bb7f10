// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe_connection.c - `tcp`, `http` and `https`: a connection made in the container's network
 * namespace; what is said over one with TLS is a job's (probe_tls.c).
 *
 * To 127.0.0.1, then ::1, then the container's own addresses: whichever the program listens on.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/str.h"

#include "netmgr/netns.h"
#include "netmgr/network.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/jobs.h"
#include "compose/supervisor/probes/probe_internal.h"

#define HEAD_MAX       512
#define DRAIN_MAX      (256 * 1024)
#define STATUS_FIRST   200
#define STATUS_LAST    399
#define LOOPBACKS      2
#define READS_PER_TURN 4
#define READ_AT_A_TIME 4096

struct connection_probe {
	struct probe probe;
	int fd;
	sd_event_source *io;
	size_t candidate; /* the one tried now */
	bool connected, answered;
	int refusal; /* errno of the first one that was tried */
	char *request;
	char head[HEAD_MAX];
	size_t length, drained;
	int status_fd; /* where the job that asks with TLS writes the status; negative: there is
			  none */
};

static struct connection_probe *of(struct probe *probe)
{
	return (struct connection_probe *)probe;
}

static void hang_up(struct connection_probe *self)
{
	event_source_drop(&self->io);
	cleanup_close_fd(&self->fd);
	self->fd = -EBADF;
}

static void stop_asking(struct connection_probe *self)
{
	if (self->status_fd < 0)
		return;
	jobs_cancel(self->probe.instance->supervisor->jobs, self);
	cleanup_close_fd(&self->status_fd);
	self->status_fd = -EBADF;
}

static uint16_t port_of(const struct probe_config *config)
{
	return (uint16_t)(config->tcp.set ? config->tcp.value : config->http.port.value);
}

/* The address number @index to try; 0: there are no more. */
static socklen_t candidate(const struct connection_probe *self, size_t index,
			   struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	const struct attachment *attachment = self->probe.instance->attachment;
	const struct endpoint *endpoints = NULL;
	size_t count = 0;

	if (attachment)
		endpoints = attachment_endpoints(attachment, &count);
	memset(ret, 0, sizeof(*ret));
	if (index == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port_of(self->probe.config));
		v6->sin6_addr = in6addr_loopback;
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port_of(self->probe.config));
	v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0, n = LOOPBACKS; index && i < count; i++) {
		v4->sin_addr = endpoints[i].ipv4;
		if (endpoints[i].has_ipv4 && n++ == index)
			return sizeof(*v4);
		if (!endpoints[i].has_ipv6 || n++ != index)
			continue;
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port_of(self->probe.config));
		v6->sin6_addr = endpoints[i].ipv6;
		return sizeof(*v6);
	}
	return index ? 0 : sizeof(*v4);
}

static void answer(struct connection_probe *self, int exit_code, const char *text)
{
	self->answered = true;
	probe_answer(&self->probe, exit_code, "%s", text);
}

static void fail(struct connection_probe *self, const char *text)
{
	hang_up(self);
	answer(self, 1, text);
}

static bool is_good(const struct probe_config *config, int status)
{
	int first = config->http.first ? (int)config->http.first : STATUS_FIRST;
	int last = config->http.last ? (int)config->http.last : STATUS_LAST;

	return status >= first && status <= last;
}

static void judge_head(struct connection_probe *self)
{
	char reason[PROBE_REASON_MAX] = "", text[PROBE_REASON_MAX + 8];
	int status = probe_http_status(self->head, self->length, reason);

	if (status == 0 && self->length < sizeof(self->head))
		return;
	if (status <= 0) {
		fail(self, "what it answers is not HTTP");
		return;
	}
	snprintf(text, sizeof(text), "%s", reason);
	answer(self, is_good(self->probe.config, status) ? 0 : 1, text);
}

/* To its end, though the first line is enough: a server that is cut off may complain. */
static void read_answer(struct connection_probe *self)
{
	char buffer[READ_AT_A_TIME];

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(self->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		size_t room = sizeof(self->head) - self->length;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			if (!self->answered)
				fail(self,
				     n < 0 ? strerror(errno) : "it hung up without an answer");
			else
				hang_up(self);
			return;
		}
		room = (size_t)n < room ? (size_t)n : room;
		memcpy(self->head + self->length, buffer, room);
		self->length += room;
		self->drained += (size_t)n;
		if (!self->answered)
			judge_head(self);
		if (self->drained > DRAIN_MAX)
			hang_up(self);
		if (self->fd < 0)
			return;
	}
}

static void add_headers(struct strbuf *text, const struct mapping *headers, bool *ret_host)
{
	for (size_t i = 0; i < headers->count; i++) {
		*ret_host |= strcasecmp(headers->items[i].key, "Host") == 0;
		strbuf_addf(text, "%s: %s\r\n", headers->items[i].key,
			    headers->items[i].value ?: "");
	}
}

static char *make_request(const struct probe_config *config)
{
	struct strbuf text = {0};
	bool host = false;

	strbuf_addf(&text, "GET %s HTTP/1.1\r\n", config->http.path ?: "/");
	add_headers(&text, &config->http.headers, &host);
	if (!host)
		strbuf_addf(&text, "Host: localhost:%d\r\n", (int)config->http.port.value);
	strbuf_add(&text, "User-Agent: berth-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n");
	return strbuf_take(&text);
}

static void send_request(struct connection_probe *self)
{
	size_t size;

	if (!self->request)
		self->request = make_request(self->probe.config);
	size = strlen(self->request);
	/* A fresh socket has room for all of it. */
	if (send(self->fd, self->request, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size) {
		fail(self, strerror(errno));
		return;
	}
	(void)sd_event_source_set_io_events(self->io, EPOLLIN);
}

/* --- https --- */

static int ask(void *data, struct error *err)
{
	struct connection_probe *self = data;

	return probe_tls_ask(&self->probe, self->fd, self->status_fd, err);
}

static void asked(void *context, const struct error *err)
{
	struct connection_probe *self = context;
	int status = 0;
	char text[32];

	if (err->code || pread(self->status_fd, &status, sizeof(status), 0) != sizeof(status))
		status = 0;
	cleanup_close_fd(&self->status_fd);
	self->status_fd = -EBADF;
	if (!status) {
		fail(self, err->code ? err->message : "it hung up without an answer");
		return;
	}
	hang_up(self);
	snprintf(text, sizeof(text), "%d", status);
	answer(self, is_good(self->probe.config, status) ? 0 : 1, text);
}

static void start_asking(struct connection_probe *self)
{
	struct jobs *jobs = self->probe.instance->supervisor->jobs;
	struct error err = ERROR_INIT;

	event_source_drop(&self->io);
	self->status_fd = memfd_create("berth-probe", MFD_CLOEXEC);
	if (self->status_fd < 0)
		error_errno(&err, "ask");
	else
		(void)job_start_with_socket(jobs, self->fd, ask, self, asked, self, &err);
	if (!err.code)
		return;
	stop_asking(self);
	fail(self, err.message);
}

static void try_next(struct connection_probe *self);

static void on_connected(struct connection_probe *self)
{
	int code = 0;
	socklen_t size = sizeof(code);

	if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	if (code) {
		self->refusal = self->refusal ?: code;
		hang_up(self);
		self->candidate++;
		try_next(self);
		return;
	}
	self->connected = true;
	if (self->probe.config->http.tls) {
		start_asking(self);
		return;
	}
	if (self->probe.config->http.given) {
		send_request(self);
		return;
	}
	hang_up(self);
	answer(self, 0, "connected");
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct connection_probe *self = data;

	if (self->connected)
		read_answer(self);
	else
		on_connected(self);
	return 0;
}

static int dial(struct connection_probe *self, const struct sockaddr_storage *to, socklen_t size,
		struct error *err)
{
	struct instance *instance = self->probe.instance;
	int r;

	self->fd =
		netns_socket(instance->pidfd, to->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0, err);
	if (self->fd < 0)
		return -err->code;
	if (connect(self->fd, (const struct sockaddr *)to, size) < 0 && errno != EINPROGRESS)
		return error_errno(err, "connect");
	r = sd_event_add_io(instance->supervisor->event, &self->io, self->fd, EPOLLOUT, on_io,
			    self);
	return r < 0 ? error_code(err, r, "watch the connection") : 0;
}

static void try_next(struct connection_probe *self)
{
	struct sockaddr_storage to;
	socklen_t size;

	while ((size = candidate(self, self->candidate, &to)) > 0) {
		struct error err = ERROR_INIT;

		if (dial(self, &to, size, &err) == 0)
			return;
		self->refusal = self->refusal ?: err.code;
		hang_up(self);
		self->candidate++;
	}
	fail(self, strerror(self->refusal));
}

static void begin(struct probe *probe)
{
	struct connection_probe *self = of(probe);

	stop_asking(self);
	hang_up(self);
	self->candidate = self->length = self->drained = 0;
	self->connected = self->answered = false;
	self->refusal = 0;
	try_next(self);
}

static void give_up(struct probe *probe)
{
	struct connection_probe *self = of(probe);

	stop_asking(self);
	fail(self, self->connected ? "no answer" : "no connection");
}

static void release(struct probe *probe)
{
	struct connection_probe *self = of(probe);

	stop_asking(self);
	hang_up(self);
	free(self->request);
	free(self);
}

static const struct probe_ops ops = {begin, give_up, release};

struct probe *probe_connection_new(void)
{
	struct connection_probe *self = new (struct connection_probe);

	self->probe.ops = &ops;
	self->fd = self->status_fd = -EBADF;
	return &self->probe;
}
