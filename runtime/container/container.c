// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/container.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/container/birth.h"
#include "runtime/container/cgroup/cgroup.h"
#include "runtime/container/clone.h"
#include "runtime/container/confine/seccomp.h"
#include "runtime/container/pid1.h"

static bool have_time_namespaces(void)
{
	static int have = -1;

	if (have < 0)
		have = access("/proc/self/ns/time", F_OK) == 0;
	return have;
}

static uint64_t new_namespaces(const struct container_spec *spec)
{
	uint64_t flags = 0;

	if (spec->network.source == NAMESPACE_NEW)
		flags |= CLONE_NEWNET;
	if (spec->pid.source == NAMESPACE_NEW)
		flags |= CLONE_NEWPID;
	if (spec->ipc.source == NAMESPACE_NEW)
		flags |= CLONE_NEWIPC;
	if (spec->uts.source == NAMESPACE_NEW)
		flags |= CLONE_NEWUTS;
	if (spec->time_namespace && have_time_namespaces())
		flags |= CLONE_NEWTIME;
	return flags;
}

/* The two ends of what child and parent say to each other. */
struct channels {
	int report[2], release[2]; /* [0] is the parent's of report, the child's of release */
};

#define NO_CHANNELS                    \
	{                              \
		{-EBADF, -EBADF},      \
		{                      \
			-EBADF, -EBADF \
		}                      \
	}

static void close_channels(struct channels *c)
{
	cleanup_close_fd(&c->report[0]);
	cleanup_close_fd(&c->report[1]);
	cleanup_close_fd(&c->release[0]);
	cleanup_close_fd(&c->release[1]);
}

static int open_report(int *ret, struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return error_errno(err, "open the channels to a new process");
	/* Only our end: the child waits for room, should it ever come to that. */
	(void)fd_set_nonblock(ret[0], true);
	return 0;
}

static int open_channels(struct channels *c, struct error *err)
{
	if (open_report(c->report, err) < 0)
		return -err->code;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c->release) < 0)
		return error_errno(err, "open the channels to a new process");
	return 0;
}

/* All that the child needs, so that it allocates nothing. */
static void make_plan(struct birth_plan *plan, const struct container_spec *spec)
{
	size_t args = strv_length((char *const *)spec->args);

	plan->spec = spec;
	if (plan->exec)
		plan->join = namespaces_of_container(plan->container_pidfd, have_time_namespaces());
	plan->env_count = strv_length((char *const *)spec->env);
	plan->argv = new_array(const char *, args + BIRTH_ARGV_EXTRA + 1);
	plan->env = new_array(const char *, plan->env_count + 2);
	for (size_t i = 0; i < args; i++)
		plan->argv[BIRTH_ARGV_EXTRA + i] = spec->args[i];
	for (size_t i = 0; i < plan->env_count; i++)
		plan->env[i] = spec->env[i];
}

/* What a clone is made of. */
struct cloning {
	struct birth_plan *plan;
	int pidns_fd; /* a namespace file or a pidfd; negative: our own */
	struct clone_args *args;
	struct channels *channels;
	struct error *err;
};

/* The child: lets go of the parent's ends, and never returns. */
static void become(void *data)
{
	const struct cloning *c = data;

	close(c->channels->report[0]);
	close(c->channels->release[1]);
	birth_run(c->plan);
}

static pid_t clone_child(const struct cloning *c)
{
	pid_t pid;

	if (c->args->stack)
		return clone_shared(c->args, become, (void *)c);
	pid = clone_copy(c->args);
	if (pid == 0)
		become((void *)c);
	return pid;
}

/*
 * A clone into the pid namespace @pidns_fd.
 *
 * setns(CLONE_NEWPID) moves only the children made from then on, so the caller steps in, clones,
 * and steps back to its own: two system calls more. The other way, a child that joins and forks
 * again, costs a second clone, and its grandchild's pidfd would have to be handed up.
 * rootless() nobody may step back: a thread that makes no other children does it.
 */
