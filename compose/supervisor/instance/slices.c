// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/slices.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/container/cgroup/layout.h"

#include "compose/control/requests.h"
#include "compose/control/systemd_bus.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/jobs.h"

#define SUFFIX        ".slice"
#define NAME_MAX_UNIT 200
#define TRIES         20
#define RETRY_MSEC    50
#define ANSWER_SEC    30
#define TEXT_BYTES    (1 << 16)

/* Who asks systemd for a scope, and those that wait for it. */
struct visit {
	struct visit *next;
	struct supervisor *supervisor;
	char *scope;
	pid_t holder;
	int report;
	sd_event_source *answer, *deadline;
	struct instance **waiting;
	size_t count;
};

/* A name of systemd's, not a path: systemd.slice(5). */
static bool is_slice(const char *parent)
{
	size_t length = parent ? strlen(parent) : 0;

	if (length <= strlen(SUFFIX) || length > NAME_MAX_UNIT || !str_ends_with(parent, SUFFIX))
		return false;
	for (const char *c = parent; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(":-_.\\@", *c))
			return false;
	return true;
}

static bool has_slices(void)
{
	struct error ignored = ERROR_INIT;
	const struct cgroup_layout *layout = cgroup_layout(&ignored);

	return layout && layout->v2_controllers && systemd_booted() && !rootless();
}

bool slices_wanted(const struct instance *instance)
{
	return is_slice(instance->service->cgroup_parent) && has_slices();
}

const char *slices_base(const struct instance *instance)
{
	const char *parent = instance->service->cgroup_parent;

	if (instance->slice_scope)
		return instance->slice_scope;
	return parent ? parent + strspn(parent, "/") : instance->supervisor->cgroup_base;
}

/* "berth-shop-my.scope" for my.slice. */
static char *scope_name(const struct instance *instance, const char *slice)
{
	char *name = str_printf("%s-%.*s.scope", instance->supervisor->cgroup_base,
				(int)(strlen(slice) - strlen(SUFFIX)), slice);

	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '-';
	return name;
}

/* One that is just ending takes nobody: a moment later it is made anew. */
static int enter_scope(const char *scope, const char *slice, const char *description,
		       struct error *err)
{
	struct systemd_bus *bus = NULL;
	int r = systemd_bus_open(false, &bus, err);

	for (int i = 0; r == 0; i++) {
		r = systemd_bus_scope(bus, scope, slice, description, getpid(), err);
		if (r == 0 || i == TRIES)
			break;
		error_clear(err);
		r = 0;
		(void)poll(NULL, 0, RETRY_MSEC);
	}
	systemd_bus_close(bus);
	return r;
}

/* The child: goes into the scope, says so, and stays there until it is killed. */
static _Noreturn void hold(const char *scope, const char *slice, const char *description,
			   int report, pid_t parent)
{
	struct error err = ERROR_INIT;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The descriptors of the supervisor are not its own. */
	if (dup2(report, STDIN_FILENO) < 0)
		_exit(1);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	(void)enter_scope(scope, slice, description, &err);
	(void)fd_write_all(STDIN_FILENO, &err, sizeof(err));
	close(STDIN_FILENO);
	while (!err.code)
		pause();
	_exit(1);
}

/* "/my.slice/berth-shop-my.scope" of the group that @pid is in; NULL: it is in another one. */
static char *scope_path(pid_t pid, const char *scope)
{
	_cleanup_free_ char *file = str_printf("/proc/%d/cgroup", pid), *text = NULL;
	struct error ignored = ERROR_INIT;
	char *line, *found;

	if (fs_read(AT_FDCWD, file, TEXT_BYTES, &text, NULL, &ignored) < 0)
		return NULL;
	for (char *at = text; (line = strsep(&at, "\n"));) {
		found = str_starts_with(line, "0::/") ? strstr(line, scope) : NULL;
		if (!found || found[-1] != '/' || !strchr("/", found[strlen(scope)]))
			continue;
		found[strlen(scope)] = 0;
		return alloc_string(line + strlen("0::"));
	}
	return NULL;
}

static void visit_free(struct visit *visit)
{
	sd_event_source_disable_unref(visit->answer);
	sd_event_source_disable_unref(visit->deadline);
	/* It is killed at whatever it does: that is no wait. */
	if (visit->holder > 0) {
		(void)kill(visit->holder, SIGKILL);
		while (waitpid(visit->holder, NULL, 0) < 0 && errno == EINTR)
			;
	}
	cleanup_close_fd(&visit->report);
	free(visit->scope);
	free(visit->waiting);
	free(visit);
}

