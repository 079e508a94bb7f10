/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PS_ROWS_H
#define COMPOSE_CLI_PS_ROWS_H

/*
 * ps_rows.h - a container as `docker compose ps` words it.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The object that --format json prints and templates read. New reference. */
json_t *ps_row(const char *project, const json_t *container, bool truncate, int64_t now_nsec);

/* "0.0.0.0:8000-8001->8000-8001/tcp, [::]:80->8080/tcp, 53/udp" as docker sums them up. New. */
char *ps_ports(const json_t *publishers);

/* "Up 2 minutes (healthy)", "Exited (0) 3 seconds ago". New. */
char *ps_status(const json_t *container, int64_t now_nsec);

#endif
