// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth network`: the networks of all projects, and those of none. */
#include "netmgr/network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/build/build_network.h"
#include "compose/cli/command.h"
#include "compose/cli/inspect/inspect.h"
#include "compose/cli/projects.h"
#include "compose/cli/system/prune.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct network_store *, network_store_close);
DEFINE_CLEANUP(struct network_info *, network_info_free);

#define BUILD_NETWORK "berth-build" /* of builds, which look after it themselves */

static int open_store(struct network_store **ret, struct error *err)
{
	return network_store_open(paths_root(), ret, err);
}

/* By name, id, or the beginning of an id. */
static int find(struct network_store *store, const char *name, struct network_info **ret,
		struct error *err)
{
	struct network_info **all = NULL, *found = NULL;
	size_t count = 0, matches = 0;
	bool exact = false;

	if (network_list(store, &all, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		bool named = !strcmp(all[i]->name, name) || !strcmp(all[i]->id, name);

		if (!exact && (named || str_starts_with(all[i]->id, name))) {
			network_info_free(found);
			found = TAKE_PTR(all[i]);
			exact = named;
			matches++;
		}
		network_info_free(all[i]);
	}
	free(all);
	if (found && (exact || matches == 1)) {
		*ret = found;
		return 0;
	}
	network_info_free(found);
	if (matches)
		return error_set(err, ENOTUNIQ, "network %s is ambiguous (%zu matches found)", name,
				 matches);
	return error_set(err, ENOENT, "network %s not found", name);
}

/* network inspect */

static const char *inspect_format;
static bool inspect_verbose; /* of Swarm's networks it would tell more */

static const struct option inspect_options[] = {
	{"format", 'f', OPTION_STRING, &inspect_format, "string",
	 "json, or a template such as '{{.Id}}'"},
	{"verbose", 'v', OPTION_FLAG, &inspect_verbose, NULL, NULL},
	{NULL},
};

/* "172.20.3.2/24", or "" */
static void put_address(json_t *row, const char *key, const json_t *endpoint, const char *address,
			const char *prefix)
{
	const char *ip = json_get_string(endpoint, address);

	json_object_set_new(row, key,
			    ip ? json_sprintf("%s/%d", ip, (int)json_get_int(endpoint, prefix, 0))
			       : json_string(""));
}

static void put_attached(json_t *containers, const json_t *record, const json_t *endpoint)
{
	const char *id = json_get_string(record, "id") ?: "";
	json_t *row = json_object();
	char hex[SHA256_HEX_SIZE];

	inspect_endpoint_id(id, json_get_string(endpoint, "network") ?: "", hex);
	json_put_string(row, "Name", json_get_string(record, "name") ?: "");
	json_put_string(row, "EndpointID", hex);
	json_put_string(row, "MacAddress", json_get_string(endpoint, "mac") ?: "");
	put_address(row, "IPv4Address", endpoint, "ipv4", "prefix4");
	put_address(row, "IPv6Address", endpoint, "ipv6", "prefix6");
	json_object_set_new(containers, id, row);
}

static json_t *attached(const struct network_info *info, const json_t *records)
{
	json_t *containers = json_object(), *record, *endpoint;
	size_t i, j;

	json_array_foreach((json_t *)records, i, record) {
		const json_t *attachment = json_object_get(record, "attachment");

		json_array_foreach(json_object_get(attachment, "endpoints"), j, endpoint) {
			if (json_get_bool(record, "running", false) &&
			    str_equal(json_get_string(endpoint, "network"), info->name))
				put_attached(containers, record, endpoint);
		}
	}
	return containers;
}

static json_t *ipam_of(const struct network_info *info)
{
	static const char *const keys[][2] = {
		{"Subnet", "subnet"}, {"IPRange", "ip_range"}, {"Gateway", "gateway"}};
	json_t *config = json_array(), *pool;
	size_t i;

	json_array_foreach(json_object_get(info->record, "ipam"), i, pool) {
		json_t *row = json_object(), *aux = json_object_get(pool, "aux_addresses");

		array_foreach(key, keys)
			json_put_string(row, (*key)[0], json_get_string(pool, (*key)[1]));
		if (aux)
			json_object_set(row, "AuxiliaryAddresses", aux);
		json_array_append_new(config, row);
	}
	return json_pack("{s:s, s:n, s:o}", "Driver", "default", "Options", "Config", config);
}

static json_t *inspect_row(const struct network_info *info, const json_t *records)
{
	json_t *row = json_object();
	char created[UNITS_TIME_MAX];

	json_put_string(row, "Name", info->name);
	json_put_string(row, "Id", info->id);
	json_put_string(row, "Created",
			units_format_time(info->created_nsec, created, sizeof(created)));
	json_put_string(row, "Scope", "local");
	json_put_string(row, "Driver", info->driver);
	json_put_bool(row, "EnableIPv4", info->ipv4);
	json_put_bool(row, "EnableIPv6", info->ipv6);
	json_object_set_new(row, "IPAM", ipam_of(info));
	json_put_bool(row, "Internal", info->internal);
	json_put_bool(row, "Attachable", info->attachable);
	json_put_bool(row, "Ingress", false);
	json_object_set_new(row, "Containers", attached(info, records));
	json_object_set_new(row, "Options",
			    info->driver_opts ? json_incref(info->driver_opts) : json_object());
	json_object_set_new(row, "Labels",
			    info->labels ? json_incref(info->labels) : json_object());
	return row;
}

int inspect_network(const char *name, json_t **ret, struct error *err)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	_cleanup_(cleanup_network_info_free) struct network_info *info = NULL;
	_cleanup_json_ json_t *records = NULL;

