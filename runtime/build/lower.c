// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stage's instructions, with its variables expanded, become the image's config, lines of its
 * history, and steps: what makes files.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/path.h"
#include "common/str.h"

#include "runtime/build/build.h"
#include "runtime/build/lines.h"

#define STEPS_MAX         10000
#define COMMIT_DIGITS_MIN 7

struct lowering {
	struct build *build;
	struct build_stage *stage;
	const struct instruction *instruction;
	char *text; /* for history and title */
};

static int expand(struct lowering *l, const char *word, char **ret, struct error *err)
{
	return scope_expand(l->build, l->stage, word, ret, err);
}

/* "a/./b/../c" upon @folder as an absolute path, cleaned; a slash at the end is dropped. */
static char *join_path(const char *folder, const char *path)
{
	_cleanup_free_ char *whole = *path == '/' ? NULL : str_printf("%s/%s", folder, path);
	_cleanup_free_ char *inside = path_clean_inside(whole ?: path);

	return str_printf("/%s", inside);
}

static const char *working_dir(struct lowering *l)
{
	const char *path = json_get_string(config_of(l->stage), "WorkingDir");

	return path && *path ? path : "/";
}

static void add_history(struct lowering *l, struct step *step)
{
	struct history *row = array_add(l->stage->history, l->stage->history_count);

	row->entry = json_object();
	json_put_string(row->entry, "created_by", l->text);
	json_put_string(row->entry, "comment", "berth");
	row->step = step;
}

static struct step *add_step(struct lowering *l, enum step_op op)
{
	struct build *build = l->build;
	struct step *step = new (struct step);

	step->previous = stage_last_step(l->stage);
	step->stage = l->stage;
	step->instruction = l->instruction;
	step->op = op;
	step->cwd = alloc_string(working_dir(l));
	step->user = alloc_string(json_get_string(config_of(l->stage), "User") ?: "");
	step->log_fd = step->result_fd = step->lock_fd = step->run_fd = -EBADF;
	step->text = alloc_string(l->text);
	*array_add(l->stage->steps, l->stage->step_count) = step;
	*array_add(build->steps, build->step_count) = step;
	return step;
}

static int lower_workdir(struct lowering *l, struct error *err)
{
	_cleanup_free_ char *word = NULL, *path = NULL;
	struct step *step;

	if (expand(l, l->instruction->words[0], &word, err) < 0)
		return -err->code;
	if (!*word)
		return error_set(err, EINVAL, "WORKDIR: it is empty when it is expanded");
	path = join_path(working_dir(l), word);
	json_put_string(config_of(l->stage), "WorkingDir", path);
	free(l->text);
	l->text = str_printf("WORKDIR %s", path);
	step = add_step(l, STEP_WORKDIR);
	add_history(l, step);
	return 0;
}

/* A shebang's script is a file; other scripts are the shell's argument. */
static int lower_heredocs(struct lowering *l, struct step *step, struct strbuf *command,
			  struct error *err)
{
	const struct instruction *instruction = l->instruction;
	const struct heredoc *first = &instruction->heredocs[0];
	struct heredoc alone;

	if (instruction->json)
		return error_set(err, EINVAL, "RUN: a list cannot have heredocs");
	if (!heredoc_parse(instruction->arguments, &alone)) {
		strbuf_add(command, instruction->arguments);
		for (size_t i = 0; i < instruction->heredoc_count; i++)
			strbuf_addf(command, "\n%s%s", instruction->heredocs[i].content,
				    instruction->heredocs[i].name);
		return 0;
	}
	heredoc_done(&alone);
	if (!str_starts_with(first->content, "#!")) {
		strbuf_add(command, first->content);
		return 0;
	}
	step->shell_heredoc = true;
	step->copy.files = alloc_zero(1, sizeof(*step->copy.files));
	step->copy.file_count = 1;
	step->copy.files[0].name = alloc_string(first->name);
	step->copy.files[0].content = alloc_string(first->content);
	strv_take(&step->args, str_printf("/dev/pipes/%s", first->name));
	return 0;
}

