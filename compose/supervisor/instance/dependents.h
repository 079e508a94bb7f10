/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_DEPENDENTS_H
#define COMPOSE_SUPERVISOR_INSTANCE_DEPENDENTS_H

/*
 * dependents.h - `x-berth.restart_with_dependencies`: who depends on a container that was started
 * again, by its policy or for being unhealthy, is started again after it.
 *
 * As at the first start: when it runs, or when it is healthy, as depends_on says. What is still due
 * is in the record of the container that ended, so a killed supervisor forgets nobody.
 */

struct instance;

enum dependents_due {
	DEPENDENTS_NONE,
	DEPENDENTS_ALL,     /* it has to run first */
	DEPENDENTS_HEALTHY, /* the others have been restarted; these wait for its health */
};

/* It ended and is to be started again; before the record is written. */
void dependents_expect(struct instance *instance);
/* It runs again. */
void dependents_running(struct instance *instance);
/* It is healthy. */
void dependents_healthy(struct instance *instance);

#endif
