// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proxy_udp.c - datagrams: a socket a client towards the container, and back from the address that
 * the client had asked (which matters when the port is held on all addresses).
 */

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/alloc.h"
#include "common/event.h"
#include "common/fd.h"
#include "common/map.h"
#include "common/units.h"

#include "netmgr/proxy_internal.h"
#include "netmgr/usermode.h"

#define CLIENTS_MAX        1024
#define IDLE_USEC          (90 * USEC_PER_SEC)
#define DATAGRAMS_PER_TURN 32
#define KEY_SIZE           (2 * (sizeof(struct sockaddr_in6) + sizeof(struct in6_pktinfo)) + 1)

/* Where a datagram came from, and which of our addresses it was for. */
struct origin {
	struct sockaddr_storage peer;
	socklen_t peer_size;
	union {
		struct in_pktinfo in;
		struct in6_pktinfo in6;
	} local;
	int family; /* of @local; 0: unknown */
};

struct client {
	struct proxy_udp *udp;
	struct client *newer, *older; /* by last use */
	char key[KEY_SIZE];
	struct origin origin;
	int fd;
	sd_event_source *source;
	uint64_t used_usec;
};

struct proxy_udp {
	sd_event *event;
	int fd;
	struct proxy_target to;
	sd_event_source *source, *timer;
	struct map clients;
	size_t count;
	struct client *newest, *oldest;
};

static uint8_t datagram[65536];

static void unlink_client(struct client *client)
{
	struct proxy_udp *udp = client->udp;

	*(client->newer ? &client->newer->older : &udp->newest) = client->older;
	*(client->older ? &client->older->newer : &udp->oldest) = client->newer;
}

static void link_newest(struct client *client)
{
	struct proxy_udp *udp = client->udp;

	client->newer = NULL;
	client->older = udp->newest;
	*(udp->newest ? &udp->newest->newer : &udp->oldest) = client;
	udp->newest = client;
}

static void touch(struct client *client)
{
	client->used_usec = units_monotonic_usec();
	unlink_client(client);
	link_newest(client);
}

static void client_free(struct client *client)
{
	unlink_client(client);
	map_remove(&client->udp->clients, client->key);
	client->udp->count--;
	event_source_drop(&client->source);
	if (client->fd >= 0)
		close(client->fd);
	free(client);
}

static size_t put_hex(char *at, const void *data, size_t size)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		uint8_t byte = ((const uint8_t *)data)[i];

		at[2 * i] = hex[byte >> 4];
		at[2 * i + 1] = hex[byte & 0xf];
	}
	return 2 * size;
}

static void make_key(const struct origin *origin, char key[KEY_SIZE])
{
	size_t used = 0;

	if (origin->peer_size <= sizeof(struct sockaddr_in6))
		used = put_hex(key, &origin->peer, origin->peer_size);
	if (origin->family == AF_INET)
		used += put_hex(key + used, &origin->local.in.ipi_addr, sizeof(struct in_addr));
	else if (origin->family == AF_INET6)
		used += put_hex(key + used, &origin->local.in6, sizeof(origin->local.in6));
	key[used] = '\0';
}

static void read_local(struct msghdr *message, struct origin *origin)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			origin->family = AF_INET;
			memcpy(&origin->local.in, CMSG_DATA(c), sizeof(origin->local.in));
			/* To answer from: the address asked for, by whatever way leads back. */
			origin->local.in.ipi_spec_dst = origin->local.in.ipi_addr;
			origin->local.in.ipi_ifindex = 0;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			origin->family = AF_INET6;
			memcpy(&origin->local.in6, CMSG_DATA(c), sizeof(origin->local.in6));
			/* Only a link-local address means nothing without its interface. */
			if (!IN6_IS_ADDR_LINKLOCAL(&origin->local.in6.ipi6_addr))
				origin->local.in6.ipi6_ifindex = 0;
		}
	}
}

