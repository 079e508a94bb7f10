// SPDX-License-Identifier: GPL-2.0-or-later
/* `network create`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/network.h"

#include "compose/cli/command.h"
#include "compose/cli/projects.h"
#include "compose/cli/system/prune.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct network_store *, network_store_close);
DEFINE_CLEANUP(struct network_info *, network_info_free);

static bool attachable, config_only, ingress, internal, ipv6, ipv4 = true;
static char **aux, **ipam_opts;
static const char *config_from, *ipam_driver = "default", *scope = "local";
static char **labels, **opts, **subnets, **gateways, **ranges;
static const char *driver = "bridge";

static const struct option options[] = {
	{"aux-address", 0, OPTION_LIST, &aux, "map", "NAME=ADDRESS that nobody is given"},
	{"config-from", 0, OPTION_STRING, &config_from, "string", NULL},
	{"config-only", 0, OPTION_FLAG, &config_only, NULL, NULL},
	{"ingress", 0, OPTION_FLAG, &ingress, NULL, NULL},
	{"ipam-opt", 0, OPTION_LIST, &ipam_opts, "map", NULL},
	{"ipam-driver", 0, OPTION_STRING, &ipam_driver, "string", NULL},
	{"ipv4", 0, OPTION_FLAG, &ipv4, NULL, "IPv4 addresses (on; --ipv4=false)"},
	{"scope", 0, OPTION_STRING, &scope, "string", NULL},
	{"attachable", 0, OPTION_FLAG, &attachable, NULL, "Kept with it"},
	{"driver", 'd', OPTION_STRING, &driver, "string", "bridge (default), macvlan, ..."},
	{"gateway", 0, OPTION_LIST, &gateways, "strings", "Of the subnet at its place"},
	{"internal", 0, OPTION_FLAG, &internal, NULL, "Nothing leads outside"},
	{"ip-range", 0, OPTION_LIST, &ranges, "strings", "Where addresses are taken from"},
	{"ipv6", 0, OPTION_FLAG, &ipv6, NULL, "IPv6 addresses as well"},
	{"label", 0, OPTION_LIST, &labels, "list", "KEY=VALUE kept with it"},
	{"opt", 'o', OPTION_LIST, &opts, "map", "An option of the driver"},
	{"subnet", 0, OPTION_LIST, &subnets, "strings", "In CIDR form: 172.28.0.0/16"},
	{NULL},
};

/* NAME=ADDRESS of those that are of this family: a network has one subnet of each. */
static json_t *aux_of_family(char *const *words, bool six)
{
	json_t *all = json_from_pairs(words), *value;
	const char *key;
	void *next;

	json_object_foreach_safe(all, next, key, value)
	{
		if ((strchr(json_string_value(value), ':') != NULL) != six)
			json_object_del(all, key);
	}
	return all;
}

static int check_refused(struct error *err)
{
	if (strcmp(ipam_driver, "default") != 0 || strcmp(scope, "local") != 0 || ipam_opts)
		return error_set(err, EINVAL,
				 "--ipam-driver, --ipam-opt and --scope: there are no others than "
				 "default, none and local");
	if (config_only || config_from || ingress)
		return error_set(err, EINVAL,
				 "--config-only, --config-from and --ingress are of Swarm, which "
				 "is not there: say it all of the network itself");
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	_cleanup_(cleanup_network_info_free) struct network_info *info = NULL;
	_cleanup_json_ json_t *label_map = json_from_pairs(labels);
	_cleanup_json_ json_t *opt_map = json_from_pairs(opts);
	size_t count = strv_length(subnets);
	_cleanup_free_ struct network_pool *pools = new_array(struct network_pool, count + 1);
	struct network_options wishes = {
		.driver = driver,
		.driver_opts = opt_map,
		.labels = label_map,
		.internal = internal,
		.attachable = attachable,
		.enable_ipv6 = ipv6,
		.disable_ipv4 = !ipv4,
		.pools = pools,
		.pool_count = count,
	};
	struct error err = ERROR_INIT;
	_cleanup_json_ json_t *aux4 = NULL, *aux6 = NULL;

	if (check_refused(&err) < 0)
		return output_fail(args, &err);
	if (aux && !count) {
		error_set(&err, EINVAL, "no matching subnet for aux-address %s", aux[0]);
		return output_fail(args, &err);
	}
	aux4 = aux_of_family(aux, false);
	aux6 = aux_of_family(aux, true);
	if (strv_length(gateways) > count || strv_length(ranges) > count) {
		error_set(&err, EINVAL,
			  "every ip-range or gateway must have a corresponding subnet");
		return output_fail(args, &err);
	}
	for (size_t i = 0; i < count; i++) {
		pools[i].subnet = subnets[i];
		pools[i].gateway = i < strv_length(gateways) ? gateways[i] : NULL;
		pools[i].ip_range = i < strv_length(ranges) ? ranges[i] : NULL;
		pools[i].aux_addresses = strchr(subnets[i], ':') ? aux6 : aux4;
	}
	if (network_store_open(paths_root(), &store, &err) < 0)
		return output_fail(args, &err);
	if (network_create(store, argv[0], &wishes, &err) < 0) {
		if (err.code == EEXIST)
			error_set(&err, EEXIST, "network with name %s already exists", argv[0]);
		return output_fail(args, &err);
	}
	if (network_inspect(store, argv[0], &info, &err) < 0)
		return output_fail(args, &err);
	puts(info->id);
	return 0;
}

const struct command command_network_create = {
	.name = "create",
	.operands = "[OPTIONS] NETWORK",
	.summary = "Make a network",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
