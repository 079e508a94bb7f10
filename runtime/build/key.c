// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a step's result depends on, as one digest: its instruction as expanded, what it stands upon,
 * and the content that it reads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/build/build.h"

#define KEY_VERSION "2"

static void put_list(json_t *json, const char *key, char *const *list)
{
	if (list)
		json_object_set_new(json, key, json_from_strv(list));
}

/* Where a proxy stands does not change what is built. */
static char **without_proxies(char *const *env)
{
	char **list = NULL;

	strv_foreach(row, env) {
		_cleanup_free_ char *name = alloc_string_n(row, strcspn(row, "="));

		if (!scope_is_proxy(name))
			strv_append(&list, row);
	}
	return list;
}

static const char *chain_of(const struct tree *tree)
{
	return tree ? tree->chain : "scratch";
}

static int context_digest(const struct source *source, char *const *patterns,
			  const struct ignore *exclude, const struct step *step, char *ret_hex,
			  struct error *err)
{
	struct digest digest = {.root = source->context->dir,
				.ignore = &source->context->ignore,
				.exclude = exclude,
				.known = source->context->known};

	sha256_init(&digest.sha);
	strv_foreach(pattern, patterns) {
		_cleanup_strv_ char **paths = NULL;

		if (glob_paths(digest.root, digest.ignore, pattern, &paths, err) < 0)
			return -err->code;
		if (!paths && !glob_is_pattern(pattern))
			return glob_fail(step, digest.root, digest.ignore, pattern, err);
		strv_foreach(path, paths)
			if (digest_path(&digest, path, err) < 0)
				return error_wrap(err, "%s", source->name);
	}
	sha256_hex(&digest.sha, ret_hex);
	return 0;
}

static int put_mount(json_t *list, const struct run_mount *mount, const struct step *step,
		     struct error *err)
{
	json_t *json = json_object();
	char *paths[2] = {mount->path ?: (char *)"", NULL};
	char hex[SHA256_HEX_SIZE];

	json_array_append_new(list, json);
	json_put_int(json, "kind", mount->kind);
	json_put_string(json, "id", mount->id);
	json_put_string(json, "target", mount->target);
	json_put_string(json, "path", mount->path);
	json_put_string(json, "env", mount->env);
	json_put_bool(json, "writable", mount->writable);
	json_put_int(json, "mode", mount->mode);
	if (mount->kind != MOUNT_BIND)
		return 0;
	if (mount->source.kind != SOURCE_CONTEXT) {
		json_put_string(json, "from", chain_of(source_tree(&mount->source)));
		return 0;
	}
	if (context_digest(&mount->source, paths, NULL, step, hex, err) < 0)
		return error_wrap(err, "--mount");
	json_put_string(json, "content", hex);
	return 0;
}

static int put_run(json_t *json, const struct step *step, char *const *hosts, struct error *err)
{
	_cleanup_strv_ char **args = without_proxies(step->arg_env);
	json_t *mounts = json_array();

	json_object_set_new(json, "mounts", mounts);
	put_list(json, "args", step->args);
	put_list(json, "env", step->env);
	put_list(json, "build_args", args);
	put_list(json, "hosts", hosts);
	json_put_string(json, "user", step->user);
	json_put_string(json, "network", step->network);
	json_put_bool(json, "insecure", step->insecure);
	if (step->shell_heredoc)
		json_put_string(json, "script", step->copy.files[0].content);
	for (size_t i = 0; i < step->mount_count; i++)
		if (put_mount(mounts, &step->mounts[i], step, err) < 0)
			return -err->code;
	return 0;
}

static int put_copy(json_t *json, const struct step *step, const char *content, struct error *err)
{
	const struct copy_spec *copy = &step->copy;
	json_t *excludes = json_array(), *files = json_array();
	char hex[SHA256_HEX_SIZE];

	json_object_set_new(json, "exclude", excludes);
	json_object_set_new(json, "files", files);
	put_list(json, "paths", copy->paths);
	put_list(json, "remotes", copy->remotes);
	json_put_string(json, "destination", copy->destination);
	json_put_string(json, "chown", copy->chown);
	json_put_string(json, "chmod", copy->chmod);
	json_put_string(json, "checksum", copy->checksum);
	json_put_int(json, "flags",
		     copy->add | copy->link << 1 | copy->parents << 2 | copy->keep_git << 3 |
			     copy->unpack << 4 | copy->set_unpack << 5 | copy->is_directory << 6);
	for (size_t i = 0; i < copy->exclude.count; i++)
		json_array_append_new(excludes, json_string(copy->exclude.patterns[i].original));
	for (size_t i = 0; i < copy->file_count; i++) {
		json_array_append_new(files, json_string(copy->files[i].name));
		json_array_append_new(files, json_string(copy->files[i].content));
	}
	if (copy->source.kind == SOURCE_CONTEXT) {
		if (context_digest(&copy->source, copy->paths, &copy->exclude, step, hex, err) < 0)
			return -err->code;
		json_put_string(json, "content", hex);
	} else if (copy->source.kind != SOURCE_NONE && !content) {
		json_put_string(json, "from", chain_of(source_tree(&copy->source)));
	}
	return 0;
}

bool key_wants_preparing(const struct step *step)
{
	return step->op == STEP_COPY &&
	       (step->copy.remotes || (step->copy.source.kind != SOURCE_NONE &&
				       step->copy.source.kind != SOURCE_CONTEXT));
}

int key_compute(struct build *build, struct step *step, const char *content, struct error *err)
{
	static const char *const ops[] = {"run", "copy", "workdir"};
	_cleanup_json_ json_t *json = json_object();
	_cleanup_free_ char *text = NULL;
	char *hex = content || !key_wants_preparing(step) ? step->key : step->fast_key;
	int r = 0;

	json_put_string(json, "version", KEY_VERSION);
	json_put_string(json, "op", ops[step->op]);
	json_put_string(json, "upon", chain_of(step->below));
	json_put_string(json, "cwd", step->cwd);
	json_put_string(json, "prepared", content);
	if (build->epoch_nsec >= 0)
		json_put_int(json, "epoch", build->epoch_nsec);
	if (step->op == STEP_RUN)
		r = put_run(json, step, build->options->extra_hosts, err);
	else if (step->op == STEP_COPY)
		r = put_copy(json, step, content, err);
	else
		json_put_string(json, "user", step->user);
	if (r < 0)
		return r;
	text = json_text_sorted(json);
	sha256_of(text, strlen(text), hex);
	return 0;
}
