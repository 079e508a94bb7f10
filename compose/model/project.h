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
#include "common/listen.h"
#include "common/map.h"

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
	json_t *rest;
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
		json_t *rest;
	} bind;
	struct {
		bool given; /* the file has this block (config prints it) */
		bool nocopy;
		char *subpath;
		struct mapping labels;
		json_t *rest;
	} volume;
	struct {
		bool given;
		struct optional_int size; /* bytes */
		struct optional_int mode; /* permission bits */
		json_t *rest;
	} tmpfs;
	struct {
		bool given;
		char *subpath;
		json_t *rest;
	} image;
	json_t *rest;
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
	json_t *rest;
};

enum condition { CONDITION_STARTED, CONDITION_HEALTHY, CONDITION_COMPLETED };

struct dependency {
	char *service;
	enum condition condition;
	bool restart;
	bool required;
	json_t *rest;
};

struct healthcheck {
	bool given;
	struct argv test; /* args[0] is NONE, CMD or CMD-SHELL */
	struct optional_int interval, timeout, start_period, start_interval; /* usec */
	struct optional_int retries;
	bool disable;
	json_t *rest;
};

/* How the container is asked whether it is ready: exactly one of these is given. */
struct probe_config {
	bool given;
	struct optional_int tcp; /* port */
	struct {
		bool given;
		struct optional_int port;
		char *path;               /* NULL: "/" */
		unsigned int first, last; /* status codes that are good; 0: 200 to 399 */
		struct mapping headers;
		bool tls; /* https; any certificate will do, unless ... */
		char *ca; /* ... there is a file in the container with those to believe */
	} http;
	char *unix_socket; /* path in the container */
	char *log;         /* extended regular expression, of one line */
	char *file;        /* path in the container */
	bool notify;       /* READY=1, as sd_notify(3) */
};

enum unhealthy_action { UNHEALTHY_NONE, UNHEALTHY_RESTART, UNHEALTHY_STOP };

/* What becomes of a run that is due while the one before still goes on. */
enum schedule_overlap { OVERLAP_SKIP, OVERLAP_QUEUE, OVERLAP_REPLACE };

/* A socket that is there before its service, and starts it. */
struct service_socket {
	struct listen_address address;
	char *name; /* in LISTEN_FDNAMES; NULL: the service's */
};
#define SERVICE_SOCKETS_MAX 16

/* services.*.x-berth: what Compose has no word for. */
struct berth_extension {
	bool given;
	struct probe_config probe; /* instead of healthcheck's test */
	struct optional_int interval, timeout, start_period, start_interval; /* usec */
	struct optional_int retries;
	struct {
		bool given;
		enum unhealthy_action action;
		struct optional_int budget, window; /* so many times within so long (usec) */
	} on_unhealthy;
	bool restart_with_dependencies;
	enum tristate systemd; /* its first process is systemd; unset: when it looks like it */
	char *cpuset_mems;     /* memory nodes: "0-1"; NULL: all */
	struct {
		char *calendar; /* common/calendar.h; NULL: none */
		enum schedule_overlap overlap;
		bool persistent; /* what was missed while the machine was off is made up for */
	} schedule;
	struct service_socket *sockets;
	size_t socket_count;
};

/* A row of `secrets` or `configs` of a service. */
struct file_reference {
	char *source; /* key in project->secrets or ->configs */
	char *target;
	char *uid, *gid;
	struct optional_int mode;
	json_t *rest;
};

struct ulimit {
	char *name;         /* "nofile" */
	int64_t soft, hard; /* -1: unlimited */
	bool single;        /* written as one number */
	json_t *rest;
};

struct device {
	char *source, *target, *permissions; /* "/dev/x", "/dev/x", "rwm"; CDI: source only */
	json_t *rest;
};

struct env_file {
	char *path; /* absolute */
	bool required;
	char *format; /* NULL or "raw" */
};

/* `gpus`, and devices of deploy.resources.reservations. */
struct device_request {
	char **capabilities, **device_ids;
	char *driver;
	struct optional_int count; /* -1: all */
	struct mapping options;
	json_t *rest;
};

struct generic_resource {
	bool given; /* of the specification within */
	char *kind;
	struct optional_int value;
	json_t *rest, *outer_rest;
};

struct deploy_resources {
	struct optional_number cpus;
	struct optional_int memory; /* bytes */
	struct optional_int pids;
	struct device_request *devices; /* reservations only, as what follows */
	size_t device_count;
	struct generic_resource *generic_resources;
	size_t generic_resource_count;
	json_t *rest;
};

