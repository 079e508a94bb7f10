/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_STATE_H
#define COMPOSE_SUPERVISOR_STATE_H

/*
 * state.h - what of a project is on disk, all below BERTH_ROOT/projects/NAME:
 *
 *     project.json            the project as last accepted
 *     timeline.json           when what of the last start happened
 *     accepted/HASH.json      the same, and older ones that containers were made from
 *     containers/ID/record.json, upper/, work/, logs/
 *     trash/                  container folders on their way out
 *
 * The supervisor is the only writer. Each file is replaced whole by rename; nothing waits for the
 * disk but state_tidy_later(), once for a group of operations. A folder without a readable record
 * is a container that was never finished (or that a power cut took): it is swept with a log line.
 */

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/supervisor.h"

/* Opens, and makes, the folders. */
int state_open(struct supervisor *supervisor, struct error *err);
/* Reads project.json and all records into supervisor->current and ->instances. */
int state_load(struct supervisor *supervisor, struct error *err);

/* Writes the record as it is now. */
int state_write(struct instance *instance, struct error *err);
/* The same where the caller cannot but log a failure. */
void state_note(struct instance *instance);
/* Moves the container's folder to the trash; -ENOENT is no failure. */
int state_discard(struct instance *instance, struct error *err);

/*
 * Of a container nobody knows of what it was attached to, since whoever attached it was killed
 * before it could write that down: whatever it holds in a network of ours. May be NULL.
 */
struct attachment *state_attachment_unknown(struct supervisor *supervisor, const char *id);
/*
 * At start: what lies in the trash may still have addresses and firewall rules, which the
 * supervisor that threw it there did not come to give back.
 */
void state_finish_removals(struct supervisor *supervisor);

/* Empties the trash and brings what was written to the disk, in a job. */
void state_tidy_later(struct supervisor *supervisor);
/* The first half of that: while something goes on that leaves nothing worth a wait for the disk. */
void state_empty_trash(struct supervisor *supervisor);
/* The project is no more: removes its folder. */
void state_remove(struct supervisor *supervisor);

#endif
