/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_PIPELINE_H
#define COMPOSE_LOAD_PIPELINE_H

/* pipeline.h - the steps of a load, in their order. */

#include "compose/load/loader.h"

/* Which files, from where, with which variables. -ENOENT: there are none. */
int pipeline_find(struct loader *l, struct error *err);
/* Those, and their contents as one tree: l->root, and l->name. */
int pipeline_read(struct loader *l, struct error *err);
/* All of it: l->project. The text of all problems goes to *ret_report (new, may be NULL). */
int pipeline_run(struct loader *l, char **ret_report, struct error *err);
/* The text of all problems, of which @err is the one that ended it. New string. */
char *pipeline_report(struct loader *l, const struct error *err);
void pipeline_done(struct loader *l);

#endif
