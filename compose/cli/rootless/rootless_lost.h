/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ROOTLESS_ROOTLESS_LOST_H
#define COMPOSE_CLI_ROOTLESS_ROOTLESS_LOST_H

/*
 * rootless_lost.h - finding an ordinary user's berth by its processes, when the directory that
 * tells of it (compose/cli/rootless/rootless.h) was removed: a runtime directory is anybody's to
 * clear, and goes with a session.
 */

#include "common/error.h"

/*
 * A pidfd of a process of this user's `berth @command` whose namespaces belong to directory @path,
 * or -ESRCH.
 */
int rootless_lost_process(const char *path, const char *command);

/* The network of the bridges of directory @path, as its keepers have it open: fd, or -ESRCH. */
int rootless_lost_network(const char *path);

/* A pidfd of the pasta of the network that is mounted at @netns, or -ESRCH. */
int rootless_lost_pasta(const char *netns);

/*
 * Tells the holder of directory @path, which is there again, to write everything into it once more,
 * and waits until that is done. Under the lock. 1: it has; 0: there is none.
 */
int rootless_lost_renew(int directory, const char *path, struct error *err);

#endif
