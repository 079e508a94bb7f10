// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * prober_main.c - the prober's own side: clones, collects output and ends, and knows nothing else.
 *
 * It has one child a probe, each of which dies with it, and ends with its supervisor. Its main
 * thread, which is all but prober_births.h, waits for nothing but in poll().
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/units.h"

#include "compose/control/requests.h"
#include "compose/supervisor/main.h"
#include "compose/supervisor/probes/prober_births.h"
#include "compose/supervisor/probes/prober_protocol.h"

/* What runs longer is listened to: until then its pipe has room, and most have ended. */
#define QUICK_MSEC 100
/* One that is to be killed has no pid yet: for an instant only. */
#define KILL_MSEC  5
#define PIPE_BYTES ((size_t)64 << 10)
/* As many as run at the same time, mostly. */
#define CHANNELS_KEPT 64
#define MAPS_MAX      ((size_t)1 << 20)

struct run {
	struct run *next;
	uint64_t id;
	int64_t begun_usec;
	struct prober_birth birth;
	bool kill;  /* as soon as it can be */
	bool ended; /* or never began; its answer waits to be sent */
	int exit_code;
	int output_fd;
	char *text; /* the beginning of what it wrote */
	size_t size;
	struct error err;
};

struct prober {
	int signals, news;
	struct prober_births *births;
	struct run *first;
	struct pollfd *polled;
	size_t polled_count;
	int channels[CHANNELS_KEPT][2]; /* of those that ended: for others */
	size_t channel_count;
};

static void take_channel(struct prober *prober, int *ret)
{
	if (prober->channel_count)
		memcpy(ret, prober->channels[--prober->channel_count], sizeof(*prober->channels));
}

/* By that of one that failed, more may still come. */
static void give_channel(struct prober *prober, struct run *run)
{
	int *channel = run->birth.channel;

	if (channel[0] < 0)
		return;
	if (!run->err.code && prober->channel_count < CHANNELS_KEPT) {
		memcpy(prober->channels[prober->channel_count++], channel,
		       sizeof(*prober->channels));
		return;
	}
	close(channel[0]);
	close(channel[1]);
}

static void run_free(struct prober *prober, struct run *run)
{
	give_channel(prober, run);
	if (run->output_fd >= 0)
		close(run->output_fd);
	free(run->text);
	free(run);
}

/* Takes @container and @bytes. */
static int begin(struct prober *prober, struct run *run, int container, char *bytes, size_t size)
{
	struct prober_birth *birth = &run->birth;
	_cleanup_close_ int own = container;
	_cleanup_free_ char *own_bytes = bytes;
	int pair[2];

	if (exec_unpack(bytes, size, &birth->order, &run->err) < 0)
		return -run->err.code;
	if (pipe2(pair, O_CLOEXEC) < 0) {
		exec_unpacked_done(&birth->order);
		return error_errno(&run->err, "make a pipe");
	}
	run->output_fd = pair[0];
	(void)fcntl(run->output_fd, F_SETFL, O_NONBLOCK);
	run->begun_usec = units_monotonic_usec();
	birth->bytes = TAKE_PTR(own_bytes);
	birth->container = TAKE_FD(own);
	birth->output = pair[1];
	birth->order.spec.stdout_fd = birth->order.spec.stderr_fd = birth->output;
	take_channel(prober, birth->channel);
	prober_births_begin(prober->births, birth);
	return 0;
}

/* The order's bytes where they were too many for a packet; new memory. */
static char *read_bytes(int fd, size_t *ret_size)
{
	struct stat status;
	char *bytes;

	if (fstat(fd, &status) < 0 || status.st_size <= 0 ||
	    status.st_size > (off_t)PROBER_SPEC_MAX)
		return NULL;
	bytes = alloc((size_t)status.st_size);
	if (pread(fd, bytes, (size_t)status.st_size, 0) != (ssize_t)status.st_size) {
		free(bytes);
		return NULL;
	}
	*ret_size = (size_t)status.st_size;
	return bytes;
}

static void order_run(struct prober *prober, uint64_t id, const char *bytes, size_t size, int *fds,
		      size_t count)
{
	_cleanup_free_ char *kept = NULL;
	struct run *run = new (struct run);

	/* Nothing that could not even be begun, in a container that is dying, has succeeded. */
	*run = (struct run){.next = prober->first,
			    .id = id,
			    .exit_code = -1,
			    .output_fd = -EBADF,
			    .birth = {.channel = {-EBADF, -EBADF}}};
	prober->first = run;
	kept = count == 2 ? read_bytes(fds[1], &size) : alloc_copy(bytes, size);
	if (!kept || !count)
		error_set(&run->err, EBADMSG, "the order to run a program is cut short");
	else
		(void)begin(prober, run, TAKE_FD(fds[0]), TAKE_PTR(kept), size);
	run->ended = run->err.code != 0;
}

