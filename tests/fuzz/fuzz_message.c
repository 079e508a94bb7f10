// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes that somebody else wrote into the control socket. */
#include <stdint.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/fd.h"

#include "compose/control/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message_stream *stream;
	int sockets[2];

	if (size > 64 << 10 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) < 0)
		return 0;
	(void)fd_write_all(sockets[0], data, size);
	shutdown(sockets[0], SHUT_WR);
	stream = message_stream_new(sockets[1]);
	for (;;) {
		struct error err = ERROR_INIT;
		_cleanup_json_ json_t *json = NULL;
		int fds[FD_PASS_MAX];
		size_t count;

		if (message_receive(stream, &json, fds, &count, &err) <= 0)
			break;
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
	}
	message_stream_free(stream);
	close(sockets[0]);
	return 0;
}
