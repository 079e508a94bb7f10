/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CONTROL_LOG_NAME_H
#define COMPOSE_CONTROL_LOG_NAME_H

/*
 * log_name.h - what the files of a container's log are called: the supervisor writes them, clients
 * read them.
 *
 * "00000001", "00000002", ... in the order in which they were begun, so that `cat *` is the log. A
 * file keeps its name until it is removed, always the lowest first: who has read file N goes on
 * with N + 1, and where there is none but a higher one, the log was rotated past him.
 */

#include <stdint.h>

#define LOG_NAME_MAX 16

/* @number is at least 1. */
void log_name_format(uint64_t number, char name[LOG_NAME_MAX]);

/* 0: it is none of a log's file. */
uint64_t log_name_parse(const char *name);

/* The highest number in the directory; 0: there is no file. -errno. */
int log_name_newest(int dirfd, uint64_t *ret);

/*
 * Gives numbers to files that were written before there were any: "current", before that "1",
 * before that "2", ... Nothing happens where there are none.
 */
void log_name_number_old(int dirfd);

/* To be read. New fd, or -errno. */
int log_name_open(int dirfd, uint64_t number);
/*
 * The first file after @number that is still there (0: the oldest). New fd, and its number: those
 * between are lost. -ENOENT: there is none (yet).
 */
int log_name_open_newer(int dirfd, uint64_t number, uint64_t *ret_number);

#endif
