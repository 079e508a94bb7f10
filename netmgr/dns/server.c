// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/dns/server.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/event.h"
#include "common/fd.h"
#include "common/str.h"

#include "netmgr/dns/forward.h"
#include "netmgr/dns/message.h"
#include "netmgr/dns/tcp.h"
#include "netmgr/dns/zone.h"

#define PENDING_MAX      100 /* forwarded questions of one container at a time */
#define PACKETS_PER_TURN 32

struct dns_server {
	sd_event *event;
	struct zone *zone;
	struct dns_resolvers *resolvers;
	struct dns_forwarder *forwarder;
};

/* Who asked. */
struct dns_client {
	struct dns_connection *connection; /* NULL: by UDP, from @peer */
	struct sockaddr_storage peer;
	socklen_t peer_size;
};

/* A question that was forwarded. */
struct pending {
	struct dns_listener *listener;
	struct pending *next;
	struct dns_client client;
	struct dns_query query;
	uint8_t *question; /* header and question, as asked */
	struct dns_forward *forward;
};

struct dns_listener {
	struct dns_server *server;
	int udp_fd, tcp_fd;
	sd_event_source *udp;
	struct dns_tcp *tcp;
	char **networks, **links;
	union dns_address upstreams[DNS_RESOLVERS_MAX];
	size_t upstream_count;
	struct in_addr gateway4;
	bool no_forward;
	struct pending *pending;
	size_t pending_count;
};

static const char *const gateway_names[] = {"host.docker.internal", "gateway.docker.internal"};

/* One question at a time is worked on; what is forwarded has memory of its own. */
static uint8_t packet_in[DNS_UDP_MAX];
static uint8_t packet_out[DNS_MESSAGE_MAX];
static struct zone_address found[ZONE_ANSWERS_MAX];

int dns_server_new(sd_event *event, const struct dns_options *options, struct dns_server **ret,
		   struct error *err)
{
	struct dns_server *server = new (struct dns_server);

	server->event = sd_event_ref(event);
	server->zone = zone_new();
	server->resolvers = dns_resolvers_new(options ? options->resolv_conf : NULL);
	server->forwarder = dns_forwarder_new(event);
	*ret = server;
	return 0;
}

void dns_server_free(struct dns_server *server)
{
	if (!server)
		return;
	dns_forwarder_free(server->forwarder);
	dns_resolvers_free(server->resolvers);
	zone_free(server->zone);
	sd_event_unref(server->event);
	free(server);
}

void dns_server_add(struct dns_server *server, const struct dns_names *names)
{
	zone_add(server->zone, names);
}

void dns_server_remove(struct dns_server *server, const char *network, const char *container_id)
{
	zone_remove(server->zone, network, container_id);
}

static void send_reply(struct dns_listener *listener, const struct dns_client *client,
		       const uint8_t *data, size_t size)
{
	if (client->connection)
		dns_connection_reply(client->connection, data, size);
	else
		(void)sendto(listener->udp_fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT,
			     (const struct sockaddr *)&client->peer, client->peer_size);
}

static size_t reply_limit(const struct dns_client *client, const struct dns_query *query)
{
	return client->connection ? DNS_MESSAGE_MAX : query->udp_size;
}

static void send_rcode(struct dns_listener *listener, const struct dns_client *client,
		       const uint8_t *data, const struct dns_query *query, int rcode)
{
	struct dns_reply reply;

	dns_reply_begin(&reply, packet_out, reply_limit(client, query), data, query, rcode);
	send_reply(listener, client, packet_out, dns_reply_end(&reply));
}

/* --- what we know --- */

static bool is_gateway_name(const struct dns_listener *listener, const char *name)
{
	if (!listener->gateway4.s_addr)
		return false;
	array_foreach(known, gateway_names)
		if (str_equal(*known, name))
			return true;
	return false;
}

/* What the container calls somebody by a name of its own; or @name. Borrowed, or into @buffer. */
static const char *without_link(const struct dns_listener *listener, const char *name, char *buffer,
				size_t size)
{
	strv_foreach(link, listener->links) {
		size_t length = strcspn(link, ":");

		if (!link[length] || strcasecmp(link + length + 1, name) != 0 || length >= size)
			continue;
		for (size_t i = 0; i < length; i++)
			buffer[i] = (char)tolower((unsigned char)link[i]);
		buffer[length] = '\0';
		return buffer;
	}
	return name;
}

