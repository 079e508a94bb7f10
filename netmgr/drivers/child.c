// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * child.c - macvlan and ipvlan: a container's interface is a child of one of the host's, and the
 * container stands in that network itself. There is no bridge, no rule and no published port; the
 * gateway is whatever router that network has.
 *
 * A parent "eth0.10" that is not there is made (VLAN 10 of eth0); without a parent the containers
 * are among themselves, on a link that leads nowhere.
 */
#include <jansson.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/str.h"

#include "netmgr/driver.h"
#include "netmgr/netlink/link.h"
#include "netmgr/store.h"

struct word {
	const char *name;
	uint32_t value;
};

static const struct word macvlan_modes[] = {{"bridge", MACVLAN_MODE_BRIDGE},
					    {"vepa", MACVLAN_MODE_VEPA},
					    {"private", MACVLAN_MODE_PRIVATE},
					    {"passthru", MACVLAN_MODE_PASSTHRU},
					    {NULL, 0}};
static const struct word ipvlan_modes[] = {
	{"l2", IPVLAN_MODE_L2}, {"l3", IPVLAN_MODE_L3}, {"l3s", IPVLAN_MODE_L3S}, {NULL, 0}};
static const struct word ipvlan_flags[] = {
	{"bridge", 0}, {"private", IPVLAN_F_PRIVATE}, {"vepa", IPVLAN_F_VEPA}, {NULL, 0}};

static int set_word(const struct word *words, const char *key, const char *value, uint32_t *ret,
		    struct error *err)
{
	_cleanup_strbuf_ struct strbuf list = {0};

	for (const struct word *word = words; word->name; word++) {
		*ret = word->value;
		if (str_equal(word->name, value))
			return 0;
		strbuf_addf(&list, "%s%s", list.length ? ", " : "", word->name);
	}
	return error_set(err, EINVAL, "driver_opts: %s: '%s' is none of %s", key, value, list.data);
}

static int set_parent(struct network *network, const char *value, struct error *err)
{
	if (!value[0] || strlen(value) > 15 || strpbrk(value, "/ \t\n\"%"))
		return error_set(err, EINVAL,
				 "driver_opts: parent: '%s' cannot be an interface's name", value);
	strcpy(network->bridge, value);
	return 0;
}

static int set_option(struct network *network, const char *key, const char *value,
		      struct error *err)
{
	bool ipvlan = str_equal(network->link_kind, "ipvlan");
	char *end;

	if (str_equal(key, "parent"))
		return set_parent(network, value, err);
	if (!ipvlan && (str_equal(key, "macvlan_mode") || str_equal(key, "mode")))
		return set_word(macvlan_modes, key, value, &network->link_mode, err);
	if (ipvlan && (str_equal(key, "ipvlan_mode") || str_equal(key, "mode")))
		return set_word(ipvlan_modes, key, value, &network->link_mode, err);
	if (ipvlan && str_equal(key, "ipvlan_flag"))
		return set_word(ipvlan_flags, key, value, &network->link_flags, err);
	if (str_equal(key, "com.docker.network.driver.mtu")) {
		network->mtu = (unsigned int)strtoul(value, &end, 10);
		if (!*end && network->mtu >= 68 && network->mtu <= 65535)
			return 0;
		return error_set(err, EINVAL, "driver_opts: %s: '%s' is not from 68 to 65535", key,
				 value);
	}
	return error_set(err, EINVAL, "driver_opts: driver %s knows no '%s'; it has parent, %s",
			 network->link_kind, key,
			 ipvlan ? "ipvlan_mode and ipvlan_flag" : "macvlan_mode");
}

