// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/keeper/keeper_client.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"

#include "compose/supervisor/keeper/keeper_protocol.h"

struct keeper_client {
	int fd;
	keeper_exit_handler *on_exit;
	void (*on_gone)(void *context);
	void *context;
	sd_event_source *source;
	uint64_t handled; /* sequence of the last exit that the handler was given */
	uint64_t acknowledged;
	bool full; /* it had no room, and nothing was dropped since */
};

int keeper_client_new(int fd, keeper_exit_handler *on_exit, void *context,
		      struct keeper_client **ret, struct error *err)
{
	struct keeper_client *keeper;
	int type = 0;
	socklen_t size = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET)
		return error_set(err, EINVAL, "descriptor %d does not lead to a keeper", fd);
	(void)fd_set_cloexec(fd, true);
	keeper = new (struct keeper_client);
	keeper->fd = fd;
	keeper->on_exit = on_exit;
	keeper->context = context;
	*ret = keeper;
	return 0;
}

void keeper_client_free(struct keeper_client *keeper)
{
	if (!keeper)
		return;
	sd_event_source_disable_unref(keeper->source);
	close(keeper->fd);
	free(keeper);
}

static int send_packet(struct keeper_client *keeper, enum keeper_packet_type type,
		       const char *names, size_t names_size, const int *fds, size_t count)
{
	char buffer[KEEPER_PACKET_MAX];
	struct keeper_packet packet = {.type = type, .sequence = keeper->handled};
	ssize_t r;

	memcpy(buffer, &packet, sizeof(packet));
	if (names_size)
		memcpy(buffer + sizeof(packet), names, names_size);
	r = fd_send(keeper->fd, buffer, sizeof(packet) + names_size, fds, count);
	return r < 0 ? (int)r : 0;
}

/* The handler has written the exit down before the keeper may forget it. */
static void handle_exit(struct keeper_client *keeper, const struct keeper_packet *packet)
{
	struct process_exit info = {
		.pid = packet->pid,
		.start_ticks = packet->start_ticks,
		.exit_code = packet->status,
		.time_nsec = packet->time_nsec,
	};

	if (packet->sequence <= keeper->handled)
		return;
	if (packet->code != CLD_EXITED) {
		info.signal = packet->status;
		info.exit_code = 128 + packet->status;
	}
	keeper->on_exit(keeper->context, &info);
	keeper->handled = packet->sequence;
}

static void acknowledge(struct keeper_client *keeper)
{
	if (keeper->acknowledged == keeper->handled)
		return;
	if (send_packet(keeper, KEEPER_ACK, NULL, 0, NULL, 0) == 0)
		keeper->acknowledged = keeper->handled;
}

static void take_fds(struct map *into, char *names, const int *fds, size_t count)
{
	char *rest = names, *name;
	size_t i = 0;

	while (i < count && (name = strsep(&rest, "\n")) && *name) {
		int old = keeper_fd_unpack(map_set(into, name, keeper_fd_pack(fds[i++])));

		if (old >= 0)
			close(old);
	}
	for (; i < count; i++)
		close(fds[i]);
}

