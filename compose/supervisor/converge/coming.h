/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_COMING_H
#define COMPOSE_SUPERVISOR_CONVERGE_COMING_H

/*
 * coming.h - images that the asking client is still fetching: containers made of them wait for its
 * word, all others start meanwhile.
 *
 * The client names them in its request and tells of each, on the same connection, that it is here
 * or why it is not. A client that leaves has given up those that it has not told of.
 */

#include <jansson.h>

#include "common/error.h"

struct converge;

/* Takes the names out of the request. */
int coming_init(struct converge *converge, const json_t *request, struct error *err);
void coming_done(struct converge *converge);

/* Those that are not in the store yet; new strv, NULL: none. */
char **coming_missing(const struct converge *converge);

/* For an operation OP_AWAIT_IMAGE. 0: image @name is here; 1: not yet; negative: it will not be. */
int coming_look(const struct converge *converge, const char *name, struct error *err);

/* What the client tells: {image, code?, message?}. What was not asked for is passed over. */
void coming_told(struct converge *converge, const json_t *message);
/* Nobody will tell any more. */
void coming_given_up(struct converge *converge);

#endif
