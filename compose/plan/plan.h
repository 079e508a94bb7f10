/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_PLAN_PLAN_H
#define COMPOSE_PLAN_PLAN_H

/*
 * plan.h - wishes and facts in, operations out; touches nothing.
 *
 * A plan is an array of operations in which each one's prerequisites stand before it. What may run
 * at the same time does: only `after` orders. It prints as text, one line an operation with its
 * cause, which is what --dry-run shows and what the tests compare.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

#include "compose/model/project.h"

enum container_state {
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_RESTARTING,
	CONTAINER_REMOVING,
	CONTAINER_EXITED,
	CONTAINER_DEAD,
};

enum health_status { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

/* What there is, as the supervisor knows it. All strings are borrowed from it. */
struct fact_container {
	const char *id, *name, *service;
	unsigned int number;
	bool oneoff;
	enum container_state state;
	enum health_status health;
	int exit_code;
	const char *config_hash, *image_id; /* hex; digest */
	const char *fixed_hash;      /* service_fixed_hash() of it; NULL: as config_hash says */
	const json_t *config;        /* the service's canonical form it was made from */
	const char *const *networks; /* names, NULL-terminated */
	const char *const *volumes;  /* names of named and anonymous volumes */
	bool standby;                /* it runs beside the one that it is to replace */
	bool stale_volumes;          /* an image that it has mounted is another one now */
	/* ids of containers whose namespaces it was made with; NULL-terminated */
	const char *const *parents;
	/* Made for this very request, before a crash in the middle of it: not to be made anew. */
	bool made_for_this;
	int64_t created_nsec, started_nsec; /* 0: never started */
};

struct fact_object { /* network or volume carrying the project's label */
	const char *key, *name, *config_hash;
	json_t *config; /* the canonical form it was made from; NULL: not known, or as it is now */
};

struct fact_image { /* what the service's image is now; id NULL: not in the store */
	const char *service, *id;
	bool has_healthcheck;
};

struct facts {
	const struct fact_container *containers;
	size_t container_count;
	const struct fact_object *networks, *volumes;
	size_t network_count, volume_count;
	const char *const *external_networks, *const *external_volumes; /* names that exist */
	const struct fact_image *images;
	size_t image_count;
	/* Images that are not in the store, and that whoever asks is fetching; may be NULL. */
	const char *const *coming;
};

enum plan_goal {
	PLAN_UP,      /* create, recreate, start; with no_start: `create` */
	PLAN_DOWN,    /* stop and remove containers, networks, with `volumes` volumes too */
	PLAN_START,   /* start existing containers, in order */
	PLAN_STOP,    /* stop, in reverse order */
	PLAN_RESTART, /* stop and start, in order; takes `depends_on: restart: true` along */
	PLAN_KILL,
	PLAN_REMOVE, /* `rm`: stopped ones, with `force_stop` running ones too */
	PLAN_PAUSE,
	PLAN_UNPAUSE,
};

enum plan_recreate { RECREATE_DIVERGED, RECREATE_FORCE, RECREATE_NEVER };

struct plan_scale {
	const char *service;
	unsigned int replicas;
};

/* What is pulled or built before anything is made: for a plan that is only looked at. */
struct plan_image {
	const char *image, *cause;
	const char *service; /* it is built for; NULL: it is pulled */
	bool refresh;        /* one of this name is here, and may turn out to be the same */
};

struct plan_options {
	enum plan_goal goal;
	const char *const *services; /* selected; NULL: all. Unknown ones are an error. */
	bool no_deps, no_start, remove_orphans, always_recreate_deps, renew_anon_volumes;
	bool wait;        /* up --wait: end with waits for running or healthy of every service */
	bool rollback;    /* up: by rollback_config, not update_config */
	bool volumes;     /* down -v, rm -v */
	bool force_stop;  /* rm -s */
	bool by_label;    /* no project file: act on facts alone, unknown services are no error */
	bool underscores; /* --compatibility: containers are called P_S_N */
	enum plan_recreate recreate, recreate_dependencies;
	int64_t timeout_usec; /* -t; negative: each service's own stop_grace_period */
	int signal;           /* kill -s; stop and restart: instead of the service's own */
	/*
	 * up: of the one service that is selected, make and start a one-off container of this name
	 * (`run`), and leave its others alone. NULL: no one-off.
	 */
	const char *oneoff;
	const struct plan_scale *scales;
	size_t scale_count;
	const struct plan_image *images; /* up */
	size_t image_count;
	/*
	 * Only these (ids, NULL-terminated; NULL: all), be they one-off or not; not for up and
	 * down. What else they need is waited for where it runs, and done without where it does
	 * not.
	 */
	const char *const *containers;
};

