/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_PROJECT_H
#define COMPOSE_MODEL_PROJECT_H

/*
 * project.h - what a Compose project asks for, after everything that files could leave open is
 * decided: merged, interpolated, with defaults, absolute paths and canonical forms.
 *
 * Plain data that the project owns; names and meanings are the Compose Specification's. A string
 * that was not given is NULL, a list that was not given is NULL (an empty one too, unless the
 * difference matters: then there is a flag). Sizes are bytes, durations microseconds.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

enum tristate { TRI_UNSET = 0, TRI_FALSE, TRI_TRUE };

struct optional_int {
	bool set;
	int64_t value;
};

struct optional_number {
	bool set;
	double value;
};

/* command, entrypoint, healthcheck.test: absent, cleared by [] or '', or given. */
struct argv {
	bool set;    /* said in the file, though possibly empty */
	char **args; /* the words; NULL when empty */
};

/* KEY=VALUE with the third state that env needs: a key without a value unsets the image's. */
struct key_value {
	char *key;
	char *value; /* NULL: no value */
};

struct mapping {
	struct key_value *items;
	size_t count;
};

enum port_protocol { PORT_TCP, PORT_UDP, PORT_SCTP };

/* One row of `ports`, in long form; ranges with equal counts are one row a port. */
struct port {
	char *name, *mode, *app_protocol;
	char *host_ip;   /* NULL: all addresses, both families */
	char *published; /* "8080", "8000-8010" (pick a free one), NULL: ephemeral */
	uint16_t target;
	enum port_protocol protocol;
};

enum mount_type {
	MOUNT_VOLUME,
	MOUNT_BIND,
	MOUNT_TMPFS,
	MOUNT_IMAGE,
	MOUNT_NPIPE,
	MOUNT_CLUSTER,
};

/* One row of `volumes`, in long form. */
struct mount {
	enum mount_type type;
	char *source; /* key in project->volumes, absolute host path, or image; NULL: anonymous */
	char *target; /* absolute, cleaned */
	bool read_only;
	char *consistency;
	struct {
		char *propagation;
		enum tristate create_host_path;
		char *recursive, *selinux;
	} bind;
	struct {
		bool given; /* the file has this block (config prints it) */
		bool nocopy;
		char *subpath;
		struct mapping labels;
	} volume;
	struct {
		bool given;
		struct optional_int size; /* bytes */
		struct optional_int mode; /* permission bits */
	} tmpfs;
	struct {
		bool given;
		char *subpath;
	} image;
};

/* services.*.networks.KEY */
struct service_network {
	char *name; /* key in project->networks */
	char **aliases;
	char *ipv4_address, *ipv6_address, *mac_address, *interface_name;
	char **link_local_ips;
	struct mapping driver_opts;
	struct optional_int priority, gw_priority;
	bool given; /* the file has a map here, not null (config prints it) */
};

enum condition { CONDITION_STARTED, CONDITION_HEALTHY, CONDITION_COMPLETED };

struct dependency {
	char *service;
	enum condition condition;
	bool restart;
	bool required;
};

struct healthcheck {
	bool given;
	struct argv test; /* args[0] is NONE, CMD or CMD-SHELL */
	struct optional_int interval, timeout, start_period, start_interval; /* usec */
	struct optional_int retries;
	bool disable;
};

/* A row of `secrets` or `configs` of a service. */
struct file_reference {
	char *source; /* key in project->secrets or ->configs */
	char *target;
	char *uid, *gid;
	struct optional_int mode;
};

struct ulimit {
	char *name;         /* "nofile" */
	int64_t soft, hard; /* -1: unlimited */
	bool single;        /* written as one number */
};

struct device {
	char *source, *target, *permissions; /* "/dev/x", "/dev/x", "rwm"; CDI: source only */
};

struct env_file {
	char *path; /* absolute */
	bool required;
	char *format; /* NULL or "raw" */
};

struct deploy_resources {
	struct optional_number cpus;
	struct optional_int memory; /* bytes */
	struct optional_int pids;
};

struct deploy {
	bool given;
	char *mode, *endpoint_mode;
	struct optional_int replicas;
	struct mapping labels;
	struct deploy_resources limits, reservations;
	struct {
		bool given;
		char *condition;                   /* none, on-failure, any */
		struct optional_int delay, window; /* usec */
		struct optional_int max_attempts;
	} restart_policy;
	json_t *rest; /* further keys, kept for `config`; may be NULL */
};

struct extra_host {
	char *name, *address; /* address or "host-gateway" */
};

struct logging {
	bool given;
	char *driver;
	struct mapping options;
};

