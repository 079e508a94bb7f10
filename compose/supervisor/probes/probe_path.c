// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe_path.c - `file` and `unix`: a path in the container's root.
 *
 * What the kernel has in its cache is answered at once. Everything else may have to be read from
 * a disk, a network or a file system that the container itself serves: a job does that.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/jobs.h"
#include "compose/supervisor/probes/probe_internal.h"
#include "compose/supervisor/requests/usage.h"

#define NOT_CACHED (-EAGAIN)

struct path_probe {
	struct probe probe;
	bool working; /* a job does it */
};

static struct path_probe *of(struct probe *probe)
{
	return (struct path_probe *)probe;
}

static const char *path_of(const struct probe_config *config)
{
	return config->file ?: config->unix_socket;
}

static int open_path(int root, const char *path, bool cached)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (cached ? RESOLVE_CACHED : 0),
	};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && !cached)));
	return fd < 0 ? -errno : fd;
}

/* Whichever kind of socket it is: somebody has it open. */
static int connect_to(int fd, struct error *err)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char path[FD_PATH_MAX];

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", fd_path(fd, path));
	array_foreach(type, types) {
		_cleanup_close_ int socket_fd =
			socket(AF_UNIX, *type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (socket_fd < 0)
			return error_errno(err, "make a socket");
		if (connect(socket_fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
			return 0;
		if (errno == EAGAIN)
			return error_set(err, EBUSY, "its queue of connections is full");
		if (errno != EPROTOTYPE)
			break;
	}
	return error_set(err, errno, "%s", strerror(errno));
}

/* 0: ready. NOT_CACHED: ask without @cached. */
static int look(struct path_probe *self, bool cached, struct error *err)
{
	const struct probe_config *config = self->probe.config;
	_cleanup_close_ int root = usage_running_root(self->probe.instance, err), fd = -EBADF;

	if (root < 0)
		return root;
	fd = open_path(root, path_of(config), cached);
	if (fd < 0 && cached)
		return NOT_CACHED;
	if (fd < 0)
		return error_set(err, -fd, "%s", strerror(-fd));
	return config->unix_socket ? connect_to(fd, err) : 0;
}

static void tell(struct path_probe *self, const struct error *err)
{
	if (err->code)
		probe_answer(&self->probe, 1, "%s", err->message);
	else
		probe_answer(&self->probe, 0, "it is there");
}

static int work(void *data, struct error *err)
{
	return look(data, false, err);
}

static void worked(void *context, const struct error *err)
{
	struct path_probe *self = context;

	self->working = false;
	tell(self, err);
}

static void begin(struct probe *probe)
{
	struct path_probe *self = of(probe);
	struct error err = ERROR_INIT;
	int r = look(self, true, &err);

	if (r == NOT_CACHED) {
		error_clear(&err);
		r = job_start(probe->instance->supervisor->jobs, work, self, worked, self, &err);
		self->working = r == 0;
		if (r == 0)
			return;
	}
	tell(self, &err);
}

static void drop_job(struct path_probe *self)
{
	if (self->working)
		jobs_cancel(self->probe.instance->supervisor->jobs, self);
	self->working = false;
}

static void give_up(struct probe *probe)
{
	drop_job(of(probe));
	probe_answer(probe, 1, "no answer");
}

static void release(struct probe *probe)
{
	drop_job(of(probe));
	free(of(probe));
}

static const struct probe_ops ops = {begin, give_up, release};

struct probe *probe_path_new(void)
{
	struct path_probe *self = new (struct path_probe);

	self->probe.ops = &ops;
	return &self->probe;
}