static pid_t clone_into(const struct cloning *c)
{
	static _Thread_local int own = -EBADF;
	static _Thread_local pid_t own_pid;
	pid_t pid, self = getpid();

	if (c->pidns_fd >= 0) {
		if (own_pid != self) {
			cleanup_close_fd(&own);
			own = process_pidfd_open(self);
			own_pid = self;
		}
		if (own < 0)
			return error_code(c->err, own, "open our own pid namespace");
		if (setns(c->pidns_fd, CLONE_NEWPID) < 0)
			return error_errno(c->err, "join the container's pid namespace");
	}
	pid = clone_child(c);
	if (pid < 0)
		error_errno(c->err, "clone a new process");
	/* Not to get back would put every later container into this one. */
	if (c->pidns_fd >= 0 && !rootless() && setns(own, CLONE_NEWPID) < 0)
		abort();
	return pid < 0 ? -c->err->code : pid;
}

/*
 * Comes back as the parent. An init in the container may have made groups of its own in the
 * container's, which then takes nobody any more (EBUSY): who joins it goes where the init is.
 */
static int clone_and_become(void *data)
{
	struct cloning *c = data;
	pid_t pid = clone_into(c), container;
	_cleanup_close_ int beside = -EBADF;

	if (pid == -EBUSY && c->plan->exec && c->args->flags & CLONE_INTO_CGROUP) {
		container = process_pidfd_pid(c->plan->container_pidfd);
		if (container > 0)
			beside = cgroup_clone_fd_of(c->plan->spec->cgroup_handle, container);
		if (beside >= 0) {
			error_clear(c->err);
			c->args->cgroup = (uint64_t)beside;
			pid = clone_into(c);
		}
	}
	return pid;
}

/* A container of the host's network, which only a child of whoever is in it can have. */
static bool is_on_host(const struct birth_plan *plan)
{
	return plan->exec ? rootless_is_on_host(plan->container_pidfd)
			  : plan->spec->network.source == NAMESPACE_HOST;
}

static uint64_t address(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* The clone itself, by @args; a pid, or negative. */
static pid_t start_with(struct birth_plan *plan, struct clone_args *args, int pidns_fd,
			struct channels *channels, struct error *err)
{
	struct cloning cloning = {plan, pidns_fd, args, channels, err};
	/* Who shares its memory is not. */
	int dumpable = args->stack ? 0 : prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	_cleanup_close_ int cgroup = -EBADF;
	pid_t pid;

	plan->init_fd = pid1_program(err);
	if (plan->init_fd < 0)
		return plan->init_fd;
	(void)capability_all(); /* remembered, so that not each child asks anew */
	plan->report_fd = channels->report[1];
	plan->release_fd = channels->release[0];
	args->flags |= CLONE_CLEAR_SIGHAND;
	if (plan->spec->cgroup_handle)
		cgroup = cgroup_clone_fd(plan->spec->cgroup_handle);
	if (cgroup >= 0) {
		args->flags |= CLONE_INTO_CGROUP;
		args->cgroup = (uint64_t)cgroup;
	}
	/* The child is born not dumpable: there is no moment to look into it (CVE-2019-5736). */
	if (dumpable)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	plan->on_host = is_on_host(plan);
	if (pidns_fd >= 0)
		pid = rootless_astray(plan->on_host, clone_and_become, &cloning);
	else if (plan->on_host)
		pid = rootless_on_host(clone_and_become, &cloning);
	else
		pid = clone_and_become(&cloning);
	if (pid < 0 && !err->code)
		error_code(err, pid, "start a thread to clone a new process by");
	if (dumpable)
		prctl(PR_SET_DUMPABLE, dumpable == 1, 0, 0, 0);
	return pid;
}

static int start(struct birth_plan *plan, uint64_t flags, int pidns_fd, bool as_sibling,
		 struct birth *ret, struct error *err)
{
	_cleanup_(close_channels) struct channels channels = NO_CHANNELS;
	int pidfd = -EBADF;
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD | (as_sibling ? CLONE_PARENT : 0),
		.pidfd = address(&pidfd),
		.exit_signal = as_sibling ? 0 : SIGCHLD,
	};
	pid_t pid;

	if (open_channels(&channels, err) < 0)
		return -err->code;
	pid = start_with(plan, &args, pidns_fd, &channels, err);
	if (pid < 0)
		return pid;
	*ret = (struct birth){.pidfd = pidfd,
			      .pid = pid,
			      .release_fd = TAKE_FD(channels.release[1]),
			      .report_fd = TAKE_FD(channels.report[0])};
	/* It waits for us, or failed and is a zombie: either way it is still there. */
	if (process_start_time(pid, &ret->start_ticks) < 0)
		ret->start_ticks = 0;
	return 0;
}

