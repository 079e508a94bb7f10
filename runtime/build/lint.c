// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/lint.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

struct linting {
	const struct dockerfile *dockerfile;
	char **skipped, **findings;
};

/* The keyword as it was written; its length is that of its name. */
static const char *keyword_of(const struct linting *l, const struct instruction *instruction)
{
	const struct source_text *source = &l->dockerfile->source;
	const struct place *place = &instruction->place;

	if (!place->line || !place->column || place->line > source->line_count)
		return "";
	return source->text + source->line_starts[place->line - 1] + place->column - 1;
}

static void tell(struct linting *l, const char *rule, const struct instruction *instruction,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void tell(struct linting *l, const char *rule, const struct instruction *instruction,
		 const char *format, ...)
{
	struct strbuf text = {0};
	char message[256];
	va_list arguments;

	if (strv_contains(l->skipped, rule) || strv_contains(l->skipped, "all"))
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	strbuf_addf(&text, "%s:%u:%u: %s (%s)\n", l->dockerfile->source.name,
		    instruction->place.line, instruction->place.column, message, rule);
	problems_excerpt(&l->dockerfile->source, &instruction->place, &text);
	strv_take(&l->findings, strbuf_take(&text));
}

static bool is_lower(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (isupper((unsigned char)text[i]))
			return false;
	return true;
}

static bool is_upper(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (islower((unsigned char)text[i]))
			return false;
	return true;
}

/* All keywords as most of them are. */
static void check_casing(struct linting *l)
{
	const struct dockerfile *dockerfile = l->dockerfile;
	size_t lower = 0;
	bool want_lower;

	for (size_t i = 0; i < dockerfile->count; i++) {
		const struct instruction *step = &dockerfile->instructions[i];

		lower += is_lower(keyword_of(l, step), strlen(instruction_name(step->kind)));
	}
	want_lower = 2 * lower > dockerfile->count;
	for (size_t i = 0; i < dockerfile->count; i++) {
		const struct instruction *step = &dockerfile->instructions[i];
		size_t length = strlen(instruction_name(step->kind));
		const char *keyword = keyword_of(l, step);

		if (want_lower ? !is_lower(keyword, length) : !is_upper(keyword, length))
			tell(l, "ConsistentInstructionCasing", step,
			     "'%.*s' is written otherwise than most keywords here, in %s case",
			     (int)length, keyword, want_lower ? "lower" : "upper");
	}
}

static void check_from(struct linting *l, const struct stage *stage)
{
	const struct instruction *from = stage->from;
	const char *word = strv_length(from->words) == 3 ? from->words[1] : NULL;
	const char *name = word ? from->words[2] : NULL;
	bool lower = is_lower(keyword_of(l, from), 4);

	if (word && lower != is_lower(word, 2))
		tell(l, "FromAsCasing", from, "'%s' and the FROM before it differ in their case",
		     word);
	if (name && !is_lower(name, strlen(name)))
		tell(l, "StageNameCasing", from, "stage '%.60s' should be in lower case", name);
	if (name && (!strcasecmp(name, "scratch") || !strcasecmp(name, "context")))
		tell(l, "ReservedStageName", from, "'%.60s' has a meaning of its own in FROM",
		     name);
	if (stage->platform && (!strcmp(stage->platform, "$TARGETPLATFORM") ||
				!strcmp(stage->platform, "${TARGETPLATFORM}")))
		tell(l, "RedundantTargetPlatform", from, "--platform=%s is what FROM does anyway",
		     stage->platform);
}

/* "DB_PASSWORD", "TOKEN": but not "PUBLIC_KEY". */
static bool is_secret_name(const char *name)
{
	static const char *const words[] = {"apikey", "auth",     "credential", "credentials",
					    "key",    "password", "pword",      "passwd",
					    "secret", "token"};
	_cleanup_strv_ char **parts = strv_split(name, "_");
	bool found = false;

	strv_foreach(part, parts) {
		if (!strcasecmp(part, "public"))
			return false;
		array_foreach(word, words)
			found = found || !strcasecmp(part, *word);
	}
	return found;
}

static void check_names(struct linting *l, const struct instruction *step)
{
	strv_foreach(word, step->words) {
		_cleanup_free_ char *name = alloc_string_n(word, strcspn(word, "="));

		if (is_secret_name(name))
			tell(l, "SecretsUsedInArgOrEnv", step,
			     "%s %.60s: everybody can read it in the image's history; a secret "
			     "belongs into RUN --mount=type=secret",
			     instruction_name(step->kind), name);
	}
}

static void check_expose(struct linting *l, const struct instruction *step)
{
	strv_foreach(word, step->words) {
		const char *slash = strchr(word, '/');

		if (slash && !strchr(slash, '$') && !is_lower(slash, strlen(slash)))
			tell(l, "ExposeProtoCasing", step,
			     "'%.60s': the protocol should be in "
			     "lower case",
			     word);
		if (strchr(word, ':') && !strchr(word, '$'))
			tell(l, "ExposeInvalidFormat", step,
			     "'%.60s': EXPOSE takes the container's port alone", word);
	}
}

/* What was met in the stage so far. */
struct seen {
	const struct instruction *command, *entrypoint, *healthcheck;
	bool shell, workdir;
};

static void check_once(struct linting *l, const struct instruction *step,
		       const struct instruction **seen)
{
	if (*seen)
		tell(l, "MultipleInstructionsDisallowed", *seen,
		     "of several %s in a stage only the last one counts",
		     instruction_name(step->kind));
	*seen = step;
}

static void check_step(struct linting *l, struct seen *seen, const struct instruction *step)
{
	switch (step->kind) {
	case INSTRUCTION_MAINTAINER:
		tell(l, "MaintainerDeprecated", step,
		     "MAINTAINER is of old: LABEL org.opencontainers.image.authors=... says it");
		break;
	case INSTRUCTION_SHELL:
		seen->shell = true;
		break;
	case INSTRUCTION_WORKDIR:
		if (step->words && *step->words[0] != '/' && *step->words[0] != '$' &&
		    !seen->workdir)
			tell(l, "WorkdirRelativePath", step,
			     "'%.60s' is below whatever the base image has as its folder",
			     step->words[0]);
		seen->workdir = true;
		break;
	case INSTRUCTION_CMD:
	case INSTRUCTION_ENTRYPOINT:
		check_once(l, step,
			   step->kind == INSTRUCTION_CMD ? &seen->command : &seen->entrypoint);
		if (!step->json && !seen->shell && *step->arguments)
			tell(l, "JSONArgsRecommended", step,
			     "as a JSON list %s runs without a shell, which would keep signals "
			     "from it",
			     instruction_name(step->kind));
		break;
	case INSTRUCTION_HEALTHCHECK:
		check_once(l, step, &seen->healthcheck);
		break;
	case INSTRUCTION_ARG:
	case INSTRUCTION_ENV:
		check_names(l, step);
		break;
	case INSTRUCTION_EXPOSE:
		check_expose(l, step);
		break;
	default:
		break;
	}
}

/* "skip=A,B;error=true" */
static void read_directive(struct linting *l, bool *ret_error)
{
	_cleanup_strv_ char **fields =
		l->dockerfile->check ? strv_split(l->dockerfile->check, ";") : NULL;

	*ret_error = false;
	strv_foreach(field, fields) {
		_cleanup_strv_ char **rules = NULL;

		if (!strncasecmp(field, "error=", 6))
			*ret_error = !strcasecmp(field + 6, "true");
		if (strncasecmp(field, "skip=", 5) != 0)
			continue;
		rules = strv_split(field + 5, ", ");
		strv_foreach(rule, rules)
			strv_append(&l->skipped, rule);
	}
}

char **lint_run(const struct dockerfile *dockerfile, bool *ret_error)
{
	struct linting l = {.dockerfile = dockerfile};

	read_directive(&l, ret_error);
	check_casing(&l);
	for (size_t i = 0; i < dockerfile->global_end; i++)
		check_names(&l, &dockerfile->instructions[i]);
	for (size_t s = 0; s < dockerfile->stage_count; s++) {
		const struct stage *stage = &dockerfile->stages[s];
		struct seen seen = {0};

		check_from(&l, stage);
		for (size_t i = stage->first; i < stage->end; i++)
			check_step(&l, &seen, &dockerfile->instructions[i]);
	}
	strv_free(l.skipped);
	return l.findings;
}
