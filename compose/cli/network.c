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

#include "compose/cli/command.h"
#include "compose/cli/inspect.h"
#include "compose/cli/output.h"
#include "compose/cli/projects.h"
#include "compose/cli/prune.h"
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

static json_t *object_of(char *const *words)
{
	json_t *object = json_object();

	strv_foreach(word, (char **)words) {
		const char *equals = strchr(word, '=');
		_cleanup_free_ char *key =
			equals ? alloc_string_n(word, (size_t)(equals - word)) : alloc_string(word);

		json_put_string(object, key, equals ? equals + 1 : "");
	}
	return object;
}

/* network create */

static bool create_attachable, create_internal, create_ipv6, create_ipv4 = true;
static char **create_aux;
static const char *create_ipam_driver = "default", *create_scope = "local";
static char **create_labels, **create_opts, **create_subnets, **create_gateways, **create_ranges;
static const char *create_driver = "bridge";

static const struct option create_options[] = {
	{"aux-address", 0, OPTION_LIST, &create_aux, "map", "NAME=ADDRESS that nobody is given"},
	{"ipam-driver", 0, OPTION_STRING, &create_ipam_driver, "string", NULL},
	{"ipv4", 0, OPTION_FLAG, &create_ipv4, NULL, "IPv4 addresses (on; --ipv4=false)"},
	{"scope", 0, OPTION_STRING, &create_scope, "string", NULL},
	{"attachable", 0, OPTION_FLAG, &create_attachable, NULL, "Kept with it"},
	{"driver", 'd', OPTION_STRING, &create_driver, "string", "bridge (default), macvlan, ..."},
	{"gateway", 0, OPTION_LIST, &create_gateways, "strings", "Of the subnet at its place"},
	{"internal", 0, OPTION_FLAG, &create_internal, NULL, "Nothing leads outside"},
	{"ip-range", 0, OPTION_LIST, &create_ranges, "strings", "Where addresses are taken from"},
	{"ipv6", 0, OPTION_FLAG, &create_ipv6, NULL, "IPv6 addresses as well"},
	{"label", 0, OPTION_LIST, &create_labels, "list", "KEY=VALUE kept with it"},
	{"opt", 'o', OPTION_LIST, &create_opts, "map", "An option of the driver"},
	{"subnet", 0, OPTION_LIST, &create_subnets, "strings", "In CIDR form: 172.28.0.0/16"},
	{NULL},
};

/* NAME=ADDRESS of those that are of this family: a network has one subnet of each. */
static json_t *aux_of_family(char *const *words, bool six)
{
	json_t *all = object_of(words), *value;
	const char *key;
	void *next;

	json_object_foreach_safe(all, next, key, value)
	{
		if ((strchr(json_string_value(value), ':') != NULL) != six)
			json_object_del(all, key);
	}
	return all;
}

static int create(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	_cleanup_(cleanup_network_info_free) struct network_info *info = NULL;
	_cleanup_json_ json_t *labels = object_of(create_labels), *opts = object_of(create_opts);
	size_t count = strv_length(create_subnets), gateways = strv_length(create_gateways),
	       ranges = strv_length(create_ranges);
	_cleanup_free_ struct network_pool *pools = new_array(struct network_pool, count + 1);
	struct network_options options = {
		.driver = create_driver,
		.driver_opts = opts,
		.labels = labels,
		.internal = create_internal,
		.attachable = create_attachable,
		.enable_ipv6 = create_ipv6,
		.disable_ipv4 = !create_ipv4,
		.pools = pools,
		.pool_count = count,
	};
	struct error err = ERROR_INIT;
	_cleanup_json_ json_t *aux4 = NULL, *aux6 = NULL;

	if (strcmp(create_ipam_driver, "default") != 0 || strcmp(create_scope, "local") != 0) {
		error_set(&err, EINVAL,
			  "--ipam-driver and --scope: there are no others than default and local");
		return output_fail(args, &err);
	}
	if (create_aux && !count) {
		error_set(&err, EINVAL, "no matching subnet for aux-address %s", create_aux[0]);
		return output_fail(args, &err);
	}
	aux4 = aux_of_family(create_aux, false);
	aux6 = aux_of_family(create_aux, true);
	if (gateways > count || ranges > count) {
		error_set(&err, EINVAL,
			  "every ip-range or gateway must have a corresponding subnet");
		return output_fail(args, &err);
	}
	for (size_t i = 0; i < count; i++) {
		pools[i].subnet = create_subnets[i];
		pools[i].gateway = i < gateways ? create_gateways[i] : NULL;
		pools[i].ip_range = i < ranges ? create_ranges[i] : NULL;
		pools[i].aux_addresses = strchr(create_subnets[i], ':') ? aux6 : aux4;
	}
	if (open_store(&store, &err) < 0)
		return output_fail(args, &err);
	if (network_create(store, argv[0], &options, &err) < 0) {
		if (err.code == EEXIST)
			error_set(&err, EEXIST, "network with name %s already exists", argv[0]);
		return output_fail(args, &err);
	}
	if (network_inspect(store, argv[0], &info, &err) < 0)
		return output_fail(args, &err);
	puts(info->id);
	return 0;
}

