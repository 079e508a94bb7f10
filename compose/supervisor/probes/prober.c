// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/probes/prober.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/container/exec_pack.h"

#include "compose/control/requests.h"
#include "compose/supervisor/probes/prober_protocol.h"

/* One that ends again at once is not started over and over. */
#define PATIENCE_USEC ((int64_t)USEC_PER_SEC)

struct prober_run {
	struct prober_run *next;
	uint64_t id;
	int pidfd;
	const struct container_spec *spec;
	prober_done *done; /* NULL: nobody asks any more */
	void *context;
	bool sent, kill, kill_sent;
};

struct prober {
	sd_event *event;
	char *project;
	unsigned int holders;
	uint64_t last_id;
	struct prober_run *first;

	int socket; /* -EBADF: there is none */
	pid_t pid;
	int64_t started_usec;
	sd_event_source *source, *timer;
	struct strbuf packet; /* the memory, kept */
};

struct prober *prober_new(sd_event *event, const char *project)
{
	struct prober *prober = new (struct prober);

	prober->event = event;
	prober->project = alloc_string(project);
	prober->socket = -EBADF;
	return prober;
}

static void unlink_run(struct prober *prober, struct prober_run *run)
{
	struct prober_run **at = &prober->first;

	while (*at != run)
		at = &(*at)->next;
	*at = run->next;
}

static void tell(struct prober *prober, struct prober_run *run, const struct prober_result *result)
{
	prober_done *done = run->done;
	void *context = run->context;

	unlink_run(prober, run);
	free(run);
	if (done)
		done(context, result);
}

/* Its children die with it. */
static void end(struct prober *prober)
{
	prober->source = sd_event_source_disable_unref(prober->source);
	if (prober->socket < 0)
		return;
	close(prober->socket);
	prober->socket = -EBADF;
	(void)kill(prober->pid, SIGKILL);
	while (waitpid(prober->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int on_news(sd_event_source *source, int fd, uint32_t events, void *data);

struct spawning {
	pid_t *pid;
	const posix_spawn_file_actions_t *actions;
	char *const *argv, *const *env;
};

static int spawn(void *data)
{
	const struct spawning *s = data;

	return posix_spawn(s->pid, "/proc/self/exe", s->actions, NULL, s->argv, s->env);
}

static int start(struct prober *prober, struct error *err)
{
	char *const argv[] = {"berth", PROBER_COMMAND, prober->project, NULL};
	_cleanup_close_ int ours = -EBADF, theirs = -EBADF;
	_cleanup_strv_ char **env = strv_dup(environ);
	posix_spawn_file_actions_t actions;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "make a socket pair");
	ours = pair[0];
	theirs = pair[1];
	(void)fd_set_nonblock(ours, true);
	/* Its children lack libraries in which a symbol that is bound late would be looked up. */
	strv_env_set(&env, "LD_BIND_NOW", "1");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, theirs, PROBER_FD);
	/* Containers of the host's network have theirs probed there; into all others it can go. */
	r = rootless_on_host(spawn, &(struct spawning){&prober->pid, &actions, argv, env});
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		return error_code(err, -r, "start the process that runs health checks");
	r = sd_event_add_io(prober->event, &prober->source, ours, EPOLLIN, on_news, prober);
	prober->socket = TAKE_FD(ours);
	if (r < 0) {
		end(prober);
		return error_code(err, r, "watch the process that runs health checks");
	}
	return 0;
}

/* The packed spec as a file. */
static int spill(const struct strbuf *packet)
{
	_cleanup_close_ int fd = memfd_create("probe", MFD_CLOEXEC);
	const size_t skip = sizeof(struct prober_order);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, packet->data + skip, packet->length - skip);
	return r < 0 ? r : TAKE_FD(fd);
}

static int send_order(struct prober *prober, struct prober_run *run)
{
	struct prober_order order = {.type = PROBER_RUN, .id = run->id};
	struct strbuf *packet = &prober->packet;
	_cleanup_close_ int file = -EBADF;
	int fds[2] = {run->pidfd};
	ssize_t n;

	packet->length = 0;
	strbuf_add_n(packet, &order, sizeof(order));
	exec_pack(run->spec, packet);
	if (packet->length <= PROBER_ORDER_MAX) {
		n = fd_send(prober->socket, packet->data, packet->length, fds, 1);
		return n < 0 ? (int)n : 0;
	}
	fds[1] = file = spill(packet);
	if (file < 0)
		return file;
	n = fd_send(prober->socket, &order, sizeof(order), fds, 2);
	return n < 0 ? (int)n : 0;
}

static int send_kill(struct prober *prober, const struct prober_run *run)
{
	struct prober_order order = {.type = PROBER_KILL, .id = run->id};
	ssize_t n = fd_send(prober->socket, &order, sizeof(order), NULL, 0);

	return n < 0 ? (int)n : 0;
}

