/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_TRANSLATE_CHECK_H
#define COMPOSE_SUPERVISOR_TRANSLATE_CHECK_H

/*
 * check.h - what can be seen to be wrong with a service before anything is made for it, and so
 * before what runs makes room for it.
 *
 * Refused is only what is certain: what an image, a volume or another service may still bring
 * until the container's start is not looked at. The error bears its place (compose/control/
 * place.h). What several services share, an image's tree above all, is looked at once in a room.
 */

#include "compose/supervisor/translate/mounts.h"

struct check_wish {
	const struct service *service;
	bool made;     /* it gets a container; else the one that runs is updated */
	bool started;  /* and that is started */
	bool replaces; /* one that is there makes room for it */
	bool oneoff;   /* whose failure at its start has an exit code of its own: `run` */
};

struct check_room;

struct check_room *check_room_new(struct supervisor *supervisor, const struct project *project);
void check_room_free(struct check_room *room);
int check_wished(struct check_room *room, const struct check_wish *wish, struct error *err);
/* The part of it that needs the image: where that came only now. */
int check_image(struct check_room *room, const struct check_wish *wish, struct error *err);
/* What will not be as asked for, and stops nothing; strv, the room's. */
char *const *check_warnings(const struct check_room *room);

/* The parts, for each other. */
struct image_tree;
struct check_room {
	struct supervisor *supervisor;
	const struct project *project;
	struct image_tree *trees;
	size_t tree_count;
	char **profiles; /* of seccomp, read and found good */
	char **warnings;
};

/* check_limits.c: of what translate_resources() made. */
int check_limits(const struct service *service, const struct resources_spec *resources,
		 struct error *err);
/* check_machine.c: what the kernel has to know. */
int check_machine(struct check_room *room, const struct check_wish *wish, struct error *err);
/* check_mounts.c */
int check_mounts(struct check_room *room, const struct check_wish *wish, struct error *err);
/* Whether another service, once it runs, can make or change what is at @path of the host. */
bool check_may_be_made(const struct check_room *room, const struct service *service,
		       const char *path);
/* 1: a directory will be mounted, 0: something else; negative: that is not known yet. */
int check_bind_is_directory(const struct check_room *room, const struct service *service,
			    const struct mount *mount);
/* check_others.c: containers that are called by name. */
int check_others(struct check_room *room, const struct check_wish *wish, struct error *err);

#endif
