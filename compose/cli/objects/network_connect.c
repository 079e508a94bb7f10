// SPDX-License-Identifier: GPL-2.0-or-later

/* `network connect` and `network disconnect`: a container's networks, while it is there. */

#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/args/target.h"
#include "compose/cli/client.h"
#include "compose/cli/command.h"
#include "compose/cli/inspect/inspect.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static char **aliases, **driver_opts, **links, **link_local_ips;
static const char *ip, *ip6;
static int gw_priority;
static bool gw_priority_given, force;

static const struct option connect_options[] = {
	{"alias", 0, OPTION_LIST, &aliases, "list", "Another name of it on this network"},
	{"driver-opt", 0, OPTION_LIST, &driver_opts, "list", "KEY=VALUE for the network's driver"},
	{"gw-priority", 0, OPTION_INT, &gw_priority, "int",
	 "The network with the highest has its default route", &gw_priority_given},
	{"ip", 0, OPTION_STRING, &ip, "string", "Its address (172.30.100.104)"},
	{"ip6", 0, OPTION_STRING, &ip6, "string", "Its IPv6 address (2001:db8::33)"},
	{"link", 0, OPTION_LIST, &links, "list",
	 "NAME[:ALIAS] of a running container on it, to be found by this one alone"},
	{"link-local-ip", 0, OPTION_LIST, &link_local_ips, "list", "A link-local address"},
	{NULL},
};

static const struct option disconnect_options[] = {
	{"force", 'f', OPTION_FLAG, &force, NULL,
	 "A container that is not there, or not on it, is no error"},
	{NULL},
};

static void put_wishes(json_t *request)
{
	if (aliases)
		json_object_set_new(request, "aliases", json_from_strv(aliases));
	if (link_local_ips)
		json_object_set_new(request, "link_local_ips", json_from_strv(link_local_ips));
	if (driver_opts)
		json_object_set_new(request, "driver_opts", json_from_pairs(driver_opts));
	if (gw_priority_given)
		json_put_int(request, "gw_priority", gw_priority);
	if (links)
		json_object_set_new(request, "links", json_from_strv(links));
	json_put_string(request, "ipv4_address", ip);
	json_put_string(request, "ipv6_address", ip6);
}

/* @request with the network and the container by their names; and whom to ask. */
static int find_both(char **argv, json_t *request, json_t **ret_container, struct error *err)
{
	_cleanup_json_ json_t *network = NULL;

	if (inspect_network(argv[0], &network, err) < 0 ||
	    machine_find(argv[1], ret_container, err) < 0)
		return -err->code;
	json_put_string(request, "network", json_get_string(network, "Name"));
	json_put_string(request, "container", json_get_string(*ret_container, "id"));
	return 0;
}

static bool is_on(const json_t *container, const char *network)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(container, "networks"), i, row) {
		if (str_equal(json_get_string(row, "name"), network))
			return true;
	}
	return false;
}

/* Whom it is to find by another name is there to be found. */
static int check_links(const char *network, struct error *err)
{
	strv_foreach(link, links) {
		_cleanup_free_ char *name = alloc_string_n(link, strcspn(link, ":"));
		_cleanup_json_ json_t *container = NULL;

		if (machine_find(name, &container, err) < 0)
			return error_wrap(err, "--link %s", link);
		if (!container_is_running(container) || !is_on(container, network))
			return error_set(err, ENETUNREACH,
					 "--link %s: container %s does not run, or not on network "
					 "%s",
					 link, name, network);
	}
	return 0;
}

static int ask(struct project_args *args, const char *what, const json_t *container,
	       const json_t *request, struct error *err)
{
	if (args->dry_run) {
		printf("%s container %s: network %s (asked for)\n", what,
		       json_get_string(container, "name"), json_get_string(request, "network"));
		return 0;
	}
	return client_call(json_get_string(container, "project"), CLIENT_START_FOR_STATE, what,
			   request, NULL, err);
}

static int run_connect(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *container = NULL, *request = json_object();
	struct error err = ERROR_INIT;

	put_wishes(request);
	if (find_both(argv, request, &container, &err) >= 0 &&
	    check_links(json_get_string(request, "network"), &err) >= 0)
		(void)ask(args, REQUEST_CONNECT, container, request, &err);
	return err.code ? output_fail(args, &err) : 0;
}

static int run_disconnect(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *container = NULL, *request = json_object();
	struct error err = ERROR_INIT;

	if (find_both(argv, request, &container, &err) >= 0)
		(void)ask(args, REQUEST_DISCONNECT, container, request, &err);
	return err.code && !(force && err.code == ENOENT) ? output_fail(args, &err) : 0;
}

const struct command command_network_connect = {
	.name = "connect",
	.operands = "[OPTIONS] NETWORK CONTAINER",
	.summary = "Put a container on one more network",
	.options = connect_options,
	.min_operands = 2,
	.max_operands = 2,
	.run = run_connect,
};

const struct command command_network_disconnect = {
	.name = "disconnect",
	.operands = "[OPTIONS] NETWORK CONTAINER",
	.summary = "Take a container off a network",
	.options = disconnect_options,
	.min_operands = 2,
	.max_operands = 2,
	.run = run_disconnect,
};
