/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_VIEW_TERMINAL_H
#define COMPOSE_CLI_VIEW_TERMINAL_H

/*
 * terminal.h - the terminal that we were started from, while its keys are somebody else's.
 */

#include <stdbool.h>
#include <sys/types.h>

/*
 * Every key as it is, and no echo, until terminal_restore() or our end by a signal. While we are
 * stopped the terminal is as it was before.
 */
void terminal_make_raw(void);
/* Keys at once and without echo, but Ctrl-C still is one for us. */
void terminal_make_quick(void);
void terminal_restore(void);
/*
 * How often we were stopped (Ctrl-Z) and went on since the first call. From then on poll() may be
 * interrupted by that.
 */
unsigned int terminal_resumes(void);
/* Whether what is typed and drawn at terminal @fd is ours: we are no job in the background. */
bool terminal_is_ours(int fd);
/* We are in the foreground again: what was changed is so again. A signal does that by itself. */
void terminal_regain(void);
/* In a child process: what its parent changed is the parent's to put back. */
void terminal_leave_to_parent(void);
/* The pty behind @master is as large as the terminal. */
void terminal_copy_size(int master);
/* A signalfd that is readable when the terminal's size has changed. */
int terminal_watch_size(void);

/* Bytes moved, 0 at the end (a pty says EIO when its last writer has gone). */
ssize_t terminal_copy_some(int from, int to);

#endif
