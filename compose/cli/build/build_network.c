// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/build/build_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"

#include "netmgr/network.h"

#include "compose/control/requests.h"

#define NETWORK_NAME "berth-build"

struct build_network_place {
	struct build_network network;
	struct network_store *store;
	int lock; /* shared by those that use the network */
};

static int take_lock(struct build_network_place *place, int how)
{
	while (flock(place->lock, how) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Alone with it: what is there was left by builds that were killed. */
static void remove_leftover(struct build_network_place *place)
{
	struct error ignored = ERROR_INIT;
	struct network_info *info = NULL;

	if (take_lock(place, LOCK_EX | LOCK_NB) < 0 ||
	    network_inspect(place->store, NETWORK_NAME, &info, &ignored) < 0)
		return;
	network_info_free(info);
	/* The killed left their leases. */
	if (network_remove_abandoned(place->store, NETWORK_NAME, &ignored) < 0)
		log_debug("build: %s", ignored.message);
}

static int open_store(struct build_network_place *place, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/build/network.lock", paths_root());

	place->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (place->lock < 0)
		return error_errno(err, "%s", path);
	return network_store_open(paths_root(), &place->store, err);
}

static int open_place(struct build_network_place *place, struct error *err)
{
	static const struct network_options options = {.driver = "bridge"};
	int r;

	if (place->store)
		return 0;
	r = open_store(place, err);
	if (r < 0)
		return r;
	if (rootless_has_no_way(err))
		log_warning("commands of a build do not reach the world outside: %s", err->message);
	error_clear(err);
	remove_leftover(place);
	r = take_lock(place, LOCK_SH);
	if (r < 0)
		return error_code(err, r, "lock the network of builds");
	r = network_create(place->store, NETWORK_NAME, &options, err);
	if (r < 0 && r != -EEXIST)
		return r;
	error_clear(err);
	return network_ensure(place->store, NETWORK_NAME, err);
}

static void find_gateway(const struct attachment *attachment, struct build_attachment *ret)
{
	const struct endpoint *endpoints;
	size_t count = 0;

	endpoints = attachment_endpoints(attachment, &count);
	if (count && endpoints[0].has_ipv4)
		inet_ntop(AF_INET, &endpoints[0].gateway4, ret->gateway, sizeof(ret->gateway));
}

static int attach(void *data, const char *id, struct build_attachment *ret, struct error *err)
{
	struct build_network_place *place = data;
	const struct endpoint_options endpoint = {.network = NETWORK_NAME, .container_id = id};
	struct attachment *attachment = NULL;

	if (open_place(place, err) < 0 ||
	    attachment_prepare(place->store, &endpoint, 1, false, &attachment, err) < 0)
		return -err->code;
	*ret = (struct build_attachment){
		.hook = attachment_hook, .hook_data = attachment, .handle = attachment};
	find_gateway(attachment, ret);
	return 0;
}

static void detach(void *data, void *handle)
{
	struct build_network_place *place = data;
	struct attachment *attachment = handle;
	struct error err = ERROR_INIT;

	if (attachment_release(place->store, &attachment, 1, &err) < 0)
		log_debug("build: %s", err.message);
	attachment_free(attachment);
}

struct build_network_place *build_network_new(void)
{
	struct build_network_place *place = new_array(struct build_network_place, 1);

	place->lock = -EBADF;
	place->network = (struct build_network){attach, detach, place};
	return place;
}

const struct build_network *build_network_of(struct build_network_place *place)
{
	return &place->network;
}

void build_network_free(struct build_network_place *place)
{
	_cleanup_free_ char *record = str_printf("%s/networks/" NETWORK_NAME, paths_root());
	struct error ignored = ERROR_INIT;

	if (!place)
		return;
	/* Also one that needed none, by those that were killed before it. */
	if (!place->store && access(record, F_OK) == 0)
		(void)open_store(place, &ignored);
	if (place->store)
		remove_leftover(place);
	network_store_close(place->store);
	cleanup_close_fd(&place->lock);
	free(place);
}

void build_network_sweep(void)
{
	build_network_free(build_network_new());
}
