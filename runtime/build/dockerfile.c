// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/dockerfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "runtime/build/instruction.h"

#define BOM "\xef\xbb\xbf"

DEFINE_CLEANUP(struct dockerfile *, dockerfile_free);

void dockerfile_free(struct dockerfile *dockerfile)
{
	if (!dockerfile)
		return;
	for (size_t i = 0; i < dockerfile->count; i++)
		instruction_done(&dockerfile->instructions[i]);
	for (size_t i = 0; i < dockerfile->stage_count; i++)
		free(dockerfile->stages[i].name);
	free(dockerfile->instructions);
	free(dockerfile->stages);
	free(dockerfile->syntax);
	free(dockerfile->check);
	strbuf_done(&dockerfile->warnings);
	source_text_done(&dockerfile->source);
	free(dockerfile);
}

int dockerfile_find_stage(const struct dockerfile *dockerfile, const char *name, size_t before)
{
	char *end;
	long number;

	for (size_t i = before; i > 0; i--)
		if (dockerfile->stages[i - 1].name &&
		    !strcasecmp(dockerfile->stages[i - 1].name, name))
			return (int)i - 1;
	if (!isdigit((unsigned char)*name))
		return -1;
	errno = 0;
	number = strtol(name, &end, 10);
	return *end || errno || number < 0 || (size_t)number >= before ? -1 : (int)number;
}

