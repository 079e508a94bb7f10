/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_OPERATIONS_H
#define COMPOSE_SUPERVISOR_CONVERGE_OPERATIONS_H

/*
 * operations.h - what each kind of operation does, and when it is done: a row of calls into
 * containers.h, networks.h, volumes.h and waits.h.
 */

#include <stddef.h>

struct converge;
struct instance;

void operation_begin(struct converge *converge, size_t index);
/* @instance changed (NULL: something else): is the operation, which is running, thereby done? */
void operation_look(struct converge *converge, size_t index, struct instance *instance);

#endif