int container_clone(const struct container_spec *spec, bool as_sibling, struct birth *ret,
		    struct error *err)
{
	struct birth_plan plan = {.container_pidfd = -EBADF};
	int pidns = spec->pid.source == NAMESPACE_JOIN ? spec->pid.fd : -EBADF, r;

	make_plan(&plan, spec);
	r = start(&plan, new_namespaces(spec), pidns, as_sibling, ret, err);
	free(plan.argv);
	free(plan.env);
	return r;
}

int container_exec(int container_pidfd, const struct container_spec *spec, bool as_sibling,
		   struct birth *ret, struct error *err)
{
	struct birth_plan plan = {.exec = true, .container_pidfd = container_pidfd};
	int r;

	if (container_pidfd < 0)
		return error_set(err, ESRCH, "exec: the container is not running");
	make_plan(&plan, spec);
	r = start(&plan, 0, container_pidfd, as_sibling, ret, err);
	free(plan.argv);
	free(plan.env);
	return r;
}

bool container_exec_can_share(const struct container_spec *spec)
{
	/* A time namespace is joined by who has its memory to itself (setns(2): EUSERS). */
	return clone_can_share() && !rootless() && !spec->time_namespace;
}

pid_t container_exec_child(int container_pidfd, const struct container_spec *spec, int *channel,
			   const struct exec_room *room, struct error *err)
{
	struct birth_plan plan = {
		.exec = true, .own_child = true, .container_pidfd = container_pidfd};
	struct channels channels = NO_CHANNELS;
	struct clone_args args = {.exit_signal = SIGCHLD};
	pid_t pid;

	if (channel[0] < 0 && open_report(channel, err) < 0)
		return -err->code;
	channels.report[0] = channel[0];
	channels.report[1] = channel[1];
	make_plan(&plan, spec);
	if (room) {
		plan.join &= ~CLONE_NEWTIME;
		args.flags = CLONE_PARENT_SETTID;
		args.parent_tid = address(room->ret_pid);
		args.stack = address(room->stack);
		args.stack_size = room->stack_size;
	}
	pid = start_with(&plan, &args, container_pidfd, &channels, err);
	free(plan.argv);
	free(plan.env);
	return pid;
}

int container_child_report(const int *channel, struct birth_report *report, struct error *err)
{
	struct birth birth = {.release_fd = -EBADF, .report_fd = channel[0]};

	return container_report(&birth, report, err) == BIRTH_FAILED ? BIRTH_FAILED
								     : BIRTH_EXECUTED;
}

int container_release(struct birth *birth)
{
	ssize_t n;

	if (birth->release_fd < 0)
		return -EPIPE;
	/* The child may have failed before it waits: that is no signal for us (fd_send()). */
	n = fd_send(birth->release_fd, "", 1, NULL, 0);
	close(TAKE_FD(birth->release_fd));
	return n < 0 ? (int)n : 0;
}

void birth_done(struct birth *birth)
{
	cleanup_close_fd(&birth->pidfd);
	cleanup_close_fd(&birth->release_fd);
	cleanup_close_fd(&birth->report_fd);
	birth->pidfd = birth->release_fd = birth->report_fd = -EBADF;
}

static int take_ready(const struct birth_message *message, const int *fds, size_t count,
		      struct birth_report *report)
{
	size_t i = 0;

	if (message->has_pty && count)
		report->pty_master = fds[i++];
	for (; i < count; i++) {
		if (report->network_fd_count < NETWORK_HOOK_FDS)
			report->network_fds[report->network_fd_count++] = fds[i];
		else
			close(fds[i]);
	}
	return BIRTH_READY;
}

