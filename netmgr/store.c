// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/store.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"

#define RECORD_MAX (1 << 20)
#define LEASES_MAX (32 << 20)

struct lease_file {
	char *name;
	bool current; /* @leases are what the file says, if that is still the one @seen */
	struct stat seen;
	struct ipam_leases leases;
};

static void sweep(const struct network_store *store)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	if (fs_list(store->dir, ".", &names, &err) < 0)
		return;
	strv_foreach(name, names)
		if (str_starts_with(name, ".new-") && fs_remove_tree(store->dir, name, &err) < 0)
			log_warning("networks/%s: %s", name, err.message);
}

/* Containers of an ordinary user reach each other also when there is no way out. */
static int enter_network(struct error *err)
{
	int r = rootless_network_enter(err);

	if (r > 0)
		error_clear(err);
	return r;
}

int network_store_open(const char *root, struct network_store **ret, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/networks", root);
	_cleanup_close_ int lock = -EBADF;
	struct network_store *store = new (struct network_store);

	store->route_fd = -EBADF;
	store->dir = fs_mkdir_path(path, 0700, err);
	if (store->dir >= 0 && enter_network(err) >= 0)
		store->route_fd = netlink_open(NETLINK_ROUTE, err);
	if (store->route_fd >= 0)
		lock = network_store_lock(store, err);
	if (lock < 0) {
		network_store_close(store);
		return -err->code;
	}
	sweep(store);
	*ret = store;
	return 0;
}

void network_store_close(struct network_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->file_count; i++) {
		free(store->files[i].name);
		ipam_leases_done(&store->files[i].leases);
	}
	free(store->files);
	cleanup_close_fd(&store->dir);
	cleanup_close_fd(&store->route_fd);
	free(store);
}

int network_store_lock(const struct network_store *store, struct error *err)
{
	return fs_lock(store->dir, ".lock", err);
}

/* As the engine has it: it also keeps names out of other folders. */
bool store_name_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";

	return name && name[0] && !strchr("._-", name[0]) && strlen(name) <= 92 &&
	       !name[strspn(name, allowed)];
}

void network_free(struct network *network)
{
	if (!network)
		return;
	free(network->name);
	json_decref(network->driver_opts);
	json_decref(network->labels);
	ipam_pool_done(&network->pool4);
	ipam_pool_done(&network->pool6);
	free(network);
}

static void put_pool(json_t *pools, const struct ipam_pool *pool)
{
	char text[SUBNET_TEXT_MAX];
	json_t *object, *aux;

	if (!pool->present)
		return;
	object = json_object();
	json_put_string(object, "subnet", subnet_format(&pool->subnet, text));
	if (pool->range.prefix != pool->subnet.prefix)
		json_put_string(object, "ip_range", subnet_format(&pool->range, text));
	json_put_string(object, "gateway", ip_format(&pool->gateway, text));
	if (pool->aux_count) {
		aux = json_object();
		for (size_t i = 0; i < pool->aux_count; i++)
			json_put_string(aux, pool->aux[i].name, ip_format(&pool->aux[i].ip, text));
		json_object_set_new(object, "aux_addresses", aux);
	}
	json_array_append_new(pools, object);
}

json_t *store_record(const struct network *network)
{
	json_t *record = json_object(), *pools = json_array();

	json_put_string(record, "name", network->name);
	json_put_string(record, "id", network->id);
	json_put_string(record, "driver", network->driver->name);
	json_object_set(record, "driver_opts", network->driver_opts);
	json_object_set(record, "labels", network->labels);
	json_put_bool(record, "internal", network->internal);
	json_put_bool(record, "attachable", network->attachable);
	json_put_int(record, "created_nsec", network->created_nsec);
	if (network->found_bridge)
		json_put_bool(record, "found_bridge", true);
	put_pool(pools, &network->pool4);
	put_pool(pools, &network->pool6);
	json_object_set_new(record, "ipam", pools);
	return record;
}

static json_t *object_of(const json_t *record, const char *key)
{
	json_t *value = json_object_get(record, key);

	return json_is_object(value) ? json_incref(value) : json_object();
}

