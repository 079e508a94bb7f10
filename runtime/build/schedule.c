// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The graph of steps is worked off: whatever can go on goes on, side by side; what steps tell is
 * taken in.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"

#define LOG_KEPT         (16 << 10)
#define COMMIT_AFTER     (2 * (int64_t)USEC_PER_SEC)
#define CANCEL_POLL_MSEC 100

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

static void finish_cached(struct build *build, struct step *step)
{
	step->state = STEP_DONE;
	if (!step->number)
		step->number = ++build->last_number;
	step_emit(build, step, BUILD_STEP_CACHED);
}

static int advance_step(struct build *build, struct step *step, struct error *err)
{
	bool preparing = key_wants_preparing(step);
	/* Of what is on other machines only the content tells. */
	bool blind = preparing && step->copy.remotes && !step->copy.checksum;

	step->below = tree_below(step);
	if (key_compute(build, step, NULL, err) < 0)
		return build_wrap_at(build, step->instruction, err);
	if (!blind && step_from_cache(build, step, preparing ? step->fast_key : step->key)) {
		finish_cached(build, step);
		return 0;
	}
	if (blind)
		step->fast_key[0] = '\0';
	if (step_begin(build, step, preparing ? STEP_PREPARING : STEP_RUNNING, err) < 0)
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
	step_leave(build, step, clean);
}

/* Behind the lines of the Dockerfile. */
static void add_hint(struct build *build, const struct step *step, int code)
{
	_cleanup_free_ char *hint = code == ECHILD
					    ? hint_of_exit(build, step, build->result->exit_code)
					    : hint_of_birth(build, step, code);
	char *report;

	if (!hint)
		return;
	report = str_printf("%shint: %s\n", build->result->report ?: "", hint);
	free(build->result->report);
	build->result->report = report;
}

static int step_failed(struct build *build, struct step *step, struct error *err)
{
	int code = err->code;

	build->result->exit_code = code == ECHILD ? build->result->exit_code : 0;
	step_emit(build, step, BUILD_STEP_FAILED);
	step_report_failure(build, step);
	if (code == ECHILD && step->op == STEP_RUN) {
		size_t width = strcspn(step->text, "\n");

		error_wrap(err, "%.*s", width < 120 ? (int)width : 120, step->text);
	}
	build_wrap_at(build, step->instruction, err);
	if (step->op == STEP_RUN || code == ENOSPC)
		add_hint(build, step, code);
	return -err->code;
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
		if (step_from_cache(build, step, step->key)) {
			step->fresh = false;
			finish_cached(build, step);
			return 0;
		}
		return error_set(err, EAGAIN, "the build cache was pruned meanwhile: build again");
	}
	if (take_layer(build, step, report, err) < 0)
		return -err->code;
	step_emit(build, step, BUILD_STEP_DONE);
	/* Not each on its own: bringing to the disk takes longer than most steps. */
	if (build->options->shared || now - build->committed_usec > COMMIT_AFTER)
		return build_commit(build, err);
	return 0;
}

static int step_prepared(struct build *build, struct step *step, const struct step_report *report,
			 struct error *err)
{
	struct error ignored = ERROR_INIT;

	if (key_compute(build, step, report->content, err) < 0)
		return -err->code;
	if (step_from_cache(build, step, step->key)) {
		finish_cached(build, step);
		/* The next time it is found without looking. */
		(void)step_record(build, step, &ignored);
		return 0;
	}
	return step_begin(build, step, STEP_RUNNING, err);
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

void schedule_stop(struct build *build)
{
	for (size_t i = 0; i < build->step_count; i++) {
		struct step *step = build->steps[i];

		if (step->pid > 0) {
			(void)kill(step->pid, SIGKILL);
			reap(build, step, false);
		}
		if (step->id[0])
			step_leave(build, step, false);
	}
}

int schedule_run(struct build *build, struct error *err)
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
