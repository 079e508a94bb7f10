// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/build/cache.h"
#include "runtime/container/cgroup/cgroup.h"

#define LOG_KEPT         (16 << 10)
#define COMMIT_AFTER     (2 * (int64_t)USEC_PER_SEC)
#define CANCEL_POLL_MSEC 100
#define DOCKERFILE_LIMIT (DOCKERFILE_MAX + 1)

int build_fail_at(struct build *build, const struct instruction *instruction, int code,
		  struct error *err, const char *format, ...)
{
	char message[sizeof(err->message)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	error_set(err, code, "%s", message);
	return build_wrap_at(build, instruction, err);
}

int build_wrap_at(struct build *build, const struct instruction *instruction, struct error *err)
{
	const struct source_text *source = &build->dockerfile->source;
	_cleanup_strbuf_ struct strbuf text = {0};

	if (err->where[0])
		return -err->code; /* an inner one knew better */
	snprintf(err->where, sizeof(err->where), "%.90s:%u:%u", source->name,
		 instruction->place.line, instruction->place.column);
	strbuf_addf(&text, "%s%s: %s\n", build->result->report ?: "", err->where, err->message);
	problems_excerpt(source, &instruction->place, &text);
	free(build->result->report);
	build->result->report = strbuf_take(&text);
	return -err->code;
}

void build_emit(struct build *build, const struct build_event *event)
{
	if (build->with->event)
		build->with->event(build->with->data, event);
}

void build_warn(struct build *build, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	build_emit(build, &(struct build_event){.kind = BUILD_WARNING,
						.text = message,
						.length = strlen(message)});
}

static void emit_step(struct build *build, const struct step *step, enum build_event_kind kind)
{
	build_emit(build,
		   &(struct build_event){
			   .kind = kind,
			   .step = step->number,
			   .name = step->title,
			   .usec = step->started_usec ? units_monotonic_usec() - step->started_usec
						      : 0,
		   });
}

/* Records. */

static int record(struct build *build, struct step *step, struct error *err)
{
	struct cache_record row = {.tree_bytes = step->tree_bytes,
				   .created_nsec = step->created_nsec};

	if (!step->empty) {
		memcpy(row.diff, step->result->diff, sizeof(row.diff));
		memcpy(row.chain, step->result->chain, sizeof(row.chain));
	}
	step->recorded = true;
	if (*step->fast_key && cache_put(build->dir, step->fast_key, &row, step->text, err) < 0)
		return -err->code;
	return cache_put(build->dir, step->key, &row, step->text, err);
}

/* What is finished becomes part of the store, and then of the cache. */
static int commit(struct build *build, struct error *err)
{
	int r;

	if (!build->staging_dirty)
		return 0;
	r = staging_commit(&build->staging, err);
	if (r < 0)
		return r;
	map_done(&build->staging.layers, free);
	map_done(&build->staging.blobs, free);
	build->staging_dirty = false;
	build->committed_usec = units_monotonic_usec();
	for (size_t i = 0; r == 0 && i < build->step_count; i++) {
		struct step *step = build->steps[i];

		if (step->state != STEP_DONE || !step->fresh || step->recorded)
			continue;
		r = record(build, step, err);
		cleanup_close_fd(&step->lock_fd);
		step->lock_fd = -EBADF;
	}
	return r;
}

static bool cache_allowed(const struct build *build, const struct step *step)
{
	const char *name = step->stage->stage->name;

	if (build->options->no_cache)
		return false;
	return !name || !strv_contains(build->options->no_cache_filter, name);
}

static bool take_from_cache(struct build *build, struct step *step, const char *key)
{
	struct cache_record row;

	if (!*key || !cache_allowed(build, step) ||
	    cache_find(build->dir, build->store, key, &row) < 0)
		return false;
	if (*row.diff) {
		struct tree *tree = tree_new(build, step->below, row.diff);

		/* What it stands upon has the same chain, or the key were another. */
		if (strcmp(tree->chain, row.chain) != 0)
			return false;
		step->result = tree;
	} else {
		step->result = step->below;
		step->empty = true;
	}
	step->created_nsec = row.created_nsec;
	step->tree_bytes = row.tree_bytes;
	return true;
}

static void finish_cached(struct build *build, struct step *step)
{
	step->state = STEP_DONE;
	if (!step->number)
		step->number = ++build->last_number;
	emit_step(build, step, BUILD_STEP_CACHED);
}

/* Starting a step. */

static int open_staging(struct build *build, struct error *err)
{
	if (build->staging_open)
		return 0;
	if (staging_open(build->store, &build->staging, err) < 0)
		return -err->code;
	build->staging_open = true;
	return 0;
}

static bool is_exported(const struct build *build, const struct build_stage *stage)
{
	for (const struct build_stage *s = &build->stages[build->target]; s; s = s->base_stage)
		if (s == stage)
			return true;
	return false;
}

static int make_places(struct build *build, struct step *step, struct error *err)
{
	int fd;

	if (!step->scratch) {
		step->scratch = str_printf("scratch-%u", build->staging.next++);
		fd = fs_mkdir_open(build->staging.dir, step->scratch, 0700, err);
		if (fd < 0)
			return fd;
		close(fd);
	}
	if (step->state == STEP_PREPARING)
		return 0;
	fd = staging_directory(&build->staging, &step->staged, err);
	if (fd < 0)
		return fd;
	close(fd);
	if (!is_exported(build, step->stage))
		return 0;
	fd = staging_file(&build->staging, &step->staged_blob, err);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Known by its id on disk, under a lock, so that the next build sweeps what a killed one left. */
static int note_run(struct build *build, struct step *step, struct error *err)
{
	_cleanup_free_ char *name = NULL;

	fs_random_hex(step->id, 32);
	/* No id begins with twelve decimal digits: such a one is taken for a number. */
	step->id[0] = 'b';
	name = str_printf("runs/%s", step->id);
	step->run_fd = openat(build->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (step->run_fd < 0 || flock(step->run_fd, LOCK_EX | LOCK_NB) < 0)
		return error_errno(err, "build/%s", name);
	return 0;
}

static int make_container_room(struct build *build, struct step *step, struct error *err)
{
	const struct build_network *network = build->with->network;
	int r;

	if (step->op != STEP_RUN)
		return 0;
	if (note_run(build, step, err) < 0)
		return -err->code;
	if (strcmp(step->network, "default") != 0 || !network)
		return 0;
	r = network->attach(network->data, step->id, &step->network_hook, &step->network_data,
			    &step->network_handle, err);
	return r < 0 ? error_wrap(err, "network of the step") : 0;
}

/* With @clean the step's process put its control group away itself. */
static void drop_container_room(struct build *build, struct step *step, bool clean)
{
	_cleanup_free_ char *name = str_printf("runs/%s", step->id);

	if (step->network_handle)
		build->with->network->detach(build->with->network->data, step->network_handle);
	step->network_handle = NULL;
	if (step->run_fd >= 0 && clean)
		(void)unlinkat(build->dir, name, 0);
	cleanup_close_fd(&step->run_fd);
	step->run_fd = -EBADF;
}

static void lock_key(struct build *build, struct step *step)
{
	char name[32];

	if (!build->options->shared || !cache_allowed(build, step))
		return;
	/* A few hundred locks for all keys: they are never removed. */
	snprintf(name, sizeof(name), "locks/%.2s", step->key);
	step->lock_fd = openat(build->dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* A fork into a pid namespace of its own, whose first process it is. */
static pid_t fork_step(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
}

static int start_process(struct build *build, struct step *step, struct error *err)
{
	int log_pipe[2], result_pipe[2];

	if (pipe2(log_pipe, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	if (pipe2(result_pipe, O_CLOEXEC) < 0) {
		close(log_pipe[0]);
		close(log_pipe[1]);
		return error_errno(err, "make a pipe");
	}
	fflush(NULL);
	step->pid = fork_step();
	if (step->pid == 0) {
		close(log_pipe[0]);
		close(result_pipe[0]);
		if (step->state == STEP_PREPARING)
			step_process_prepare(build, step, result_pipe[1], log_pipe[1]);
		step_process_run(build, step, result_pipe[1], log_pipe[1]);
	}
	close(log_pipe[1]);
	close(result_pipe[1]);
	step->log_fd = log_pipe[0];
	step->result_fd = result_pipe[0];
	if (step->pid < 0)
		return error_errno(err, "start a process for the step");
	(void)fd_set_nonblock(step->log_fd, true);
	build->running++;
	return 0;
}

static int begin_step(struct build *build, struct step *step, enum step_state state,
		      struct error *err)
{
	if (open_staging(build, err) < 0)
		return -err->code;
	step->state = state;
	if (!step->number) {
		step->number = ++build->last_number;
		step->started_usec = units_monotonic_usec();
		emit_step(build, step, BUILD_STEP_STARTED);
	}
	if (make_places(build, step, err) < 0)
		return -err->code;
	if (state == STEP_RUNNING) {
		step->fresh = true;
		lock_key(build, step);
		if (make_container_room(build, step, err) < 0)
			return -err->code;
	}
	return start_process(build, step, err);
}

static bool source_ready(const struct source *source)
{
	const struct step *last;

	if (source->kind != SOURCE_STAGE)
		return true;
	last = stage_last_step(source->stage);
	return !last || last->state == STEP_DONE;
}

static bool is_ready(const struct step *step)
{
	if (step->state != STEP_WAITING || (step->previous && step->previous->state != STEP_DONE) ||
	    !source_ready(&step->copy.source))
		return false;
	for (size_t i = 0; i < step->mount_count; i++)
		if (!source_ready(&step->mounts[i].source))
			return false;
	return true;
}

static struct tree *tree_below(const struct step *step)
{
	const struct build_stage *stage = step->stage;

	if (step->previous)
		return step->previous->result;
	while (stage->base_stage)
		stage = stage->base_stage;
	return stage->base_tree;
}

static int advance_step(struct build *build, struct step *step, struct error *err)
{
	bool preparing = key_wants_preparing(step);
	/* Of what is on other machines only the content tells. */
	bool blind = preparing && step->copy.remotes && !step->copy.checksum;

	step->below = tree_below(step);
	if (key_compute(build, step, NULL, err) < 0)
		return build_wrap_at(build, step->instruction, err);
	if (!blind && take_from_cache(build, step, preparing ? step->fast_key : step->key)) {
		finish_cached(build, step);
		return 0;
	}
	if (blind)
		step->fast_key[0] = '\0';
	if (begin_step(build, step, preparing ? STEP_PREPARING : STEP_RUNNING, err) < 0)
		return build_wrap_at(build, step->instruction, err);
	return 0;
}

static unsigned int parallel(const struct build *build)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (build->options->parallel)
		return build->options->parallel;
	return n < 2 ? 2 : (unsigned int)n;
}

/* All that can go on, goes on. */
static int advance(struct build *build, struct error *err)
{
	bool progress = true;

	while (progress) {
		progress = false;
		for (size_t i = 0; i < build->step_count; i++) {
			struct step *step = build->steps[i];

			if (!is_ready(step) || build->running >= parallel(build))
				continue;
			if (advance_step(build, step, err) < 0)
				return -err->code;
			progress = true;
		}
	}
	return 0;
}

/* What a step tells. */

static void keep_log(struct step *step, const char *data, size_t size)
{
	strbuf_add_n(&step->log, data, size);
	if (step->log.length > 2 * LOG_KEPT) {
		size_t extra = step->log.length - LOG_KEPT;

		memmove(step->log.data, step->log.data + extra, LOG_KEPT + 1);
		step->log.length = LOG_KEPT;
	}
}

static void read_log(struct build *build, struct step *step)
{
	char buffer[16384];
	ssize_t n;

	while (step->log_fd >= 0 && (n = read(step->log_fd, buffer, sizeof(buffer))) != -1) {
		if (n == 0) {
			close(TAKE_FD(step->log_fd));
			return;
		}
		keep_log(step, buffer, (size_t)n);
		build_emit(build, &(struct build_event){.kind = BUILD_STEP_LOG,
							.step = step->number,
							.name = step->title,
							.text = buffer,
							.length = (size_t)n});
	}
}

static void reap(struct build *build, struct step *step, bool clean)
{
	while (waitpid(step->pid, NULL, 0) < 0 && errno == EINTR)
		;
	step->pid = 0;
	build->running--;
	read_log(build, step);
	cleanup_close_fd(&step->log_fd);
	cleanup_close_fd(&step->result_fd);
	step->log_fd = step->result_fd = -EBADF;
	drop_container_room(build, step, clean);
}

static void write_failure(struct build *build, const struct step *step)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	const char *log = step->log.data ?: "";
	size_t length = step->log.length, lines = 0, at = length;

	while (at > 0 && lines <= 40)
		if (log[--at] == '\n')
			lines++;
	at = lines > 40 ? at + 1 : 0;
	strbuf_addf(&text, " > %s:\n", step->title);
	if (length)
		strbuf_addf(&text, "------\n%.*s%s------\n", (int)(length - at), log + at,
			    log[length - 1] == '\n' ? "" : "\n");
	free(build->result->report);
	build->result->report = strbuf_take(&text);
}

static int step_failed(struct build *build, struct step *step, struct error *err)
{
	build->result->exit_code = err->code == ECHILD ? build->result->exit_code : 0;
	emit_step(build, step, BUILD_STEP_FAILED);
	write_failure(build, step);
	if (err->code != ECHILD || step->op != STEP_RUN)
		return build_wrap_at(build, step->instruction, err);
	{
		size_t width = strcspn(step->text, "\n");

		error_wrap(err, "%.*s", width < 120 ? (int)width : 120, step->text);
	}
	return build_wrap_at(build, step->instruction, err);
}

static int take_layer(struct build *build, struct step *step, const struct step_report *report,
		      struct error *err)
{
	step->created_nsec = units_now_nsec();
	step->state = STEP_DONE;
	build->staging_dirty = true;
	if (!report->changed) {
		step->result = step->below;
		step->empty = true;
		return 0;
	}
	step->result = tree_new(build, step->below, report->layer.diff);
	step->tree_bytes = report->layer.tree_bytes;
	if (step->staged_blob)
		staging_add_blob(&build->staging, report->layer.diff, TAKE_PTR(step->staged_blob));
	return staging_add_layer(&build->staging, step->result->chain, report->layer.diff,
				 report->layer.tree_bytes, TAKE_PTR(step->staged), err);
}

static int step_finished(struct build *build, struct step *step, const struct step_report *report,
			 struct error *err)
{
	int64_t now = units_monotonic_usec();

	if (report->found) {
		if (take_from_cache(build, step, step->key)) {
			step->fresh = false;
			finish_cached(build, step);
			return 0;
		}
		return error_set(err, EAGAIN, "the build cache was pruned meanwhile: build again");
	}
	if (take_layer(build, step, report, err) < 0)
		return -err->code;
	emit_step(build, step, BUILD_STEP_DONE);
	/* Not each on its own: bringing to the disk takes longer than most steps. */
	if (build->options->shared || now - build->committed_usec > COMMIT_AFTER)
		return commit(build, err);
	return 0;
}

static int step_prepared(struct build *build, struct step *step, const struct step_report *report,
			 struct error *err)
{
	struct error ignored = ERROR_INIT;

	if (key_compute(build, step, report->content, err) < 0)
		return -err->code;
	if (take_from_cache(build, step, step->key)) {
		finish_cached(build, step);
		/* The next time it is found without looking. */
		(void)record(build, step, &ignored);
		return 0;
	}
	return begin_step(build, step, STEP_RUNNING, err);
}

static int take_report(struct build *build, struct step *step, struct error *err)
{
	struct step_report report;
	enum step_state state = step->state;
	ssize_t n = fd_read_full(step->result_fd, &report, sizeof(report));
	int r;

	reap(build, step, n == sizeof(report));
	if (n != sizeof(report)) {
		error_set(err, EIO, "the step's process was killed");
		return step_failed(build, step, err);
	}
	if (report.err.code) {
		*err = report.err;
		err->where[0] = '\0';
		build->result->exit_code = report.exit_code;
		return step_failed(build, step, err);
	}
	r = state == STEP_PREPARING ? step_prepared(build, step, &report, err)
				    : step_finished(build, step, &report, err);
	return r < 0 ? build_wrap_at(build, step->instruction, err) : 0;
}

static int wait_for_news(struct build *build, struct error *err)
{
	struct pollfd fds[256];
	struct step *steps[256];
	nfds_t n = 0;

	for (size_t i = 0; i < build->step_count && n + 2 <= ARRAY_SIZE(fds); i++) {
		struct step *step = build->steps[i];

		if (!step->pid)
			continue;
		steps[n] = step;
		fds[n++] = (struct pollfd){step->result_fd, POLLIN};
		steps[n] = step;
		fds[n++] = (struct pollfd){step->log_fd, POLLIN};
	}
	if (poll(fds, n, build->with->cancelled ? CANCEL_POLL_MSEC : -1) < 0 && errno != EINTR)
		return error_errno(err, "wait for the steps");
	for (nfds_t i = 0; i < n; i += 2) {
		if (fds[i + 1].revents)
			read_log(build, steps[i]);
		if (fds[i].revents && take_report(build, steps[i], err) < 0)
			return -err->code;
	}
	return 0;
}

static bool all_done(const struct build *build)
{
	for (size_t i = 0; i < build->step_count; i++)
		if (build->steps[i]->state != STEP_DONE)
			return false;
	return true;
}

static void stop_steps(struct build *build)
{
	for (size_t i = 0; i < build->step_count; i++) {
		struct step *step = build->steps[i];

		if (step->pid > 0) {
			(void)kill(step->pid, SIGKILL);
			reap(build, step, false);
		}
		if (step->id[0])
			drop_container_room(build, step, false);
	}
}

static int drive(struct build *build, struct error *err)
{
	int r = advance(build, err);

	while (r == 0 && !all_done(build)) {
		if (build->with->cancelled && *build->with->cancelled)
			return error_set(err, ECANCELED, "interrupted");
		r = wait_for_news(build, err);
		if (r == 0)
			r = advance(build, err);
	}
	return r;
}

/* Of builds that were killed: their containers are gone with them, not their control groups. */
static void sweep_runs_here(int dir)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	if (fs_list(dir, "runs", &names, &err) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("runs/%s", name);
		_cleanup_close_ int fd = openat(dir, path, O_RDWR | O_CLOEXEC);
		struct cgroup *cgroup = NULL;
		char base[BUILD_CGROUP_BASE_MAX];

		snprintf(base, sizeof(base), BUILD_CGROUP_BASE, name);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
			continue;
		if (cgroup_open(base, name, &cgroup, &err) == 0)
			(void)cgroup_remove(cgroup, &err);
		cgroup_free(cgroup);
		(void)unlinkat(dir, path, 0);
	}
}

/* In a process of its own: this one must not look at control groups, since its children have to
 * find them in their own mount namespaces. */
static void sweep_runs(int dir)
{
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;
	pid_t pid;

	if (fs_list(dir, "runs", &names, &ignored) < 0 || !names[0])
		return;
	pid = fork();
	if (pid == 0) {
		sweep_runs_here(dir);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int open_folders(struct build *build, struct error *err)
{
	static const char *const names[] = {"cache", "mounts", "runs", "locks"};
	_cleanup_close_ int root = fs_open_dir(AT_FDCWD, build->with->root, err);

	if (root < 0)
		return root;
	build->dir = fs_mkdir_open(root, "build", 0700, err);
	for (size_t i = 0; build->dir >= 0 && i < ARRAY_SIZE(names); i++)
		if (mkdirat(build->dir, names[i], 0700) < 0 && errno != EEXIST)
			return error_errno(err, "make build/%s", names[i]);
	if (build->dir >= 0)
		sweep_runs(build->dir);
	return build->dir < 0 ? build->dir : 0;
}

static int read_dockerfile(struct build *build, struct error *err)
{
	const struct build_options *options = build->options;
	const char *name = options->dockerfile ?: "Dockerfile";
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = 0;

	if (options->dockerfile_inline) {
		name = "dockerfile_inline";
		text = alloc_string(options->dockerfile_inline);
		size = strlen(text);
	} else if (*name != '/' && build->context.dir < 0) {
		return error_set(err, ENOENT, "%s: there is no build context", name);
	} else {
		r = fs_read(build->context.dir < 0 ? AT_FDCWD : build->context.dir, name,
			    DOCKERFILE_LIMIT, &text, &size, err);
	}
	if (r == -ENOENT)
		return error_set(err, ENOENT, "there is no %s in %s", name, build->context.path);
	if (r < 0)
		return error_wrap(err, "read the Dockerfile");
	return dockerfile_parse(name, text, size, &build->dockerfile, &build->result->report, err);
}

static void warn_of_unused(struct build *build)
{
	_cleanup_strbuf_ struct strbuf names = {0};

	map_foreach(arg, &build->args)
		if (!map_get(&build->used_args, arg->key) && !scope_is_proxy(arg->key))
			strbuf_addf(&names, "%s%s", names.length ? ", " : "", arg->key);
	if (names.length)
		build_warn(build, "build arguments that no ARG asks for: %s", names.data);
}

static int prepare(struct build *build, struct error *err)
{
	if (open_folders(build, err) < 0 || contexts_open(build, err) < 0 ||
	    read_dockerfile(build, err) < 0 || scope_init(build, err) < 0)
		return -err->code;
	if (build->dockerfile->warnings.length)
		build_emit(build,
			   &(struct build_event){.kind = BUILD_WARNING,
						 .text = build->dockerfile->warnings.data,
						 .length = build->dockerfile->warnings.length});
	if (stages_resolve(build, err) < 0)
		return -err->code;
	warn_of_unused(build);
	return 0;
}

static void free_copy(struct copy_spec *copy)
{
	strv_free(copy->paths);
	strv_free(copy->remotes);
	free(copy->destination);
	free(copy->chown);
	free(copy->chmod);
	free(copy->checksum);
	free(copy->source.name);
	ignore_done(&copy->exclude);
	for (size_t i = 0; i < copy->file_count; i++) {
		free(copy->files[i].name);
		free(copy->files[i].content);
	}
	free(copy->files);
}

static void free_step(struct step *step)
{
	free_copy(&step->copy);
	for (size_t i = 0; i < step->mount_count; i++)
		run_mount_done(&step->mounts[i]);
	free(step->mounts);
	free(step->title);
	free(step->text);
	strv_free(step->env);
	strv_free(step->arg_env);
	strv_free(step->args);
	free(step->user);
	free(step->cwd);
	free(step->network);
	free(step->staged);
	free(step->staged_blob);
	free(step->scratch);
	strbuf_done(&step->log);
	cleanup_close_fd(&step->lock_fd);
	free(step);
}

static void free_stage(struct build_stage *stage)
{
	free(stage->platform);
	free(stage->base_name);
	json_decref(stage->image);
	for (size_t i = 0; i < stage->history_count; i++)
		json_decref(stage->history[i].entry);
	free(stage->history);
	map_done(&stage->args, free);
	free(stage->steps);
	for (size_t i = 0; i < stage->trigger_count; i++) {
		instruction_done(stage->triggers[i]);
		free(stage->triggers[i]);
	}
	free(stage->triggers);
}

static void build_done(struct build *build)
{
	if (build->staging_open)
		staging_done(&build->staging);
	for (size_t i = 0; i < build->step_count; i++)
		free_step(build->steps[i]);
	free(build->steps);
	for (size_t i = 0; build->stages && i < build->stage_count; i++)
		free_stage(&build->stages[i]);
	free(build->stages);
	for (size_t i = 0; i < build->tree_count; i++)
		free(build->trees[i]);
	free(build->trees);
	map_done(&build->images, base_image_free);
	map_done(&build->args, free);
	map_done(&build->globals, free);
	map_done(&build->used_args, NULL);
	map_done(&build->named, NULL);
	context_done(&build->context);
	for (size_t i = 0; i < build->context_count; i++)
		context_done(&build->contexts[i]);
	free(build->contexts);
	build_temporary_done(build);
	dockerfile_free(build->dockerfile);
	cleanup_close_fd(&build->dir);
}

static int finish_build(struct build *build, struct error *err)
{
	if (open_staging(build, err) < 0)
		return -err->code;
	if (export_image(build, err) < 0)
		return -err->code;
	/* Steps of stages that are not in the image: only then the cache may know them. */
	return commit(build, err);
}

int build_run(const struct build_surroundings *surroundings, const struct build_options *options,
	      struct build_result *ret, struct error *err)
{
	struct build build = {.with = surroundings,
			      .options = options,
			      .result = ret,
			      .store = surroundings->store,
			      .dir = -EBADF,
			      .context.dir = -EBADF,
			      .committed_usec = units_monotonic_usec()};
	struct error late = ERROR_INIT;
	int r;

	*ret = (struct build_result){0};
	r = prepare(&build, err);
	if (r == 0 && !options->check_only) {
		r = drive(&build, err);
		if (r < 0) {
			stop_steps(&build);
			sweep_runs(build.dir);
			/* What was finished before is not lost. */
			if (build.staging_open && commit(&build, &late) < 0)
				log_debug("build: %s", late.message);
		} else {
			r = finish_build(&build, err);
		}
	}
	build_done(&build);
	return r;
}

void build_result_done(struct build_result *result)
{
	free(result->image_id);
	free(result->report);
	*result = (struct build_result){0};
}
