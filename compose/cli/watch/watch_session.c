// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/watch/watch_session.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/map.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/view/output.h"
#include "compose/cli/view/terminal.h"
#include "compose/cli/watch/watch_batch.h"
#include "compose/cli/watch/watch_tree.h"

#define MSEC ((int64_t)USEC_PER_MSEC)

/* Changes that wait to be dealt with. */
struct queue {
	struct map paths;
	int64_t first_usec, last_usec;
};

/* When a queue is due: none came for so long, or it waited so long. */
static const struct {
	int64_t quiet_usec, longest_usec;
} patience[] = {
	{10 * MSEC, 100 * MSEC},   /* copies */
	{200 * MSEC, 2000 * MSEC}, /* what stops and starts programs */
};

struct watch_session {
	struct project_args *args;
	struct project *project;
	struct watch_session_options options;
	struct watch_rules rules;
	struct watch_tree tree;
	struct queue queues[ARRAY_SIZE(patience)];
	int worker; /* pidfd; negative: none at work */
	pid_t worker_pid;
};

static void queue_put(struct queue *queue, const char *path, int64_t now)
{
	if (!queue->paths.count)
		queue->first_usec = now;
	queue->last_usec = now;
	map_set(&queue->paths, path, queue);
}

static void changed(void *data, const char *path)
{
	struct watch_session *session = data;
	int64_t now = units_monotonic_usec();

	for (size_t i = 0; i < session->rules.count; i++) {
		const struct watch_rule *rule = &session->rules.items[i];

		if (watch_rule_matches(rule, path))
			queue_put(&session->queues[rule->action != WATCH_SYNC], path, now);
	}
}

static bool prune(void *data, const char *path)
{
	const struct watch_session *session = data;

	return watch_rules_prune(&session->rules, path);
}

static const struct watch_tree_ops tree_ops = {changed, prune};

static int64_t due_usec(const struct queue *queue, size_t kind)
{
	int64_t quiet = queue->last_usec + patience[kind].quiet_usec;
	int64_t longest = queue->first_usec + patience[kind].longest_usec;

	return quiet < longest ? quiet : longest;
}

/* Ends with us, by _exit(): what our exit does is not done a second time. */
static _Noreturn void be_worker(struct watch_session *session, const struct watch_batch *batch,
				pid_t parent)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t none;
	int code;

	terminal_leave_to_parent();
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		(void)signal(ends[i], SIG_DFL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (session->options.beside_logs)
		session->args->progress = "quiet";
	code = watch_batch_run(batch);
	fflush(stdout);
	fflush(stderr);
	_exit(code);
}

/* A batch for the queue that is due, in a child of ours. */
static int work_in_child(struct watch_session *session, const struct map *paths, bool initial,
			 struct error *err)
{
	const struct watch_batch batch = {session->args,   session->project,
					  &session->rules, &session->options,
					  paths,           initial};
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return error_errno(err, "start a process");
	if (pid == 0)
		be_worker(session, &batch, parent);
	session->worker_pid = pid;
	session->worker = process_pidfd_open(pid);
	return session->worker < 0 ? error_set(err, -session->worker, "start a process") : 0;
}

static void warn_bind_mounts(const struct watch_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct watch_rule *rule = &rules->items[i];

		for (size_t k = 0; k < rule->service->volume_count; k++) {
			const struct mount *volume = &rule->service->volumes[k];

			if ((rule->action & WATCH_SYNC) && volume->source &&
			    volume->source[0] == '/' &&
			    watch_path_below(volume->source, rule->root))
				output_warn("service %s: path %s is also in the bind mount of %s: "
					    "what is synced there is the file itself",
					    rule->service->name, rule->root, volume->source);
		}
	}
}

static bool wants_initial(const struct watch_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i].trigger->initial_sync == TRI_TRUE)
			return true;
	return false;
}

int watch_session_open(struct project_args *args, struct project *project, char *const *services,
		       const struct watch_session_options *options, struct watch_session **ret,
		       struct error *err)
{
	struct watch_session *session = new_array(struct watch_session, 1);

	session->args = args;
	session->project = project;
	session->options = *options;
	session->worker = -EBADF;
	session->tree.fd = -EBADF;
	if (watch_rules_read(project, services, &session->rules, err) < 0 ||
	    watch_tree_init(&session->tree, &tree_ops, session, err) < 0)
		goto failed;
	warn_bind_mounts(&session->rules);
	for (size_t i = 0; i < session->rules.count; i++)
		if (watch_tree_add(&session->tree, session->rules.items[i].root, err) < 0)
			goto failed;
	watch_say(options, "Watch enabled");
	if (wants_initial(&session->rules) &&
	    work_in_child(session, &session->tree.known, true, err) < 0)
		goto failed;
	*ret = session;
	return 0;
failed:
	watch_session_close(session);
	return -err->code;
}

static void reap(struct watch_session *session)
{
	if (session->worker < 0)
		return;
	(void)waitpid(session->worker_pid, NULL, 0);
	close(session->worker);
	session->worker = -EBADF;
}

void watch_session_close(struct watch_session *session)
{
	if (!session)
		return;
	if (session->worker >= 0)
		(void)process_pidfd_signal(session->worker, SIGTERM);
	reap(session);
	for (size_t i = 0; i < ARRAY_SIZE(session->queues); i++)
		map_done(&session->queues[i].paths, NULL);
	watch_tree_done(&session->tree);
	watch_rules_done(&session->rules);
	free(session);
}

void watch_session_polls(const struct watch_session *session, struct pollfd *polls)
{
	polls[0] = (struct pollfd){session ? session->tree.fd : -1, POLLIN};
	polls[1] = (struct pollfd){session ? session->worker : -1, POLLIN};
}

int watch_session_timeout(const struct watch_session *session)
{
	int64_t now = units_monotonic_usec(), next = -1;

	if (!session || session->worker >= 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(session->queues); i++) {
		int64_t due = due_usec(&session->queues[i], i);

		if (session->queues[i].paths.count && (next < 0 || due < next))
			next = due;
	}
	if (next < 0)
		return -1;
	return next <= now ? 0 : (int)((next - now) / 1000 + 1);
}

static int work_off(struct watch_session *session, struct queue *queue, struct error *err)
{
	int r = work_in_child(session, &queue->paths, false, err);

	map_done(&queue->paths, NULL);
	return r;
}

int watch_session_work(struct watch_session *session, struct error *err)
{
	struct pollfd ended = {session->worker, POLLIN};
	int r = watch_tree_read(&session->tree, err);

	if (r < 0)
		return r;
	if (session->worker >= 0 && poll(&ended, 1, 0) > 0)
		reap(session);
	for (size_t i = 0; i < ARRAY_SIZE(session->queues) && session->worker < 0; i++) {
		struct queue *queue = &session->queues[i];

		if (queue->paths.count && units_monotonic_usec() >= due_usec(queue, i))
			r = work_off(session, queue, err);
	}
	return r;
}
