/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_COMPOSE_CLI_FAKE_H
#define TESTS_UNIT_COMPOSE_CLI_FAKE_H

/*
 * fake.h - a supervisor that speaks the control protocol and does nothing else, and a loader
 * that always gives the project of the test. Both live in a scratch directory.
 */

#include <jansson.h>
#include <stdbool.h>

#include "compose/control/message.h"

/*
 * Serves one connection (the @index-th, from 0), whose first message was @request. Runs in a
 * process of its own, which goes on to the next connection when it returns.
 */
typedef void fake_serve(struct message_stream *stream, const json_t *request, int index);

/* Directories of the test; no supervisor. */
void fake_setup(void);
/* Serves project "p". */
void fake_supervisor(fake_serve *serve);
/* Kills it; its socket stays, as it does when a supervisor is killed. */
void fake_supervisor_end(void);
void fake_done(void);

void fake_reply(struct message_stream *stream, const char *json, const int *fds, size_t count);

/* The project that load_project() gives; NULL: it fails with "no configuration file provided". */
extern const char *fake_project;

/*
 * Runs `berth ARGS` (separated by blanks) in a child with its streams in files. Exit code; what it
 * wrote is in fake_stdout and fake_stderr, new with each call.
 */
int fake_berth(const char *args, const char *input);
extern char *fake_stdout, *fake_stderr;

#endif