struct service {
	char *name;
	char *image, *platform, *pull_policy;
	struct argv command, entrypoint;
	struct mapping environment; /* env_file resolved into it */
	struct env_file *env_files;
	size_t env_file_count;
	struct mapping labels, annotations;
	struct port *ports;
	size_t port_count;
	char **expose;
	struct service_network *networks; /* in the file's order; none with network_mode */
	size_t network_count;
	char *network_mode; /* none, host, bridge, service:X, container:X; NULL: networks */
	struct mount *volumes;
	size_t volume_count;
	char **tmpfs; /* "/run:size=64m,mode=1777" */
	char **volumes_from;
	struct dependency *depends_on;
	size_t dependency_count;
	struct healthcheck healthcheck;
	char *restart; /* no, always, on-failure[:N], unless-stopped; NULL: no */
	struct deploy deploy;
	struct optional_int scale;

	char *user, *working_dir, *hostname, *domainname, *container_name;
	char **group_add;
	enum tristate init, tty, stdin_open, privileged, read_only, oom_kill_disable, attach;
	char *stop_signal;
	struct optional_int stop_grace_period; /* usec */
	char **cap_add, **cap_drop, **security_opt;
	struct mapping sysctls;
	struct ulimit *ulimits;
	size_t ulimit_count;
	struct device *devices;
	size_t device_count;
	char **device_cgroup_rules;
	struct extra_host *extra_hosts;
	size_t extra_host_count;
	char **dns, **dns_search, **dns_opt;
	char **links, **external_links;
	struct file_reference *secrets, *configs;
	size_t secret_count, config_count;
	char **profiles;
	struct logging logging;
	char *pid, *ipc, *uts, *userns_mode, *cgroup, *cgroup_parent, *runtime;
	char *mac_address;
	struct mapping storage_opt;

	struct optional_number cpus;
	struct optional_int shm_size, mem_limit, mem_reservation, memswap_limit; /* bytes; -1 */
	struct optional_int mem_swappiness, pids_limit, oom_score_adj;
	struct optional_int cpu_shares, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime;
	char *cpuset;

	bool has_build; /* the file has `build`, which load refuses or warns about */
	json_t *rest;   /* x-* and other keys in canonical form, kept for `config`; may be NULL */
};

struct ipam_config {
	char *subnet, *ip_range, *gateway;
	struct mapping aux_addresses;
};

struct network {
	char *key;  /* in the file */
	char *name; /* on the machine: PROJECT_KEY unless said */
	char *driver;
	struct mapping driver_opts, labels;
	bool external, internal, attachable;
	enum tristate enable_ipv4, enable_ipv6;
	struct {
		char *driver;
		struct ipam_config *configs;
		size_t config_count;
		struct mapping options;
	} ipam;
	json_t *rest;
};

struct volume {
	char *key, *name;
	char *driver;
	struct mapping driver_opts, labels;
	bool external;
	json_t *rest;
};

/* A top-level secret or config: exactly one of file, environment, content, external. */
struct file_object {
	char *key, *name;
	char *file;        /* absolute path */
	char *environment; /* variable's name */
	char *content;     /* text; for an environment source the client fills it in */
	bool external;
	struct mapping labels;
	json_t *rest;
};

struct project {
	char *name;
	char *working_dir;        /* absolute */
	char **config_files;      /* absolute */
	char **env_files;         /* --env-file as given; for the label project.environment_file */
	char **disabled_services; /* names hidden by profiles: their containers are no orphans */
	struct service *services;
	size_t service_count;
	struct network *networks;
	size_t network_count;
	struct volume *volumes;
	size_t volume_count;
	struct file_object *secrets, *configs;
	size_t secret_count, config_count;
	json_t *rest; /* top-level x-* */
};

struct project *project_new(void);
void project_free(struct project *project);

struct service *project_service(const struct project *project, const char *name);
struct network *project_network(const struct project *project, const char *key);
struct volume *project_volume(const struct project *project, const char *key);
struct file_object *project_secret(const struct project *project, const char *key);
struct file_object *project_config(const struct project *project, const char *key);
const char *mapping_get(const struct mapping *mapping, const char *key);

/*
 * The canonical form, byte for byte what `docker compose config --format json` gives ("$" is not
 * doubled here). New reference. With working_dir and config_files under "x-berth" when
 * @internal: that is the form for the control socket and the disk.
 */
json_t *project_to_json(const struct project *project, bool internal);

/* Reads the canonical form back; strict, since it comes through a socket or from the disk. */
int project_from_json(const json_t *json, struct project **ret, struct error *err);

/*
 * sha256 of what makes a container of this service what it is: its canonical JSON without build,
 * pull_policy, scale, deploy.replicas, depends_on, profiles; with what the top-level networks,
 * volumes, secrets and configs it uses say (content of secrets and configs included).
 */
void service_hash(const struct project *project, const struct service *service, char ret_hex[65]);
void network_hash(const struct network *network, char ret_hex[65]);
void volume_hash(const struct volume *volume, char ret_hex[65]);

/* How many containers: scale, else deploy.replicas, else 1. */
unsigned int service_replicas(const struct service *service);

/*
 * Compares two canonical services and lists the attributes that differ, as "ports, image".
 * Empty text: nothing that asks for a new container.
 */
char *service_difference(const json_t *before, const json_t *after);

#endif
