// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/dns/roster.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "common/alloc.h"
#include "common/event.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/map.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/dns/roster_line.h"

#define FILE_BYTES_MAX (8 << 20)
#define PEERS_MAX      16384 /* of all networks */
#define GATHER_USEC    1000  /* changes of so long are one write */
#define JOIN_TRIES     32

struct roster {
	sd_event *event;
	char *path, *owner;
	struct dns_server *dns;
	int inotify_fd;
	sd_event_source *inotify, *timer;
	struct map rooms; /* network: struct room */
	size_t peer_count;
};

/* A network that we are on. */
struct room {
	struct roster *roster;
	char *network;
	int dir, watch;
	bool changed;
	struct map own;    /* container: its line */
	struct map owners; /* the others: struct map of peers by their lines */
};

/* A container of another owner. */
struct peer {
	struct room *room;
	char *container_id;
	int pidfd; /* -EBADF: it has ended, though its line is still there */
	sd_event_source *end;
};

/* --- what others have --- */

static void peer_forget(struct peer *peer)
{
	if (peer->pidfd < 0)
		return;
	event_source_drop(&peer->end);
	close(TAKE_FD(peer->pidfd));
	dns_server_remove(peer->room->roster->dns, peer->room->network, peer->container_id);
}

static void peer_free(void *data)
{
	struct peer *peer = data;

	peer_forget(peer);
	peer->room->roster->peer_count--;
	free(peer->container_id);
	free(peer);
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *data)
{
	peer_forget(data);
	return 0;
}

static void peer_serve(struct peer *peer, const struct roster_entry *entry)
{
	struct dns_names names = {
		.network = peer->room->network,
		.container_id = entry->container_id,
		.names = (const char *const *)entry->names,
		.ipv4 = entry->ipv4,
		.ipv6 = entry->ipv6,
		.has_ipv4 = entry->has_ipv4,
		.has_ipv6 = entry->has_ipv6,
		.foreign = true,
	};

	peer->pidfd = process_adopt(entry->pid, entry->start_ticks);
	if (peer->pidfd < 0)
		return;
	dns_server_add(peer->room->roster->dns, &names);
	/* Its end is there to be read already if it came before this. */
	if (sd_event_add_io(peer->room->roster->event, &peer->end, peer->pidfd, EPOLLIN, on_end,
			    peer) < 0)
		peer_forget(peer);
}

static void add_peer(struct room *room, struct map *peers, const char *line)
{
	struct roster_entry entry;
	struct peer *peer;

	if (room->roster->peer_count >= PEERS_MAX ||
	    roster_line_parse(line, strlen(line), &entry) < 0) {
		log_debug("network %s: names that cannot be taken: %.80s", room->network, line);
		roster_entry_done(&entry);
		return;
	}
	peer = new (struct peer);
	peer->room = room;
	peer->container_id = alloc_string(entry.container_id);
	room->roster->peer_count++;
	peer_serve(peer, &entry);
	map_set(peers, line, peer);
	roster_entry_done(&entry);
}

static void owner_free(void *data)
{
	map_done(data, peer_free);
	free(data);
}

/* What did not change stays as it is: the order of a name's addresses, too. */
static void take_lines(struct map *peers, char *const *lines, struct room *room)
{
	struct map before = *peers;

	*peers = (struct map){0};
	strv_foreach(line, lines) {
		struct peer *peer = map_remove(&before, line);

		if (peer)
			map_set(peers, line, peer);
	}
	/* First who is gone: a container that was started again has the same id. */
	map_done(&before, peer_free);
	strv_foreach(line, lines) {
		if (!map_get(peers, line))
			add_peer(room, peers, line);
	}
}

static void read_owner(struct room *room, const char *owner)
{
	struct map *peers = map_get(&room->owners, owner);
	_cleanup_strv_ char **lines = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	size_t size;
	int r;

	if (owner[0] == '.' || str_equal(owner, room->roster->owner))
		return;
	r = fs_read(room->dir, owner, FILE_BYTES_MAX, &text, &size, &err);
	if (r >= 0)
		lines = strv_split(text, "\n");
	else if (r != -ENOENT)
		log_warning("network %s: names of %s: %s", room->network, owner, err.message);
	if (!peers && lines) {
		peers = new (struct map);
		map_set(&room->owners, owner, peers);
	}
	if (peers)
		take_lines(peers, lines, room);
	if (peers && !peers->count) {
		map_remove(&room->owners, owner);
		owner_free(peers);
	}
}

