// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/str.h"

#include "netmgr/driver.h"
#include "netmgr/netlink/link.h"
#include "netmgr/store.h"

static int set_flag(bool *flag, const char *key, const char *value, struct error *err)
{
	if (str_equal(value, "true") || str_equal(value, "1"))
		*flag = true;
	else if (str_equal(value, "false") || str_equal(value, "0"))
		*flag = false;
	else
		return error_set(err, EINVAL, "driver_opts: %s: '%s' is neither true nor false",
				 key, value);
	return 0;
}

static int set_name(struct network *network, const char *key, const char *value, struct error *err)
{
	if (!value[0] || strlen(value) > 15 || strpbrk(value, "/ \t\n\"%") ||
	    str_equal(value, ".") || str_equal(value, ".."))
		return error_set(
			err, EINVAL,
			"driver_opts: %s: '%s' cannot be an interface's name (15 characters "
			"at most)",
			key, value);
	strcpy(network->bridge, value);
	return 0;
}

static int set_masquerade(struct network *network, const char *key, const char *value,
			  struct error *err)
{
	return set_flag(&network->masquerade, key, value, err);
}

static int set_icc(struct network *network, const char *key, const char *value, struct error *err)
{
	return set_flag(&network->icc, key, value, err);
}

static int set_inhibit(struct network *network, const char *key, const char *value,
		       struct error *err)
{
	bool inhibit = false;

	if (set_flag(&inhibit, key, value, err) < 0)
		return -err->code;
	network->address_on_bridge = !inhibit;
	return 0;
}

/* Whoever publishes a port without an address reads it in network_info.driver_opts. */
static int set_host_binding(struct network *network, const char *key, const char *value,
			    struct error *err)
{
	struct ipaddr ip;

	if (ip_parse(value, &ip) < 0 || ip.family != AF_INET)
		return error_set(err, EINVAL, "driver_opts: %s: '%s' is not an IPv4 address", key,
				 value);
	return 0;
}

static int set_mode(struct network *network, const char *key, const char *value, struct error *err)
{
	if (str_equal(value, "routed")) {
		network->masquerade = false;
		network->direct = true;
	} else if (str_equal(value, "isolated")) {
		if (!network->internal)
			return error_set(err, EINVAL,
					 "driver_opts: %s: isolated is for internal networks", key);
		network->address_on_bridge = false;
	} else if (str_equal(value, "nat-unprotected")) {
		network->direct = true;
	} else if (!str_equal(value, "nat")) {
		return error_set(err, EINVAL,
				 "driver_opts: %s: '%s' is none of nat, nat-unprotected, routed, "
				 "isolated",
				 key, value);
	}
	return 0;
}

static int set_mtu(struct network *network, const char *key, const char *value, struct error *err)
{
	char *end;
	unsigned long mtu = strtoul(value, &end, 10);

	if (!value[0] || *end || mtu < 68 || mtu > 65535)
		return error_set(err, EINVAL, "driver_opts: %s: '%s' is not from 68 to 65535", key,
				 value);
	network->mtu = mtu;
	return 0;
}

static int set_prefix(struct network *network, const char *key, const char *value,
		      struct error *err)
{
	if (!value[0] || strlen(value) > 10 || strpbrk(value, "/ \t\n:"))
		return error_set(err, EINVAL,
				 "driver_opts: %s: '%s' cannot begin an interface's name (10 "
				 "characters at most)",
				 key, value);
	strcpy(network->interface_prefix, value);
	return 0;
}

/* "eth0:eth1" */
static int set_trusted(struct network *network, const char *key, const char *value,
		       struct error *err)
{
	_cleanup_strv_ char **names = strv_split(value, ":, ");
	size_t n = 0;

	if (strv_length(names) > ARRAY_SIZE(network->trusted))
		return error_set(err, E2BIG, "driver_opts: %s: %zu interfaces at most", key,
				 ARRAY_SIZE(network->trusted));
	strv_foreach(name, names) {
		if (strlen(name) > 15 || strpbrk(name, "/\"%"))
			return error_set(err, EINVAL,
					 "driver_opts: %s: '%s' cannot be an interface's name", key,
					 name);
		strcpy(network->trusted[n++], name);
	}
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct network *network, const char *key, const char *value, struct error *err);
} options[] = {
	{"com.docker.network.bridge.name", set_name},
	{"com.docker.network.bridge.enable_ip_masquerade", set_masquerade},
	{"com.docker.network.bridge.enable_icc", set_icc},
	{"com.docker.network.bridge.host_binding_ipv4", set_host_binding},
	{"com.docker.network.bridge.inhibit_ipv4", set_inhibit},
	{"com.docker.network.bridge.gateway_mode_ipv4", set_mode},
	{"com.docker.network.bridge.gateway_mode_ipv6", set_mode},
	{"com.docker.network.bridge.trusted_host_interfaces", set_trusted},
	{"com.docker.network.driver.mtu", set_mtu},
	{"com.docker.network.container_iface_prefix", set_prefix},
};

static int set_option(struct network *network, const char *key, const json_t *value,
		      struct error *err)
{
	const char *text = json_string_value(value);
	const char *keys[ARRAY_SIZE(options)];
	const char *meant;