static const struct command command_create = {
	.name = "create",
	.operands = "[OPTIONS] NETWORK",
	.summary = "Make a network",
	.options = create_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = create,
};

/* network inspect */

static const char *inspect_format;

static const struct option inspect_options[] = {
	{"format", 'f', OPTION_STRING, &inspect_format, "string",
	 "json, or a template such as '{{.Id}}'"},
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
	_cleanup_json_ json_t *rows = json_array();
	struct error err = ERROR_INIT;
	int exit_code = 0;

	for (int i = 0; i < argc; i++) {
		json_t *row;

		error_clear(&err);
		if (inspect_network(argv[i], &row, &err) < 0)
			exit_code = output_fail(args, &err);
		else
			json_array_append_new(rows, row);
	}
	error_clear(&err);
	if (output_inspected(rows, inspect_format, &err) < 0)
		return output_fail(args, &err);
	return exit_code;
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

/* network ls */

static bool list_quiet, list_no_trunc;
static char **list_filters;
static const char *list_format;

static const struct option list_options[] = {
	{"filter", 'f', OPTION_LIST, &list_filters, "filter",
	 "name=TEXT, id=TEXT, driver=NAME, label=KEY[=VALUE]"},
	{"format", 0, OPTION_STRING, &list_format, "string",
	 "table, json, or a template such as '{{.Name}}'"},
	{"no-trunc", 0, OPTION_FLAG, &list_no_trunc, NULL, "Show ids whole"},
	{"quiet", 'q', OPTION_FLAG, &list_quiet, NULL, "Ids only"},
	{NULL},
};

static const char *const list_columns[] = {
	"NETWORK ID", "ID", "NAME", "Name", "DRIVER", "Driver", "SCOPE", "Scope", NULL,
};

static json_t *list_row(const struct network_info *info)
{
	_cleanup_free_ char *labels = output_labels(info->labels);
	_cleanup_free_ char *id =
		list_no_trunc ? alloc_string(info->id) : alloc_string_n(info->id, 12);
	json_t *row = json_object();
	char created[UNITS_TIME_MAX];

	json_put_string(row, "CreatedAt",
			units_format_time(info->created_nsec, created, sizeof(created)));
	json_put_string(row, "Driver", info->driver);
	json_put_string(row, "ID", id);
	json_put_string(row, "IPv4", info->ipv4 ? "true" : "false");
	json_put_string(row, "IPv6", info->ipv6 ? "true" : "false");
	json_put_string(row, "Internal", info->internal ? "true" : "false");
	json_put_string(row, "Labels", labels);
	json_put_string(row, "Name", info->name);
	json_put_string(row, "Scope", "local");
	return row;
}

static bool passes(const char *filter, const struct network_info *info)
{
	const char *value = strchr(filter, '=') + 1;

	if (str_starts_with(filter, "name="))
		return strstr(info->name, value) != NULL;
	if (str_starts_with(filter, "id="))
		return str_starts_with(info->id, value);
	if (str_starts_with(filter, "driver="))
		return str_equal(info->driver, value);
	return prune_filter_matches(
		&(struct prune_filter){.filters = (char *const[]){(char *)filter, NULL}},
		info->labels, 0);
}

static bool passes_all(const struct network_info *info)
{
	strv_foreach(filter, list_filters)
		if (!passes(filter, info))
			return false;
	return true;
}

static int check_filters(struct error *err)
{
	static const char *const known[] = {"name=", "id=", "driver=", "label="};

	strv_foreach(filter, list_filters) {
		bool found = false;

		array_foreach(prefix, known)
			found = found || str_starts_with(filter, *prefix);
		if (!found)
			return error_set(err, EINVAL, "invalid filter '%s'", filter);
	}
	return 0;
}

static int list(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	_cleanup_json_ json_t *rows = json_array();
	struct network_info **infos = NULL;
	struct error err = ERROR_INIT;
	size_t i, count = 0;
	json_t *row;

	if (check_filters(&err) < 0 || open_store(&store, &err) < 0 ||
	    network_list(store, &infos, &count, &err) < 0)
		return output_fail(args, &err);
	for (i = 0; i < count; i++) {
		if (passes_all(infos[i]))
			json_array_append_new(rows, list_row(infos[i]));
		network_info_free(infos[i]);
	}
	free(infos);
	if (list_quiet) {
		json_array_foreach(rows, i, row)
			puts(json_get_string(row, "ID"));
		return 0;
	}
	if (output_rows(rows, list_format, list_columns, OUTPUT_LINES, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

static const struct command command_list = {
	.name = "ls",
	.aliases = "list",
	.operands = "[OPTIONS]",
	.summary = "Show the networks of this machine",
	.options = list_options,
	.run = list,
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
extern const struct command command_network_disconnect;

static const struct command *const children[] = {
	&command_network_connect,
	&command_create,
	&command_network_disconnect,
	&command_inspect,
	&command_list,
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
