// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/dns/forward.h"

#include <linux/errqueue.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "common/alloc.h"
#include "common/event.h"
#include "common/rootless.h"
#include "common/units.h"

#include "netmgr/dns/message.h"

#define FORWARDS_MAX     1000
#define TOTAL_USEC       (4 * USEC_PER_SEC)
#define ATTEMPT_USEC     (1 * USEC_PER_SEC)
#define ATTEMPTS         3
#define PACKETS_PER_TURN 32
#define BUCKETS          256

struct dns_forward {
	struct dns_forwarder *forwarder;
	struct dns_forward *next_by_id;
	uint16_t id, client_id;
	bool tcp;
	uint8_t *query; /* behind two bytes of length, as TCP wants it */
	size_t size, question_end;
	union dns_address resolvers[DNS_RESOLVERS_MAX];
	size_t count, refused; /* resolvers; those that refused */
	unsigned int attempt;  /* made so far */
	uint64_t next_usec, deadline_usec;
	uint8_t *refusal; /* an answer with SERVFAIL or REFUSED: better than none */
	size_t refusal_size;
	/* by TCP */
	int fd;
	sd_event_source *source;
	size_t sent, received;
	uint8_t *reply; /* length and message */
	dns_forward_done_t done;
	void *userdata;
};

struct dns_forwarder {
	sd_event *event;
	struct dns_forward *by_id[BUCKETS];
	size_t count, udp_count;
	int fds[2]; /* IPv4, IPv6 */
	sd_event_source *sources[2], *timer;
};

static uint8_t packet[DNS_MESSAGE_MAX];

struct dns_forwarder *dns_forwarder_new(sd_event *event)
{
	struct dns_forwarder *forwarder = new (struct dns_forwarder);

	forwarder->event = sd_event_ref(event);
	forwarder->fds[0] = forwarder->fds[1] = -EBADF;
	return forwarder;
}

static void close_sockets(struct dns_forwarder *forwarder)
{
	for (int i = 0; i < 2; i++) {
		event_source_drop(&forwarder->sources[i]);
		if (forwarder->fds[i] >= 0)
			close(forwarder->fds[i]);
		forwarder->fds[i] = -EBADF;
	}
}

void dns_forwarder_free(struct dns_forwarder *forwarder)
{
	if (!forwarder)
		return;
	close_sockets(forwarder);
	event_source_drop(&forwarder->timer);
	sd_event_unref(forwarder->event);
	free(forwarder);
}

static void close_tcp(struct dns_forward *forward)
{
	event_source_drop(&forward->source);
	if (forward->fd >= 0)
		close(forward->fd);
	forward->fd = -EBADF;
	forward->sent = forward->received = 0;
}

void dns_forward_cancel(struct dns_forward *forward)
{
	struct dns_forwarder *forwarder;
	struct dns_forward **at;

	if (!forward)
		return;
	forwarder = forward->forwarder;
	at = &forwarder->by_id[forward->id % BUCKETS];
	while (*at != forward)
		at = &(*at)->next_by_id;
	*at = forward->next_by_id;
	forwarder->count--;
	if (!forward->tcp && !--forwarder->udp_count)
		close_sockets(forwarder);
	if (!forwarder->count)
		event_source_drop(&forwarder->timer);
	close_tcp(forward);
	free(forward->query);
	free(forward->reply);
	free(forward->refusal);
	free(forward);
}

/* The end of a question: it is gone before its owner hears of it. */
static void finish(struct dns_forward *forward, const uint8_t *reply, size_t size)
{
	dns_forward_done_t done = forward->done;
	void *userdata = forward->userdata;
	_cleanup_free_ uint8_t *copy = NULL;

	if (!size) {
		reply = forward->refusal;
		size = forward->refusal_size;
	}
	if (size) {
		copy = alloc_copy(reply, size);
		dns_put16(copy, forward->client_id);
	}
	dns_forward_cancel(forward);
	done(userdata, copy, size);
}

static const union dns_address *resolver_of(const struct dns_forward *forward, unsigned int attempt)
{
	return &forward->resolvers[attempt % forward->count];
}

static struct dns_forward *find_by_id(struct dns_forwarder *forwarder, uint16_t id)
{
	struct dns_forward *forward = forwarder->by_id[id % BUCKETS];

	while (forward && forward->id != id)
		forward = forward->next_by_id;
	return forward;
}

static bool was_asked(const struct dns_forward *forward, const union dns_address *address)
{
	for (unsigned int i = 0; i < forward->attempt && i < forward->count; i++)
		if (dns_address_equal(&forward->resolvers[i], address))
			return true;
	return false;
}