static int lower_arguments(struct lowering *l, struct step *step, struct error *err)
{
	const struct instruction *instruction = l->instruction;
	_cleanup_strbuf_ struct strbuf command = {0};
	_cleanup_strv_ char **shell = json_get_strv(config_of(l->stage), "Shell");

	if (instruction->json) {
		step->args = strv_dup(instruction->words);
		if (!instruction->heredoc_count)
			return 0;
	}
	if (instruction->heredoc_count) {
		if (lower_heredocs(l, step, &command, err) < 0)
			return -err->code;
	} else {
		strbuf_add(&command, instruction->arguments);
	}
	if (step->shell_heredoc)
		return 0;
	if (!shell) {
		strv_append(&step->args, "/bin/sh");
		strv_append(&step->args, "-c");
	}
	strv_foreach(word, shell)
		strv_append(&step->args, word);
	strv_append(&step->args, command.data ?: "");
	return 0;
}

static void lower_environment(struct lowering *l, struct step *step)
{
	step->env = stage_env(l->stage);
	step->arg_env = scope_run_args(l->build, l->stage);
}

static int one_of(const char *flag, const char *value, const char *const *words, size_t n,
		  struct error *err)
{
	_cleanup_strbuf_ struct strbuf list = {0};

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(words[i], value))
			return 0;
		strbuf_addf(&list, "%s%s", i ? ", " : "", words[i]);
	}
	return error_set(err, EINVAL, "--%s=%.40s: it must be one of %s", flag, value, list.data);
}

static int lower_run_flags(struct lowering *l, struct step *step, struct error *err)
{
	static const char *const networks[] = {"default", "none", "host"};
	static const char *const securities[] = {"sandbox", "insecure"};

	step->network = alloc_string(l->build->options->network ?: "default");
	for (size_t i = 0; i < l->instruction->flag_count; i++) {
		const struct instruction_flag *flag = &l->instruction->flags[i];
		_cleanup_free_ char *value = NULL;

		if (!strcmp(flag->name, "mount")) {
			struct run_mount *mount = array_add(step->mounts, step->mount_count);

			if (run_mount_parse(l->build, l->stage, flag->value, mount, err) < 0)
				return -err->code;
			continue;
		}
		if (expand(l, flag->value, &value, err) < 0)
			return -err->code;
		if (!strcmp(flag->name, "network")) {
			free(step->network);
			step->network = TAKE_PTR(value);
		} else if (!strcmp(flag->name, "security")) {
			if (one_of("security", value, securities, 2, err) < 0)
				return -err->code;
			step->insecure = !strcmp(value, "insecure");
		} else {
			return error_set(err, ENOTSUP, "--%s: no devices can be given to a step",
					 flag->name);
		}
	}
	if (step->insecure && !l->build->options->insecure)
		return error_set(err, EPERM,
				 "--security=insecure is not allowed: set build.privileged, or "
				 "entitlements: [security.insecure]");
	return one_of("network", step->network, networks, 3, err);
}

/* Proxies that no ARG asks for are nobody's but the builder's: the image does not tell of them. */
static char **declared_args(const struct lowering *l, const struct step *step)
{
	char **args = NULL;

	strv_foreach(row, step->arg_env) {
		_cleanup_free_ char *name = alloc_string_n(row, strcspn(row, "="));

		if (!scope_is_proxy(name) || map_get(&l->stage->args, name))
			strv_append(&args, row);
	}
	return args;
}

static int lower_run(struct lowering *l, struct error *err)
{
	_cleanup_strbuf_ struct strbuf line = {0};
	_cleanup_strv_ char **args = NULL;
	struct step *step;

	step = add_step(l, STEP_RUN);
	lower_environment(l, step);
	if (lower_run_flags(l, step, err) < 0 || lower_arguments(l, step, err) < 0)
		return -err->code;
	/* As the classic builder has it: the words that were executed, and the ARGs before them. */
	strbuf_add(&line, "RUN");
	args = declared_args(l, step);
	if (args) {
		strbuf_addf(&line, " |%zu", strv_length(args));
		strv_foreach(arg, args)
			strbuf_addf(&line, " %s", arg);
	}
	strv_foreach(word, step->args)
		strbuf_addf(&line, " %s", word);
	free(l->text);
	l->text = strbuf_take(&line);
	add_history(l, step);
	return 0;
}

