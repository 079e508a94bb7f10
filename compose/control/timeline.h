/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CONTROL_TIMELINE_H
#define COMPOSE_CONTROL_TIMELINE_H

/*
 * timeline.h - what a supervisor leaves of the last start, in the project's state folder:
 *
 *   {command: "up"|"start"|"restart", time: nsec when it began, duration: usec,
 *    omitted: operations beyond TIMELINE_OPERATIONS_MAX,
 *    operations: [{operation, name, service, number, condition: of a wait, as `plan` says them,
 *                  outcome: "done"|"failed"|"skipped", ready, begun, ended: usec since `time`,
 *                  last: index of the prerequisite that ended last, absent without any,
 *                  image: index of the operation that its image came with, if it waited for one}]}
 *
 * What the command pulled and built before it asked for the start (`gathered` of its request:
 * [{operation: "pull_image"|"build_image", name, begun, ended: usec of CLOCK_MONOTONIC, failed}])
 * stands before all else, and `time` is when the first of that began.
 *
 * Prerequisites stand before what waits for them. What was skipped has no `begun`.
 */

#define TIMELINE_FILE           "timeline.json"
#define TIMELINE_OPERATIONS_MAX 4096
#define TIMELINE_MAX_BYTES      (4096 * 1024)

#endif
