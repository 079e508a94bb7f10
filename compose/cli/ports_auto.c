// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/ports_auto.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/map.h"
#include "common/sha256.h"
#include "common/str.h"

#include "netmgr/publish.h"

#include "compose/cli/args/target.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

#define MEMORY_MAX         (1 << 20)
#define FIRST_UNPRIVILEGED 1024

/* Beside the rows, whose keys have a space. */
#define PROJECT "project"
#define FOLDER  "folder"

struct range {
	unsigned int first, last;
};

struct row {
	const struct service *service;
	struct port *port;
	char *key;         /* "web 0.0.0.0:8080/tcp", of what the file says */
	struct range file; /* what the file says */
	struct range wish; /* and what is to be */
};

struct ports_auto {
	struct project *project;
	struct row *rows;
	size_t count;
	json_t *chosen;  /* key to "8081" */
	struct map ours; /* "8081/tcp": what containers of the project publish */
	struct map used; /* the same of what rows wish for */
	bool dry_run;
};

static const char *const protocol_names[] = {
	[PORT_TCP] = "tcp", [PORT_UDP] = "udp", [PORT_SCTP] = "sctp"};
static const uint8_t protocol_numbers[] = {
	[PORT_TCP] = IPPROTO_TCP, [PORT_UDP] = IPPROTO_UDP, [PORT_SCTP] = IPPROTO_SCTP};

static bool parse_range(const char *text, struct range *ret)
{
	char *end;
	unsigned long first = strtoul(text, &end, 10), last = first;

	if (end != text && *end == '-')
		last = strtoul(end + 1, &end, 10);
	if (*end || !first || last < first || last > UINT16_MAX)
		return false;
	*ret = (struct range){(unsigned int)first, (unsigned int)last};
	return true;
}

static char *range_text(const struct range *range)
{
	return range->first == range->last ? str_printf("%u", range->first)
					   : str_printf("%u-%u", range->first, range->last);
}

/* Two projects may share a folder: each has a memory of its own. New string. */
static char *memory_path(const struct project *project, bool folder)
{
	_cleanup_free_ char *text = str_printf("%s\n%s", project->working_dir, project->name);
	char hex[SHA256_HEX_SIZE];

	if (folder)
		return str_printf("%s/ports", paths_root());
	sha256_of(text, strlen(text), hex);
	return str_printf("%s/ports/%s.json", paths_root(), hex);
}

/* Calls @wants with every memory below @folder, and removes those that it does not want. */
static void sweep(const char *folder, bool (*wants)(const json_t *memory, const void *data),
		  const void *data)
{
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_list(AT_FDCWD, folder, &names, &ignored) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("%s/%s", folder, name);
		_cleanup_json_ json_t *memory = NULL;

		if (json_read(AT_FDCWD, path, MEMORY_MAX, &memory, &ignored) >= 0 &&
		    !wants(memory, data))
			(void)unlink(path);
	}
}

static bool folder_is_there(const json_t *memory, const void *data)
{
	const char *folder = json_get_string(memory, FOLDER);

	return !folder || access(folder, F_OK) == 0 || errno != ENOENT;
}

static bool is_of_another(const json_t *memory, const void *data)
{
	return !str_equal(json_get_string(memory, PROJECT), data);
}

void ports_auto_forget(const char *name, const char *folder)
{
	const struct project project = {.name = (char *)name, .working_dir = (char *)folder};
	_cleanup_free_ char *path = memory_path(&project, !folder);

	if (folder)
		(void)unlink(path);
	else
		sweep(path, is_of_another, name);
}

/* What cannot be read was never chosen: the next choice replaces it. New reference. */
static json_t *recall(const struct project *project)
{
	_cleanup_free_ char *path = memory_path(project, false);
	struct error err = ERROR_INIT;
	json_t *json = NULL;

	if (json_read(AT_FDCWD, path, MEMORY_MAX, &json, &err) < 0) {
		if (err.code != ENOENT)
			output_warn("%s: %s; ports are chosen anew", path, err.message);
		return json_object();
	}
	if (json_is_object(json))
		return json;
	json_decref(json);
	return json_object();
}

