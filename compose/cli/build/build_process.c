// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/build/build_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/cache.h"
#include "runtime/image/platform.h"
#include "runtime/image/pull.h"

#include "compose/cli/build/build_network.h"
#include "compose/cli/image/image_times.h"
#include "compose/cli/image/store_here.h"
#include "compose/control/requests.h"

#define JOBS_AT_ONCE 8
#define CANCEL_MSEC  200
#define FRAME_MAX    (1 << 20)

#define FRAME_END  (-1)
#define FRAME_BASE (-3) /* an image that it was made of: its name, and its digest as the text */
#define FRAME_PULL (-2) /* its step is the state; the text is the layer, or the error */

/* What a build's process writes: this, then the name and the text. */
struct frame {
	int kind; /* of the event, or one of these */
	unsigned int step;
	int64_t usec;
	size_t name_length, text_length;
	uint64_t current, total; /* of a pull */
	/* of the end: the image's id is the name, the report the text */
	struct error error;
	int exit_code;
	bool is_new;
};

static volatile int cancelled;

static void on_signal(int signal)
{
	cancelled = 1;
}

static sigset_t waiting_mask;

/* They come only while something is waited for, so that none is missed. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t held;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, &waiting_mask);
}

static void send_frame(int fd, struct frame *frame, const char *name, const char *text)
{
	frame->name_length = name ? strlen(name) : 0;
	(void)fd_write_all(fd, frame, sizeof(*frame));
	(void)fd_write_all(fd, name ?: "", frame->name_length);
	(void)fd_write_all(fd, text ?: "", frame->text_length);
}

static void send_event(void *data, const struct build_event *event)
{
	struct frame frame = {.kind = (int)event->kind,
			      .step = event->step,
			      .usec = event->usec,
			      .text_length = event->length};

	send_frame(*(int *)data, &frame, event->name, event->text);
}

static void send_pull(void *data, const struct pull_event *event)
{
	struct frame frame = {.kind = FRAME_PULL,
			      .step = event->state,
			      .current = event->current,
			      .total = event->total};
	const char *text = event->layer;

	if (event->state == PULL_IMAGE_FAILED) {
		frame.error = *event->error;
		text = NULL;
	}
	frame.text_length = text ? strlen(text) : 0;
	send_frame(*(int *)data, &frame, event->name, text);
}

/* In the build's own process: waiting is fine. Ctrl-C is looked for now and then. */
static int pull_base(void *data, const char *reference, const char *platform, bool always,
		     struct error *err)
{
	const struct pull_options options = {.platform = platform,
					     .policy = always ? PULL_ALWAYS : PULL_MISSING};
	struct image_store *store = NULL;
	struct pull *pull = NULL;
	struct pull_image *image;
	int r = store_here_open(&store, err);

	if (r == 0)
		r = pull_new(store, send_pull, data, &pull, err);
	if (r == 0) {
		image = pull_add(pull, reference, &options);
		while (!cancelled && pull_step(pull, NULL, 0, CANCEL_MSEC))
			;
		r = cancelled ? error_set(err, ECANCELED, "interrupted") : pull_result(image, err);
	}
	pull_free(pull);
	image_store_close(store);
	return r < 0 ? r : 0;
}

static _Noreturn void build_child(const struct build_job *job, int out)
{
	struct build_network_place *network = build_network_new();
	struct build_surroundings with = {.root = paths_root(),
					  .network = build_network_of(network),
					  .pull = pull_base,
					  .event = send_event,
					  .data = &out,
					  .cancelled = &cancelled};
	struct frame frame = {.kind = FRAME_END};
	struct build_result result = {0};
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "berth-builder");
	(void)sigprocmask(SIG_SETMASK, &waiting_mask, NULL);
	r = store_here_open(&with.store, &frame.error);
	if (r == 0)
		r = build_run(&with, &job->options, &result, &frame.error);
	build_network_free(network);
	strv_foreach(base, result.bases) {
		struct frame row = {.kind = FRAME_BASE};
		char *digest = strchr(base, ' ');

		*digest++ = '\0';
		row.text_length = strlen(digest);
		send_frame(out, &row, base, digest);
	}
	frame.exit_code = result.exit_code;
	frame.is_new = result.is_new;
	frame.text_length = result.report ? strlen(result.report) : 0;
	send_frame(out, &frame, result.image_id, result.report);
	image_store_close(with.store);
	if (r == 0 && !job->options.check_only)
		cache_limit(paths_root());
	_exit(r < 0);
}

static int start(struct build_job *job, struct error *err)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	fflush(NULL);
	job->pid = fork();
	if (job->pid == 0) {
		close(pair[0]);
		build_child(job, pair[1]);
	}
	close(pair[1]);
	job->fd = pair[0];
	job->started = true;
	image_times_build_begins(job->options.tags ? job->options.tags[0] : NULL);
	job->started_nsec = units_now_nsec();
	job->materials = json_array();
	return job->pid < 0 ? error_errno(err, "start a build") : 0;
}

static void take_base(struct build_job *job, const char *name, const char *digest)
{
	_cleanup_json_ json_t *platform = json_object();
	_cleanup_free_ char *package = NULL;
	struct error ignored = ERROR_INIT;

	if (platform_describe(job->options.platform, platform, &ignored) == 0)
		package = platform_package(name, platform);
	json_array_append_new(job->materials,
			      json_pack("{s:s, s:{s:s}}", "uri", package ?: name, "digest",
					"sha256",
					str_starts_with(digest, "sha256:") ? digest + 7 : digest));
}

