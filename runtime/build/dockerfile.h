/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_DOCKERFILE_H
#define RUNTIME_BUILD_DOCKERFILE_H

/*
 * dockerfile.h - a Dockerfile as instructions: parser directives, continued lines, comments,
 * heredocs, JSON and shell form, flags. Nothing is expanded here: that takes the stage's
 * variables, which the builder has.
 *
 * Form: https://docs.docker.com/reference/dockerfile/ . Every problem is found in one reading.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#include "runtime/build/problems.h"

#define DOCKERFILE_MAX          (16 << 20)
#define DOCKERFILE_INSTRUCTIONS 10000

enum instruction_kind {
	INSTRUCTION_ADD,
	INSTRUCTION_ARG,
	INSTRUCTION_CMD,
	INSTRUCTION_COPY,
	INSTRUCTION_ENTRYPOINT,
	INSTRUCTION_ENV,
	INSTRUCTION_EXPOSE,
	INSTRUCTION_FROM,
	INSTRUCTION_HEALTHCHECK,
	INSTRUCTION_LABEL,
	INSTRUCTION_MAINTAINER,
	INSTRUCTION_ONBUILD,
	INSTRUCTION_RUN,
	INSTRUCTION_SHELL,
	INSTRUCTION_STOPSIGNAL,
	INSTRUCTION_USER,
	INSTRUCTION_VOLUME,
	INSTRUCTION_WORKDIR,
	INSTRUCTION_UNKNOWN,
};

struct instruction_flag {
	char *name;  /* "from" */
	char *value; /* NULL: given without "=" */
	struct place place;
};

struct heredoc {
	char *name;    /* "EOF" */
	char *content; /* tabs removed already with <<- */
	bool expand;   /* the name was not quoted */
	bool chomp;    /* <<- */
};

struct instruction {
	enum instruction_kind kind;
	struct place place; /* of its first word */
	unsigned int last_line;
	char *text;      /* "RUN --mount=... apt-get update": lines joined, for history */
	char *arguments; /* what follows keyword and flags, joined */
	struct instruction_flag *flags;
	size_t flag_count;
	bool json; /* a list was given: it is @words */
	/*
	 * FROM, ADD, COPY, EXPOSE, VOLUME, ONBUILD's second: words, unexpanded. ENV, LABEL, ARG:
	 * "NAME=value" words, quotes still there (names without "=" for ARG). HEALTHCHECK: "NONE",
	 * or "CMD" and the command, as @json says.
	 */
	char **words;
	struct heredoc *heredocs;
	size_t heredoc_count;
	struct instruction *trigger; /* ONBUILD's */
};

struct stage {
	char *name; /* lower-case; NULL: it has none */
	const struct instruction *from;
	const char *base, *platform; /* unexpanded; platform may be NULL */
	size_t first, end;           /* its instructions, FROM not counted */
};

struct dockerfile {
	struct source_text source;
	char escape;
	char *syntax, *check; /* directives; NULL: not there */
	struct instruction *instructions;
	size_t count;
	size_t global_end; /* the ARGs before the first FROM */
	struct stage *stages;
	size_t stage_count;
	struct strbuf warnings; /* a line each, with its excerpt */
};

/*
 * Reads @text (@size bytes). @name is for the errors. With -EINVAL *ret_report has all problems,
 * each with its line; it is the caller's.
 */
int dockerfile_parse(const char *name, const char *text, size_t size, struct dockerfile **ret,
		     char **ret_report, struct error *err);
/* One instruction out of an image's config ("OnBuild"): without FROM, ONBUILD, MAINTAINER. */
int dockerfile_parse_trigger(const char *text, struct instruction **ret, struct error *err);
void dockerfile_free(struct dockerfile *dockerfile);
void instruction_done(struct instruction *instruction);

const char *instruction_name(enum instruction_kind kind); /* "RUN" */
/* Value of a flag; "" when it was given without one; NULL: not given. */
const char *instruction_flag(const struct instruction *instruction, const char *name);
/* Given as --name or --name=true. */
bool instruction_flag_on(const struct instruction *instruction, const char *name);
/* By name or number ("0"); -1: there is none. Of the stages before @before. */
int dockerfile_find_stage(const struct dockerfile *dockerfile, const char *name, size_t before);

#endif
