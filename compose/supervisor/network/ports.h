/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NETWORK_PORTS_H
#define COMPOSE_SUPERVISOR_NETWORK_PORTS_H

/*
 * ports.h - the published ports of the project: held by sockets, one owner or several in turn.
 *
 * A fixed port is held before anything of a plan happens, so that a clash changes nothing; the
 * sockets are stored at the keeper and counted, so that a container that is made anew takes over
 * the port of the one it replaces without a moment in which somebody else could have it. Rules
 * for all containers started together go into the firewall in one commit.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "compose/model/project.h"

struct instance;
struct model;
struct ports;
struct supervisor;

struct ports *ports_new(struct supervisor *supervisor);
void ports_free(struct ports *ports);

/*
 * Before a plan: holds the fixed ports of @service for one container, @instance where there is one
 * already. A port of a container that is `leaving` may be promised. -EADDRINUSE. What no container
 * took is let go by ports_unreserve().
 */
int ports_reserve(struct ports *ports, const struct project *project, const struct service *service,
		  const struct instance *instance, struct error *err);
void ports_unreserve(struct ports *ports);

/* For a start: all ports of the container, those of a range or ephemeral ones decided now. */
int ports_hold(struct instance *instance, struct error *err);
/* The container stopped: rules go (with the next commit), sockets are let go. */
void ports_release(struct instance *instance);
/*
 * For a running container whose ports changed, in two steps. First it holds those that @service
 * (of @model) has; what @from has already (itself, or the one that it takes over from) is passed
 * on. Then the rules of the one list take the place of the other's in one commit, and what is no
 * longer held is let go.
 */
struct ports_exchange {
	struct instance *from;
	struct held_port **before;
	size_t count;
};
int ports_exchange(struct instance *instance, struct instance *from, const struct model *model,
		   const struct service *service, struct ports_exchange *ret, struct error *err);
/* The first step is not to have happened. */
void ports_exchange_undo(struct instance *instance, struct ports_exchange *exchange);
void ports_exchange_finish(struct instance *instance, struct ports_exchange *exchange);
/* Rules of a container that does not run must go, whatever we remember of it. */
void ports_forget(struct ports *ports, const char *container_id);
/* Rules and proxies for a started container; @done is called once they are in place. */
void ports_publish(struct instance *instance, void (*done)(struct instance *instance));
/* Commits what is pending now: before the last reply of `down`. */
void ports_flush(struct ports *ports);
/* After a supervisor's restart: proxies again, rules as they are. */
void ports_resume(struct instance *instance);
/* Rules once more, for they may have been cleared. */
void ports_renew(struct instance *instance);
/* After all records were read: sockets nobody owns are let go. */
void ports_settle(struct ports *ports);

json_t *ports_to_json(const struct instance *instance);
void ports_from_json(struct instance *instance, const json_t *json);
/* Rows {url, target, published, protocol} for `ps`, those of `expose` and of the image included. */
json_t *ports_publishers(const struct instance *instance);

#endif