	if (open_store(&store, err) < 0 || find(store, name, &info, err) < 0 ||
	    projects_records(&records, err) < 0)
		return -err->code;
	*ret = inspect_row(info, records);
	return 0;
}

static int inspect(struct project_args *args, int argc, char **argv)
{
	return inspect_each(args, argv, inspect_format, inspect_network);
}

static const struct command command_inspect = {
	.name = "inspect",
	.operands = "[OPTIONS] NETWORK [NETWORK...]",
	.summary = "Show all that is known of networks",
	.options = inspect_options,
	.min_operands = 1,
	.max_operands = -1,
	.run = inspect,
};

/* network rm, prune */

static bool remove_force;

static const struct option remove_options[] = {
	{"force", 'f', OPTION_FLAG, &remove_force, NULL, "One that is not there is no error"},
	{NULL},
};

static int rm(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	struct error err = ERROR_INIT;
	int exit_code = 0;

	if (open_store(&store, &err) < 0)
		return output_fail(args, &err);
	for (int i = 0; i < argc; i++) {
		_cleanup_(cleanup_network_info_free) struct network_info *info = NULL;
		int r;

		error_clear(&err);
		r = find(store, argv[i], &info, &err);
		if (r == 0)
			r = network_remove(store, info->name, &err);
		if (r < 0 && !(r == -ENOENT && remove_force))
			exit_code = output_fail(args, &err);
		else if (r == 0)
			puts(argv[i]);
	}
	return exit_code;
}

static const struct command command_remove = {
	.name = "rm",
	.aliases = "remove",
	.operands = "[OPTIONS] NETWORK [NETWORK...]",
	.summary = "Remove networks",
	.options = remove_options,
	.min_operands = 1,
	.max_operands = -1,
	.run = rm,
};

/* A stopped container comes back to its networks, so these stay. */
int prune_networks(const struct prune_filter *filter, struct error *err)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	_cleanup_json_ json_t *records = NULL;
	struct network_info **infos = NULL;
	size_t count = 0;
	bool heading = false;

	build_network_sweep();
	if (projects_records(&records, err) < 0 || open_store(&store, err) < 0 ||
	    network_list(store, &infos, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		const struct network_info *info = infos[i];
		struct error failed = ERROR_INIT;

		if (!info->attachments && strcmp(info->name, BUILD_NETWORK) != 0 &&
		    !projects_user_of(records, "networks", info->name) &&
		    prune_filter_matches(filter, info->labels, info->created_nsec)) {
			if (network_remove(store, info->name, &failed) == 0) {
				printf("%s%s\n", heading ? "" : "Deleted Networks:\n", info->name);
				heading = true;
			} else if (failed.code != EBUSY && failed.code != ENOENT) {
				output_warn("%s", failed.message);
			}
		}
		network_info_free(infos[i]);
	}
	free(infos);
	if (heading)
		putchar('\n');
	return 0;
}

static bool prune_force;
static char **prune_words;

static const struct option prune_options[] = {
	{"filter", 0, OPTION_LIST, &prune_words, "filter",
	 "until=24h, label=KEY[=VALUE], label!=KEY[=VALUE]"},
	{"force", 'f', OPTION_FLAG, &prune_force, NULL, "Do not ask"},
	{NULL},
};

static int prune(struct project_args *args, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct prune_filter filter;

	if (prune_filter_parse(prune_words, NULL, &filter, &err) < 0)
		return output_fail(args, &err);
	if (!prune_force &&
	    !prune_confirmed("network prune", "This will remove all custom networks not used by at "
					      "least one container."))
		return 1;
	return prune_networks(&filter, &err) < 0 ? output_fail(args, &err) : 0;
}

static const struct command command_prune = {
	.name = "prune",
	.operands = "[OPTIONS]",
	.summary = "Remove networks that no container uses",
	.options = prune_options,
	.run = prune,
};

/* clang-format off */
extern const struct command command_network_connect;
extern const struct command command_network_create;
extern const struct command command_network_ls;
extern const struct command command_network_disconnect;

static const struct command *const children[] = {
	&command_network_connect,
	&command_network_create,
	&command_network_disconnect,
	&command_inspect,
	&command_network_ls,
	&command_prune,
	&command_remove,
	NULL,
};
/* clang-format on */

const struct command command_network = {
	.name = "network",
	.operands = "COMMAND",
	.summary = "Networks: make, look at, join, remove",
	.children = children,
};