static int parse_pools(struct network *network, const json_t *record, struct error *err)
{
	const struct ipam_taken none = {0};
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(record, "ipam"), i, item) {
		struct network_pool row = {.subnet = json_get_string(item, "subnet"),
					   .ip_range = json_get_string(item, "ip_range"),
					   .gateway = json_get_string(item, "gateway"),
					   .aux_addresses = json_object_get(item, "aux_addresses")};
		struct ipam_pool pool, *target;

		if (ipam_pool_parse(&row, &none, &pool, err) < 0)
			return -err->code;
		target = pool.subnet.ip.family == AF_INET ? &network->pool4 : &network->pool6;
		ipam_pool_done(target);
		*target = pool;
	}
	return 0;
}

static int parse_record(const char *name, const json_t *record, struct network *network,
			struct error *err)
{
	const char *id = json_get_string(record, "id");
	const char *driver = json_get_string(record, "driver");

	network->name = alloc_string(name);
	network->driver = driver_find(driver);
	network->driver_opts = object_of(record, "driver_opts");
	network->labels = object_of(record, "labels");
	if (!id || strlen(id) != 64)
		return error_set(err, EBADMSG, "its record has no id");
	if (!network->driver)
		return error_set(err, EBADMSG, "its record names driver '%s', which there is not",
				 driver);
	memcpy(network->id, id, 65);
	network->internal = json_get_bool(record, "internal", false);
	network->attachable = json_get_bool(record, "attachable", false);
	network->created_nsec = json_get_int(record, "created_nsec", 0);
	network->found_bridge = json_get_bool(record, "found_bridge", false);
	if (parse_pools(network, record, err) < 0)
		return -err->code;
	return network->driver->configure(network, err);
}

int store_load(const struct network_store *store, const char *name, struct network **ret,
	       struct error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_json_ json_t *record = NULL;
	struct network *network;
	int r;

	if (!store_name_valid(name))
		return error_set(err, ENOENT, "network %.100s: there is no such network", name);
	path = str_printf("%s/network.json", name);
	r = json_read(store->dir, path, RECORD_MAX, &record, err);
	if (r == -ENOENT)
		return error_set(err, ENOENT, "network %s: there is no such network", name);
	if (r < 0)
		return error_wrap(err, "network %s", name);
	network = new (struct network);
	r = parse_record(name, record, network, err);
	if (r < 0) {
		network_free(network);
		return error_wrap(err, "network %s", name);
	}
	*ret = network;
	return 0;
}

int store_add(const struct network_store *store, const struct network *network, struct error *err)
{
	_cleanup_json_ json_t *record = store_record(network);
	_cleanup_free_ char *text = json_text(record), *staging = NULL;
	_cleanup_close_ int dir = -EBADF;
	int r;

	dir = fs_mkdir_unique(store->dir, ".new-", &staging, err);
	if (dir < 0)
		return dir;
	r = fs_replace(dir, "network.json", text, strlen(text), FS_DURABLE, err);
	if (r >= 0 &&
	    renameat2(store->dir, staging, store->dir, network->name, RENAME_NOREPLACE) < 0)
		r = error_errno(err, "publish its record");
	if (r < 0) {
		struct error ignored = ERROR_INIT;

		(void)fs_remove_tree(store->dir, staging, &ignored);
	}
	return r;
}

int store_remove(struct network_store *store, const char *name, struct error *err)
{
	_cleanup_free_ char *staging = NULL;
	char hex[17];

	/* The rename ends the network at once; a half-removed one is swept by the next open. */
	fs_random_hex(hex, 8);
	staging = str_printf(".new-%s", hex);
	if (renameat(store->dir, name, store->dir, staging) < 0)
		return error_errno(err, "remove its record");
	return fs_remove_tree(store->dir, staging, err);
}

int store_names(const struct network_store *store, char ***ret, struct error *err)
{
	_cleanup_strv_ char **all = NULL;

	if (fs_list(store->dir, ".", &all, err) < 0)
		return -err->code;
	*ret = NULL;
	strv_foreach(name, all)
		if (store_name_valid(name))
			strv_append(ret, name);
	return 0;
}

static struct lease_file *find_file(struct network_store *store, const char *name)
{
	struct lease_file *file;

	for (size_t i = 0; i < store->file_count; i++)
		if (str_equal(store->files[i].name, name))
			return &store->files[i];
	file = array_add(store->files, store->file_count);
	file->name = alloc_string(name);
	return file;
}