static void order_kill(struct prober *prober, uint64_t id)
{
	for (struct run *run = prober->first; run; run = run->next)
		if (run->id == id)
			run->kill = !run->ended;
}

/* Until when another one can be, in milliseconds; or -1. */
static int kill_runs(struct prober *prober)
{
	int timeout = -1;

	for (struct run *run = prober->first; run; run = run->next) {
		if (!run->kill || run->ended)
			continue;
		run->kill = !run->birth.pid && prober_birth_cancel(prober->births, &run->birth) < 0;
		if (run->birth.pid)
			(void)kill(run->birth.pid, SIGKILL);
		else if (run->kill)
			timeout = KILL_MSEC;
	}
	return timeout;
}

/* False: the supervisor is gone. */
static bool take_orders(struct prober *prober)
{
	static union {
		struct prober_order order;
		char bytes[PROBER_ORDER_MAX];
	} buffer;

	for (;;) {
		int fds[2];
		size_t count = ARRAY_SIZE(fds);
		ssize_t n = fd_receive(PROBER_FD, &buffer, sizeof(buffer), fds, &count);

		if (n == -EAGAIN || n == -EINTR)
			return true;
		if (n == 0)
			return false;
		if (n >= (ssize_t)sizeof(buffer.order) && buffer.order.type == PROBER_RUN)
			order_run(prober, buffer.order.id, buffer.bytes + sizeof(buffer.order),
				  (size_t)n - sizeof(buffer.order), fds, count);
		if (n >= (ssize_t)sizeof(buffer.order) && buffer.order.type == PROBER_KILL)
			order_kill(prober, buffer.order.id);
		while (n >= 0 && count)
			cleanup_close_fd(&fds[--count]);
		if (n < 0 && n != -EMSGSIZE && n != -EMFILE)
			return false;
	}
}

/* What is too much is read and forgotten: nobody is to wait for a pipe to have room. */
static void read_output(struct run *run)
{
	static char buffer[PROBER_OUTPUT_MAX];
	ssize_t n = 1;

	/* A pipe full: others have their turn before one that never stops. */
	for (size_t i = 0; i < PIPE_BYTES / sizeof(buffer); i++) {
		size_t size = PROBER_OUTPUT_MAX - run->size;

		n = read(run->output_fd, buffer, sizeof(buffer));
		if (n <= 0)
			break;
		size = (size_t)n < size ? (size_t)n : size;
		if (!size)
			continue;
		run->text = alloc_resize(run->text, run->size + size, 1);
		memcpy(run->text + run->size, buffer, size);
		run->size += size;
	}
	/* Its end is told by its parent's signal. */
	if (n == 0) {
		close(run->output_fd);
		run->output_fd = -EBADF;
	}
}

static void conclude(struct run *run, int status)
{
	struct birth_report report;

	run->ended = true;
	run->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (container_child_report(run->birth.channel, &report, &run->err) == BIRTH_FAILED)
		return;
	error_clear(&run->err);
	if (run->output_fd >= 0)
		read_output(run);
}

static void reap(struct prober *prober)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct run *run = prober->first;

		while (run && (run->ended || run->birth.pid != pid))
			run = run->next;
		if (run)
			conclude(run, status);
	}
}

/* 0, or negative when the socket takes no more. */
static int send_answer(struct run *run)
{
	static struct {
		struct prober_answer answer;
		char text[PROBER_OUTPUT_MAX];
	} packet;
	const char *text = run->err.code ? run->err.message : run->text;
	size_t size = run->err.code ? strlen(run->err.message) : run->size;
	ssize_t n;

	packet.answer = (struct prober_answer){
		.id = run->id, .exit_code = run->exit_code, .not_run = run->err.code != 0};
	if (size)
		memcpy(packet.text, text, size);
	n = fd_send(PROBER_FD, &packet, sizeof(packet.answer) + size, NULL, 0);
	return n < 0 ? (int)n : 0;
}

