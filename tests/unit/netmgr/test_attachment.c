// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "netmgr/netlink/link.h"

#include "tests/support/namespaces.h"
#include "tests/unit/netmgr/lab.h"

#define NAMESPACES (CLONE_NEWNET | CLONE_NEWNS)

static void make(struct network_store *store, const char *name, bool ip6)
{
	const struct network_options options = {.enable_ipv6 = ip6};
	struct error err = ERROR_INIT;

	CHECK_OK(network_create(store, name, &options, &err), &err);
	CHECK_OK(network_ensure(store, name, &err), &err);
}

static struct sockaddr_in resolver(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0x7f00000b)};
}

/* A connected UDP socket takes answers from 127.0.0.11:53 only. */
static void ask_by_udp(const struct box *box)
{
	struct sockaddr_in to = resolver(), from;
	int fd = lab_socket(box->netns, AF_INET, SOCK_DGRAM);
	struct pollfd wait = {.fd = box->dns[0], .events = POLLIN};
	socklen_t size = sizeof(from);
	char text[2000] = "", big[1800];

	memset(big, 'x', sizeof(big));
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "%m");
	CHECK(send(fd, big, sizeof(big), 0) == sizeof(big), "%m");
	CHECK(poll(&wait, 1, 500) == 1, "no query came");
	CHECK(recvfrom(box->dns[0], text, sizeof(text), 0, (struct sockaddr *)&from, &size) ==
		      sizeof(big),
	      "%m");
	CHECK(sendto(box->dns[0], "answer", 6, 0, (struct sockaddr *)&from, size) == 6, "%m");
	wait.fd = fd;
	CHECK(poll(&wait, 1, 500) == 1, "no answer came");
	CHECK(recv(fd, text, sizeof(text), 0) == 6, "%m");
	close(fd);
}

static void ask_by_tcp(const struct box *box)
{
	struct sockaddr_in to = resolver();
	int fd = lab_socket(box->netns, AF_INET, SOCK_STREAM), accepted;
	struct pollfd wait = {.fd = box->dns[1], .events = POLLIN};
	char text[16];

	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS, "%m");
	CHECK(poll(&wait, 1, 500) == 1, "no connection came");
	accepted = accept4(box->dns[1], NULL, NULL, SOCK_CLOEXEC);
	CHECK(accepted >= 0, "%m");
	CHECK(send(accepted, "answer", 6, 0) == 6, "%m");
	wait.fd = fd;
	CHECK(poll(&wait, 1, 500) == 1, "no answer came");
	CHECK(recv(fd, text, sizeof(text), 0) == 6, "%m");
	close(accepted);
	close(fd);
}

/* Port 53 is the container's: a name server of its own binds it. */
static void bind_port_53(const struct box *box)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(53)};
	int udp = lab_socket(box->netns, AF_INET, SOCK_DGRAM);
	int tcp = lab_socket(box->netns, AF_INET, SOCK_STREAM);

	CHECK(bind(udp, (struct sockaddr *)&any, sizeof(any)) == 0, "%m");
	CHECK(bind(tcp, (struct sockaddr *)&any, sizeof(any)) == 0, "%m");
	CHECK(listen(tcp, 1) == 0, "%m");
	ask_by_udp(box);
	ask_by_tcp(box);
	close(udp);
	close(tcp);
}

static int dns_sockets(void *data)
{
	struct network_store *store = lab_open();
	struct box box;

	setenv("BERTH_FIREWALL", "none", 1);
	make(store, "n", false);
	box = lab_box(store, "c", (const char *const[]){"n", NULL});
	if (lab_failures)
		return 1;
	ask_by_udp(&box);
	ask_by_tcp(&box);
	bind_port_53(&box);
	lab_unbox(store, &box);
	network_store_close(store);
	return lab_failures;
}

Test(attachment, dns_sockets)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	cr_expect_eq(in_namespaces(NAMESPACES, dns_sockets, NULL), 0);
}