static int remember(const struct ports_auto *ports, struct error *err)
{
	_cleanup_free_ char *folder = memory_path(ports->project, true);
	_cleanup_free_ char *path = memory_path(ports->project, false);
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -EBADF;

	fd = fs_mkdir_path(folder, 0755, err);
	if (fd < 0)
		return fd;
	sweep(folder, folder_is_there, NULL);
	json_put_string(ports->chosen, PROJECT, ports->project->name);
	json_put_string(ports->chosen, FOLDER, ports->project->working_dir);
	text = json_text(ports->chosen);
	return fs_replace(fd, strrchr(path, '/') + 1, text, strlen(text), FS_ATOMIC, err);
}

static void note(struct map *map, unsigned int port, const char *protocol)
{
	char key[32];

	snprintf(key, sizeof(key), "%u/%s", port, protocol);
	map_set(map, key, map);
}

static bool has_any(const struct map *map, const struct range *range, const char *protocol)
{
	char key[32];

	for (unsigned int port = range->first; port <= range->last; port++) {
		snprintf(key, sizeof(key), "%u/%s", port, protocol);
		if (map_get(map, key))
			return true;
	}
	return false;
}

static void note_all(struct map *map, const struct range *range, const char *protocol)
{
	for (unsigned int port = range->first; port <= range->last; port++)
		note(map, port, protocol);
}

/* What our own containers hold is not taken by anybody else. */
static int find_ours(struct ports_auto *ports, struct error *err)
{
	const struct target target = {.name = ports->project->name, .project = ports->project};
	_cleanup_json_ json_t *containers = NULL;
	json_t *container, *row;
	size_t i, k;
	int r = target_containers_brief(&target, NULL, &containers, err);

	if (r < 0)
		return r;
	map_done(&ports->ours, NULL);
	json_array_foreach(containers, i, container) {
		json_array_foreach(json_object_get(container, "publishers"), k, row)
			note(&ports->ours, (unsigned int)json_get_int(row, "published", 0),
			     json_get_string(row, "protocol") ?: "tcp");
	}
	return 0;
}

/* 0: @range can be had, of several ports any (@all: each of them). */
static int probe(const struct row *row, const struct range *range, bool all, struct error *err)
{
	struct publish wish = {.protocol = protocol_numbers[row->port->protocol]};
	int r = 0;

	snprintf(wish.host_ip, sizeof(wish.host_ip), "%s", row->port->host_ip ?: "");
	for (unsigned int port = range->first; r >= 0 && port <= range->last; port++) {
		int fds[2];

		wish.host_port = 0;
		wish.host_first = (uint16_t)port;
		wish.host_last = all ? (uint16_t)port : (uint16_t)range->last;
		/* Of a port that is named it can be told who has it. */
		if (!all && range->first == range->last)
			wish.host_port = (uint16_t)port;
		r = publish_hold(&wish, fds, err);
		for (int i = 0; i < 2; i++)
			if (r >= 0 && fds[i] >= 0)
				close(fds[i]);
		if (!all)
			break;
	}
	return r;
}

/* The next ones above that are free; behind the last port it goes on with the first for all. */
static bool pick(const struct ports_auto *ports, const struct row *row, struct range *ret)
{
	const char *protocol = protocol_names[row->port->protocol];
	unsigned int length = row->file.last - row->file.first, first = row->wish.last + 1;

	for (unsigned int tries = 0; tries < UINT16_MAX; tries++, first++) {
		struct error ignored = ERROR_INIT;

		if (first + length > UINT16_MAX)
			first = FIRST_UNPRIVILEGED;
		*ret = (struct range){first, first + length};
		if (ret->last > UINT16_MAX)
			return false;
		if (!has_any(&ports->used, ret, protocol) && probe(row, ret, true, &ignored) >= 0)
			return true;
	}
	return false;
}

/* True when it had to move. Whatever else is wrong with a port the supervisor says. */
static bool settle(struct ports_auto *ports, struct row *row)
{
	const char *protocol = protocol_names[row->port->protocol];
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	struct range range;

	if (has_any(&ports->ours, &row->wish, protocol) ||
	    probe(row, &row->wish, false, &err) >= 0 || err.code != EADDRINUSE ||
	    !pick(ports, row, &range))
		return false;
	row->wish = range;
	note_all(&ports->used, &range, protocol);
	text = range_text(&range);
	json_put_string(ports->chosen, row->key, text);
	fprintf(stderr, "service %s: %s; published at %s\n", row->service->name, err.message, text);
	return true;
}

