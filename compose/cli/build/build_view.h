/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_BUILD_BUILD_VIEW_H
#define COMPOSE_CLI_BUILD_BUILD_VIEW_H

/*
 * build_view.h - how builds go on, on stderr: redrawn lines on a terminal (progress.h), else lines
 * as BuildKit's plain form has them, or JSON.
 *
 *     #3 [build 2/4] RUN make
 *     #3 0.214 cc -o hello hello.c
 *     #3 DONE 1.2s
 */

#include "runtime/build/builder.h"
#include "runtime/image/pull.h"

struct project_args;
struct build_view;

struct build_view *build_view_new(const struct project_args *args, bool quiet);
/* @owner tells builds apart that go on side by side ("web"); NULL: there is one. */
void build_view_event(struct build_view *view, const char *owner, const struct build_event *event);
/* A base image on its way, for the build of @owner. */
void build_view_pull(struct build_view *view, const char *owner, const struct pull_event *event);
/* An image is there: " Image web Built". */
void build_view_built(struct build_view *view, const char *image);
/* As progress_timeout() and progress_tick(). */
int build_view_timeout(const struct build_view *view);
void build_view_tick(struct build_view *view);
void build_view_free(struct build_view *view);

#endif