/* A name of ours without an address of the kind that was asked for has an empty answer. */
static bool answer_name(struct dns_listener *listener, const struct dns_query *query,
			struct dns_reply *reply)
{
	char linked[DNS_NAME_MAX];
	size_t count;

	if (is_gateway_name(listener, query->name)) {
		if (query->type == DNS_A || query->type == DNS_ANY)
			dns_reply_a(reply, listener->gateway4);
		return true;
	}
	count = zone_find(listener->server->zone, (const char *const *)listener->networks,
			  without_link(listener, query->name, linked, sizeof(linked)), found);
	for (size_t i = 0; i < count; i++) {
		if (found[i].has_ipv4 && (query->type == DNS_A || query->type == DNS_ANY) &&
		    !dns_reply_a(reply, found[i].ipv4))
			break;
		if (found[i].has_ipv6 && (query->type == DNS_AAAA || query->type == DNS_ANY) &&
		    !dns_reply_aaaa(reply, found[i].ipv6))
			break;
	}
	return count;
}

static bool answer_address(struct dns_listener *listener, const struct dns_query *query,
			   struct dns_reply *reply)
{
	_cleanup_free_ char *name = NULL;
	struct in6_addr address;
	int family;

	if (!dns_reverse_name(query->name, &family, &address))
		return false;
	name = zone_find_reverse(listener->server->zone, (const char *const *)listener->networks,
				 family, &address);
	return name && dns_reply_ptr(reply, name);
}

static bool answer(struct dns_listener *listener, const struct dns_client *client,
		   const uint8_t *data, const struct dns_query *query)
{
	struct dns_reply reply;

	if (query->class != 1)
		return false;
	dns_reply_begin(&reply, packet_out, reply_limit(client, query), data, query, DNS_NOERROR);
	if (query->type == DNS_PTR ? !answer_address(listener, query, &reply)
				   : !answer_name(listener, query, &reply))
		return false;
	send_reply(listener, client, packet_out, dns_reply_end(&reply));
	return true;
}

/* --- what others know --- */

static void pending_free(struct pending *pending)
{
	struct dns_listener *listener = pending->listener;
	struct pending **at = &listener->pending;

	while (*at != pending)
		at = &(*at)->next;
	*at = pending->next;
	listener->pending_count--;
	dns_forward_cancel(pending->forward);
	free(pending->question);
	free(pending);
}

static void on_forwarded(void *userdata, uint8_t *reply, size_t size)
{
	struct pending *pending = userdata;
	struct dns_listener *listener = pending->listener;
	struct dns_client client = pending->client;
	struct dns_query query = pending->query;
	_cleanup_free_ uint8_t *question = TAKE_PTR(pending->question);

	/* Answering may close the client's connection, and with it all that is pending there. */
	pending->forward = NULL;
	pending_free(pending);
	if (!size) {
		send_rcode(listener, &client, question, &query, DNS_SERVFAIL);
		return;
	}
	if (size > reply_limit(&client, &query))
		size = dns_truncate(reply, size, query.question_end);
	send_reply(listener, &client, reply, size);
}

static void forward(struct dns_listener *listener, const struct dns_client *client,
		    const uint8_t *data, size_t size, const struct dns_query *query)
{
	struct dns_server *server = listener->server;
	const union dns_address *upstreams = listener->upstreams;
	size_t count = listener->upstream_count;
	struct pending *pending;

	if (listener->no_forward || listener->pending_count >= PENDING_MAX) {
		send_rcode(listener, client, data, query,
			   listener->no_forward ? DNS_NXDOMAIN : DNS_REFUSED);
		return;
	}
	if (!count)
		upstreams = dns_resolvers_get(server->resolvers, &count);
	pending = new (struct pending);
	*pending = (struct pending){
		.listener = listener,
		.next = listener->pending,
		.client = *client,
		.query = *query,
		.question = alloc_copy(data, query->question_end),
	};
	listener->pending = pending;
	listener->pending_count++;
	pending->forward =
		dns_forward_start(server->forwarder, data, size, query->question_end,
				  client->connection, upstreams, count, on_forwarded, pending);
	if (!pending->forward)
		on_forwarded(pending, NULL, 0);
}