static bool settle_all(struct ports_auto *ports)
{
	bool moved = false;

	for (size_t i = 0; i < ports->count; i++) {
		struct row *row = &ports->rows[i];

		moved = settle(ports, row) || moved;
		if (row->wish.first == row->file.first)
			continue;
		free(row->port->published);
		row->port->published = range_text(&row->wish);
	}
	return moved;
}

static int choose(struct ports_auto *ports, bool *ret_moved, struct error *err)
{
	int r = find_ours(ports, err);

	if (r < 0)
		return r;
	*ret_moved = settle_all(ports);
	if (!*ret_moved || ports->dry_run)
		return 0;
	r = remember(ports, err);
	return r < 0 ? error_wrap(err, "remember which ports were chosen") : 0;
}

static void add_row(struct ports_auto *ports, const struct service *service, struct port *port)
{
	const char *protocol = protocol_names[port->protocol], *chosen;
	struct range file, before;
	struct row *row;

	/* An ephemeral port is free anyway. */
	if (!port->published || !parse_range(port->published, &file))
		return;
	row = array_add(ports->rows, ports->count);
	*row = (struct row){.service = service, .port = port, .file = file, .wish = file};
	row->key = str_printf("%s %s:%s/%s", service->name, port->host_ip ?: "", port->published,
			      protocol);
	chosen = json_get_string(ports->chosen, row->key);
	if (chosen && parse_range(chosen, &before) &&
	    before.last - before.first == file.last - file.first)
		row->wish = before;
	note_all(&ports->used, &row->file, protocol);
	note_all(&ports->used, &row->wish, protocol);
}

static void add_rows(struct ports_auto *ports, struct service *service)
{
	/* The host's and another container's network publish nothing of their own. */
	if (service->network_mode && !str_equal(service->network_mode, "bridge"))
		return;
	for (size_t i = 0; i < service->port_count; i++)
		add_row(ports, service, &service->ports[i]);
}

static int read_mode(const char *mode, const char *source, struct error *err)
{
	if (mode && !str_equal(mode, "auto") && !str_equal(mode, "fixed"))
		return error_set(err, EINVAL, "invalid %s \"%s\": must be auto or fixed", source,
				 mode);
	return 0;
}

int ports_auto_apply(struct project *project, const char *mode, bool dry_run,
		     struct ports_auto **ret, struct error *err)
{
	_cleanup_free_ char *path = memory_path(project, false);
	const char *variable = getenv("BERTH_PORTS");
	struct ports_auto *ports;
	bool moved;
	int r;

	if (read_mode(mode, "--ports", err) < 0)
		return -err->code;
	if (!mode && variable && *variable && read_mode(mode = variable, "BERTH_PORTS", err) < 0)
		return -err->code;
	if (str_equal(mode, "fixed") && !dry_run && unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, "%s", path);
	if (mode ? str_equal(mode, "fixed") : access(path, F_OK) < 0)
		return 0;
	ports = new (struct ports_auto);
	ports->project = project;
	ports->dry_run = dry_run;
	ports->chosen = recall(project);
	for (size_t i = 0; i < project->service_count; i++)
		add_rows(ports, &project->services[i]);
	r = choose(ports, &moved, err);
	if (r < 0)
		ports_auto_free(ports);
	else
		*ret = ports;
	return r;
}

bool ports_auto_again(struct ports_auto *ports)
{
	struct error err = ERROR_INIT;
	bool moved = false;

	return ports && choose(ports, &moved, &err) >= 0 && moved;
}

void ports_auto_free(struct ports_auto *ports)
{
	if (!ports)
		return;
	for (size_t i = 0; i < ports->count; i++)
		free(ports->rows[i].key);
	free(ports->rows);
	json_decref(ports->chosen);
	map_done(&ports->ours, NULL);
	map_done(&ports->used, NULL);
	free(ports);
}