/* Ended, or failed to begin; and nobody has it in hand any more. */
static bool is_over(struct prober *prober, struct run *run)
{
	if (!run->ended && run->birth.pid)
		return false;
	if (!prober_birth_is_over(prober->births, &run->birth, run->ended))
		return false;
	if (!run->ended && run->birth.err.code) {
		run->err = run->birth.err;
		run->ended = true;
	}
	return run->ended;
}

static bool send_answers(struct prober *prober)
{
	struct run **at = &prober->first;

	while (*at) {
		struct run *run = *at;

		if (!is_over(prober, run)) {
			at = &run->next;
			continue;
		}
		if (send_answer(run) == -EAGAIN)
			return true;
		*at = run->next;
		run_free(prober, run);
	}
	return false;
}

static void add_polled(struct prober *prober, int fd, short events)
{
	*array_add(prober->polled, prober->polled_count) =
		(struct pollfd){.fd = fd, .events = events};
}

/* Those that run for some time, in order. Until when another one does, in milliseconds; or -1. */
static int add_slow(struct prober *prober)
{
	int64_t quick_usec = QUICK_MSEC * (int64_t)USEC_PER_MSEC;
	int64_t now = units_monotonic_usec();
	int timeout = -1;

	for (const struct run *run = prober->first; run; run = run->next) {
		if (run->ended || run->output_fd < 0)
			continue;
		if (now - run->begun_usec >= quick_usec)
			add_polled(prober, run->output_fd, POLLIN);
		else
			timeout = QUICK_MSEC;
	}
	return timeout;
}

/* Of what is polled. */
#define FIRST_OUTPUT 3

static void read_outputs(struct prober *prober)
{
	for (size_t i = FIRST_OUTPUT; i < prober->polled_count; i++) {
		struct run *run = prober->first;

		while (run && run->output_fd != prober->polled[i].fd)
			run = run->next;
		if (run && prober->polled[i].revents)
			read_output(run);
	}
}

/* Of two timeouts in milliseconds, of which -1 is none. */
static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void serve(struct prober *prober)
{
	struct signalfd_siginfo info;

	for (;;) {
		bool more = send_answers(prober), burst;
		int timeout = sooner(kill_runs(prober), prober_births_look(prober->births, &burst));

		prober->polled_count = 0;
		add_polled(prober, PROBER_FD, more ? POLLIN | POLLOUT : POLLIN);
		/* Not a wakeup for each that ends meanwhile, of us and of the supervisor. */
		add_polled(prober, prober->signals, burst ? 0 : POLLIN);
		add_polled(prober, prober->news, POLLIN);
		timeout = sooner(timeout, add_slow(prober));
		if (poll(prober->polled, prober->polled_count, timeout) <= 0)
			continue;
		read_outputs(prober);
		if (prober->polled[1].revents && read(prober->signals, &info, sizeof(info)) > 0)
			reap(prober);
		if (prober->polled[2].revents)
			prober_births_heard(prober->births);
		if (prober->polled[0].revents && !take_orders(prober))
			return;
	}
}

/*
 * Between clone and exec, a child calls system calls and ours: what is mapped of other libraries
 * need not be copied for it, which is a good part of what a fork costs.
 */
static void spare_children(void)
{
	static const char *const unused[] = {"/libjansson.", "/libyaml-"};
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	char *rest, *line;

	if (fs_read(AT_FDCWD, "/proc/self/maps", MAPS_MAX, &text, NULL, &err) < 0)
		return;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		uintptr_t from, to;

		array_foreach(name, unused)
			if (strstr(line, *name) && sscanf(line, "%lx-%lx", &from, &to) == 2)
				(void)madvise((void *)from, to - from, MADV_DONTFORK);
	}
}

int prober_main(int argc, char **argv)
{
	static struct prober prober; /* reached at the end: no leak */
	struct error err = ERROR_INIT;
	sigset_t signals;

	if (argc < 2)
		return 1;
	log_set_name(argv[argc - 1]);
	umask(022);
	spare_children();
	/* It ends with its supervisor, and not before: a unit's SIGTERM goes to all in it. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	prober.signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (prober.signals < 0 || fd_set_cloexec(PROBER_FD, true) < 0 ||
	    fd_set_nonblock(PROBER_FD, true) < 0) {
		log_error("probes: %s", strerror(errno));
		return 1;
	}
	prober.births = prober_births_new(&prober.news, &err);
	if (!prober.births) {
		log_error("probes: %s", err.message);
		return 1;
	}
	serve(&prober);
	for (struct run *run = prober.first; run; run = run->next)
		if (run->birth.pid && !run->ended)
			(void)kill(run->birth.pid, SIGKILL);
	return 0;
}
