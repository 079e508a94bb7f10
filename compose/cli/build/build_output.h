/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_BUILD_BUILD_OUTPUT_H
#define COMPOSE_CLI_BUILD_BUILD_OUTPUT_H

/*
 * build_output.h - where the result of a build goes: --output, --push, --metadata-file.
 *
 *     type=image | docker | oci | registry | local | tar [,dest=PATH|-] [,name=NAME] [,push=true]
 *     PATH (local), - (a tar on stdout); of local and tar also platform-split=true
 *
 * An archive is under a name of its own until it is whole. What is pushed as an image is in the
 * store as well; what is archived only where it is of several parts (platforms, provenance).
 */

#include "compose/cli/build/build_process.h"

enum build_output_kind {
	BUILD_TO_STORE,
	BUILD_TO_DOCKER, /* an archive, as docker save writes it */
	BUILD_TO_OCI,    /* an archive that is an OCI layout */
	BUILD_TO_FOLDER,
	BUILD_TO_TAR,
};

struct build_output_part;

struct build_output_to {
	enum build_output_kind kind;
	char *path;   /* NULL: stdout */
	char **names; /* tags that it asks for */
	bool push;
	/* while it is written */
	int fd;
	char *temporary; /* its name until it is whole, or with @unnamed the one it gets then */
	bool unnamed;
	struct build_output_part *parts; /* of several platforms: a folder or an archive each */
	size_t part_count;
	bool split; /* also of one platform */
};

/* @text may be NULL: to the store. */
int build_output_parse(struct build_output_to *ret, const char *text, struct error *err);
/* Opens what is written to, and puts it to the build. @tagged: there is a name to push. */
int build_output_open(struct build_output_to *to, struct build_options *options, struct error *err);
/*
 * Files of several platforms, of the jobs after build_output_open(): each gets its folder there,
 * linux_amd64 and so on. With one job nothing, unless platform-split is asked for.
 */
int build_output_split(struct build_output_to *to, struct build_job *jobs, size_t count,
		       struct error *err);
/* Archives, pushes, gives the file its name. Prints push's errors; 0, negative or an exit code. */
int build_output_finish(struct project_args *args, struct build_output_to *to,
			const struct build_job *job, bool quiet, struct error *err);
/* It goes into a file only: the store gives it no name, and has it no longer afterwards. */
bool build_output_is_archive(const struct build_output_to *to);
/* Takes it out of the store again, unless it was there before. */
int build_output_forget(const struct build_output_to *to, const struct build_job *job,
			struct error *err);
/* stdout is taken by the archive. */
bool build_output_is_stdout(const struct build_output_to *to);
void build_output_done(struct build_output_to *to);

/* The file of --metadata-file, as buildx writes it. @index: its OCI index' digest, or NULL. */
int build_output_metadata(const struct build_job *job, const char *index, const char *path,
			  struct error *err);

/* build_output_split.c */
int build_output_append(struct build_output_to *to, struct error *err);
void build_output_forget_parts(struct build_output_to *to);

#endif
