/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_REPLICA_H
#define COMPOSE_MODEL_REPLICA_H

/*
 * replica.h - what is another in each container of a service: Swarm's placeholders, in values of
 * `environment` and `labels`, in `hostname`, in the source of a bind mount and in a volume's
 * subpath. {{.Task.Slot}} is the container's number, from 1; {{.Task.Name}} and {{.Task.ID}} are
 * its name and id; {{.Service.Name}} and {{.Node.Hostname}}, the machine's name, are the same for
 * all. Blanks may stand inside the braces. Whatever else stands in braces is left as it is: it is
 * somebody else's template.
 */

struct replica {
	const char *service, *name, *id;
	unsigned int number;
};

/* @text with its placeholders filled in, new; NULL: it is NULL, or has none. */
char *replica_expand(const struct replica *replica, const char *text);

#endif