static int copy_heredoc(struct lowering *l, struct copy_spec *copy, const char *name,
			struct error *err)
{
	for (size_t i = 0; i < l->instruction->heredoc_count; i++) {
		const struct heredoc *heredoc = &l->instruction->heredocs[i];
		char *content = NULL;

		if (strcmp(heredoc->name, name) != 0)
			continue;
		if (heredoc->expand) {
			if (scope_expand_heredoc(l->build, l->stage, heredoc->content, &content,
						 err) < 0)
				return -err->code;
		} else {
			content = alloc_string(heredoc->content);
		}
		copy->files = alloc_grow(copy->files, copy->file_count, sizeof(*copy->files));
		copy->files[copy->file_count].name = alloc_string(name);
		copy->files[copy->file_count++].content = content;
		return 0;
	}
	return 0;
}

static int copy_flags(struct lowering *l, struct copy_spec *copy, char **ret_from,
		      struct error *err)
{
	for (size_t i = 0; i < l->instruction->flag_count; i++) {
		const struct instruction_flag *flag = &l->instruction->flags[i];
		_cleanup_free_ char *value = NULL;
		bool on;

		if (expand(l, flag->value ?: "true", &value, err) < 0)
			return -err->code;
		on = !strcmp(value, "true") || !*value;
		if (!strcmp(flag->name, "from"))
			*ret_from = TAKE_PTR(value);
		else if (!strcmp(flag->name, "chown"))
			copy->chown = TAKE_PTR(value);
		else if (!strcmp(flag->name, "chmod"))
			copy->chmod = TAKE_PTR(value);
		else if (!strcmp(flag->name, "checksum"))
			copy->checksum = TAKE_PTR(value);
		else if (!strcmp(flag->name, "link"))
			copy->link = on;
		else if (!strcmp(flag->name, "parents"))
			copy->parents = on;
		else if (!strcmp(flag->name, "keep-git-dir"))
			copy->keep_git = on;
		else if (!strcmp(flag->name, "unpack")) {
			copy->unpack = on;
			copy->set_unpack = true;
		} else if (ignore_add(&copy->exclude, value, 0, err) < 0)
			return error_wrap(err, "--exclude");
	}
	if (copy->chmod) {
		mode_t mode;

		if (copying_mode(copy->chmod, 0644, false, &mode) < 0)
			return error_set(err, EINVAL,
					 "--chmod=%.40s: an octal number (755) or u=rwX,go=rX "
					 "is needed",
					 copy->chmod);
	}
	return 0;
}

static int copy_words(struct lowering *l, struct copy_spec *copy, struct error *err)
{
	char **words = l->instruction->words;
	size_t n = strv_length(words);
	_cleanup_free_ char *last = NULL;

	for (size_t i = 0; i + 1 < n; i++) {
		struct heredoc heredoc;
		char *word = NULL;
		int r;

		if (heredoc_parse(words[i], &heredoc)) {
			r = copy_heredoc(l, copy, heredoc.name, err);
			heredoc_done(&heredoc);
			if (r < 0)
				return r;
			continue;
		}
		if (expand(l, words[i], &word, err) < 0)
			return -err->code;
		strv_take(copy->add && fetch_is_remote(word) ? &copy->remotes : &copy->paths, word);
	}
	if (expand(l, words[n - 1], &last, err) < 0)
		return -err->code;
	copy->is_directory =
		str_ends_with(last, "/") || !strcmp(last, ".") || str_ends_with(last, "/.");
	if (n > 2 && !copy->is_directory)
		return error_set(
			err, EINVAL,
			"with more than one source the destination must be a folder: write "
			"%s/",
			last);
	copy->destination = join_path(working_dir(l), last);
	return 0;
}

