/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_NETWORKS_FORESEE_H
#define COMPOSE_SUPERVISOR_CONVERGE_NETWORKS_FORESEE_H

/*
 * networks_foresee.h - whether the networks that a plan makes can be made, and its containers have
 * the addresses that they wish for: asked before any operation is begun, for the first ones may be
 * the removal of what runs.
 */

#include "common/error.h"

struct converge;

/* Where nothing is wished for there is nothing to look at. The error has its place. */
int networks_foresee(struct converge *converge, struct error *err);

#endif