static int connect_later(void *data)
{
	struct network_store *store = lab_open(), *other = NULL;
	struct error err = ERROR_INIT;
	struct attachment *restored = NULL;
	struct endpoint_options wish = {.network = "b", .ipv4_address = NULL};
	struct network_info *info = NULL;
	struct box box, peer;
	int listener, r;

	setenv("BERTH_FIREWALL", "none", 1);
	make(store, "a", false);
	make(store, "b", true);
	box = lab_box(store, "c1", (const char *const[]){"a", NULL});
	peer = lab_box(store, "c2", (const char *const[]){"b", NULL});
	if (lab_failures)
		return 1;
	CHECK_OK(attachment_connect(store, box.attachment, box.netns, &wish, &err), &err);
	box.ends = attachment_endpoints(box.attachment, &box.count);
	CHECK(box.count == 2 && str_equal(box.ends[1].interface_name, "eth1"), "%zu", box.count);
	listener = lab_listen(box.netns, "::", 99);
	r = lab_connect(peer.netns, lab_ip6(&box, 1), 99, listener, NULL);
	CHECK(r == 0, "after connect: %d", r);
	close(listener);
	CHECK(attachment_connect(store, box.attachment, box.netns, &wish, &err) == -EEXIST, "%s",
	      err.message);
	error_clear(&err);

	/* The supervisor was restarted: another store, the record from disk. */
	json_t *json = attachment_to_json(box.attachment);
	CHECK_OK(network_store_open("/run/berth", &other, &err), &err);
	CHECK_OK(attachment_from_json(other, json, &restored, &err), &err);
	json_decref(json);
	CHECK_OK(attachment_disconnect(other, restored, box.netns, "a", &err), &err);
	CHECK_OK(network_inspect(other, "a", &info, &err), &err);
	CHECK(info->attachments == 0, "%zu", info->attachments);
	CHECK(lab_link_exists(info->bridge), "%s", info->bridge);
	network_info_free(info);
	CHECK_OK(network_remove(other, "a", &err), &err);
	attachment_free(box.attachment);
	box.attachment = restored;
	lab_unbox(other, &box);
	lab_unbox(other, &peer);
	CHECK_OK(network_remove(store, "b", &err), &err);
	network_store_close(store);
	network_store_close(other);
	CHECK(lab_link_count() == 1, "%zu links", lab_link_count());
	return lab_failures;
}

Test(attachment, connect_and_disconnect)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	cr_expect_eq(in_namespaces(NAMESPACES, connect_later, NULL), 0);
}

/* Processes that create, attach and release at once: no address and no subnet is given twice. */
static int crowd_member(int number)
{
	struct network_store *store = NULL;
	struct error err = ERROR_INIT;
	const struct network_options options = {0};
	char name[32], id[32];

	snprintf(name, sizeof(name), "own%d", number);
	CHECK_OK(network_store_open("/run/berth", &store, &err), &err);
	CHECK_OK(network_create(store, name, &options, &err), &err);
	(void)network_create(store, "shared", &options, &err);
	CHECK(err.code == 0 || err.code == EEXIST, "%s", err.message);
	error_clear(&err);
	CHECK_OK(network_ensure(store, "shared", &err), &err);
	for (int i = 0; i < 10; i++) {
		struct endpoint_options wish = {.network = "shared", .container_id = id};
		struct attachment *attachment = NULL;

		snprintf(id, sizeof(id), "c%d-%d", number, i);
		CHECK_OK(attachment_prepare(store, &wish, 1, false, &attachment, &err), &err);
		if (attachment && i % 2)
			CHECK_OK(attachment_release(store, &attachment, 1, &err), &err);
		attachment_free(attachment);
	}
	network_store_close(store);
	return lab_failures;
}

static bool all_differ(const char *const *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (str_equal(values[i], values[j]))
				return false;
	return true;
}

