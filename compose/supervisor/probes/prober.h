/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_PROBES_PROBER_H
#define COMPOSE_SUPERVISOR_PROBES_PROBER_H

/*
 * prober.h - the supervisor's side of its prober: commands of health checks, run in containers.
 *
 * A clone copies the page tables of whoever makes it, and each page that either side writes
 * afterwards: for a program of a millisecond that is most of what it costs. So a small process of
 * its own, there as long as somebody holds it, makes them. What it runs ends with it, and it ends
 * with its supervisor, who would not know anything of it otherwise. When it is killed, a new one
 * runs again what the old one had not finished.
 */

#include <systemd/sd-event.h>

#include "runtime/container/spec.h"

struct prober;
struct prober_run;

struct prober_result {
	int exit_code;    /* as a shell has it */
	bool not_run;     /* it could not be run; the text says why */
	const char *text; /* what it wrote, the beginning of it; borrowed */
	size_t size;
};

typedef void prober_done(void *context, const struct prober_result *result);

struct prober *prober_new(sd_event *event, const char *project);
/* Somebody is going to run commands; and not any more. */
void prober_hold(struct prober *prober);
void prober_release(struct prober *prober);

/*
 * Runs what @spec says (of an exec) in the container of @pidfd; both are borrowed until the answer
 * has come, which never is before this returns.
 */
struct prober_run *prober_begin(struct prober *prober, int pidfd, const struct container_spec *spec,
				prober_done *done, void *context);
/* Kills it: the answer comes when it has ended, or at once where it has not begun. */
void prober_kill(struct prober *prober, struct prober_run *run);
/* The same, and nobody is told. */
void prober_forget(struct prober *prober, struct prober_run *run);

#endif