/* What there is to say, as far as the socket takes it. */
static void send_all(struct prober *prober)
{
	int r = 0;

	if (prober->socket < 0)
		return;
	for (struct prober_run *run = prober->first; run && r == 0; run = run->next) {
		if (!run->sent) {
			r = send_order(prober, run);
			run->sent = r == 0;
		}
		if (r == 0 && run->kill && !run->kill_sent) {
			r = send_kill(prober, run);
			run->kill_sent = r == 0;
		}
	}
	(void)sd_event_source_set_io_events(prober->source,
					    r == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void start_again(struct prober *prober);

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	struct prober *prober = data;

	prober->timer = sd_event_source_disable_unref(prober->timer);
	start_again(prober);
	return 0;
}

static void try_later(struct prober *prober, int64_t delay_usec)
{
	int r = sd_event_add_time_relative(prober->event, &prober->timer, CLOCK_MONOTONIC,
					   (uint64_t)delay_usec, 0, on_retry, prober);

	if (r < 0)
		log_error("health checks: no timer: %s", strerror(-r));
}

static void start_again(struct prober *prober)
{
	int64_t now = units_monotonic_usec(), since = now - prober->started_usec;
	struct error err = ERROR_INIT;

	if (prober->timer || prober->socket >= 0 || !prober->first)
		return;
	if (prober->started_usec && since < PATIENCE_USEC) {
		try_later(prober, PATIENCE_USEC - since);
		return;
	}
	prober->started_usec = now;
	if (start(prober, &err) < 0) {
		log_error("health checks: %s", err.message);
		try_later(prober, PATIENCE_USEC);
		return;
	}
	send_all(prober);
}

/* It was killed, and what it ran with it. */
static void lost(struct prober *prober)
{
	const struct prober_result killed = {.exit_code = 128 + SIGKILL};
	struct prober_run *next;

	log_warning("the process that runs health checks ended, starting it again");
	end(prober);
	for (struct prober_run *run = prober->first; run; run = next) {
		next = run->next;
		if (run->kill && run->sent) {
			/* Whoever is told may forget others. */
			tell(prober, run, &killed);
			next = prober->first;
			continue;
		}
		run->sent = false;
	}
	start_again(prober);
}

/* False: there is nothing more for now, or it is gone. */
static bool receive(struct prober *prober, bool *gone)
{
	static union {
		struct prober_answer answer;
		char bytes[sizeof(struct prober_answer) + PROBER_OUTPUT_MAX];
	} buffer;
	ssize_t n = recv(prober->socket, &buffer, sizeof(buffer), 0);
	struct prober_result result;

	if (n < 0 && errno == EINTR)
		return true;
	*gone = n == 0 || (n < 0 && errno != EAGAIN);
	if (n < (ssize_t)sizeof(buffer.answer))
		return false;
	result = (struct prober_result){
		.exit_code = buffer.answer.exit_code,
		.not_run = buffer.answer.not_run,
		.text = buffer.bytes + sizeof(buffer.answer),
		.size = (size_t)n - sizeof(buffer.answer),
	};
	for (struct prober_run *run = prober->first; run; run = run->next) {
		if (run->id != buffer.answer.id)
			continue;
		tell(prober, run, &result);
		break;
	}
	return prober->socket >= 0;
}

static int on_news(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct prober *prober = data;
	bool gone = false;

	while (receive(prober, &gone))
		;
	if (gone)
		lost(prober);
	else
		send_all(prober);
	return 0;
}

void prober_hold(struct prober *prober)
{
	prober->holders++;
}

void prober_release(struct prober *prober)
{
	if (--prober->holders)
		return;
	end(prober);
	while (prober->first) {
		struct prober_run *run = prober->first;

		prober->first = run->next;
		free(run);
	}
}

struct prober_run *prober_begin(struct prober *prober, int pidfd, const struct container_spec *spec,
				prober_done *done, void *context)
{
	struct prober_run *run = new (struct prober_run);

	*run = (struct prober_run){
		.next = prober->first,
		.id = ++prober->last_id,
		.pidfd = pidfd,
		.spec = spec,
		.done = done,
		.context = context,
	};
	prober->first = run;
	if (prober->socket >= 0)
		send_all(prober);
	else
		start_again(prober);
	return run;
}

void prober_kill(struct prober *prober, struct prober_run *run)
{
	const struct prober_result late = {.exit_code = -1, .not_run = true};

	run->kill = true;
	if (run->sent)
		send_all(prober);
	else
		tell(prober, run, &late);
}

void prober_forget(struct prober *prober, struct prober_run *run)
{
	run->done = NULL;
	prober_kill(prober, run);
}
