/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_INSTANCE_H
#define COMPOSE_SUPERVISOR_INSTANCE_INSTANCE_H

/*
 * instance.h - one container of the project: what it is, and what state it is in.
 *
 * The states and what each event does in them is a table in instance.c; everything that happens
 * to a container goes through it. What must survive the supervisor is in the container's record
 * (state.h), written before anything can depend on it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/error.h"

#include "runtime/container/cgroup/cgroup.h"
#include "runtime/container/container.h"

#include "compose/control/requests.h"
#include "compose/plan/plan.h"
#include "compose/supervisor/instance/dependents.h"
#include "compose/supervisor/instance/hooks.h"
#include "compose/supervisor/probes/unhealthy.h"
#include "compose/supervisor/supervisor.h"

enum instance_state {
	INSTANCE_CREATED,
	INSTANCE_ENTERING, /* waits for its slice of systemd's: slices.h; nothing is cloned */
	INSTANCE_STARTING, /* cloned; the program does not run yet */
	INSTANCE_RUNNING,
	INSTANCE_PAUSED,
	INSTANCE_STOPPING, /* asked to end, and not ended yet */
	INSTANCE_BACKOFF,  /* ended; to be started again */
	INSTANCE_EXITED,
	INSTANCE_STATES
};

enum instance_event {
	INSTANCE_START,
	INSTANCE_EXECUTED,
	INSTANCE_FAILED, /* the birth did */
	INSTANCE_ENDED,
	INSTANCE_STOP,
	INSTANCE_GRACE_OVER,
	INSTANCE_BACKOFF_OVER,
	INSTANCE_EVENTS
};

struct drain;
struct health;
struct line_watch;
struct restart_state;
struct schedule_state;
struct start_ahead;
struct held_port;
struct visit;

struct instance {
	struct supervisor *supervisor;
	char id[65];
	char *name, *service_name;
	unsigned int number;
	bool oneoff;         /* made by `run` */
	bool use_aliases;    /* ... and answers to its service's names */
	bool foreground;     /* ... and its client copies what it says into the log; see oneoff.h */
	bool auto_remove;    /* goes when it ends, with its anonymous volumes */
	bool told;           /* its client knows how it ended, or left */
	int client[RUN_FDS]; /* its client's, see enum run_fd: but for the rest, until it is born */

	struct model *model;     /* counted */
	struct service *service; /* in the model */
	struct model **former;   /* counted: what it had while it ran, see membership.c */
	size_t former_count;
	char *image_id;
	char config_hash[65];
	int64_t created_nsec, started_nsec, finished_nsec;

	enum instance_state state;
	enum instance_state entered_from; /* while it is INSTANCE_ENTERING: what it was before */
	int exit_code;
	bool oom_killed;
	uint64_t oom_kills;    /* of the cgroup, as last looked at */
	unsigned int restarts; /* by policy, since it was started by hand */
	char *error;           /* why it could not be started */
	char *lacks;           /* what it was started without; NULL: nothing */
	bool by_hand;          /* the user stopped it: no policy starts it again */
	bool listens;          /* its sockets are listened at, and start it: see sockets.h */
	bool again;            /* what stops it now starts it once more: instance_restart() */
	bool standby;          /* beside the one that it is to replace: see handover.h */
	bool retired;          /* its names and ports are its successor's */
	bool updating;         /* it is being given another service: see update.h */
	bool revive;           /* it ran when everything went down, and is to run again */
	bool systemd;          /* its first process is systemd: see translate_systemd() */
	bool leaving;     /* the plan at work stops it: what it holds may be promised to another */
	bool going;       /* the plan at work removes it, and its record soon */
	char request[33]; /* the last request that ended with this container */
	char created_by[33];
	char **volumes;               /* names */
	struct mapping anonymous;     /* target: name of its anonymous volume */
	struct mapping image_volumes; /* target: id of the image that it was made with */
	char **parents;               /* ids whose namespaces it uses */
	char **network_names;

