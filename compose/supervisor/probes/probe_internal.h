/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_PROBES_PROBE_INTERNAL_H
#define COMPOSE_SUPERVISOR_PROBES_PROBE_INTERNAL_H

/*
 * probe_internal.h - what the kinds of probes have in common; a kind is one file with one
 * `const struct probe_ops`.
 */

#include <systemd/sd-event.h>

#include "compose/supervisor/probes/probe.h"

struct probe_ops {
	void (*begin)(struct probe *probe);
	/* NULL: there is nothing that could go on. */
	void (*give_up)(struct probe *probe);
	/* Lets go of everything, and of the memory. */
	void (*free)(struct probe *probe);
};

/* Each kind's struct begins with it. */
struct probe {
	const struct probe_ops *ops;
	struct instance *instance;
	const struct probe_config *config; /* NULL: a command */
	probe_answered *answered;
	void *context;
	char title[80];
	bool settled;
};

/* The answer, in the words of a printf. */
void probe_answer(struct probe *probe, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Whether process @pid (0: not known), which sent a notification, is one of the container's.
 * What is not is logged.
 */
bool probe_sender_is_inside(const struct instance *instance, pid_t pid);

/*
 * In a job: asks as `https` says over @socket, which is connected and taken, and writes the status
 * (an int) to @status_fd.
 */
int probe_tls_ask(struct probe *probe, int socket, int status_fd, struct error *err);

struct probe *probe_connection_new(void);
struct probe *probe_path_new(void);
struct probe *probe_news_new(bool resumed);

#endif
