// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/models.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/sha256.h"
#include "common/str.h"

#include "compose/supervisor/state.h"

struct model *model_ref(struct model *model)
{
	model->refs++;
	return model;
}

void model_unref(struct supervisor *supervisor, struct model *model)
{
	_cleanup_free_ char *file = NULL;

	if (!model || --model->refs)
		return;
	map_remove(&supervisor->models, model->hash);
	/* While we end, what is on disk is still needed by the next supervisor. */
	if (!supervisor->ending) {
		file = str_printf("%s.json", model->hash);
		(void)unlinkat(supervisor->accepted_dir, file, 0);
	}
	project_free(model->project);
	free(model);
}

static int model_new(struct supervisor *supervisor, const json_t *json, const char *hash,
		     struct model **ret, struct error *err)
{
	struct project *project = NULL;
	struct model *model = map_get(&supervisor->models, hash);
	int r;

	if (model) {
		*ret = model_ref(model);
		return 0;
	}
	r = project_from_json(json, &project, err);
	if (r < 0)
		return r;
	if (!str_equal(project->name, supervisor->project)) {
		r = error_set(err, EINVAL, "project %s was sent to the supervisor of project %s",
			      project->name ?: "(no name)", supervisor->project);
		project_free(project);
		return r;
	}
	model = new (struct model);
	strcpy(model->hash, hash);
	model->refs = 1;
	model->project = project;
	map_set(&supervisor->models, hash, model);
	*ret = model;
	return 0;
}

int model_load(struct supervisor *supervisor, const char *hash, struct model **ret,
	       struct error *err)
{
	_cleanup_free_ char *file = str_printf("%s.json", hash);
	_cleanup_json_ json_t *json = NULL;
	struct model *model = map_get(&supervisor->models, hash);
	int r;

	if (model) {
		*ret = model_ref(model);
		return 0;
	}
	r = json_read(supervisor->accepted_dir, file, PROJECT_BYTES_MAX, &json, err);
	if (r < 0)
		return error_wrap(err, "accepted project %.12s", hash);
	return model_new(supervisor, json, hash, ret, err);
}

int model_parse(struct supervisor *supervisor, const json_t *json, struct model **ret,
		struct error *err)
{
	_cleanup_free_ char *text = json_text(json);
	char hash[SHA256_HEX_SIZE];

	sha256_of(text, strlen(text), hash);
	return model_new(supervisor, json, hash, ret, err);
}

static int accept_as(struct supervisor *supervisor, const json_t *json, bool current,
		     struct model **ret, struct error *err)
{
	_cleanup_free_ char *text = json_text(json), *file = NULL;
	char hash[SHA256_HEX_SIZE];
	struct model *model = NULL;
	int r;

	sha256_of(text, strlen(text), hash);
	r = model_new(supervisor, json, hash, &model, err);
	if (r < 0)
		return r;
	file = str_printf("%s.json", hash);
	if (faccessat(supervisor->accepted_dir, file, F_OK, 0) < 0)
		r = fs_replace(supervisor->accepted_dir, file, text, strlen(text), FS_ATOMIC, err);
	if (r == 0 && current)
		r = fs_replace(supervisor->state_dir, "project.json", text, strlen(text), FS_ATOMIC,
			       err);
	if (r < 0) {
		model_unref(supervisor, model);
		return error_wrap(err, "write project %s down", supervisor->project);
	}
	*ret = model;
	return 0;
}

int model_accept(struct supervisor *supervisor, const json_t *json, struct model **ret,
		 struct error *err)
{
	return accept_as(supervisor, json, true, ret, err);
}

int model_accept_oneoff(struct supervisor *supervisor, const json_t *json, struct model **ret,
			struct error *err)
{
	return accept_as(supervisor, json, false, ret, err);
}

void model_make_current(struct supervisor *supervisor, struct model *model)
{
	struct model *before = supervisor->current;

	supervisor->current = model_ref(model);
	model_unref(supervisor, before);
}

void models_sweep(struct supervisor *supervisor)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	if (fs_list(supervisor->accepted_dir, ".", &names, &err) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *hash = alloc_string_n(name, 64);

		if (!map_get(&supervisor->models, hash))
			(void)unlinkat(supervisor->accepted_dir, name, 0);
	}
}