static void take_query(struct dns_listener *listener, const struct dns_client *client,
		       const uint8_t *data, size_t size)
{
	struct dns_query query;
	int rcode = dns_parse_query(data, size, &query);

	if (rcode < 0 && !client->connection)
		return;
	if (rcode)
		send_rcode(listener, client, data, &query, rcode < 0 ? DNS_FORMERR : rcode);
	else if (!answer(listener, client, data, &query))
		forward(listener, client, data, size, &query);
}

/* --- sockets --- */

static int on_udp(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct dns_listener *listener = userdata;

	for (int i = 0; i < PACKETS_PER_TURN; i++) {
		struct dns_client client = {.peer_size = sizeof(client.peer)};
		ssize_t n = recvfrom(fd, packet_in, sizeof(packet_in), MSG_DONTWAIT | MSG_TRUNC,
				     (struct sockaddr *)&client.peer, &client.peer_size);

		if (n < 0)
			break;
		if ((size_t)n <= sizeof(packet_in))
			take_query(listener, &client, packet_in, n);
	}
	return 0;
}

static void on_tcp_query(void *userdata, struct dns_connection *connection, const uint8_t *data,
			 size_t size)
{
	struct dns_client client = {.connection = connection};

	take_query(userdata, &client, data, size);
}

static void on_tcp_closed(void *userdata, struct dns_connection *connection)
{
	struct dns_listener *listener = userdata;

	for (struct pending *pending = listener->pending, *next; pending; pending = next) {
		next = pending->next;
		if (pending->client.connection == connection)
			pending_free(pending);
	}
}

static const struct dns_tcp_ops tcp_ops = {.query = on_tcp_query, .closed = on_tcp_closed};

static int parse_upstreams(struct dns_listener *listener, const char *const *upstreams,
			   struct error *err)
{
	for (; upstreams && *upstreams; upstreams++) {
		union dns_address address;

		if (!dns_address_parse(*upstreams, &address))
			return error_set(err, EINVAL, "dns: '%s' is not an IP address", *upstreams);
		if (listener->upstream_count < DNS_RESOLVERS_MAX)
			listener->upstreams[listener->upstream_count++] = address;
	}
	return 0;
}

static int watch_sockets(struct dns_listener *listener)
{
	int r = 0;

	if (listener->udp_fd >= 0)
		r = fd_set_nonblock(listener->udp_fd, true);
	if (!r && listener->udp_fd >= 0)
		r = sd_event_add_io(listener->server->event, &listener->udp, listener->udp_fd,
				    EPOLLIN, on_udp, listener);
	if (r >= 0 && listener->tcp_fd >= 0)
		r = dns_tcp_new(listener->server->event, listener->tcp_fd, &tcp_ops, listener,
				&listener->tcp);
	return r;
}

void dns_listener_networks(struct dns_listener *listener,
			   const struct dns_listener_options *options)
{
	strv_free(listener->networks);
	listener->networks = strv_dup((char *const *)options->networks);
	if (!listener->networks)
		listener->networks = new_array(char *, 1);
	strv_free(listener->links);
	listener->links = strv_dup((char *const *)options->links);
	listener->gateway4 = options->gateway4;
	listener->no_forward = options->no_forward;
}

int dns_server_listen(struct dns_server *server, int udp_fd, int tcp_fd,
		      const struct dns_listener_options *options, struct dns_listener **ret,
		      struct error *err)
{
	struct dns_listener *listener = new (struct dns_listener);
	int r;

	listener->server = server;
	listener->udp_fd = udp_fd;
	listener->tcp_fd = tcp_fd;
	dns_listener_networks(listener, options);
	r = parse_upstreams(listener, options->upstreams, err);
	if (!r) {
		r = watch_sockets(listener);
		if (r < 0)
			error_code(err, r, "container's name server cannot be started");
	}
	if (r < 0) {
		dns_listener_free(listener);
		return r;
	}
	*ret = listener;
	return 0;
}

void dns_listener_free(struct dns_listener *listener)
{
	if (!listener)
		return;
	dns_tcp_free(listener->tcp);
	while (listener->pending)
		pending_free(listener->pending);
	event_source_drop(&listener->udp);
	if (listener->udp_fd >= 0)
		close(listener->udp_fd);
	if (listener->tcp_fd >= 0)
		close(listener->tcp_fd);
	strv_free(listener->networks);
	strv_free(listener->links);
	free(listener);
}