static int crowd(void *data)
{
	struct network_store *store = lab_open();
	struct network_info **list = NULL;
	struct error err = ERROR_INIT;
	const char *subnets[16] = {0};
	_cleanup_json_ json_t *leases = NULL;
	const char *addresses[64] = {0};
	size_t count = 0, i;
	json_t *item;
	int status;

	setenv("BERTH_FIREWALL", "iptables", 1);
	for (int n = 0; n < 6; n++)
		if (fork() == 0)
			_exit(crowd_member(n));
	while (wait(&status) > 0)
		CHECK(status == 0, "a member failed: %x", status);
	CHECK_OK(network_list(store, &list, &count, &err), &err);
	CHECK(count == 7, "%zu networks", count);
	for (i = 0; i < count && i < 16; i++)
		subnets[i] = list[i]->subnet4;
	CHECK(all_differ(subnets, count), "a subnet was given twice");
	CHECK_OK(json_read(AT_FDCWD, "/run/berth/networks/shared/leases.json", 1 << 20, &leases,
			   &err),
		 &err);
	json_array_foreach(json_object_get(leases, "leases"), i, item)
		addresses[i] = json_get_string(item, "ipv4");
	CHECK(json_array_size(json_object_get(leases, "leases")) == 30, "%zu leases",
	      json_array_size(json_object_get(leases, "leases")));
	CHECK(all_differ(addresses, 30), "an address was given twice");
	for (i = 0; i < count; i++)
		network_info_free(list[i]);
	free(list);
	network_store_close(store);
	return lab_failures;
}

Test(attachment, many_processes)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	cr_expect_eq(in_namespaces(NAMESPACES, crowd, NULL), 0);
}

/* A hook that fails names the reason and leaves leases to attachment_release(). */
static int failed_birth(void *data)
{
	struct network_store *store = lab_open();
	struct error err = ERROR_INIT;
	struct endpoint_options wish = {.network = "n", .container_id = "c"};
	struct attachment *attachment = NULL, *again = NULL;
	const struct endpoint *ends;
	size_t count, fd_count;
	int fds[2];

	setenv("BERTH_FIREWALL", "none", 1);
	make(store, "n", false);
	CHECK_OK(attachment_prepare(store, &wish, 1, false, &attachment, &err), &err);
	CHECK_OK(attachment_prepare(store, &wish, 1, false, &again, &err), &err);
	ends = attachment_endpoints(attachment, &count);
	CHECK(ends[0].ipv4.s_addr == attachment_endpoints(again, &count)[0].ipv4.s_addr,
	      "a container keeps its lease");
	CHECK(unshare(CLONE_NEWNET) == 0, "%m");
	CHECK_OK(attachment_hook(attachment, fds, &fd_count, &err), &err);
	CHECK(attachment_hook(attachment, fds, &fd_count, &err) == -EEXIST, "%s", err.message);
	CHECK(strstr(err.message, "connect to its networks"), "%s", err.message);
	error_clear(&err);
	CHECK(network_remove(store, "n", &err) == -EBUSY, "%s", err.message);
	error_clear(&err);
	CHECK_OK(attachment_release(store, &attachment, 1, &err), &err);
	CHECK_OK(attachment_release(store, &again, 1, &err), &err);
	CHECK(link_index(lab_socket(-1, AF_INET, SOCK_DGRAM), "eth0") == -ENODEV, "peer is left");
	attachment_free(attachment);
	attachment_free(again);
	CHECK_OK(network_remove(store, "n", &err), &err);
	network_store_close(store);
	return lab_failures;
}

Test(attachment, failed_birth)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	cr_expect_eq(in_namespaces(NAMESPACES, failed_birth, NULL), 0);
}