/* update_config, rollback_config */
struct update_config {
	bool given;
	struct optional_int parallelism;    /* 0: all at once */
	struct optional_int delay, monitor; /* usec */
	char *failure_action;               /* continue, rollback, pause; NULL: pause */
	struct optional_number max_failure_ratio;
	char *order; /* start-first, stop-first; NULL: stop-first */
	json_t *rest;
};

struct placement_preference {
	char *spread;
	json_t *rest;
};

struct placement {
	char **constraints;
	struct placement_preference *preferences;
	size_t preference_count;
	struct optional_int max_replicas_per_node;
	json_t *rest;
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
		json_t *rest;
	} restart_policy;
	struct update_config update_config, rollback_config;
	struct placement placement;
	json_t *resources_rest;
	json_t *rest; /* x-*, as all of this name */
};

struct extra_host {
	char *name, *address; /* address or "host-gateway" */
};

struct logging {
	bool given;
	char *driver;
	struct mapping options;
	json_t *rest;
};

struct blkio_weight {
	char *path; /* of a block device */
	struct optional_int weight;
	json_t *rest;
};

struct blkio_rate {
	char *path;
	struct optional_int rate; /* bytes or operations a second */
	json_t *rest;
};

struct blkio_config {
	bool given;
	struct optional_int weight; /* 10 to 1000 */
	struct blkio_weight *weight_devices;
	struct blkio_rate *read_bps, *read_iops, *write_bps, *write_iops;
	size_t weight_device_count;
	size_t read_bps_count, read_iops_count, write_bps_count, write_iops_count;
	json_t *rest;
};

/* A command at the side: pre_start, post_start, pre_stop, develop.watch.exec. */
struct hook {
	struct argv command; /* pre_start only: may be absent, then the image's */
	char *user, *working_dir;
	enum tristate privileged;
	struct mapping environment;
	char *image;               /* pre_start; NULL: the service's */
	enum tristate per_replica; /* pre_start */
	json_t *rest;
};

struct watch_trigger {
	char *path; /* absolute */
	char *action, *target;
	struct hook exec;
	char **include, **ignore;
	enum tristate initial_sync;
	json_t *rest;
};

struct develop {
	bool given;
	struct watch_trigger *watch;
	size_t watch_count;
	json_t *rest;
};

struct build {
	bool given;
	char *context;    /* absolute, or a URL */
	char *dockerfile; /* as written: below the context, unless absolute */
	char *dockerfile_inline;
	char **entitlements;
	struct mapping args;     /* without a value: the client's, or unset */
	char *provenance, *sbom; /* "true", "mode=max", ... */
	struct mapping ssh;      /* id: path or NULL */
	struct mapping labels;
	char **cache_from, **cache_to, **no_cache_filter;
	enum tristate no_cache, pull, privileged;
	struct mapping additional_contexts; /* a path is absolute; service:X; docker-image://... */
	struct extra_host *extra_hosts;
	size_t extra_host_count;
	char *isolation, *network, *target;
	struct file_reference *secrets;
	size_t secret_count;
	struct optional_int shm_size;
	char **tags, **platforms;
	struct ulimit *ulimits;
	size_t ulimit_count;
	json_t *rest;
};

struct provider_option {
	char *name, **values;
};

struct provider {
	bool given;
	char *type;
	struct provider_option *options;
	size_t option_count;
	json_t *rest;
};

/* services.*.models.KEY */
struct service_model {
	char *name; /* key in project->models */
	char *endpoint_var, *model_var;
	bool given;
	json_t *rest;
};

struct credential_spec {
	bool given;
	char *config, *file, *registry;
	json_t *rest;
};

struct service {
	char *name;
	char *image, *platform, *pull_policy, *pull_refresh_after;
	struct build build;
	struct develop develop;
	struct provider provider;
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
	struct berth_extension berth; /* read from x-berth, which `rest` has as written */
	char *restart;                /* no, always, on-failure[:N], unless-stopped; NULL: no */
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
	struct device_request *gpus;
	size_t gpu_count;
	struct hook *pre_start, *post_start, *pre_stop;
	size_t pre_start_count, post_start_count, pre_stop_count;
	char **label_files; /* absolute paths; load reads them into labels */
	struct service_model *models;
	size_t model_count;
	struct credential_spec credential_spec;
	bool use_api_socket;
	char *isolation;
	struct blkio_config blkio;
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
	struct optional_int cpu_count; /* Windows only, as the next */
	struct optional_number cpu_percent;
	char *cpuset;