static void read_all(struct room *room)
{
	_cleanup_strv_ char **owners = NULL;
	struct error err = ERROR_INIT;

	if (fs_list(room->dir, ".", &owners, &err) < 0)
		log_warning("network %s: names of others: %s", room->network, err.message);
	strv_foreach(owner, owners)
		read_owner(room, owner);
}

static void on_event(struct roster *roster, const struct inotify_event *event)
{
	map_foreach(entry, &roster->rooms) {
		struct room *room = entry->value;

		/* More came at once than the kernel keeps. */
		if (event->mask & IN_Q_OVERFLOW)
			read_all(room);
		else if (room->watch == event->wd && event->len)
			read_owner(room, event->name);
	}
}

static int on_inotify(sd_event_source *source, int fd, uint32_t events, void *data)
{
	_Alignas(struct inotify_event) char buffer[16 * (sizeof(struct inotify_event) + NAME_MAX)];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

		at += (ssize_t)(sizeof(*event) + event->len);
		on_event(data, event);
	}
	return 0;
}

/* --- what we have --- */

/* What a killed process leaves of it the next one of the same owner writes over, or removes. */
static char *staging_name(const struct roster *roster)
{
	return str_printf(".%s", roster->owner);
}

static int replace_ours(const struct room *room, const struct strbuf *text, struct error *err)
{
	_cleanup_free_ char *staging = staging_name(room->roster);
	_cleanup_close_ int fd =
		openat(room->dir, staging, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || fd_write_all(fd, text->data ?: "", text->length) < 0 ||
	    renameat(room->dir, staging, room->dir, room->roster->owner) < 0)
		return error_errno(err, "write %s", room->roster->owner);
	return 0;
}

static void unlink_ours(const struct roster *roster, int dir)
{
	_cleanup_free_ char *staging = staging_name(roster);

	(void)unlinkat(dir, staging, 0);
	(void)unlinkat(dir, roster->owner, 0);
}

static void write_room(struct room *room)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	struct error err = ERROR_INIT;

	room->changed = false;
	map_foreach(entry, &room->own) {
		strbuf_add(&text, entry->value);
		strbuf_addc(&text, '\n');
	}
	if (replace_ours(room, &text, &err) < 0)
		log_warning("network %s: other projects do not learn our names: %s", room->network,
			    err.message);
}

