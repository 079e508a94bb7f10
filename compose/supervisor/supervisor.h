/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_SUPERVISOR_H
#define COMPOSE_SUPERVISOR_SUPERVISOR_H

/*
 * supervisor.h - everything that one project's supervisor has at hand.
 *
 * One thread, one event loop. Each member belongs to the file of its name; the others only call
 * that file's functions.
 */

#include <stdbool.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>

#include "common/error.h"
#include "common/map.h"

#include "netmgr/dns/server.h"
#include "netmgr/network.h"
#include "runtime/image/image.h"
#include "volumes/volume.h"

#include "compose/model/project.h"

struct roster;
struct instance;
struct process_exit;
struct visit;

/* A project as a client once had it accepted; containers keep the one they were made from. */
struct model {
	char hash[65];
	unsigned int refs;
	struct project *project;
};

struct supervisor {
	sd_event *event;
	char *project;       /* name */
	char *title;         /* "__supervisor" in our command line */
	char *runtime_path;  /* BERTH_RUNTIME_DIR/projects/NAME */
	char *cgroup_base;   /* paths_cgroup_base() */
	int state_dir;       /* BERTH_ROOT/projects/NAME */
	int containers_dir;  /* ... /containers */
	int accepted_dir;    /* ... /accepted: HASH.json */
	int runtime_dir;     /* runtime_path */
	struct rlimit files; /* as berth was started: what containers inherit */
	bool ending;
	bool shutdown;       /* asked to leave, though stopped containers remain */
	bool removed;        /* `down` took everything: the state goes too */
	bool default_bridge; /* some container of it was on the network "bridge" */
	bool met;            /* somebody came to ask, or whoever started us has had the time to */
	struct sd_event_source *patience; /* with guests, when all else is done; NULL: not yet */
	struct sd_event_source *starter;  /* a unit's, which is still to bring us up; NULL: none */

	struct keeper_client *keeper;
	struct image_store *images;
	struct volume_store *volumes;
	struct network_store *networks;
	struct dns_server *dns; /* made with the first listener */
	struct roster *roster;  /* and this: names of other projects' containers */

	struct model *current;     /* what the project is now; NULL: nothing was ever accepted */
	struct map models;         /* hash: struct model */
	struct map image_cache;    /* id or name as asked for: struct image; see observe.h */
	struct map networks_ready; /* name: struct network_info, ensured since we started */
	char **networks_made;      /* records only, so far: the first use makes all of them ready */
	struct map instances;      /* id: struct instance */
	struct log_journal *journal;
	struct children *children;
	struct jobs *jobs;
	struct prober *prober; /* NULL: there was no need for one yet */
	struct ports *ports;
	struct sockets *sockets;
	struct visit *visits; /* to slices of systemd: slices.h */
	struct events *events;
	struct executor *executor;
	struct server *server;
	struct exec_sessions *execs;
	struct oneoffs *oneoffs;
	struct firewall_watch *firewall_watch; /* NULL: nobody tells of other firewalls */
	struct notifier *notifier;             /* NULL: we are no unit of systemd's */
	struct map keeper_fds; /* at start only: what the keeper had, not yet claimed */
};

/* An fd that the keeper had under this name; the caller's. -EBADF: it had none. */
int supervisor_claim_fd(struct supervisor *supervisor, const char *name);

/*
 * Called when something ended: leaves when nothing is left to do, that is no container, no client
 * and no operation. @removed: `down` took the last container, so the project's state goes too.
 * Who asked for that is answered when everything is gone, or as soon as something keeps us here.
 */
void supervisor_maybe_end(struct supervisor *supervisor);

/* The instance with this id, unambiguous id prefix (12 or more) or name; NULL. */
struct instance *supervisor_find(struct supervisor *supervisor, const char *id_or_name);
/* By service and number (0: the lowest that runs, else the lowest). */
struct instance *supervisor_find_service(struct supervisor *supervisor, const char *service,
					 unsigned int number);

#endif