static void attempt(struct dns_forward *forward);

/* One resolver will not say: the next one is asked at once. */
static void next_resolver(struct dns_forward *forward)
{
	forward->refused++;
	if (forward->refused >= forward->count || forward->attempt >= forward->count)
		finish(forward, NULL, 0);
	else
		attempt(forward);
}

static void take_reply(struct dns_forward *forward, const uint8_t *reply, size_t size)
{
	int rcode = dns_match_reply(forward->query + 2, forward->question_end, reply, size);

	if (rcode < 0)
		return;
	if (rcode != DNS_SERVFAIL && rcode != DNS_REFUSED && rcode != DNS_NOTIMP) {
		finish(forward, reply, size);
		return;
	}
	free(forward->refusal);
	forward->refusal = alloc_copy(reply, size);
	forward->refusal_size = size;
	next_resolver(forward);
}

/* "Port unreachable" from a resolver: nobody needs to wait for it. */
static void read_error(struct dns_forwarder *forwarder, int fd)
{
	union dns_address to = {0};
	struct iovec iov = {packet, sizeof(packet)};
	char control[256];
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
	struct dns_forward *forward;

	if (n < 2)
		return;
	forward = find_by_id(forwarder, dns_get16(packet));
	if (forward && !forward->tcp &&
	    dns_address_equal(&to, resolver_of(forward, forward->attempt - 1)))
		next_resolver(forward);
}

static int on_udp(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct dns_forwarder *forwarder = userdata;
	int which = source == forwarder->sources[1];

	if (events & EPOLLERR)
		read_error(forwarder, fd);
	for (int i = 0; i < PACKETS_PER_TURN && forwarder->fds[which] == fd; i++) {
		union dns_address from = {0};
		socklen_t size = sizeof(from);
		struct dns_forward *forward;
		ssize_t n = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT, &from.any, &size);

		if (n < 0)
			break;
		forward = n >= DNS_HEADER ? find_by_id(forwarder, dns_get16(packet)) : NULL;
		if (forward && !forward->tcp && was_asked(forward, &from))
			take_reply(forward, packet, n);
	}
	return 0;
}