/* Who asks once more from now on asks systemd once more. */
static void unlink_visit(struct visit *visit)
{
	struct visit **at = &visit->supervisor->visits;

	while (*at != visit)
		at = &(*at)->next;
	*at = visit->next;
}

static void forget(struct visit *visit, size_t i)
{
	visit->waiting[i]->visit = NULL;
	visit->count--;
	memmove(visit->waiting + i, visit->waiting + i + 1,
		(visit->count - i) * sizeof(*visit->waiting));
}

/* Each start may take others away. */
static void finish(struct visit *visit, const char *path, const struct error *err)
{
	unlink_visit(visit);
	visit->answer = sd_event_source_disable_unref(visit->answer);
	visit->deadline = sd_event_source_disable_unref(visit->deadline);
	while (visit->count) {
		struct instance *instance = visit->waiting[0];
		struct error failure = *err;

		forget(visit, 0);
		if (path)
			instance->slice_scope = str_printf(CGROUP_ELSEWHERE "%s", path);
		else
			error_wrap(&failure, "cgroup_parent %s", instance->service->cgroup_parent);
		instance_entered(instance, &failure);
	}
	visit_free(visit);
}

static int on_answer(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct visit *visit = data;
	_cleanup_free_ char *path = NULL;
	struct error err = ERROR_INIT;

	/* Written at once: all of it is there. */
	if (fd_read_full(fd, &err, sizeof(err)) != sizeof(err)) {
		error_clear(&err);
		error_set(&err, EIO, "who was to ask systemd ended");
	}
	if (!err.code)
		path = scope_path(visit->holder, visit->scope);
	if (!err.code && !path)
		error_set(&err, EIO, "%s: it has no control group", visit->scope);
	finish(visit, path, &err);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
	struct error err = ERROR_INIT;

	error_set(&err, ETIMEDOUT,
		  "systemd does not answer: asked %d s ago for a scope in that slice (is it well? "
		  "systemctl status; without cgroup_parent it is not asked)",
		  ANSWER_SEC);
	finish(data, NULL, &err);
	return 0;
}

static int ask(struct visit *visit, const char *slice, struct error *err)
{
	struct supervisor *supervisor = visit->supervisor;
	_cleanup_free_ char *description =
		str_printf("Compose project %s in %s", supervisor->project, slice);
	pid_t self = getpid();
	int pair[2], r;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	visit->report = pair[0];
	visit->holder = fork();
	if (visit->holder == 0) {
		jobs_retitle(supervisor->title);
		hold(visit->scope, slice, description, pair[1], self);
	}
	close(pair[1]);
	if (visit->holder < 0)
		return error_errno(err, "fork");
	r = sd_event_add_io(supervisor->event, &visit->answer, visit->report, EPOLLIN, on_answer,
			    visit);
	if (r >= 0)
		r = sd_event_add_time_relative(supervisor->event, &visit->deadline, CLOCK_MONOTONIC,
					       ANSWER_SEC * USEC_PER_SEC, 0, on_deadline, visit);
	return r < 0 ? error_code(err, r, "wait for systemd") : 0;
}

static struct visit *find(const struct supervisor *supervisor, const char *scope)
{
	for (struct visit *visit = supervisor->visits; visit; visit = visit->next)
		if (!strcmp(visit->scope, scope))
			return visit;
	return NULL;
}

static int begin(struct supervisor *supervisor, const char *scope, const char *slice,
		 struct visit **ret, struct error *err)
{
	struct visit *visit = new (struct visit);

	*visit = (struct visit){
		.supervisor = supervisor, .scope = alloc_string(scope), .report = -EBADF};
	if (ask(visit, slice, err) < 0) {
		visit_free(visit);
		return -err->code;
	}
	visit->next = supervisor->visits;
	supervisor->visits = *ret = visit;
	return 0;
}

int slices_enter(struct instance *instance, struct error *err)
{
	const char *parent = instance->service->cgroup_parent;
	_cleanup_free_ char *scope = NULL;
	struct visit *visit;

	free(TAKE_PTR(instance->slice_scope));
	if (!slices_wanted(instance))
		return 0;
	scope = scope_name(instance, parent);
	visit = find(instance->supervisor, scope);
	if (!visit && begin(instance->supervisor, scope, parent, &visit, err) < 0)
		return error_wrap(err, "cgroup_parent %s", parent);
	*array_add(visit->waiting, visit->count) = instance;
	instance->visit = visit;
	return 1;
}

void slices_leave(struct instance *instance)
{
	struct visit *visit = instance->visit;

	for (size_t i = visit ? visit->count : 0; i-- > 0;)
		if (visit->waiting[i] == instance)
			forget(visit, i);
}