static ssize_t receive(int fd, struct origin *origin)
{
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		     CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct iovec iov = {datagram, sizeof(datagram)};
	struct msghdr message = {
		.msg_name = &origin->peer,
		.msg_namelen = sizeof(origin->peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	origin->peer_size = message.msg_namelen;
	read_local(&message, origin);
	return n;
}

static void send_back(const struct client *client, size_t size)
{
	const struct origin *origin = &client->origin;
	union {
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {datagram, size};
	struct msghdr message = {
		.msg_name = (void *)&origin->peer,
		.msg_namelen = origin->peer_size,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	size_t length =
		origin->family == AF_INET ? sizeof(origin->local.in) : sizeof(origin->local.in6);

	if (origin->family) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(length);
		control.align.cmsg_level = origin->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
		control.align.cmsg_type = origin->family == AF_INET ? IP_PKTINFO : IPV6_PKTINFO;
		control.align.cmsg_len = CMSG_LEN(length);
		memcpy(CMSG_DATA(&control.align), &origin->local, length);
	}
	(void)sendmsg(client->udp->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int on_reply(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct client *client = userdata;

	for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		ssize_t n = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT);

		/* "Connection refused" is read, too, and means only that nobody listens yet. */
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n >= 0) {
			touch(client);
			send_back(client, n);
		}
	}
	return 0;
}

static int connect_client(struct client *client)
{
	struct proxy_udp *udp = client->udp;
	const struct sockaddr *to = (const struct sockaddr *)&udp->to.address;

	client->fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return -errno;
	usermode_as_client(client->fd, (const struct sockaddr *)&client->origin.peer, to);
	if (connect(client->fd, to, udp->to.size) < 0)
		return -errno;
	return sd_event_add_io(udp->event, &client->source, client->fd, EPOLLIN, on_reply, client);
}

static void arm_timer(struct proxy_udp *udp);

static struct client *client_of(struct proxy_udp *udp, const struct origin *origin)
{
	struct client *client;
	char key[KEY_SIZE];
	int r;

	make_key(origin, key);
	client = map_get(&udp->clients, key);
	if (client) {
		touch(client);
		return client;
	}
	if (udp->count >= CLIENTS_MAX)
		client_free(udp->oldest);
	client = new (struct client);
	*client = (struct client){
		.udp = udp,
		.origin = *origin,
		.fd = -EBADF,
		.used_usec = units_monotonic_usec(),
	};
	memcpy(client->key, key, sizeof(key));
	map_set(&udp->clients, client->key, client);
	udp->count++;
	link_newest(client);
	r = connect_client(client);
	/* Out of descriptors before CLIENTS_MAX: here, too, the oldest gives way. */
	if (r == -EMFILE && udp->oldest != client) {
		client_free(udp->oldest);
		r = connect_client(client);
	}
	if (r < 0) {
		client_free(client);
		return NULL;
	}
	if (udp->count == 1)
		arm_timer(udp);
	return client;
}

static int on_datagram(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct proxy_udp *udp = userdata;

	for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
		struct origin origin = {0};
		struct client *client;
		ssize_t n = receive(fd, &origin);

		if (n == -EAGAIN || n == -EINTR)
			break;
		client = n >= 0 ? client_of(udp, &origin) : NULL;
		/* The first try may only report that the one before was refused. */
		if (client && send(client->fd, datagram, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno == ECONNREFUSED)
			(void)!send(client->fd, datagram, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct proxy_udp *udp = userdata;
	uint64_t now = units_monotonic_usec();

	while (udp->oldest && udp->oldest->used_usec + IDLE_USEC <= now)
		client_free(udp->oldest);
	if (udp->oldest)
		arm_timer(udp);
	return 0;
}

/* Woken when the one that is idle for longest is due; not at all without clients. */
static void arm_timer(struct proxy_udp *udp)
{
	uint64_t due = udp->oldest->used_usec + IDLE_USEC;

	if (!udp->timer) {
		(void)sd_event_add_time(udp->event, &udp->timer, CLOCK_MONOTONIC, due, USEC_PER_SEC,
					on_timer, udp);
		return;
	}
	(void)sd_event_source_set_time(udp->timer, due);
	(void)sd_event_source_set_enabled(udp->timer, SD_EVENT_ONESHOT);
}

static int prepare_socket(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	int on = 1, r;

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	if (address.ss_family == AF_INET6)
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	else
		r = setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	return r < 0 ? -errno : fd_set_nonblock(fd, true);
}

int proxy_udp_new(sd_event *event, int fd, const struct proxy_target *to, struct proxy_udp **ret,
		  struct error *err)
{
	struct proxy_udp *udp = new (struct proxy_udp);
	int r;

	*udp = (struct proxy_udp){.event = sd_event_ref(event), .fd = fd, .to = *to};
	r = prepare_socket(fd);
	if (!r)
		r = sd_event_add_io(event, &udp->source, fd, EPOLLIN, on_datagram, udp);
	if (r < 0) {
		proxy_udp_free(udp);
		return error_code(err, r, "proxy: cannot receive datagrams");
	}
	*ret = udp;
	return 0;
}

void proxy_udp_retarget(struct proxy_udp *udp, const struct proxy_target *to)
{
	udp->to = *to;
}

void proxy_udp_free(struct proxy_udp *udp)
{
	if (!udp)
		return;
	while (udp->oldest)
		client_free(udp->oldest);
	map_done(&udp->clients, NULL);
	event_source_drop(&udp->source);
	event_source_drop(&udp->timer);
	sd_event_unref(udp->event);
	free(udp);
}