static int configure(struct network *network, const char *kind, uint32_t mode, struct error *err)
{
	const char *key;
	json_t *value;

	network->link_kind = kind;
	network->link_mode = mode;
	strcpy(network->interface_prefix, "eth");
	network->icc = true;
	json_object_foreach(network->driver_opts, key, value)
		if (set_option(network, key, json_string_value(value) ?: "", err) < 0)
			return -err->code;
	if (!network->bridge[0]) {
		snprintf(network->bridge, sizeof(network->bridge), "dm-%.12s", network->id);
		network->internal = true;
	}
	/* In the third layer's modes there is no neighbour to ask: the interface itself is the way.
	 */
	network->device_route = str_equal(kind, "ipvlan") && network->link_mode != IPVLAN_MODE_L2;
	network->address_on_bridge = !network->internal;
	return 0;
}

static int macvlan_configure(struct network *network, struct error *err)
{
	return configure(network, "macvlan", MACVLAN_MODE_BRIDGE, err);
}

static int ipvlan_configure(struct network *network, struct error *err)
{
	return configure(network, "ipvlan", IPVLAN_MODE_L2, err);
}

static bool is_own(const struct network *network)
{
	return str_starts_with(network->bridge, "dm-") &&
	       strncmp(network->bridge + 3, network->id, 12) == 0;
}

/* Two ends on the host: unlike a bridge without ports, such a link always has a carrier. */
static void put_nowhere(const struct network *network, struct batch *batch, int netns_fd)
{
	char peer[16];
	const struct link_veth veth = {
		.name = network->bridge, .peer_name = peer, .netns_fd = netns_fd};

	snprintf(peer, sizeof(peer), "dp-%.12s", network->id);
	link_add_veth(batch, &veth);
	link_set_up_by_name(batch, peer);
}

/* "eth0.10" */
static int put_vlan(const struct network *network, struct batch *batch, int fd, struct error *err)
{
	const char *dot = strrchr(network->bridge, '.');
	char lower[16] = "", *end = NULL;
	unsigned long id = dot ? strtoul(dot + 1, &end, 10) : 0;
	int index;

	if (dot)
		memcpy(lower, network->bridge, (size_t)(dot - network->bridge));
	index = dot ? link_index(fd, lower) : -ENODEV;
	if (index < 0 || !end || *end || id < 1 || id > 4094)
		return error_set(err, ENODEV, "its parent interface %s is not there",
				 dot ? lower : network->bridge);
	link_add_vlan(batch, network->bridge, (unsigned int)index, (uint16_t)id);
	return 0;
}

static int child_ensure(const struct network *network, int fd, struct error *err)
{
	int netns = -EBADF, r = 0;
	struct batch batch = {0};

	if (link_index(fd, network->bridge) > 0)
		return 0;
	if (is_own(network)) {
		netns = ioctl(fd, SIOCGSKNS);
		put_nowhere(network, &batch, netns);
	} else {
		r = put_vlan(network, &batch, fd, err);
	}
	link_set_up_by_name(&batch, network->bridge);
	if (r == 0)
		r = batch_send(&batch, fd, EEXIST, err);
	batch_done(&batch);
	cleanup_close_fd(&netns);
	return r < 0 ? error_wrap(err, "interface %s", network->bridge) : 0;
}

static int child_check(const struct network *network, int fd, struct error *err)
{
	struct batch unsent = {0};
	int r = 0;

	if (!is_own(network) && link_index(fd, network->bridge) <= 0)
		r = put_vlan(network, &unsent, fd, err);
	batch_done(&unsent);
	return r;
}

static int child_interfaces(const struct network *network, int fd, char ***ret_names,
			    struct error *err)
{
	*ret_names = NULL;
	if (!network->found_bridge && link_index(fd, network->bridge) >= 0)
		strv_append(ret_names, network->bridge);
	return 0;
}

const struct network_driver driver_macvlan = {
	.name = "macvlan",
	.addresses = true,
	.child = true,
	.configure = macvlan_configure,
	.check = child_check,
	.ensure = child_ensure,
	.interfaces = child_interfaces,
};
const struct network_driver driver_ipvlan = {
	.name = "ipvlan",
	.addresses = true,
	.child = true,
	.configure = ipvlan_configure,
	.check = child_check,
	.ensure = child_ensure,
	.interfaces = child_interfaces,
};