	json_t *rest; /* x-* in canonical form, kept for `config`; may be NULL */
};

struct ipam_config {
	char *subnet, *ip_range, *gateway;
	struct mapping aux_addresses;
	json_t *rest;
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
		json_t *rest;
	} ipam;
	json_t *rest;
};

/* volumes.*.x-berth: whose a volume is that berth makes. */
struct volume_extension {
	bool given;
	struct optional_int uid, gid, mode;
};

struct volume {
	char *key, *name;
	char *driver;
	struct mapping driver_opts, labels;
	bool external;
	struct volume_extension berth; /* read from x-berth, which `rest` has as written */
	json_t *rest;
};

/* A top-level secret or config: one of file, environment, content, external, credential. */
struct file_object {
	char *key, *name;
	char *file;        /* absolute path */
	char *environment; /* variable's name */
	char *content;     /* text; for an environment source the client fills it in */
	bool external;
	struct mapping labels, driver_opts;
	char *driver, *template_driver; /* Swarm's */
	struct {
		char *credential; /* of systemd's; goes before file and external */
	} berth;                  /* read from x-berth, which `rest` has as written */
	json_t *rest;
};

/* A top-level model. */
struct ai_model {
	char *key, *name, *model;
	struct optional_int context_size;
	char **runtime_flags;
	json_t *rest;
};

struct project {
	char *name;
	char *working_dir;        /* absolute */
	char **config_files;      /* absolute */
	char **env_files;         /* --env-file as given; for the label project.environment_file */
	char **proxies;           /* NAME=VALUE for containers: of whoever asked for them */
	char **disabled_services; /* names hidden by profiles: their containers are no orphans */
	struct service *services;
	size_t service_count;
	struct network *networks;
	size_t network_count;
	struct volume *volumes;
	size_t volume_count;
	struct file_object *secrets, *configs;
	size_t secret_count, config_count;
	struct ai_model *models;
	size_t model_count;
	json_t *rest; /* top-level x-* */
};

#define PROJECT_INTERNAL_KEY "x-berth"

struct project *project_new(void);
void project_free(struct project *project);

struct service *project_service(const struct project *project, const char *name);
/*
 * The services of @names (NULL or empty: all), by name, with what they depend on unless
 * @no_deps; a name that the project does not have selects nothing. @selected borrows them.
 */
void project_select(const struct project *project, char *const *names, bool no_deps,
		    struct map *selected);
/* "no such service", with the one that was meant, if a name is near; -ENOENT. */
int project_no_such_service(const struct project *project, const char *name, struct error *err);
struct network *project_network(const struct project *project, const char *key);
struct volume *project_volume(const struct project *project, const char *key);
struct file_object *project_secret(const struct project *project, const char *key);
struct file_object *project_config(const struct project *project, const char *key);
struct ai_model *project_model(const struct project *project, const char *key);
/* A URL, or another service's image (service:NAME), rather than a folder. */
bool build_context_is_remote(const char *context);
const char *mapping_get(const struct mapping *mapping, const char *key);

/*
 * The canonical form, byte for byte what `docker compose config --format json` gives ("$" is not
 * doubled here). New reference. With working_dir and config_files under PROJECT_INTERNAL_KEY when
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
/*
 * The same of what cannot be changed in a container that there is: without labels, limits, the
 * restart policy, health checks, logging, published ports and what else only berth looks at.
 */
void service_fixed_hash(const struct project *project, const struct service *service,
			char ret_hex[65]);
void network_hash(const struct network *network, char ret_hex[65]);
void volume_hash(const struct volume *volume, char ret_hex[65]);
/* What is hashed; new reference. */
json_t *network_canonical(const struct network *network);
json_t *volume_canonical(const struct volume *volume);
/* Of two such: as service_changes(), sorted by field. */
json_t *object_changes(json_t *before, json_t *after);

/* Why @key of `sysctls` would change more than the container; NULL: it is its own. */
const char *service_sysctl_refusal(const struct service *service, const char *key);

/* How many containers: none of a provider; else scale, deploy.replicas, or 1. */
unsigned int service_replicas(const struct service *service);

/*
 * Compares two canonical services and lists the attributes that differ, as "ports, image".
 * Empty text: nothing that asks for a new container.
 */
char *service_difference(const json_t *before, const json_t *after);
/*
 * The same down to single values: an array of {field: "environment.A", old, new}, where null
 * stands for what is not there. New reference.
 */
json_t *service_changes(const json_t *before, const json_t *after);

#endif