enum operation_kind {
	OP_PULL_IMAGE, /* both: the client's work, and never a part of what a supervisor does */
	OP_BUILD_IMAGE,
	OP_CREATE_NETWORK,
	OP_REMOVE_NETWORK,
	OP_CREATE_VOLUME,
	OP_REMOVE_VOLUME,
	OP_CREATE_CONTAINER,
	OP_START_CONTAINER,
	OP_STOP_CONTAINER,
	OP_KILL_CONTAINER,
	OP_PAUSE_CONTAINER,
	OP_UNPAUSE_CONTAINER,
	OP_REMOVE_CONTAINER,
	OP_RENAME_CONTAINER,
	OP_UPDATE_CONTAINER, /* gives it the service as it is now, while it runs */
	OP_SWITCH_TRAFFIC,   /* names and published ports of container `replaces` are its own now */
	OP_DRAIN_CONTAINER,  /* until nobody is connected to it any more, or its time is over */
	OP_PROCEED,          /* with the next replicas of `service`, unless too many failed */
	OP_WAIT,        /* until `condition` holds for container `name`; required or optional */
	OP_AWAIT_IMAGE, /* until image `name`, one of facts.coming, is in the store */
};

struct operation {
	enum operation_kind kind;
	char *object;  /* "Container web-app-1", "Network web_default": the progress line's id */
	char *name;    /* the container's, network's or volume's name on the machine */
	char *id;      /* id of the existing container; NULL: it is made by an earlier operation */
	char *key;     /* key of network or volume */
	char *service; /* containers: of this service ... */
	unsigned int number; /* ... with this number */
	char *new_name;      /* rename: to this; create: the name until it is renamed, or NULL */
	char *replaces; /* create, switch: id of the container whose anonymous volumes it inherits
			 */
	bool recreate;  /* progress says Recreate/Recreated */
	bool oneoff;    /* create, start: a one-off container */
	bool refresh;   /* pull, build: plan_image's */
	bool standby;   /* create, start, wait, remove: it has not taken over yet */
	bool always;    /* its prerequisites need only be at an end, whichever */
	unsigned int allowed;     /* proceed: so many failures at most */
	int64_t delay_usec;       /* proceed: so long after its prerequisites; wait: up so long */
	bool updated;             /* start: an earlier operation updates it */
	enum condition condition; /* wait */
	bool required;            /* wait: failing fails the plan; else a warning */
	bool final;               /* wait: one of --wait's, not of a dependency */
	char *waiter;             /* wait: the service that depends, for messages; may be NULL */
	bool volumes;             /* remove: anonymous volumes too */
	int64_t timeout_usec;     /* stop; negative: the service's own */
	int signal;               /* kill; stop: 0 is the service's own */
	char *cause; /* "ports changed", "no container yet", "not in the file any more" */
	/* Of what is made anew or updated: what differs, as service_changes(); may be NULL. */
	json_t *changes;
	size_t *after; /* indices of prerequisites, all smaller than its own */
	size_t after_count;
};

struct plan {
	struct operation *operations;
	size_t count;
	char **warnings; /* "Found orphan containers ([x-b-1]) for this project. ..." */
	char **running;  /* containers that stay as they are: names, for "Container x Running" */
};

/*
 * @project may be NULL with by_label. Fails with a message users know: `no such service: X`,
 * `network N declared as external, but could not be found`, missing images, dependency cycles.
 */
int plan_reconcile(const struct project *project, const struct facts *facts,
		   const struct plan_options *options, struct plan **ret, struct error *err);

void plan_free(struct plan *plan);

/* One line an operation: "create container web-app-1 (no container yet)"; new string. */
char *plan_to_text(const struct plan *plan);
json_t *plan_to_json(const struct plan *plan);

const char *operation_kind_name(enum operation_kind kind);    /* "create_container" */
const char *condition_name(enum condition condition);         /* "running", "healthy", ... */
const char *container_state_name(enum container_state state); /* "running" */
const char *health_status_name(enum health_status health);    /* "" for none */

#endif