static void take_frame(struct build_job *job, struct build_view *view, const struct frame *frame,
		       const char *payload)
{
	_cleanup_free_ char *name = alloc_string_n(payload, frame->name_length);
	_cleanup_free_ char *text =
		alloc_string_n(payload + frame->name_length, frame->text_length);

	if (frame->kind == FRAME_BASE) {
		take_base(job, name, text);
		return;
	}
	if (frame->kind == FRAME_PULL) {
		const struct pull_event event = {.name = name,
						 .layer = *text ? text : NULL,
						 .state = (enum pull_state)frame->step,
						 .current = frame->current,
						 .total = frame->total,
						 .error = &frame->error};

		image_times_pull(&event);
		build_view_pull(view, job->name, &event);
		return;
	}
	if (frame->kind >= 0) {
		const struct build_event event = {.kind = (enum build_event_kind)frame->kind,
						  .step = frame->step,
						  .name = name,
						  .text = payload + frame->name_length,
						  .length = frame->text_length,
						  .usec = frame->usec};

		job->warned = job->warned || event.kind == BUILD_WARNING;
		build_view_event(view, job->name, &event);
		return;
	}
	job->done = true;
	job->error = frame->error;
	job->failed = frame->error.code != 0;
	image_times_build_ends(job->options.tags ? job->options.tags[0] : NULL, job->failed);
	job->exit_code = frame->exit_code;
	job->is_new = frame->is_new;
	job->image_id = *name ? TAKE_PTR(name) : NULL;
	job->report = TAKE_PTR(text);
}

static void receive(struct build_job *job, struct build_view *view)
{
	char buffer[65536];
	ssize_t n = read(job->fd, buffer, sizeof(buffer));
	size_t at = 0;

	if (n < 0 && errno == EINTR)
		return;
	if (n > 0)
		strbuf_add_n(&job->received, buffer, (size_t)n);
	while (job->received.length - at >= sizeof(struct frame)) {
		struct frame frame;

		memcpy(&frame, job->received.data + at, sizeof(frame));
		if (frame.name_length > FRAME_MAX || frame.text_length > FRAME_MAX ||
		    job->received.length - at <
			    sizeof(frame) + frame.name_length + frame.text_length)
			break;
		take_frame(job, view, &frame, job->received.data + at + sizeof(frame));
		at += sizeof(frame) + frame.name_length + frame.text_length;
	}
	if (at) {
		memmove(job->received.data, job->received.data + at, job->received.length - at);
		job->received.length -= at;
	}
	if (n > 0)
		return;
	close(job->fd);
	job->fd = -EBADF;
	while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (!job->done) {
		job->done = job->failed = true;
		error_set(&job->error, cancelled ? ECANCELED : EIO,
			  cancelled ? "interrupted" : "the build's process was killed");
	}
}

static bool may_start(const struct build_job *jobs, size_t count, const struct build_job *job)
{
	size_t running = 0;

	for (size_t i = 0; i < count; i++) {
		running += jobs[i].started && !jobs[i].done;
		if (jobs[i].name && strv_contains(job->after, jobs[i].name) && !jobs[i].done)
			return false;
	}
	return !job->started && running < JOBS_AT_ONCE;
}

static void wait_for_news(struct build_job *jobs, size_t count, struct build_view *view)
{
	struct pollfd *fds = new_array(struct pollfd, count);
	int msec = build_view_timeout(view);
	const struct timespec timeout = {msec / 1000, msec % 1000 * 1000000L};

	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){jobs[i].started && jobs[i].fd >= 0 ? jobs[i].fd : -1,
					 POLLIN};
	if (ppoll(fds, count, msec < 0 ? NULL : &timeout, &waiting_mask) > 0)
		for (size_t i = 0; i < count; i++)
			if (fds[i].revents)
				receive(&jobs[i], view);
	free(fds);
	build_view_tick(view);
}

static size_t running(const struct build_job *jobs, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += jobs[i].started && jobs[i].fd >= 0;
	return n;
}

/* They end their steps, keep what is finished, and go. */
static void end_jobs(const struct build_job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (jobs[i].started && jobs[i].fd >= 0)
			(void)kill(jobs[i].pid, SIGTERM);
}

int build_process_run(struct build_job *jobs, size_t count, struct build_view *view,
		      struct error *err)
{
	const struct build_job *first = NULL;
	bool ended = false;
	int r = 0;

	catch_signals();
	for (;;) {
		for (size_t i = 0; r == 0 && !first && !cancelled && i < count; i++)
			if (may_start(jobs, count, &jobs[i]))
				r = start(&jobs[i], err);
		if (!running(jobs, count))
			break;
		wait_for_news(jobs, count, view);
		for (size_t i = 0; i < count && !first; i++)
			if (jobs[i].failed)
				first = &jobs[i];
		if ((first || cancelled) && !ended) {
			end_jobs(jobs, count);
			ended = true;
		}
	}
	sigprocmask(SIG_SETMASK, &waiting_mask, NULL);
	if (r == 0 && first) {
		*err = first->error;
		return -err->code;
	}
	if (r == 0 && cancelled)
		return error_set(err, ECANCELED, "interrupted");
	return r;
}

void build_job_done(struct build_job *job)
{
	free(job->image_id);
	free(job->report);
	json_decref(job->materials);
	strbuf_done(&job->received);
}