static int open_socket(struct dns_forwarder *forwarder, int family)
{
	int which = family == AF_INET6, on = 1, r, fd;

	if (forwarder->fds[which] >= 0)
		return forwarder->fds[which];
	fd = rootless_host_socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	if (which)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	else
		(void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	r = sd_event_add_io(forwarder->event, &forwarder->sources[which], fd, EPOLLIN, on_udp,
			    forwarder);
	if (r < 0) {
		close(fd);
		return r;
	}
	forwarder->fds[which] = fd;
	return fd;
}

static int send_udp(struct dns_forward *forward, const union dns_address *to)
{
	int fd = open_socket(forward->forwarder, to->any.sa_family);

	if (fd < 0)
		return fd;
	/* The first failure may be news of another question's packet, told to whoever comes by. */
	for (int i = 0; i < 2; i++)
		if (sendto(fd, forward->query + 2, forward->size, MSG_NOSIGNAL, &to->any,
			   dns_address_size(to)) >= 0)
			return 0;
	return -errno;
}

/* 1: the reply is whole; 0: more to come; -errno. */
static int receive_tcp(struct dns_forward *forward)
{
	size_t want = forward->received < 2 ? 2 : 2 + dns_get16(forward->reply);
	ssize_t n = recv(forward->fd, forward->reply + forward->received, want - forward->received,
			 MSG_DONTWAIT);

	if (n == 0)
		return -ECONNRESET;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	forward->received += n;
	return forward->received >= 2 + DNS_HEADER &&
	       forward->received == 2u + dns_get16(forward->reply);
}

static int send_tcp(struct dns_forward *forward)
{
	size_t size = 2 + forward->size;
	ssize_t n = send(forward->fd, forward->query + forward->sent, size - forward->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	forward->sent += n;
	if (forward->sent == size)
		return sd_event_source_set_io_events(forward->source, EPOLLIN);
	return 0;
}

static int on_tcp(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct dns_forward *forward = userdata;
	int r = 0;

	if (forward->sent < 2 + forward->size)
		r = send_tcp(forward);
	if (r >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		r = receive_tcp(forward);
	if (r < 0) {
		close_tcp(forward);
		next_resolver(forward);
	} else if (r > 0) {
		if (dns_get16(forward->reply + 2) != forward->id) {
			close_tcp(forward);
			next_resolver(forward);
			return 0;
		}
		event_source_drop(&forward->source);
		take_reply(forward, forward->reply + 2, dns_get16(forward->reply));
	}
	return 0;
}

static int connect_tcp(struct dns_forward *forward, const union dns_address *to)
{
	close_tcp(forward);
	if (!forward->reply)
		forward->reply = alloc(2 + DNS_MESSAGE_MAX);
	forward->fd = rootless_host_socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (forward->fd < 0)
		return forward->fd;
	if (connect(forward->fd, &to->any, dns_address_size(to)) < 0 && errno != EINPROGRESS)
		return -errno;
	return sd_event_add_io(forward->forwarder->event, &forward->source, forward->fd,
			       EPOLLIN | EPOLLOUT, on_tcp, forward);
}

static void arm_timer(struct dns_forwarder *forwarder);

/* Asks the next resolver; one that cannot even be asked is passed over. */
static void attempt(struct dns_forward *forward)
{
	int r = -1;

	while (r < 0 && forward->attempt < ATTEMPTS) {
		const union dns_address *to = resolver_of(forward, forward->attempt++);

		r = forward->tcp ? connect_tcp(forward, to) : send_udp(forward, to);
	}
	forward->next_usec = units_monotonic_usec() + ATTEMPT_USEC;
	/* Nobody left to ask: the timer says so, for callers do not expect to lose it here. */
	if (r < 0)
		forward->deadline_usec = 0;
	if (forward->attempt >= ATTEMPTS || forward->next_usec > forward->deadline_usec)
		forward->next_usec = forward->deadline_usec;
	arm_timer(forward->forwarder);
}

static void overdue(struct dns_forward *forward, uint64_t now)
{
	if (now >= forward->deadline_usec)
		finish(forward, NULL, 0);
	else if (forward->tcp && forward->count == 1)
		forward->next_usec = forward->deadline_usec;
	else
		attempt(forward);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct dns_forwarder *forwarder = userdata;
	uint64_t now = units_monotonic_usec();

	/* A callback may end others, but starts none: begin again after each. */
	for (size_t i = 0; i < BUCKETS;) {
		struct dns_forward *forward = forwarder->by_id[i];

		while (forward && forward->next_usec > now)
			forward = forward->next_by_id;
		if (forward)
			overdue(forward, now);
		else
			i++;
	}
	if (forwarder->count)
		arm_timer(forwarder);
	return 0;
}

static void arm_timer(struct dns_forwarder *forwarder)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct dns_forward *f = forwarder->by_id[i]; f; f = f->next_by_id)
			if (f->next_usec < first)
				first = f->next_usec;
	if (!forwarder->timer) {
		(void)sd_event_add_time(forwarder->event, &forwarder->timer, CLOCK_MONOTONIC, first,
					10 * USEC_PER_MSEC, on_timer, forwarder);
		return;
	}
	(void)sd_event_source_set_time(forwarder->timer, first);
	(void)sd_event_source_set_enabled(forwarder->timer, SD_EVENT_ONESHOT);
}

static uint16_t free_id(struct dns_forwarder *forwarder)
{
	uint16_t id;

	do
		while (getrandom(&id, sizeof(id), 0) != sizeof(id))
			;
	while (find_by_id(forwarder, id));
	return id;
}

struct dns_forward *dns_forward_start(struct dns_forwarder *forwarder, const uint8_t *query,
				      size_t size, size_t question_end, bool tcp,
				      const union dns_address *resolvers, size_t count,
				      dns_forward_done_t done, void *userdata)
{
	struct dns_forward *forward;

	if (forwarder->count >= FORWARDS_MAX || !count)
		return NULL;
	forward = new (struct dns_forward);
	*forward = (struct dns_forward){
		.forwarder = forwarder,
		.id = free_id(forwarder),
		.client_id = dns_get16(query),
		.tcp = tcp,
		.query = alloc(2 + size),
		.size = size,
		.question_end = question_end,
		.count = count < DNS_RESOLVERS_MAX ? count : DNS_RESOLVERS_MAX,
		.deadline_usec = units_monotonic_usec() + TOTAL_USEC,
		.fd = -EBADF,
		.done = done,
		.userdata = userdata,
	};
	memcpy(forward->resolvers, resolvers, forward->count * sizeof(*resolvers));
	memcpy(forward->query + 2, query, size);
	dns_put16(forward->query, size);
	dns_put16(forward->query + 2, forward->id);
	forward->next_by_id = forwarder->by_id[forward->id % BUCKETS];
	forwarder->by_id[forward->id % BUCKETS] = forward;
	forwarder->count++;
	forwarder->udp_count += !tcp;
	attempt(forward);
	return forward;
}
