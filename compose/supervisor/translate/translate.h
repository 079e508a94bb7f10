/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_TRANSLATE_TRANSLATE_H
#define COMPOSE_SUPERVISOR_TRANSLATE_TRANSLATE_H

/*
 * translate.h - from a service, in Compose's words, and its image to a container_spec, in the
 * kernel's. Defaults are Docker's.
 *
 * A translation owns everything its spec points to; it is made for one birth and released after
 * the clone.
 */

#include "runtime/container/spec.h"
#include "runtime/image/image.h"

#include "compose/supervisor/instance/instance.h"

struct translation {
	struct instance *instance;
	const struct service *service;
	const struct project *project;
	const struct image *image;

	struct container_spec spec;
	struct resources_spec resources;

	/* what the spec's arrays are */
	char **env;
	struct rlimit_spec *rlimits;
	struct sysctl_spec *sysctls;
	struct mount_spec *mounts;
	struct device_spec *devices;
	struct device_rule *device_rules;
	size_t device_rule_count;
	struct block_limit *block_weights, *block_rates;

	void **owned;
	size_t owned_count;
	int *fds;
	size_t fd_count;
	struct sock_fprog *seccomp;
};

/* Network "bridge", which all projects share, goes with its last container. */
void translate_release_default_bridge(struct supervisor *supervisor);

/* All of it. Networks must be there; takes leases on the first start. */
int translate(struct instance *instance, const struct image *image, struct translation *ret,
	      struct error *err);
/* Only spec.rootfs: the container's layers. */
int translate_root(struct translation *ret, struct instance *instance, const struct image *image,
		   struct error *err);
void translation_done(struct translation *translation);

/* Hands a malloc()ed thing or a descriptor to the translation; returns it. */
void *translation_own(struct translation *translation, void *p);
int translation_own_fd(struct translation *translation, int fd);

/* @fd, a detached mount, is taken; @target lives as long as the translation. */
bool translation_mounts(const struct translation *translation, const char *target);
void translation_add_mount(struct translation *translation, int fd, const char *target,
			   bool directory);

/* A device node; what is negative (or 0 as the type) is @source's own. */
struct device_node {
	const char *source, *target, *permissions;
	char type;
	int64_t major, minor, mode, uid, gid;
};
int translation_add_node(struct translation *translation, const struct device_node *wish,
			 struct error *err);

#define MEMORY_MIN_BYTES ((int64_t)6 << 20) /* with less no container starts; as Docker */

int translate_process(struct translation *translation, struct error *err);
/* Of the first one: the program's filter of calls, by `security_opt`. */
int translate_seccomp(struct translation *translation, struct error *err);
/* The value of "KEY=VALUE" or "KEY:VALUE" in security_opt; "" for KEY alone; NULL: not there. */
const char *translate_security_option(const struct service *service, const char *key);
/* What the image's names of programs are looked up along, without one in the service. */
#define TRANSLATE_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* Of an exec: capabilities, seccomp, limits as the container has them. */
int translate_exec_process(struct translation *translation, bool privileged, struct error *err);
int translate_resources(struct translation *translation, struct error *err);
int translate_mounts(struct translation *translation, struct error *err);
/*
 * The path of a credential of systemd's: the unit's, or one that stands unencrypted in credstore.
 * New string.
 */
int translate_credential(const char *name, char **ret, struct error *err);
/* Devices by name (CDI): before resources and mounts. */
int translate_cdi(struct translation *translation, struct error *err);
int translate_network(struct translation *translation, struct error *err);
/* Of a network that its service has under @key: for one more of a running container. */
struct endpoint_options;
int translate_endpoint(struct instance *instance, const char *key, struct endpoint_options *ret,
		       struct error *err);
/* Of one that is not there yet, under a name for it: what it borrows is the project's. */
void translate_endpoint_row(const struct project *project, const struct service *service,
			    const struct service_network *row, const char *container,
			    struct endpoint_options *ret);
int translate_namespaces(struct translation *translation, struct error *err);
/*
 * Whether its first process will be systemd, into instance->systemd: an init by name whose image
 * has systemd, or what `x-berth.systemd` says. The rest of the translation goes by it. After
 * translate_namespaces().
 */
int translate_systemd(struct translation *translation, struct error *err);
/* Memory file systems that systemd expects and could not mount: where nothing else is mounted. */
int translate_systemd_mounts(struct translation *translation, struct error *err);
/* What tells systemd, and what it starts, that they are in a container. */
void translate_systemd_environment(struct translation *translation);
/* Asks systemd to shut down; it ends with all that it started. */
#define SYSTEMD_STOP_SIGNAL "SIGRTMIN+3"

/* The words of the container's first process; a part of the image's that the service replaces. */
char **translate_arguments(const struct service *service, const struct image *image);
/* The mask for `privileged`, `cap_add` and `cap_drop`. */
int translate_capabilities(const struct service *service, uint64_t *ret, struct error *err);
/* The host name in the container, new. */
char *translate_hostname(const struct instance *instance);
/* @text with what model/replica.h says filled in, new; NULL: it has nothing of that. */
char *translate_replica(const struct instance *instance, const char *text);

/* Where a mount of a service comes from: for volumes_from, ps, and anonymous volumes. */
const char *translate_volume_name(const struct instance *instance, const struct mount *mount);
/* Paths for which the image wants a volume and the service mounts nothing. New list. */
char **translate_image_volumes(const struct service *service, const struct image *image);
/* A volume that wants filling, and from where in the image; false when there is none at @index. */
bool translate_populate_row(const struct instance *instance, const struct image *image,
			    size_t index, const char **ret_volume, const char **ret_target);
/* The image's tree as one detached read-only mount. */
int translate_image_tree(struct image_store *store, const struct image *image, struct error *err);
/* A detached read-only mount of the image's tree, or of @subpath (may be NULL) in it. */
int translate_image_part(struct image_store *store, const struct image *image, const char *subpath,
			 bool *ret_directory, struct error *err);

#endif