/* In the words that scripts know from Docker. */
static const char *execve_text(int code)
{
	switch (code) {
	case ENOEXEC:
		return "exec format error";
	case ENOENT:
		return "no such file or directory";
	case EACCES:
		return "permission denied";
	default:
		return strerror(code);
	}
}

/* Our own child wrote it; still, it stood in a container while it did. */
static int take_failure(struct birth_message *message, struct birth_report *report,
			struct error *err)
{
	message->error.where[sizeof(message->error.where) - 1] = 0;
	message->error.message[sizeof(message->error.message) - 1] = 0;
	report->exit_status = message->exit_status;
	if (message->kind == BIRTH_MESSAGE_NOT_EXECUTED) {
		int code = message->exit_status;

		report->exit_status = code == ENOENT ? 127 : 126;
		error_set(err, code > 0 ? code : EIO, "exec %s: %s", message->error.message,
			  execve_text(code));
	} else if (message->error.code > 0) {
		*err = message->error;
	} else {
		error_set(err, EIO, "the container's process failed without a word");
	}
	return BIRTH_FAILED;
}

int container_report(struct birth *birth, struct birth_report *report, struct error *err)
{
	struct birth_message message;
	int fds[1 + NETWORK_HOOK_FDS];
	size_t count = ARRAY_SIZE(fds);
	ssize_t n;

	*report = (struct birth_report){.pty_master = -EBADF};
	n = fd_peek(birth->report_fd, &message, sizeof(message), fds, &count);
	if (n == -EAGAIN)
		return BIRTH_PENDING;
	if (n == 0 && birth->release_fd < 0)
		return BIRTH_EXECUTED;
	if (n == 0 || n == -ECONNRESET) {
		report->exit_status = 125;
		error_set(err, EIO, "the container's process was killed before it began");
		return BIRTH_FAILED;
	}
	if (n < 0)
		return error_code(err, (int)n, "read the report of a new process");
	if (n == sizeof(message) && message.kind == BIRTH_MESSAGE_READY)
		return take_ready(&message, fds, count, report);
	while (count)
		close(fds[--count]);
	if (n == sizeof(message) &&
	    (message.kind == BIRTH_MESSAGE_FAILED || message.kind == BIRTH_MESSAGE_NOT_EXECUTED))
		return take_failure(&message, report, err);
	report->exit_status = 125;
	if (n == sizeof(message) && message.kind == BIRTH_MESSAGE_NOT_RELEASED) {
		error_set(err, ECANCELED, "the supervisor died before it let the process go");
		return BIRTH_ORPHANED;
	}
	error_set(err, EPROTO, "the report of a new process makes no sense");
	return BIRTH_FAILED;
}

int container_report_wait(struct birth *birth, int64_t until_usec, struct birth_report *report,
			  struct error *err)
{
	struct pollfd news = {.fd = birth->report_fd, .events = POLLIN};

	for (;;) {
		int r = container_report(birth, report, err);
		int64_t left = until_usec - units_monotonic_usec();

		if (r != BIRTH_PENDING || left <= 0)
			return r;
		(void)poll(&news, 1, (int)(left / (int64_t)USEC_PER_MSEC) + 1);
	}
}

void container_report_taken(struct birth *birth)
{
	struct birth_message message;

	/* Without room for them, the descriptors go with it. */
	(void)recv(birth->report_fd, &message, sizeof(message), MSG_DONTWAIT);
}

int container_namespace(int pidfd, const char *kind, struct error *err)
{
	pid_t pid = process_pidfd_pid(pidfd);
	char path[48];
	int fd;

	if (pid < 0)
		return error_code(err, pid, "%s namespace of a container", kind);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "%s namespace of a container", kind);
	/* The pid may have gone to another process meanwhile; the pidfd tells. */
	if (process_pidfd_signal(pidfd, 0) == -ESRCH) {
		close(fd);
		return error_set(err, ESRCH, "%s namespace of a container: it has ended", kind);
	}
	return fd;
}

int container_resize(int pty_master, unsigned short rows, unsigned short columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};

	return ioctl(pty_master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}
