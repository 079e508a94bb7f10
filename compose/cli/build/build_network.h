/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_BUILD_BUILD_NETWORK_H
#define COMPOSE_CLI_BUILD_BUILD_NETWORK_H

/*
 * build_network.h - the network of RUN steps: a bridge like a project's default one, shared by the
 * builds that run, made by the first step that wants it and gone with the last build. Should that
 * be killed, it is gone with the next build, `down` or prune.
 */

#include "runtime/build/builder.h"

struct build_network_place;

/* Nothing is made yet. */
struct build_network_place *build_network_new(void);
const struct build_network *build_network_of(struct build_network_place *place);
void build_network_free(struct build_network_place *place);

/* Removes what killed builds left, if none runs. */
void build_network_sweep(void);

#endif
