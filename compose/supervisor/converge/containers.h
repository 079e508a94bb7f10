/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_CONTAINERS_H
#define COMPOSE_SUPERVISOR_CONVERGE_CONTAINERS_H

/*
 * containers.h - the operations on containers. What returns 1 is under way: its end shows when the
 * container changes.
 */

#include <stddef.h>

#include "common/error.h"

struct converge;
struct instance;
struct operation;

/* 1: its volumes are being filled. */
int containers_create(struct converge *converge, size_t index, struct error *err);
/* 0: it runs already. */
int containers_start(struct converge *converge, size_t index, struct instance *instance,
		     struct error *err);
/* 0: started; 1: not yet; negative: it could not be. */
int containers_look_at_start(const struct instance *instance, struct error *err);
int containers_stop(struct converge *converge, const struct operation *operation,
		    struct instance *instance, struct error *err);
int containers_kill(struct converge *converge, const struct operation *operation,
		    struct instance *instance, struct error *err);
int containers_remove(struct converge *converge, const struct operation *operation,
		      struct instance *instance, struct error *err);
/* Names and ports go from the one that it replaces to @instance. */
int containers_switch_traffic(struct converge *converge, const struct operation *operation,
			      struct instance *instance, struct error *err);
int containers_drain(const struct operation *operation, struct instance *instance,
		     struct error *err);

#endif
