// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/probes/prober_births.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/units.h"

#include "runtime/container/pid1.h"

/* When no thread gets on for so long, there is to be another one. */
#define PATIENCE_MSEC 50
/* While one follows the other at least so fast, those that ended are looked at together. */
#define BRISK_MSEC   5
#define ROOM_BYTES   ((size_t)256 << 10)
#define THREAD_BYTES ((size_t)128 << 10)

struct prober_births {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct prober_birth *first, **last;
	unsigned int threads, idle;
	int64_t moved_usec; /* when one was taken up or done with, or a thread came */
	int news;
	bool may_share;
	bool burst; /* the main thread waits for the last of them to be taken up */
};

static void wake_main(struct prober_births *births)
{
	const uint64_t one = 1;

	(void)!write(births->news, &one, sizeof(one));
}

static void let_go(struct prober_birth *birth)
{
	exec_unpacked_done(&birth->order);
	free(TAKE_PTR(birth->bytes));
	close(TAKE_FD(birth->output));
	close(TAKE_FD(birth->container));
}

static void be_born(struct prober_birth *birth, const struct exec_room *room)
{
	pid_t pid = container_exec_child(birth->container, &birth->order.spec, birth->channel, room,
					 &birth->err);

	if (pid > 0)
		birth->pid = pid;
	let_go(birth);
}

/* Under the lock, as what follows. */
static struct prober_birth *take(struct prober_births *births)
{
	struct prober_birth *birth = births->first;

	births->first = birth->next;
	if (!births->first)
		births->last = &births->first;
	if (!births->first && births->burst)
		wake_main(births);
	births->moved_usec = units_monotonic_usec();
	return birth;
}

static void settle(struct prober_births *births, struct prober_birth *birth)
{
	birth->under_way = false;
	births->moved_usec = units_monotonic_usec();
	if (birth->awaited || birth->err.code)
		wake_main(births);
}

static void *serve(void *data)
{
	struct prober_births *births = data;
	struct exec_room room = {.stack_size = ROOM_BYTES};
	struct prober_birth *birth;

	room.stack = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	pthread_mutex_lock(&births->lock);
	for (;;) {
		while (!births->first) {
			births->idle++;
			pthread_cond_wait(&births->more, &births->lock);
			births->idle--;
		}
		birth = take(births);
		pthread_mutex_unlock(&births->lock);
		room.ret_pid = &birth->pid;
		be_born(birth, room.stack == MAP_FAILED ? NULL : &room);
		pthread_mutex_lock(&births->lock);
		settle(births, birth);
	}
	return NULL;
}

/* It never ends: its children would with it, who asked to (prctl(2), PR_SET_PDEATHSIG). */
static int add_thread(struct prober_births *births)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attributes, serve, births);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	births->threads += r == 0;
	births->moved_usec = units_monotonic_usec();
	return -r;
}

/*
 * Where a process that changes its user stays dumpable (fs.suid_dumpable is 1, "insecure"), the
 * child would be open to its container, and with it all that shares its memory.
 */
static bool suid_is_dumpable(void)
{
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	return fs_read(AT_FDCWD, "/proc/sys/fs/suid_dumpable", 16, &text, NULL, &err) < 0 ||
	       *text == '1';
}

struct prober_births *prober_births_new(int *ret_news, struct error *err)
{
	static const struct container_spec any;
	struct prober_births *births = new (struct prober_births);

	*births = (struct prober_births){.lock = PTHREAD_MUTEX_INITIALIZER,
					 .more = PTHREAD_COND_INITIALIZER,
					 .last = &births->first,
					 .news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (births->news < 0) {
		error_errno(err, "make an event descriptor");
		return NULL;
	}
	/* Once, by one thread. */
	if (pid1_program(err) < 0)
		return NULL;
	births->may_share = container_exec_can_share(&any) && !suid_is_dumpable() &&
			    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
	/* One heap for all: the threads hardly ever meet there. */
	(void)mallopt(M_ARENA_MAX, 1);
	*ret_news = births->news;
	return births;
}

void prober_births_begin(struct prober_births *births, struct prober_birth *birth)
{
	if (!births->may_share || !container_exec_can_share(&birth->order.spec)) {
		be_born(birth, NULL);
		return;
	}
	pthread_mutex_lock(&births->lock);
	birth->under_way = true;
	birth->next = NULL;
	if (!births->first)
		births->moved_usec = units_monotonic_usec();
	*births->last = birth;
	births->last = &birth->next;
	if (births->idle)
		pthread_cond_signal(&births->more);
	pthread_mutex_unlock(&births->lock);
}

bool prober_birth_is_over(struct prober_births *births, struct prober_birth *birth, bool await)
{
	bool over;

	pthread_mutex_lock(&births->lock);
	over = !birth->under_way;
	birth->awaited = await;
	pthread_mutex_unlock(&births->lock);
	return over;
}

int prober_birth_cancel(struct prober_births *births, struct prober_birth *birth)
{
	struct prober_birth **at = &births->first;
	int r = -EALREADY;

	pthread_mutex_lock(&births->lock);
	while (*at && *at != birth)
		at = &(*at)->next;
	if (*at) {
		*at = birth->next;
		if (!*at)
			births->last = at;
		let_go(birth);
		error_set(&birth->err, ECANCELED, "it was not begun in time");
		settle(births, birth);
		r = 0;
	}
	pthread_mutex_unlock(&births->lock);
	return r;
}

int prober_births_look(struct prober_births *births, bool *ret_burst)
{
	int64_t patience_usec = PATIENCE_MSEC * (int64_t)USEC_PER_MSEC;
	int64_t brisk_usec = BRISK_MSEC * (int64_t)USEC_PER_MSEC, quiet_usec;
	int timeout = -1, r;

	pthread_mutex_lock(&births->lock);
	quiet_usec = births->first ? units_monotonic_usec() - births->moved_usec : 0;
	births->burst = births->first && quiet_usec < brisk_usec;
	*ret_burst = births->burst;
	if (births->first)
		timeout = births->burst ? BRISK_MSEC : PATIENCE_MSEC;
	if (births->first && !births->idle && (!births->threads || quiet_usec >= patience_usec)) {
		r = add_thread(births);
		if (r < 0)
			log_error("health checks: no thread: %s", strerror(-r));
	}
	pthread_mutex_unlock(&births->lock);
	return timeout;
}

void prober_births_heard(struct prober_births *births)
{
	uint64_t count;

	(void)!read(births->news, &count, sizeof(count));
}
