/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_EXTENDS_H
#define COMPOSE_LOAD_EXTENDS_H

/* extends.h - services that are built on other ones. */

#include "compose/load/loader.h"

/* Puts each service of @document on its base; @earlier: what stood before it. */
int extends_apply(struct scope *scope, struct node *document, const struct node *earlier,
		  struct error *err);
void extendable_free(void *data); /* of a struct extendable, for map_done() */

#endif
