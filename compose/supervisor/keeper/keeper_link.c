// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/keeper/keeper_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/units.h"

#include "compose/control/requests.h"
#include "compose/supervisor/keeper/keeper_protocol.h"

int keeper_link_open(struct keeper_link *link, struct error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "make a socket pair");
	/* Neither may be fd 3 itself: dup2() onto itself would leave it close-on-exec. */
	link->ours = fcntl(pair[0], F_DUPFD_CLOEXEC, KEEPER_FD + 1);
	link->theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, KEEPER_FD + 1);
	close(pair[0]);
	close(pair[1]);
	if (link->ours < 0 || link->theirs < 0)
		return error_errno(err, "move a socket");
	return fd_set_nonblock(link->ours, true);
}

static void exits_acknowledge(struct keeper_link *link, uint64_t sequence)
{
	size_t done = 0;

	while (done < link->exit_sent && link->exits[done].sequence <= sequence)
		done++;
	link->exit_count -= done;
	link->exit_sent -= done;
	memmove(link->exits, link->exits + done, link->exit_count * sizeof(*link->exits));
}

static void handle_packet(struct keeper_link *link, const struct keeper_packet *packet, char *names,
			  const int *fds, size_t count)
{
	char *rest = names, *name;

	switch (packet->type) {
	case KEEPER_STORE:
		keeper_store_add(&link->store, names, fds, count);
		return;
	case KEEPER_DROP:
		while ((name = strsep(&rest, "\n")) && *name)
			keeper_store_drop(&link->store, name);
		break;
	case KEEPER_LIST:
		link->listing = true;
		link->list_next = 0;
		break;
	case KEEPER_ACK:
		exits_acknowledge(link, packet->sequence);
		break;
	case KEEPER_EXIT:
		link->leave = true;
		break;
	case KEEPER_ALIVE:
		link->alive = true;
		break;
	default:
		break;
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

void keeper_link_receive(struct keeper_link *link)
{
	static char buffer[KEEPER_PACKET_MAX + 1];
	int fds[FD_PASS_MAX];

	for (;;) {
		size_t count = FD_PASS_MAX;
		ssize_t size = fd_receive(link->ours, buffer, KEEPER_PACKET_MAX, fds, &count);
		struct keeper_packet packet;

		if (size == -EINTR)
			continue;
		if (size == -EMFILE) {
			link->full = true;
			continue;
		}
		if (size < (ssize_t)sizeof(packet)) {
			if (size < 0)
				return;
			for (size_t i = 0; i < count; i++)
				close(fds[i]);
			continue;
		}
		buffer[size] = '\0';
		memcpy(&packet, buffer, sizeof(packet));
		handle_packet(link, &packet, buffer + sizeof(packet), fds, count);
	}
}

/* One packet with the next stored descriptors. 0, or negative when the socket takes no more. */
static int send_stored(struct keeper_link *link)
{
	static char buffer[KEEPER_PACKET_MAX];
	struct keeper_packet packet = {.type = KEEPER_FDS};
	size_t size = sizeof(packet), count = 0, i = link->list_next;
	int fds[FD_PASS_MAX], r;

	for (; i < link->store.count && count < FD_PASS_MAX; i++) {
		size_t length = strlen(link->store.items[i].name);

		memcpy(buffer + size, link->store.items[i].name, length);
		buffer[size + length] = '\n';
		size += length + 1;
		fds[count++] = link->store.items[i].fd;
	}
	if (!count)
		packet.type = KEEPER_LISTED;
	memcpy(buffer, &packet, sizeof(packet));
	r = (int)fd_send(link->ours, buffer, size, fds, count);
	if (r < 0)
		return r;
	link->list_next = i;
	if (!count)
		link->listing = false;
	return 0;
}

bool keeper_link_send(struct keeper_link *link)
{
	/* Exits first: with the end of a list the supervisor has all exits noted before it asked.
	 */
	while (link->exit_sent < link->exit_count) {
		if (fd_send(link->ours, &link->exits[link->exit_sent], sizeof(*link->exits), NULL,
			    0) < 0)
			return true;
		link->exit_sent++;
	}
	while (link->listing)
		if (send_stored(link) < 0)
			return true;
	if (link->full) {
		struct keeper_packet packet = {.type = KEEPER_FULL};

		if (fd_send(link->ours, &packet, sizeof(packet), NULL, 0) < 0)
			return true;
		link->full = false;
	}
	return false;
}

static void drain(int socket)
{
	static char buffer[KEEPER_PACKET_MAX];
	int fds[FD_PASS_MAX];

	for (;;) {
		size_t count = FD_PASS_MAX;
		struct pollfd poll_fd = {.fd = socket, .events = POLLIN};

		if (poll(&poll_fd, 1, 0) <= 0 ||
		    fd_receive(socket, buffer, sizeof(buffer), fds, &count) < 0)
			return;
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
	}
}

void keeper_link_renew(struct keeper_link *link)
{
	drain(link->theirs);
	link->exit_sent = 0;
	link->listing = false;
}

void keeper_link_note_exit(struct keeper_link *link, const siginfo_t *info, uint64_t start_ticks,
			   const struct rusage *usage)
{
	struct keeper_packet *note = array_add(link->exits, link->exit_count);

	note->type = KEEPER_EXITED;
	note->pid = info->si_pid;
	note->code = info->si_code;
	note->status = info->si_status;
	note->sequence = ++link->sequence;
	note->start_ticks = start_ticks;
	note->user_usec =
		(uint64_t)usage->ru_utime.tv_sec * USEC_PER_SEC + (uint64_t)usage->ru_utime.tv_usec;
	note->system_usec =
		(uint64_t)usage->ru_stime.tv_sec * USEC_PER_SEC + (uint64_t)usage->ru_stime.tv_usec;
	note->max_rss_kib = (uint64_t)usage->ru_maxrss;
	note->time_nsec = units_now_nsec();
}