static bool valid_stage_name(const char *name)
{
	if (!isalpha((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return false;
	return true;
}

/* FROM [--platform=P] BASE [AS NAME] */
static void add_stage(struct dockerfile *dockerfile, struct problems *problems, size_t index)
{
	const struct instruction *from = &dockerfile->instructions[index];
	size_t words = strv_length(from->words);
	struct stage *stage;

	if (!words)
		return; /* told already */
	if (words == 2 || (words == 3 && strcasecmp(from->words[1], "AS") != 0)) {
		problems_add(problems, &from->place,
			     "FROM takes one image: FROM IMAGE, or FROM IMAGE AS NAME");
		return;
	}
	if (words == 3 && !valid_stage_name(from->words[2]))
		problems_add(problems, &from->place,
			     "\"%.60s\" cannot be a stage's name: a letter first, then letters, "
			     "digits, - _ and .",
			     from->words[2]);
	if (words == 3 &&
	    dockerfile_find_stage(dockerfile, from->words[2], dockerfile->stage_count) >= 0 &&
	    !isdigit((unsigned char)*from->words[2]))
		problems_add(problems, &from->place, "there is a stage \"%.60s\" already",
			     from->words[2]);
	stage = array_add(dockerfile->stages, dockerfile->stage_count);
	stage->from = from;
	stage->base = from->words[0];
	stage->platform = instruction_flag(from, "platform");
	stage->first = index + 1;
	if (words == 3) {
		stage->name = alloc_string(from->words[2]);
		for (char *c = stage->name; *c; c++)
			*c = (char)tolower((unsigned char)*c);
	}
}

static void find_stages(struct dockerfile *dockerfile, struct problems *problems)
{
	bool told = false;

	dockerfile->global_end = dockerfile->count;
	for (size_t i = 0; i < dockerfile->count; i++) {
		const struct instruction *instruction = &dockerfile->instructions[i];

		if (instruction->kind == INSTRUCTION_FROM) {
			if (dockerfile->stage_count)
				dockerfile->stages[dockerfile->stage_count - 1].end = i;
			if (dockerfile->global_end > i)
				dockerfile->global_end = i;
			add_stage(dockerfile, problems, i);
		} else if (dockerfile->global_end == dockerfile->count &&
			   instruction->kind != INSTRUCTION_ARG && !told) {
			problems_add(problems, &instruction->place,
				     "%s comes before the first FROM: only ARG may",
				     instruction_name(instruction->kind));
			told = true;
		}
	}
	if (dockerfile->stage_count)
		dockerfile->stages[dockerfile->stage_count - 1].end = dockerfile->count;
	else if (!problems->count)
		problems_add(problems, &(struct place){1, 0, 0},
			     "there is no FROM: nothing to build");
}

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

/* --from=STAGE that is meant for a later or a missing one; names may also be images. */
static void check_references(const struct dockerfile *dockerfile, struct problems *problems)
{
	for (size_t s = 0; s < dockerfile->stage_count; s++) {
		const struct stage *stage = &dockerfile->stages[s];

		for (size_t i = stage->first; i < stage->end; i++) {
			const struct instruction *step = &dockerfile->instructions[i];
			const char *from = instruction_flag(step, "from");

			if (!from || step->kind != INSTRUCTION_COPY)
				continue;
			if (stage->name && !strcasecmp(from, stage->name))
				problems_add(problems, &step->flags[0].place,
					     "--from=%.60s: a stage cannot copy from itself", from);
			else if (is_number(from) && dockerfile_find_stage(dockerfile, from, s) < 0)
				problems_add(problems, &step->flags[0].place,
					     "--from=%.60s: there is no such stage above", from);
		}
	}
}

static void read_instructions(struct dockerfile *dockerfile, struct problems *problems)
{
	struct line_reader lines = {
		.source = &dockerfile->source, .problems = problems, .escape = '\\'};
	struct logical_line line;

	lines_read_directives(&lines, dockerfile);
	while (lines_next(&lines, &line)) {
		struct instruction_reader reader = {.problems = problems,
						    .warnings = &dockerfile->warnings,
						    .line = &line,
						    .escape = lines.escape};
		struct instruction instruction;

		if (dockerfile->count >= DOCKERFILE_INSTRUCTIONS) {
			problems_add(problems, &(struct place){line.first_line, 0, 0},
				     "more than %d instructions", DOCKERFILE_INSTRUCTIONS);
			logical_line_done(&line);
			return;
		}
		if (instruction_read(&reader, 0, &instruction) ||
		    instruction.kind == INSTRUCTION_FROM)
			*array_add(dockerfile->instructions, dockerfile->count) = instruction;
		else
			instruction_done(&instruction);
		logical_line_done(&line);
	}
}

int dockerfile_parse(const char *name, const char *text, size_t size, struct dockerfile **ret,
		     char **ret_report, struct error *err)
{
	_cleanup_(cleanup_dockerfile_free) struct dockerfile *dockerfile = new (struct dockerfile);
	struct problems problems = {.source = &dockerfile->source};

	*ret_report = NULL;
	if (size >= 3 && !memcmp(text, BOM, 3)) {
		text += 3;
		size -= 3;
	}
	if (size > DOCKERFILE_MAX)
		return error_set(err, EFBIG, "%s: larger than %d MB", name, DOCKERFILE_MAX >> 20);
	if (memchr(text, '\0', size))
		return error_set(err, EINVAL, "%s: not a text: it has NUL bytes", name);
	if (!str_is_utf8(text, size))
		return error_set(err, EINVAL, "%s: not valid UTF-8", name);
	source_text_init(&dockerfile->source, name, text, size);
	read_instructions(dockerfile, &problems);
	find_stages(dockerfile, &problems);
	if (!problems.count)
		check_references(dockerfile, &problems);
	if (problems.count) {
		if (problems.count > PROBLEMS_MAX)
			strbuf_addf(&problems.text, "%s: and %zu more\n", name,
				    problems.count - PROBLEMS_MAX);
		*err = problems.first;
		*ret_report = strbuf_take(&problems.text);
		return -err->code;
	}
	problems_done(&problems);
	*ret = TAKE_PTR(dockerfile);
	return 0;
}

int dockerfile_parse_trigger(const char *text, struct instruction **ret, struct error *err)
{
	struct source_text source;
	struct problems problems = {.source = &source};
	struct line_reader lines = {.source = &source, .problems = &problems, .escape = '\\'};
	struct logical_line line;
	bool any, ok = false;

	source_text_init(&source, "ONBUILD", text, strlen(text));
	*ret = new (struct instruction);
	any = lines_next(&lines, &line);
	if (any) {
		struct instruction_reader reader = {
			.problems = &problems, .line = &line, .escape = '\\', .trigger = true};

		ok = instruction_read(&reader, 0, *ret);
	}
	logical_line_done(&line);
	source_text_done(&source);
	if (ok && !problems.count) {
		problems_done(&problems);
		return 0;
	}
	if (problems.count)
		*err = problems.first;
	else
		error_set(err, EINVAL, "ONBUILD: it is empty");
	problems_done(&problems);
	instruction_done(*ret);
	free(*ret);
	*ret = NULL;
	return -err->code;
}