/* Of a file its digest, of a repository its commit, or the first digits of that. */
static int check_checksum(const struct copy_spec *copy, struct error *err)
{
	size_t n;

	if (!copy->checksum)
		return 0;
	if (strv_length(copy->remotes) != 1)
		return error_set(err, EINVAL, "--checksum needs one URL as its source");
	n = strlen(copy->checksum);
	if (fetch_is_git(copy->remotes[0]))
		return n >= COMMIT_DIGITS_MIN && n <= 64 && is_hex(copy->checksum, n)
			       ? 0
			       : error_set(err, EINVAL, "--checksum=%.70s: it must be a commit",
					   copy->checksum);
	if (!digest_hex(copy->checksum))
		return error_set(err, EINVAL, "--checksum=%.70s: it must be sha256:HEX",
				 copy->checksum);
	return 0;
}

static int lower_copy(struct lowering *l, struct error *err)
{
	_cleanup_free_ char *from = NULL, *text = NULL;
	struct step *step = add_step(l, STEP_COPY);
	struct copy_spec *copy = &step->copy;

	copy->add = l->instruction->kind == INSTRUCTION_ADD;
	if (copy_flags(l, copy, &from, err) < 0 || copy_words(l, copy, err) < 0 ||
	    check_checksum(copy, err) < 0)
		return -err->code;
	if (from) {
		if (stages_find_source(l->build, l->stage, from, &copy->source, err) < 0)
			return error_wrap(err, "--from=%.80s", from);
	} else if (copy->paths) {
		if (l->build->context.dir < 0)
			return error_set(err, EINVAL, "there is no build context to copy from");
		copy->source.kind = SOURCE_CONTEXT;
		copy->source.context = &l->build->context;
		copy->source.name = alloc_string(l->build->context.name);
	}
	add_history(l, step);
	return 0;
}

static int lower_one(struct lowering *l, struct error *err)
{
	switch (l->instruction->kind) {
	case INSTRUCTION_RUN:
		return lower_run(l, err);
	case INSTRUCTION_COPY:
	case INSTRUCTION_ADD:
		return lower_copy(l, err);
	case INSTRUCTION_WORKDIR:
		return lower_workdir(l, err);
	case INSTRUCTION_UNKNOWN:
	case INSTRUCTION_FROM:
		return 0;
	default:
		free(l->text);
		l->text = NULL;
		if (config_apply(l->build, l->stage, l->instruction, &l->text, err) < 0)
			return -err->code;
		add_history(l, NULL);
		return 0;
	}
}

static int lower_instruction(struct build *build, struct build_stage *stage,
			     const struct instruction *instruction, struct error *err)
{
	struct lowering l = {build, stage, instruction, alloc_string(instruction->text)};
	int r = build->step_count > STEPS_MAX
			? error_set(err, E2BIG, "more than %d steps", STEPS_MAX)
			: lower_one(&l, err);

	free(l.text);
	return r < 0 ? build_wrap_at(build, instruction, err) : 0;
}

/* "[build 2/4] RUN make" */
static void name_steps(struct build *build, struct build_stage *stage)
{
	_cleanup_free_ char *number = str_printf("stage-%zu", stage->index);
	bool alone = build->stage_count == 1 && !stage->stage->name;

	for (size_t i = 0; i < stage->step_count; i++) {
		struct step *step = stage->steps[i];
		size_t width = strcspn(step->text, "\n");

		step->title = str_printf("[%s%s%zu/%zu] %.*s%s", alone ? "" : stage->stage->name ?: number,
					 alone ? "" : " ", i + 2, stage->step_count + 1,
					 width < 200 ? (int)width : 200, step->text,
					 step->text[width] || width > 200 ? "..." : "");
	}
}

int lower_stage(struct build *build, struct build_stage *stage, struct error *err)
{
	for (size_t i = 0; i < stage->trigger_count; i++)
		if (lower_instruction(build, stage, stage->triggers[i], err) < 0)
			return -err->code;
	for (size_t i = stage->stage->first; i < stage->stage->end; i++)
		if (lower_instruction(build, stage, &build->dockerfile->instructions[i], err) < 0)
			return -err->code;
	name_steps(build, stage);
	return 0;
}