static void parse_lease(struct ipam_leases *leases, const json_t *item, bool other_boot)
{
	const char *container = json_get_string(item, "container");
	const char *interface = json_get_string(item, "interface");
	const char *ip4 = json_get_string(item, "ipv4"), *ip6 = json_get_string(item, "ipv6");
	const char *mac = json_get_string(item, "mac");
	struct ipam_lease *lease;

	if (!container || !interface || strlen(interface) >= sizeof(lease->interface))
		return;
	lease = array_add(leases->items, leases->count);
	lease->container = alloc_string(container);
	strcpy(lease->interface, interface);
	if (ip4 && ip_parse(ip4, &lease->ip4) < 0)
		lease->ip4 = (struct ipaddr){0};
	if (ip6 && ip_parse(ip6, &lease->ip6) < 0)
		lease->ip6 = (struct ipaddr){0};
	if (mac)
		(void)sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &lease->mac[0],
			     &lease->mac[1], &lease->mac[2], &lease->mac[3], &lease->mac[4],
			     &lease->mac[5]);
	lease->stale = other_boot || json_get_bool(item, "stale", false);
}

static int read_leases(struct network_store *store, struct lease_file *file, const char *path,
		       struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	bool other_boot;
	json_t *item;
	size_t i;
	int r;

	ipam_leases_done(&file->leases);
	r = json_read(store->dir, path, LEASES_MAX, &json, err);
	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return error_wrap(err, "network %s: leases", file->name);
	other_boot = !str_equal(json_get_string(json, "boot"), process_boot_id());
	json_array_foreach(json_object_get(json, "leases"), i, item)
		parse_lease(&file->leases, item, other_boot);
	return 0;
}

int store_leases(struct network_store *store, const char *name, struct ipam_leases **ret,
		 struct error *err)
{
	struct lease_file *file = find_file(store, name);
	_cleanup_free_ char *path = str_printf("%s/leases.json", name);
	struct stat now = {0};
	int r;

	(void)fstatat(store->dir, path, &now, 0);
	if (!file->current || now.st_ino != file->seen.st_ino ||
	    now.st_size != file->seen.st_size || now.st_mtim.tv_sec != file->seen.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != file->seen.st_mtim.tv_nsec) {
		file->current = false;
		r = read_leases(store, file, path, err);
		if (r < 0)
			return r;
		file->seen = now;
		file->current = true;
	}
	*ret = &file->leases;
	return 0;
}

static void render_lease(struct strbuf *text, const struct ipam_lease *lease)
{
	char ip[INET6_ADDRSTRLEN];
	const uint8_t *m = lease->mac;

	strbuf_addf(text, "{\"container\":\"%s\",\"interface\":\"%s\"", lease->container,
		    lease->interface);
	if (lease->ip4.family)
		strbuf_addf(text, ",\"ipv4\":\"%s\"", ip_format(&lease->ip4, ip));
	if (lease->ip6.family)
		strbuf_addf(text, ",\"ipv6\":\"%s\"", ip_format(&lease->ip6, ip));
	strbuf_addf(text, ",\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\"%s}", m[0], m[1], m[2], m[3],
		    m[4], m[5], lease->stale ? ",\"stale\":true" : "");
}

/* Written by hand: a hundred births write it a hundred times. Container ids are checked words. */
int store_leases_write(struct network_store *store, const char *name, struct error *err)
{
	struct lease_file *file = find_file(store, name);
	_cleanup_free_ char *path = str_printf("%s/leases.json", name);
	_cleanup_strbuf_ struct strbuf text = {0};
	int r;

	strbuf_addf(&text, "{\"boot\":\"%s\",\"leases\":[", process_boot_id());
	for (size_t i = 0; i < file->leases.count; i++) {
		strbuf_add(&text, i ? ",\n" : "\n");
		render_lease(&text, &file->leases.items[i]);
	}
	strbuf_add(&text, "]}\n");
	file->current = false;
	r = fs_replace(store->dir, path, text.data, text.length, FS_ATOMIC, err);
	if (r < 0)
		return error_wrap(err, "network %s: leases", name);
	file->current = fstatat(store->dir, path, &file->seen, 0) == 0;
	return 0;
}

void store_leases_forget(struct network_store *store, const char *name)
{
	find_file(store, name)->current = false;
}
