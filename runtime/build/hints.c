// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What most likely was wrong with a command that failed: by its exit code and the end of its log.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "runtime/build/build.h"
#include "runtime/image/platform.h"

#define WORD_MAX 60

/* "stage build (from busybox)" */
static char *stage_text(const struct step *step)
{
	const struct build_stage *stage = step->stage, *base = stage;

	while (base->base_stage)
		base = base->base_stage;
	if (stage->stage->name)
		return str_printf("stage %s (from %s)", stage->stage->name, base->base_name);
	return str_printf("the stage from %s", base->base_name);
}

/* The word before ": not found" in the shell's words: "sh: 1: make: not found". */
static char *missing_command(const char *log)
{
	static const char *const ends[] = {": not found", ": command not found",
					   ": No such file or directory"};

	array_foreach(end, ends) {
		const char *at = strstr(log, *end), *begin = at;

		for (const char *next = at; next; next = strstr(next + 1, *end))
			begin = at = next;
		while (begin && begin > log && !isspace((unsigned char)begin[-1]) &&
		       begin[-1] != ':')
			begin--;
		if (at && at > begin && at - begin <= WORD_MAX)
			return alloc_string_n(begin, (size_t)(at - begin));
	}
	return NULL;
}

static char *hint_of_missing(const struct step *step, const char *log)
{
	_cleanup_free_ char *stage = stage_text(step), *word = missing_command(log);

	if (word && strchr(word, '/'))
		return str_printf("'%s' was not found in %s: if the file is there, then what its "
				  "first line (#!) or its ELF header names is not",
				  word, stage);
	return str_printf("%s%s%s is not in %s: install it in a step before, or bring it with COPY "
			  "--from",
			  word ? "'" : "", word ?: "the command", word ? "'" : "", stage);
}

static char *hint_of_network(const struct step *step)
{
	if (!strcmp(step->network, "none"))
		return alloc_string("this step has no network (--network none): names cannot be "
				    "resolved");
	return alloc_string("names are not resolved: is this machine's DNS (/etc/resolv.conf) "
			    "working? RUN --network=host tells");
}

static char *hint_of_full(const struct build *build)
{
	return str_printf("the disk below %s is full: \"berth builder prune\" and \"berth image "
			  "prune\" make room",
			  build->with->root);
}

static bool has(const char *log, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(log, *words))
			return true;
	return false;
}

char *hint_of_exit(const struct build *build, const struct step *step, int code)
{
	static const char *const network[] = {"could not resolve",
					      "temporary failure resolving",
					      "temporary failure in name resolution",
					      "bad address",
					      "name or service not known",
					      NULL};
	static const char *const packages[] = {"unable to locate package",
					       "has no installation candidate", NULL};
	static const char *const full[] = {"no space left on device", NULL};
	static const char *const denied[] = {"permission denied", "operation not permitted", NULL};
	const char *log = step->log.data ?: "";

	if (code == 127)
		return hint_of_missing(step, log);
	if (code == 126)
		return alloc_string("it is no program that can be executed here: is it executable "
				    "(COPY --chmod=755, chmod +x), and for this platform?");
	if (has(log, network))
		return hint_of_network(step);
	if (has(log, packages))
		return alloc_string("the package lists are not there or are old: apt-get update "
				    "belongs into the same RUN");
	if (has(log, full))
		return hint_of_full(build);
	if (has(log, denied) && *step->user && strcmp(step->user, "root") &&
	    strcmp(step->user, "0"))
		return str_printf(
			"the step runs as USER %s: give it the files (COPY --chown=%s), or "
			"do this before USER",
			step->user, step->user);
	return NULL;
}

/* A command that did not even begin: @code is execve()'s. Or a step that found no space. */
char *hint_of_birth(const struct build *build, const struct step *step, int code)
{
	const json_t *image = step->stage->image;
	_cleanup_free_ char *stage = stage_text(step), *platform = platform_text(image);
	_cleanup_json_ json_t *here = json_object();
	struct error ignored = ERROR_INIT;

	if (code == ENOSPC)
		return hint_of_full(build);
	(void)platform_describe(NULL, here, &ignored);
	if (code == ENOEXEC || (code == ENOENT && !platform_rank(here, image)))
		return str_printf("%s is for %s: its programs run here only with a handler of "
				  "binfmt_misc (Debian: apt-get install qemu-user-static)",
				  stage, platform);
	if (code == EACCES)
		return alloc_string("is it executable (COPY --chmod=755, chmod +x), and may USER "
				    "reach it?");
	if (code == ENOENT && step->args && step->args[0])
		return str_printf("there is no %s in %s: %s", step->args[0], stage,
				  str_ends_with(step->args[0], "sh")
					  ? "RUN [\"program\", \"argument\"] needs no shell, and a "
					    "base image with one is another way"
					  : "COPY --from brings it from another stage");
	return NULL;
}
