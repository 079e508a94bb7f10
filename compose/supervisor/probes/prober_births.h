/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_PROBES_PROBER_BIRTHS_H
#define COMPOSE_SUPERVISOR_PROBES_PROBER_BIRTHS_H

/*
 * prober_births.h - the prober's clones, by threads.
 *
 * A child that is in its parent's memory until its execve costs half of one that has a copy, but
 * somebody waits meanwhile; and longer than that in a container that is frozen, or whose files do
 * not come. So a thread does, which the others need not mind: while it is held up, there is
 * another one. All but that is the main thread's.
 */

#include "runtime/container/container.h"
#include "runtime/container/exec_pack.h"

/* One that is to be born. The first part is the caller's, and left alone while it is under way. */
struct prober_birth {
	int container; /* a pidfd; let go with the rest once it is not needed any more */
	int output;
	char *bytes; /* that @order was made of */
	struct exec_unpacked order;
	int channel[2];

	pid_t pid;        /* 0: there is none yet, or none at all */
	struct error err; /* why there is none */

	bool under_way, awaited;
	struct prober_birth *next;
};

struct prober_births;

/* @ret_news: readable when one has failed, or is over that was awaited. */
struct prober_births *prober_births_new(int *ret_news, struct error *err);
void prober_births_begin(struct prober_births *births, struct prober_birth *birth);
/* It does not touch @birth any more. */
bool prober_birth_is_over(struct prober_births *births, struct prober_birth *birth, bool await);
/* Negative: it has begun, and has or is about to have a pid. */
int prober_birth_cancel(struct prober_births *births, struct prober_birth *birth);
/*
 * To be called after at most as many milliseconds as it gives; -1: no matter. @ret_burst: several
 * are begun just now, and @ret_news tells when that is over.
 */
int prober_births_look(struct prober_births *births, bool *ret_burst);
/* What was written to @ret_news. */
void prober_births_heard(struct prober_births *births);

#endif
