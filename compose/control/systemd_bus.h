/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CONTROL_SYSTEMD_BUS_H
#define COMPOSE_CONTROL_SYSTEMD_BUS_H

/*
 * systemd_bus.h - the few things that we ask of systemd, of the machine's or of the user's manager.
 *
 * The manager's own socket is tried first (systemctl does so too: it works without a bus), then
 * the bus. Every call waits a bounded time. All use of sd-bus is in this module.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

struct systemd_bus;

/* The machine runs under systemd: nothing else here is worth trying where it does not. */
bool systemd_booted(void);

int systemd_bus_open(bool user, struct systemd_bus **ret, struct error *err);
void systemd_bus_close(struct systemd_bus *bus);

/* daemon-reload. */
int systemd_bus_reload(struct systemd_bus *bus, struct error *err);
/* EnableUnitFiles and DisableUnitFiles; systemd_bus_reload() is the caller's. */
int systemd_bus_enable(struct systemd_bus *bus, const char *unit, struct error *err);
int systemd_bus_disable(struct systemd_bus *bus, const char *unit, struct error *err);
/* Starts or stops @unit and waits for the end of that, however long it takes. */
int systemd_bus_start(struct systemd_bus *bus, const char *unit, struct error *err);
int systemd_bus_stop(struct systemd_bus *bus, const char *unit, struct error *err);

struct systemd_unit_state {
	char active[32], sub[32], file_state[32]; /* "active", "running", "enabled" */
	char status[256];                         /* what STATUS= said last */
	char fragment[256];                       /* path of the unit's file */
	char result[32];                          /* "success", "exit-code" */
	char subgroup[64];                        /* DelegateSubgroup=, since systemd 254 */
	uint32_t main_pid, restarts;
};
int systemd_bus_unit_state(struct systemd_bus *bus, const char *unit,
			   struct systemd_unit_state *ret, struct error *err);

/*
 * 1: a unit whose name matches @pattern is active, or on the way to be so, or not to be so. Not so
 * @ending (may be NULL), from whose last command this is called, unless it is to start once more.
 */
int systemd_bus_any_active(struct systemd_bus *bus, const char *pattern, const char *ending,
			   struct error *err);

/* WorkingDirectory= and Environment= of a service, whether or not it runs; both new. */
int systemd_bus_unit_place(struct systemd_bus *bus, const char *unit, char **ret_folder,
			   char ***ret_environment, struct error *err);

/* systemd's version as a number: 252. */
int systemd_bus_version(struct systemd_bus *bus, struct error *err);

/*
 * Process @pid into a delegated scope of this name, which is made in @slice (NULL: where scopes
 * are); one that is there already (its containers outlived the keeper) takes it, in its subgroup
 * "supervisor" where it has one.
 */
int systemd_bus_scope(struct systemd_bus *bus, const char *scope, const char *slice,
		      const char *description, pid_t pid, struct error *err);

#endif
