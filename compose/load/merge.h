/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_MERGE_H
#define COMPOSE_LOAD_MERGE_H

/* merge.h - a later file on top of an earlier one. */

#include "compose/load/loader.h"

/* Puts @over, which it takes, on top of @base. */
void merge_documents(struct loader *l, struct node *base, struct node *over);
/* The same of one service, as `extends` does it. */
void merge_service(struct loader *l, struct node *base, struct node *over);
/* Removes what !reset marks. */
void merge_strip_resets(struct node *node);

#endif
