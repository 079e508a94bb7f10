// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"

#include "compose/supervisor/exec/exec_internal.h"
#include "compose/supervisor/supervisor.h"

static int on_output(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct exec_session *session = data;
	char unread[16 << 10];
	ssize_t n = read(fd, unread, sizeof(unread));

	/* EIO: nobody has its terminal open any more. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		session->drain = sd_event_source_disable_unref(session->drain);
	return 0;
}

void exec_session_drain(struct exec_session *session)
{
	int r;

	if (!session->tty || session->over)
		return;
	if (!session->unread) {
		session->unread = true;
		exec_session_write(session);
	}
	if (session->pty < 0 || session->drain)
		return;
	/* Its last reader may have left nothing to be read. */
	r = fd_set_nonblock(session->pty, true);
	if (r >= 0)
		r = sd_event_add_io(session->sessions->supervisor->event, &session->drain,
				    session->pty, EPOLLIN, on_output, session);
	if (r < 0)
		log_warning("exec %.12s: nobody reads its terminal: %s", session->id, strerror(-r));
}
