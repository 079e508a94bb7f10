// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/jobs.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"

struct job {
	struct job *next;
	struct jobs *jobs;
	pid_t pid;
	int pidfd, report;
	job_done *done;
	void *context;
	sd_event_source *source;
};

struct jobs {
	sd_event *event;
	char *title;
	struct job *first;
	int keep; /* a socket that the next child does not close */
};

struct jobs *jobs_new(sd_event *event, char *title)
{
	struct jobs *jobs = new (struct jobs);

	jobs->event = event;
	jobs->title = title;
	jobs->keep = -EBADF;
	return jobs;
}

static void job_free(struct job *job)
{
	struct job **at = &job->jobs->first;

	while (*at && *at != job)
		at = &(*at)->next;
	if (*at)
		*at = job->next;
	sd_event_source_disable_unref(job->source);
	close(job->pidfd);
	close(job->report);
	free(job);
}

static void end(struct job *job)
{
	(void)process_pidfd_signal(job->pidfd, SIGKILL);
	(void)waitpid(job->pid, NULL, 0);
	job_free(job);
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	while (jobs->first)
		end(jobs->first);
	free(jobs);
}

void jobs_cancel(struct jobs *jobs, const void *context)
{
	struct job *next;

	for (struct job *job = jobs->first; job; job = next) {
		next = job->next;
		if (job->context == context)
			end(job);
	}
}

bool jobs_idle(const struct jobs *jobs)
{
	return !jobs->first;
}

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct job *job = data;
	job_done *done = job->done;
	void *context = job->context;
	struct error err = ERROR_INIT;
	int status = 0;

	(void)waitpid(job->pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		if (fd_read_full(job->report, &err, sizeof(err)) != (ssize_t)sizeof(err) ||
		    !err.code)
			error_set(&err, EIO, "a helper process ended unexpectedly (%s %d)",
				  WIFEXITED(status) ? "exit code" : "signal",
				  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	}
	job_free(job);
	done(context, &err);
	return 0;
}

/* Ports that the supervisor lets go of meanwhile must be free, and connections that it ends over.
 */
static void close_sockets(int keep)
{
	_cleanup_dir_ DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		struct stat status;

		if (fd != keep && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
			close(fd);
	}
}

void jobs_retitle(char *title)
{
	if (title && strlen(title) >= strlen("__helper-job"))
		strcpy(title, "__helper-job");
}

static void __attribute__((noreturn))
job_child(struct jobs *jobs, job_work *work, void *data, int report)
{
	struct error err = ERROR_INIT;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "berth-job");
	close_sockets(jobs->keep);
	jobs_retitle(jobs->title);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (work(data, &err) < 0) {
		if (!err.code)
			err.code = EIO;
		(void)fd_write_all(report, &err, sizeof(err));
		_exit(1);
	}
	_exit(0);
}

int job_start(struct jobs *jobs, job_work *work, void *data, job_done *done, void *context,
	      struct error *err)
{
	_cleanup_close_ int read_end = -EBADF, write_end = -EBADF, pidfd = -EBADF;
	struct job *job;
	int pair[2], r;
	pid_t pid;

	/* An error fits into the pipe's buffer: the child never waits for us to read it. */
	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "start a helper process");
	read_end = pair[0];
	write_end = pair[1];
	pid = fork();
	if (pid == 0)
		job_child(jobs, work, data, write_end);
	if (pid < 0)
		return error_errno(err, "start a helper process");
	pidfd = process_pidfd_open(pid);
	if (pidfd < 0)
		return error_code(err, pidfd, "watch a helper process");
	job = new (struct job);
	*job = (struct job){jobs->first, jobs, pid, -EBADF, -EBADF, done, context, NULL};
	r = sd_event_add_io(jobs->event, &job->source, pidfd, EPOLLIN, on_ended, job);
	if (r < 0) {
		free(job);
		return error_code(err, r, "watch a helper process");
	}
	job->pidfd = TAKE_FD(pidfd);
	job->report = TAKE_FD(read_end);
	jobs->first = job;
	return 0;
}

int job_start_with_socket(struct jobs *jobs, int socket, job_work *work, void *data, job_done *done,
			  void *context, struct error *err)
{
	int r;

	jobs->keep = socket;
	r = job_start(jobs, work, data, done, context, err);
	jobs->keep = -EBADF;
	return r;
}
