/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_JOBS_H
#define COMPOSE_SUPERVISOR_JOBS_H

/*
 * jobs.h - work that takes its time (copy, remove a tree, sync), in a forked child.
 *
 * The child dies with the supervisor; whatever it does must be safe to do again.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/error.h"

struct jobs;

/* @title: where this process keeps the word of its command line that jobs show differently. */
struct jobs *jobs_new(sd_event *event, char *title);
void jobs_free(struct jobs *jobs); /* kills what runs; nobody is told */

/* Runs in the child; its error comes back. */
typedef int job_work(void *data, struct error *err);
/* @err has code 0 when it went well. */
typedef void job_done(void *context, const struct error *err);

/* @data is only read by the child: it has its own copy from the moment of the fork. */
int job_start(struct jobs *jobs, job_work *work, void *data, job_done *done, void *context,
	      struct error *err);
/* The same where it hands descriptors back, through @socket (borrowed): all others are closed. */
int job_start_with_socket(struct jobs *jobs, int socket, job_work *work, void *data, job_done *done,
			  void *context, struct error *err);
/* Kills those with this context, and waits for their end: nobody is told. */
void jobs_cancel(struct jobs *jobs, const void *context);
/* In any other child: in `ps` it is not a second supervisor. */
void jobs_retitle(char *title);
bool jobs_idle(const struct jobs *jobs);

#endif