/* Handles one packet. 0, -EAGAIN, -EPIPE; 1: it was the end of a list. */
static int receive_one(struct keeper_client *keeper, struct map *ret_fds)
{
	char buffer[KEEPER_PACKET_MAX + 1];
	struct keeper_packet packet;
	int fds[FD_PASS_MAX];
	size_t count = FD_PASS_MAX;
	ssize_t size = fd_receive(keeper->fd, buffer, KEEPER_PACKET_MAX, fds, &count);

	if (size == -EINTR)
		return 0;
	if (size <= 0)
		return size < 0 ? (int)size : -EPIPE;
	buffer[size] = '\0';
	if (size >= (ssize_t)sizeof(packet)) {
		memcpy(&packet, buffer, sizeof(packet));
		if (packet.type == KEEPER_FDS && ret_fds) {
			take_fds(ret_fds, buffer + sizeof(packet), fds, count);
			return 0;
		}
		if (packet.type == KEEPER_EXITED)
			handle_exit(keeper, &packet);
		if (packet.type == KEEPER_LISTED)
			return 1;
		if (packet.type == KEEPER_FULL) {
			log_error("the keeper has reached its limit of open files: a container "
				  "begun just now would lose its output with this supervisor; no "
				  "other is started before one has ended (raise the hard limit: "
				  "ulimit -Hn, LimitNOFILE=)");
			keeper->full = true;
		}
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return 0;
}

int keeper_client_list(struct keeper_client *keeper, struct map *ret_fds, struct error *err)
{
	int r;

	(void)fd_set_nonblock(keeper->fd, false);
	r = send_packet(keeper, KEEPER_LIST, NULL, 0, NULL, 0);
	while (r == 0)
		r = receive_one(keeper, ret_fds);
	if (r < 0)
		return error_code(err, r, "ask the keeper what it has");
	return fd_set_nonblock(keeper->fd, true);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct keeper_client *keeper = data;
	int r;

	do {
		r = receive_one(keeper, NULL);
	} while (r >= 0);
	acknowledge(keeper);
	if (r != -EAGAIN && keeper->on_gone) {
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		keeper->on_gone(keeper->context);
	}
	return 0;
}

int keeper_client_watch(struct keeper_client *keeper, sd_event *event,
			void (*on_gone)(void *context), struct error *err)
{
	int r = sd_event_add_io(event, &keeper->source, keeper->fd, EPOLLIN, on_readable, keeper);

	if (r < 0)
		return error_code(err, r, "watch the keeper");
	/* Before births and clients: what ended has ended whatever else is to be said. */
	sd_event_source_set_priority(keeper->source, SD_EVENT_PRIORITY_NORMAL - 10);
	keeper->on_gone = on_gone;
	acknowledge(keeper);
	return 0;
}

/* The keeper reads all the time; that its queue is full is a matter of microseconds. */
static int send_patiently(struct keeper_client *keeper, enum keeper_packet_type type,
			  const char *names, size_t size, const int *fds, size_t count)
{
	int r = send_packet(keeper, type, names, size, fds, count);

	if (r != -EAGAIN)
		return r;
	(void)fd_set_nonblock(keeper->fd, false);
	r = send_packet(keeper, type, names, size, fds, count);
	(void)fd_set_nonblock(keeper->fd, true);
	return r;
}

int keeper_client_store(struct keeper_client *keeper, const char *const *names, const int *fds,
			size_t count)
{
	char text[KEEPER_NAMES_MAX];
	size_t size = 0;
	int r;

	if (!count)
		return 0;
	if (count > FD_PASS_MAX)
		return -E2BIG;
	if (keeper->full)
		return -EMFILE;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(names[i]);

		if (length >= KEEPER_NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(text + size, names[i], length);
		text[size + length] = '\n';
		size += length + 1;
	}
	r = send_patiently(keeper, KEEPER_STORE, text, size, fds, count);
	if (r < 0)
		log_warning("the keeper does not take %s: %s", names[0], strerror(-r));
	return r;
}

void keeper_client_drop(struct keeper_client *keeper, const char *name)
{
	char text[KEEPER_NAME_MAX + 1];
	size_t length = strlen(name);

	if (length >= KEEPER_NAME_MAX)
		return;
	memcpy(text, name, length);
	text[length] = '\n';
	keeper->full = false;
	(void)send_patiently(keeper, KEEPER_DROP, text, length + 1, NULL, 0);
}

void keeper_client_alive(struct keeper_client *keeper)
{
	(void)send_packet(keeper, KEEPER_ALIVE, NULL, 0, NULL, 0);
}

void keeper_client_end(struct keeper_client *keeper)
{
	(void)send_patiently(keeper, KEEPER_EXIT, NULL, 0, NULL, 0);
}