/* links_per_container > 1, a wished address, the order of interfaces and the default route. */
static int several_networks(void *data)
{
	static const char *const link_local[] = {"169.254.8.9", NULL};
	struct network_store *store = lab_open();
	struct error err = ERROR_INIT;
	struct network_options inner = {.internal = true};
	struct endpoint_options wishes[3] = {
		{.network = "z", .container_id = "c", .priority = 5, .link_local_ips = link_local},
		{.network = "inner", .container_id = "c", .gw_priority = 9},
		{.network = "a", .container_id = "c", .gw_priority = 1, .interface_name = "lan"},
	};
	static const char *const names[] = {"eth0", "lan", "eth1"};
	struct attachment *attachment = NULL;
	const struct endpoint *ends;
	size_t count, fd_count;
	char route[256] = "", gateway[16];
	int fds[2];

	setenv("BERTH_FIREWALL", "none", 1);
	make(store, "a", true);
	make(store, "z", false);
	CHECK_OK(network_create(store, "inner", &inner, &err), &err);
	CHECK_OK(network_ensure(store, "inner", &err), &err);
	CHECK_OK(attachment_prepare(store, wishes, 3, false, &attachment, &err), &err);
	ends = attachment_endpoints(attachment, &count);
	for (size_t i = 0; i < count; i++)
		CHECK(str_equal(ends[i].interface_name, names[i]), "%s: %s", ends[i].network,
		      ends[i].interface_name);
	CHECK(unshare(CLONE_NEWNET) == 0, "%m");
	CHECK_OK(attachment_hook(attachment, fds, &fd_count, &err), &err);
	FILE *file = fopen("/proc/thread-self/net/route", "re");
	while (fgets(route, sizeof(route), file) && !strstr(route, "\t00000000\t"))
		;
	fclose(file);
	snprintf(gateway, sizeof(gateway), "%08X", ends[1].gateway4.s_addr);
	CHECK(str_starts_with(route, "lan\t") && strstr(route, gateway), "%s (%s)", route, gateway);
	CHECK_OK(attachment_release(store, &attachment, 1, &err), &err);
	attachment_free(attachment);
	network_store_close(store);
	return lab_failures;
}

Test(attachment, several_networks)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	cr_expect_eq(in_namespaces(NAMESPACES, several_networks, NULL), 0);
}

/* A network that goes takes the links with it; one that others keep does not. */
static int released_ahead(void *data)
{
	static const char *const both[] = {"goes", "stays", NULL}, *const stays[] = {"stays", NULL};
	struct network_store *store = lab_open();
	struct error err = ERROR_INIT, errors[2] = {ERROR_INIT, ERROR_INIT};
	struct box first, second;
	struct attachment *attachment;
	char link[16] = "";
	size_t count;

	setenv("BERTH_FIREWALL", "none", 1);
	make(store, "goes", false);
	make(store, "stays", false);
	first = lab_box(store, "one", both);
	second = lab_box(store, "two", stays);
	attachment = first.attachment;
	snprintf(link, sizeof(link), "%s", first.ends[0].host_interface);
	CHECK_OK(attachment_release_ahead(store, &attachment, 1, both, 2, &err), &err);
	first.ends = attachment_endpoints(attachment, &count);
	CHECK(count == 1 && str_equal(first.ends[0].network, "stays"), "%zu endpoints", count);
	CHECK(lab_link_exists(link), "its link went before its network");
	network_remove_many(store, both, 2, errors);
	CHECK(errors[0].code == 0, "%s", errors[0].message);
	CHECK(errors[1].code == EBUSY, "%s", errors[1].message);
	CHECK(!lab_link_exists(link), "its link is left");
	CHECK(lab_link_exists(first.ends[0].host_interface), "the other link went, too");
	lab_unbox(store, &first);
	lab_unbox(store, &second);
	CHECK_OK(network_remove(store, "stays", &err), &err);
	network_store_close(store);
	return lab_failures;
}

Test(attachment, released_ahead)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	cr_expect_eq(in_namespaces(NAMESPACES, released_ahead, NULL), 0);
}
