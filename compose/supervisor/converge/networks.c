// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/networks.h"

#include <stdlib.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/state.h"

void network_wish_init(struct network_wish *wish, const struct network *network)
{
	struct network_pool *pools = new_array(struct network_pool, network->ipam.config_count + 1);

	wish->pools = pools;
	wish->driver_opts = observe_strings(&network->driver_opts);
	wish->addresses = json_array();
	for (size_t i = 0; i < network->ipam.config_count; i++) {
		const struct ipam_config *config = &network->ipam.configs[i];
		json_t *aux = observe_strings(&config->aux_addresses);

		pools[i] = (struct network_pool){config->subnet, config->ip_range, config->gateway,
						 aux};
		json_array_append_new(wish->addresses, aux ?: json_null());
	}
	wish->options = (struct network_options){
		.driver = network->driver,
		.driver_opts = wish->driver_opts,
		.internal = network->internal,
		.attachable = network->attachable,
		.enable_ipv6 = network->enable_ipv6 == TRI_TRUE,
		.disable_ipv4 = network->enable_ipv4 == TRI_FALSE,
		.pools = pools,
		.pool_count = network->ipam.config_count,
	};
}

void network_wish_done(struct network_wish *wish)
{
	free(wish->pools);
	json_decref(wish->driver_opts);
	json_decref(wish->addresses);
}

int networks_create(struct converge *converge, const struct operation *operation, struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const struct network *network = project_network(converge_project(converge), operation->key);
	_cleanup_json_ json_t *labels = NULL;
	struct network_wish wish;
	char hash[65];
	int r;

	if (!network)
		return error_set(err, ENOENT, "there is no such network in the project");
	network_hash(network, hash);
	labels = observe_object_labels(supervisor, "network", network->key, hash, &network->labels);
	network_wish_init(&wish, network);
	wish.options.labels = labels;
	r = network_create(supervisor->networks, operation->name, &wish.options, err);
	network_wish_done(&wish);
	if (r == 0)
		strv_append(&supervisor->networks_made, operation->name);
	/* Made by ourselves, before a crash that came between. */
	if (r == -EEXIST) {
		error_clear(err);
		r = 0;
	}
	return r;
}

void networks_release(struct converge *converge)
{
	struct supervisor *supervisor = converge->supervisor;
	struct error err = ERROR_INIT;

	if (!converge->released_count)
		return;
	if (attachment_release(supervisor->networks, converge->released, converge->released_count,
			       &err) < 0)
		log_warning("give addresses back: %s", err.message);
	for (size_t i = 0; i < converge->released_count; i++)
		attachment_free(converge->released[i]);
	free(converge->released);
	converge->released = NULL;
	converge->released_count = 0;
}

static void forget_network(struct supervisor *supervisor, const char *name)
{
	network_info_free(map_remove(&supervisor->networks_ready, name));
}

/*
 * What the removed containers had on networks that go now, and on others. Nothing needs the removed
 * containers' records from here on: while the kernel takes its time with the links, a job clears
 * them away.
 */
static void release_with(struct converge *converge, const char *const *names, size_t count)
{
	struct error err = ERROR_INIT;

	if (!converge->released_count)
		return;
	if (attachment_release_ahead(converge->supervisor->networks, converge->released,
				     converge->released_count, names, count, &err) < 0)
		log_warning("give addresses back: %s", err.message);
	networks_release(converge);
	/* By the trash another supervisor would know whose rules are to go. */
	ports_flush(converge->supervisor->ports);
	state_empty_trash(converge->supervisor);
	converge->tidied = true;
}

/* All that may go by now, whose operations come right after this one and find it done. */
static void remove_ready_networks(struct converge *converge, size_t index)
{
	const struct operation *operations = converge->plan->operations;
	_cleanup_free_ const char **names = new_array(const char *, converge->plan->count);
	_cleanup_free_ size_t *at = new_array(size_t, converge->plan->count);
	_cleanup_free_ struct error *errors = NULL;
	size_t count = 0;

	for (size_t i = index; i < converge->plan->count; i++) {
		const struct operation_run *run = &converge->runs[i];

		if (operations[i].kind != OP_REMOVE_NETWORK ||
		    (i != index && (run->state != RUN_WAITING || run->unmet || run->removal)))
			continue;
		names[count] = operations[i].name;
		at[count++] = i;
	}
	errors = new_array(struct error, count);
	release_with(converge, names, count);
	network_remove_many(converge->supervisor->networks, names, count, errors);
	for (size_t i = 0; i < count; i++) {
		struct error *removal = new (struct error);

		*removal = errors[i];
		converge->runs[at[i]].removal = removal;
		if (!removal->code || removal->code == ENOENT)
			forget_network(converge->supervisor, names[i]);
	}
}

int networks_remove(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct operation_run *run = &converge->runs[index];
	_cleanup_free_ struct error *removal = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	if (!run->removal)
		remove_ready_networks(converge, index);
	removal = TAKE_PTR(run->removal);
	*err = *removal;
	r = -err->code;
	if (r == -EBUSY) {
		text = str_printf("%s: %s", operation->object, err->message);
		converge_warn(converge, text);
	}
	if (r == -ENOENT || r == -EBUSY) {
		error_clear(err);
		r = 0;
	}
	return r;
}
