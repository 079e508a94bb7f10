/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_BUILDER_H
#define RUNTIME_BUILD_BUILDER_H

/*
 * builder.h - a Dockerfile becomes an image.
 *
 * The stages that the wanted one needs become steps; a step runs as soon as what it stands upon
 * and what it copies from is there, side by side with others, each in a process of its own that
 * dies with the builder. What a step made is a layer of the store and a record of the cache
 * (cache.h), under a key of its instruction, what it stands upon, and the content that it reads:
 * the next build finds it, also after a restart. The image is in the store once all of it is;
 * what failed or was killed leaves only finished steps.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#include "runtime/container/spec.h"
#include "runtime/image/image.h"

struct build_secret {
	const char *id;
	const char *path; /* a file, or NULL: */
	const char *value;
};

struct build_ssh {
	const char *id;     /* "default" */
	const char *socket; /* an agent's */
};

enum build_output {
	BUILD_OUTPUT_IMAGE,
	BUILD_OUTPUT_FOLDER, /* the files, into the folder output_fd; they are the caller's */
	BUILD_OUTPUT_TAR,    /* the files, to output_fd */
};

struct build_options {
	/* A directory, a git URL, the URL of a tar or a Dockerfile; "-": context_fd; "": none. */
	const char *context;
	int context_fd;                /* with "-": a tar or a Dockerfile, pipe or file */
	const char *dockerfile;        /* below the context unless absolute; NULL: "Dockerfile" */
	const char *dockerfile_inline; /* its text instead */
	char *const *args;             /* NAME=VALUE */
	const char *target;            /* a stage; NULL: the last one */
	char *const *labels;           /* NAME=VALUE, put upon the image */
	enum build_output output;
	int output_fd;
	const char *output_prefix; /* of a tar: see layer_pack_start() */
	char *const *annotations;  /* NAME=VALUE, of the manifest */
	char *const *tags;         /* references, at least one for a named image */
	char *const *contexts;     /* NAME=PATH, docker-image://REF, oci-layout://PATH, a git URL */
	const struct build_secret *secrets;
	size_t secret_count;
	const struct build_ssh *ssh;
	size_t ssh_count;
	const char *network;      /* default, none or host; NULL: default */
	char *const *extra_hosts; /* "ADDRESS\tNAME"; the address may be "host-gateway" */
	const char *platform;     /* NULL: this machine's */
	const struct rlimit_spec *rlimits;
	size_t rlimit_count;
	int64_t shm_bytes, memory_bytes; /* 0: default, none */
	bool no_cache, pull, insecure;   /* insecure: RUN --security=insecure is allowed */
	bool check_only;                 /* reads and checks, builds nothing */
	char *const *no_cache_filter;    /* stages that are built anew */
	char *const *cache_from;         /* type=local,src=DIR; type=registry,ref=NAME; NAME */
	char *const *cache_to; /* type=local,dest=DIR; type=registry,ref=NAME; type=inline */
	unsigned int parallel; /* steps at a time; 0: as many as processors, at least 2 */
	bool shared; /* other builds run beside this one: what is finished is shared at once */
};

#define BUILD_GATEWAY_SIZE 46 /* of an IPv6 address as text */

struct build_attachment {
	int (*hook)(const void *data, int *ret_fds, size_t *ret_count, struct error *err);
	const void *hook_data;
	void *handle;
	char gateway[BUILD_GATEWAY_SIZE]; /* the host as the container reaches it; "": it does not
					   */
};

/* A network that reaches out, made by the caller: rooms meet in plain data. */
struct build_network {
	/* For a step's container @id (64 hex): the hook for its container_spec. */
	int (*attach)(void *data, const char *id, struct build_attachment *ret, struct error *err);
	void (*detach)(void *data, void *handle);
	void *data;
};

enum build_event_kind {
	BUILD_STEP_STARTED,
	BUILD_STEP_CACHED,
	BUILD_STEP_DONE,
	BUILD_STEP_FAILED,
	BUILD_STEP_LOG, /* text: output of a step, any bytes */
	BUILD_WARNING,  /* text */
};

struct build_event {
	enum build_event_kind kind;
	unsigned int step; /* number, from 1, in the order of starting; 0: none */
	const char *name;  /* "[build 2/4] RUN make" */
	const char *text;
	size_t length;
	int64_t usec; /* it took */
};

struct build_surroundings {
	const char *root; /* BERTH_ROOT */
	struct image_store *store;
	/* Fetches an image that is not here (or with @always a newer one); NULL: nobody can. */
	int (*pull)(void *data, const char *reference, const char *platform, bool always,
		    struct error *err);
	const struct build_network *network; /* NULL: RUN steps have none */
	void (*event)(void *data, const struct build_event *event);
	void *data;
	const volatile int *cancelled; /* becomes true: give up; may be NULL */
};

struct build_result {
	char *image_id; /* "sha256:..." */
	char *report;   /* of a failure, at length: the log's end, the Dockerfile's line; or NULL */
	bool is_new;    /* the store had no such image, nor under such a name */
	char **bases;   /* images that it was made of: "REFERENCE DIGEST" */
	int exit_code;  /* of a failed RUN; 0: something else failed */
};

/*
 * Builds. -EINVAL: the Dockerfile is wrong, -ENOENT: something named is not there, -ECANCELED,
 * -ECHILD: a command failed. build_result_done() is due in any case.
 */
int build_run(const struct build_surroundings *surroundings, const struct build_options *options,
	      struct build_result *ret, struct error *err);
void build_result_done(struct build_result *result);

/* HTTP_PROXY and the like: arguments that a step has without ARG, and no image tells of. */
bool scope_is_proxy(const char *name);

#endif
