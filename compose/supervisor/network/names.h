/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NETWORK_NAMES_H
#define COMPOSE_SUPERVISOR_NETWORK_NAMES_H

/*
 * names.h - what a container knows of names and what others call it: hosts, hostname and
 * resolv.conf (files in BERTH_RUNTIME_DIR, mounted over the image's), and entries in the DNS.
 *
 * The files are written in names_files.c, the DNS is told in names.c.
 */

#include "compose/supervisor/instance/instance.h"

/* Whether containers have names on this network at all. */
bool names_are_on(const char *network);
/* Whether an entry of external_links is on a network of this one, and runs. */
bool names_link_reaches(const struct instance *instance, const char *link);

/* Writes the files as they are to be at this start; an fd of their directory. */
int names_write(struct instance *instance, struct error *err);
void names_remove_files(struct instance *instance);

/* The name server for a container: takes both sockets, opened inside its network namespace. */
int names_listen(struct instance *instance, int udp_fd, int tcp_fd, struct error *err);
/* Others find it from now on, or no longer. */
void names_announce(struct instance *instance);
void names_withdraw(struct instance *instance);
/* It is no longer on that network. */
void names_leave(struct instance *instance, const char *network);
/* Its name server answers for the networks that it is on now. */
void names_networks_changed(struct instance *instance);
/* Other projects on its networks know what was announced and withdrawn when this returns. */
void names_flush(struct supervisor *supervisor);
/* All that runs was found again and announced. */
void names_settle(struct supervisor *supervisor);

/* An address on the host that this container reaches: for `host-gateway`. */
void names_host_gateway(const struct instance *instance, char *buffer, size_t size);

#endif