	pid_t pid;
	uint64_t start_ticks;
	int pidfd;
	struct child *child;
	struct birth birth;
	sd_event_source *birth_source;
	struct start_ahead *ahead; /* a birth that waits for its start; NULL: none */
	int64_t started_usec;      /* monotonic */
	struct cgroup *cgroup;
	char *slice_scope;   /* where that is, as a BASE of cgroup.h; NULL: in no slice */
	struct visit *visit; /* who asks for that; NULL: nobody */
	struct group_removal *group_removal; /* of the one before, if that still takes its time */
	struct attachment *attachment;
	struct dns_listener *dns;
	struct log_pump *log;
	int attached_ahead[2]; /* copies of stdout and stderr for who attached before its start */
	struct line_watch *line_watch; /* for a probe of its log; NULL: none */
	int notify_fd;                 /* where it says READY=1, with such a probe */
	int stdin_fd, pty_fd;
	bool tty;

	struct held_port **ports;
	size_t port_count;

	sd_event_source *stop_timer;
	struct health *health;           /* NULL: none */
	enum health_status known_health; /* in this life: outlives the supervisor */
	struct unhealthy_state unhealthy;
	struct drain *drain; /* NULL: it is not being drained */
	enum dependents_due dependents_due;
	struct restart_state *restart;
	struct schedule_state *schedule; /* NULL: none, or not armed yet */
	int64_t scheduled_sec;           /* since 1970: the next run; 0: not known */
	struct hook_state hooks;
	char *hook_error;   /* what failed of the last ones */
	int64_t grace_usec; /* once pre_stop is done */
	int stop_with;      /* this signal, for this once; 0: the service's own */
};

struct instance_origin {
	const struct instance *replaces; /* takes over that one's anonymous volumes; may be NULL */
	const char *request;             /* the client's id of the request */
	bool oneoff, use_aliases, foreground, auto_remove, standby;
};

/* Makes a container of @service as number @number: id, folder, record. */
int instance_create(struct supervisor *supervisor, struct model *model, const char *service,
		    const char *name, unsigned int number, const struct instance_origin *origin,
		    struct instance **ret, struct error *err);
/* An empty one that state.c fills from a record. */
struct instance *instance_new(struct supervisor *supervisor, const char *id);
/* Releases the memory and descriptors, not the container. */
void instance_free(struct instance *instance);

/*
 * Begins to start it. 0: it is under way (or runs already, or waits for its back-off); the events
 * "started" or "failed" follow.
 */
int instance_start(struct instance *instance, struct error *err);
/* Begins to stop it. @grace_usec negative: the service's own. 0 even if it does not run. */
int instance_stop(struct instance *instance, int64_t grace_usec, struct error *err);
/* What it has between being asked to stop and being killed; @asked_usec negative: its own. */
int64_t instance_grace_usec(const struct instance *instance, int64_t asked_usec);
/* Stops one that runs, with its grace, and starts it again: of our own accord, not the user's. */
void instance_restart(struct instance *instance);
/* Starts one that ran before; if it cannot be, its policy says when that is tried again. */
void instance_revive(struct instance *instance);
/* A signal to its first process; with KILL to all that it has. */
int instance_kill(struct instance *instance, int signal, struct error *err);
int instance_pause(struct instance *instance, bool paused, struct error *err);
/* The container must not run. Its folder is moved to the trash, which a job empties. */
int instance_remove(struct instance *instance, bool volumes, struct error *err);
int instance_rename(struct instance *instance, const char *name, struct error *err);

bool instance_runs(const struct instance *instance); /* has a process, or soon has again */
enum container_state instance_reported_state(const struct instance *instance);
enum health_status instance_health(const struct instance *instance);
const char *instance_signal_name(const struct instance *instance);

/* Goes on with post_start where the supervisor before us was. */
void instance_resume_hooks(struct instance *instance);

/* Its slice is there, or (@failure has a code) cannot be: goes on with its start. */
void instance_entered(struct instance *instance, const struct error *failure);
/* Before anything of it was cloned: it is as if it had not been asked for. */
void instance_call_off(struct instance *instance);

/* How the state machine is told; for start.c, restart.c and adopt.c. */
void instance_handle(struct instance *instance, enum instance_event event);

/* The process ended, or was found to have ended. */
void instance_exited(void *instance, const struct process_exit *info);
/*
 * Its process was never let go, for the supervisor that cloned it died: nothing has run, nothing
 * counts, and unless it was stopped meanwhile it is started anew.
 */
void instance_unborn(struct instance *instance);

/*
 * Whether @id may be a container's: its first 12 digits are the host name by default, and one that
 * is nothing but decimal digits is taken for an address by every resolver.
 */
bool instance_id_fits(const char *id);

#endif
