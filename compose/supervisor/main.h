/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_MAIN_H
#define COMPOSE_SUPERVISOR_MAIN_H

/*
 * main.h - the processes of a project, as hidden commands of the one program.
 *
 * `berth __keeper PROJECT` starts `berth __supervisor PROJECT` with the supervisor's end of their
 * socket pair as fd 3, and starts it again whenever it dies. That one
 * starts `berth __prober PROJECT` when there is a health check with a command.
 */

int keeper_main(int argc, char **argv);
int supervisor_main(int argc, char **argv);
int prober_main(int argc, char **argv);

#endif