void roster_flush(struct roster *roster)
{
	event_source_drop(&roster->timer);
	map_foreach(entry, &roster->rooms) {
		struct room *room = entry->value;

		if (room->changed)
			write_room(room);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	roster_flush(data);
	return 0;
}

static void flush_soon(struct room *room)
{
	struct roster *roster = room->roster;

	room->changed = true;
	if (!roster->timer &&
	    sd_event_add_time_relative(roster->event, &roster->timer, CLOCK_MONOTONIC, GATHER_USEC,
				       1, on_timer, roster) < 0)
		roster_flush(roster);
}

/* --- coming and going --- */

static int watch_start(struct roster *roster, struct error *err)
{
	int r;

	if (roster->inotify)
		return 0;
	roster->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (roster->inotify_fd < 0)
		return error_errno(err, "watch for names of others");
	r = sd_event_add_io(roster->event, &roster->inotify, roster->inotify_fd, EPOLLIN,
			    on_inotify, roster);
	return r < 0 ? error_code(err, r, "watch for names of others") : 0;
}

/*
 * A folder with our file in it, which keeps others from removing the folder when they leave. What
 * stands in that file already is an earlier process's, and true until we know better.
 */
static int enter(const struct roster *roster, const char *network, struct error *err)
{
	for (int tries = 0;; tries++) {
		_cleanup_close_ int base = -EBADF, dir = -EBADF, file = -EBADF;

		error_clear(err);
		base = fs_mkdir_path(roster->path, 0700, err);
		if (base >= 0)
			dir = fs_mkdir_open(base, network, 0700, err);
		if (dir >= 0) {
			file = openat(dir, roster->owner, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
			if (file >= 0)
				return TAKE_FD(dir);
			error_errno(err, "make %s", roster->owner);
		}
		if (err->code != ENOENT || tries == JOIN_TRIES)
			return error_wrap(err, "%s/%s", roster->path, network);
	}
}

static void remove_folder(const struct roster *roster, const char *network)
{
	_cleanup_free_ char *path = str_printf("%s/%s", roster->path, network);

	/* The last one to leave takes it away. */
	if (rmdir(path) == 0)
		(void)rmdir(roster->path);
}

static void room_free(void *data)
{
	struct room *room = data;

	map_done(&room->owners, owner_free);
	map_done(&room->own, free);
	if (room->watch >= 0)
		(void)inotify_rm_watch(room->roster->inotify_fd, room->watch);
	if (room->dir >= 0) {
		unlink_ours(room->roster, room->dir);
		remove_folder(room->roster, room->network);
		close(room->dir);
	}
	free(room->network);
	free(room);
}

static struct room *join(struct roster *roster, const char *network, struct error *err)
{
	struct room *room = map_get(&roster->rooms, network);
	char path[FD_PATH_MAX];

	if (room)
		return room;
	if (watch_start(roster, err) < 0)
		return NULL;
	room = new (struct room);
	room->roster = roster;
	room->network = alloc_string(network);
	room->watch = -1;
	room->dir = enter(roster, network, err);
	if (room->dir >= 0)
		room->watch = inotify_add_watch(roster->inotify_fd, fd_path(room->dir, path),
						IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
	if (room->dir >= 0 && room->watch < 0)
		error_errno(err, "watch %s/%s", roster->path, network);
	if (room->watch < 0) {
		room_free(room);
		return NULL;
	}
	map_set(&roster->rooms, network, room);
	read_all(room);
	return room;
}

int roster_add(struct roster *roster, const struct dns_names *names, pid_t pid,
	       uint64_t start_ticks, struct error *err)
{
	struct room *room = join(roster, names->network, err);
	_cleanup_free_ char *line = NULL;

	if (!room)
		return -err->code;
	line = roster_line(names, pid, start_ticks);
	if (str_equal(map_get(&room->own, names->container_id), line))
		return 0;
	free(map_set(&room->own, names->container_id, TAKE_PTR(line)));
	flush_soon(room);
	return 0;
}

static void remove_from(struct room *room, const char *container_id)
{
	char *line = map_remove(&room->own, container_id);

	if (!line)
		return;
	free(line);
	if (room->own.count) {
		flush_soon(room);
		return;
	}
	map_remove(&room->roster->rooms, room->network);
	room_free(room);
}

void roster_remove(struct roster *roster, const char *network, const char *container_id)
{
	map_foreach(entry, &roster->rooms) {
		if (!network || str_equal(entry->key, network))
			remove_from(entry->value, container_id);
	}
}

void roster_settle(struct roster *roster)
{
	_cleanup_strv_ char **networks = NULL;
	struct error none = ERROR_INIT;

	if (fs_list(AT_FDCWD, roster->path, &networks, &none) < 0)
		return;
	strv_foreach(network, networks) {
		_cleanup_free_ char *path = str_printf("%s/%s", roster->path, network);
		_cleanup_close_ int dir = -EBADF;

		if (map_get(&roster->rooms, network))
			continue;
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0)
			unlink_ours(roster, dir);
		remove_folder(roster, network);
	}
}

struct roster *roster_new(sd_event *event, const char *path, const char *owner,
			  struct dns_server *dns)
{
	struct roster *roster = new (struct roster);

	roster->event = sd_event_ref(event);
	roster->path = alloc_string(path);
	roster->owner = alloc_string(owner);
	roster->dns = dns;
	roster->inotify_fd = -EBADF;
	return roster;
}

void roster_free(struct roster *roster)
{
	if (!roster)
		return;
	map_done(&roster->rooms, room_free);
	event_source_drop(&roster->timer);
	event_source_drop(&roster->inotify);
	cleanup_close_fd(&roster->inotify_fd);
	sd_event_unref(roster->event);
	free(roster->path);
	free(roster->owner);
	free(roster);
}