	if (!text)
		return error_set(err, EINVAL, "driver_opts: %s: wants a string", key);
	array_foreach(option, options)
		if (str_equal(option->key, key))
			return option->set(network, key, text, err);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		keys[i] = options[i].key;
	meant = str_suggest(key, keys, ARRAY_SIZE(keys));
	return error_set(err, EINVAL, "driver_opts: driver bridge knows no '%s'%s%s%s", key,
			 meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

static int bridge_configure(struct network *network, struct error *err)
{
	const char *key;
	json_t *value;

	snprintf(network->bridge, sizeof(network->bridge), "br-%.12s", network->id);
	strcpy(network->interface_prefix, "eth");
	network->masquerade = network->icc = network->address_on_bridge = true;
	json_object_foreach(network->driver_opts, key, value)
		if (set_option(network, key, value, err) < 0)
			return -err->code;
	return 0;
}

/* Writes a knob below /proc/sys/net, which shows the caller's network namespace. */
static int write_knob(const char *family, const char *interface, const char *name,
		      const char *value, struct error *err)
{
	_cleanup_free_ char *path =
		str_printf("/proc/sys/net/%s/conf/%s/%s", family, interface, name);
	int r = fs_write_knob(AT_FDCWD, path, value);

	return r < 0 ? error_code(err, r, "write '%s' to %s", value, path) : 0;
}

static bool knob_is(const char *path, const char *value)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;

	return fs_read(AT_FDCWD, path, 64, &text, NULL, &ignored) >= 0 &&
	       str_equal(str_trim(text), value);
}

/*
 * A host that forwards no longer listens to router advertisements, and would lose its own
 * addresses: those interfaces that do are told to go on (accept_ra 2).
 */
static void keep_advertisements(void)
{
	_cleanup_dir_ DIR *dir = opendir("/proc/sys/net/ipv6/conf");
	const struct dirent *entry;
	struct error ignored = ERROR_INIT;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *path =
			str_printf("/proc/sys/net/ipv6/conf/%s/accept_ra", entry->d_name);

		if (entry->d_name[0] != '.' && knob_is(path, "1"))
			(void)write_knob("ipv6", entry->d_name, "accept_ra", "2", &ignored);
	}
}

static int enable_forwarding(const struct network *network, struct error *err)
{
	static const char ip4[] = "/proc/sys/net/ipv4/ip_forward";
	int r;

	if (network->internal)
		return 0;
	if (network->pool4.present && !knob_is(ip4, "1")) {
		r = fs_write_knob(AT_FDCWD, ip4, "1");
		if (r < 0)
			return error_code(err, r, "write '1' to %s", ip4);
	}
	if (network->pool6.present && !knob_is("/proc/sys/net/ipv6/conf/all/forwarding", "1")) {
		keep_advertisements();
		return write_knob("ipv6", "all", "forwarding", "1", err);
	}
	return 0;
}

/*
 * Before the bridge is up: as long as its link-local address awaits the detection of duplicates,
 * forwarded packets find no neighbour, for two seconds.
 */
static int set_knobs(const struct network *network, struct error *err)
{
	struct error ignored = ERROR_INIT;

	/* firewall.c guards what this opens: 127.0.0.1:PORT leading into a container. */
	if (network->pool4.present &&
	    write_knob("ipv4", network->bridge, "route_localnet", "1", err) < 0)
		return -err->code;
	/* A kernel without IPv6 has no such knobs. */
	(void)write_knob("ipv6", network->bridge, "accept_dad", "0", &ignored);
	(void)write_knob("ipv6", network->bridge, "accept_ra", "0", &ignored);
	if (!network->pool6.present)
		(void)write_knob("ipv6", network->bridge, "disable_ipv6", "1", &ignored);
	return enable_forwarding(network, err);
}

static int make_bridge(const struct network *network, int fd, struct error *err)
{
	uint8_t mac[6] = {0x02, 0x42};
	struct batch batch = {0};
	int r;

	/* A fixed address: the kernel's choice would change with the ports that come and go. */
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int byte = 0;

		(void)sscanf(network->id + 2 * i, "%2x", &byte);
		mac[2 + i] = byte;
	}
	link_add_bridge(&batch, network->bridge, mac, network->mtu);
	r = batch_send(&batch, fd, EEXIST, err);
	batch_done(&batch);
	return r;
}

static int bridge_ensure(const struct network *network, int fd, struct error *err)
{
	struct batch batch = {0};
	int index, r;

	if (link_index(fd, network->bridge) < 0 && make_bridge(network, fd, err) < 0)
		return error_wrap(err, "bridge %s", network->bridge);
	index = link_index(fd, network->bridge);
	if (index < 0)
		return error_code(err, index, "bridge %s", network->bridge);
	r = set_knobs(network, err);
	if (r < 0)
		return r;
	link_set_up(&batch, index);
	if (network->pool4.present && network->address_on_bridge)
		link_add_address(&batch, index, &network->pool4.gateway,
				 network->pool4.subnet.prefix);
	if (network->pool6.present && network->address_on_bridge)
		link_add_address(&batch, index, &network->pool6.gateway,
				 network->pool6.subnet.prefix);
	r = batch_send(&batch, fd, EEXIST, err);
	batch_done(&batch);
	return r < 0 ? error_wrap(err, "bridge %s", network->bridge) : 0;
}

static int bridge_interfaces(const struct network *network, int fd, char ***ret_names,
			     struct error *err)
{
	int index = link_index(fd, network->bridge);

	*ret_names = NULL;
	if (index < 0 || network->found_bridge)
		return 0;
	/* Links of a namespace that is just dying, or of a crashed berth. */
	if (link_ports(fd, index, ret_names, err) < 0)
		return error_wrap(err, "bridge %s", network->bridge);
	strv_append(ret_names, network->bridge);
	return 0;
}

const struct network_driver driver_bridge = {
	.name = "bridge",
	.addresses = true,
	.configure = bridge_configure,
	.ensure = bridge_ensure,
	.interfaces = bridge_interfaces,
};
