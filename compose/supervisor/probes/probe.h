/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_PROBES_PROBE_H
#define COMPOSE_SUPERVISOR_PROBES_PROBE_H

/*
 * probe.h - one question after the other whether a container is ready; health.h says when.
 *
 * A probe is one of: a command run in the container (healthcheck.test), a connection made in its
 * network namespace, a path looked at in its root, or something that it does by itself (a line it
 * logs, a message it sends as sd_notify(3) does). None of them keeps the supervisor waiting: a
 * socket is one in the loop, a path that is not in the kernel's cache is looked at by a job.
 */

#include <stdbool.h>

#include "common/error.h"

#include "runtime/image/image.h"

#include "compose/model/project.h"

struct instance;
struct probe;

struct probe_answer {
	int exit_code; /* 0: ready */
	bool not_run;  /* it could not even be asked */
	char *output;  /* what it said; new, may be NULL */
};

/* @answer's output is the receiver's. */
typedef void probe_answered(void *context, const struct probe_answer *answer);

/* The words @test run in the container; both are borrowed. */
struct probe *probe_new_command(struct instance *instance, char *const *test,
				const struct image *image, probe_answered *answered, void *context);
/* As x-berth says. @resumed: the container ran already when this supervisor began. */
struct probe *probe_new(struct instance *instance, const struct probe_config *config, bool resumed,
			probe_answered *answered, void *context);
/* Forgets one that is under way. */
void probe_free(struct probe *probe);

/*
 * Asks once; the answer may come before this returns. What a container does by itself is answered
 * at any time, whenever it does it.
 */
void probe_begin(struct probe *probe);
/* It took too long: the answer comes at once, or when what was begun has ended. */
void probe_give_up(struct probe *probe);
/* What it waited for has happened, and stays so. */
bool probe_is_settled(const struct probe *probe);

/* "tcp 5432", "http 80/health"; NULL for a command. */
const char *probe_title(const struct probe *probe);

/* What a line that was waited for needs from the start of the container on. */
void probe_watch_log(struct instance *instance);
void probe_unwatch_log(struct instance *instance);
/* The socket for its messages; before its program runs. @netns_fd as netns_socket() has it. */
int probe_open_notify(struct instance *instance, int netns_fd, struct error *err);
/* NOTIFY_SOCKET's value; new string. */
char *probe_notify_address(const struct instance *instance);

/*
 * The status of an answer in HTTP/1: 0 while its first line is not whole, -EBADMSG where it is
 * none. @ret_reason (size REASON_MAX) gets its words.
 */
#define PROBE_REASON_MAX 64
int probe_http_status(const char *data, size_t size, char ret_reason[PROBE_REASON_MAX]);
/* READY=1 and STATUS= of a message as sd_notify(3) sends it. *ret_status is new, or unchanged. */
void probe_read_message(const char *data, size_t size, bool *ret_ready, char **ret_status);

#endif
