// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/build/build_attest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/builder.h"
#include "runtime/image/platform.h"
#include "runtime/image/variants.h"

#include "compose/cli/image/store_here.h"
#include "compose/cli/view/output.h"
#include "compose/model/project.h"

#define BUILD_TYPE "https://mobyproject.org/buildkit@v1"

DEFINE_CLEANUP(struct image_store *, image_store_close);

static bool is_yes(const char *word)
{
	return !strcmp(word, "true") || !strcmp(word, "1");
}

static bool is_no(const char *word)
{
	return !strcmp(word, "false") || !strcmp(word, "0");
}

/* "true", "mode=max", "mode=min,builder-id=https://ci.example/7". */
static int parse_provenance(const char *text, struct build_attest *ret, struct error *err)
{
	_cleanup_strv_ char **fields = strv_split(text, ",");

	if (!*text)
		return 0;
	ret->provenance = true;
	strv_foreach(field, fields) {
		const char *value = strchr(field, '=');

		value = value ? value + 1 : "";
		if (is_yes(field) || is_no(field))
			ret->provenance = is_yes(field);
		else if (!strcmp(field, "mode=min") || !strcmp(field, "mode=max"))
			ret->max = !strcmp(value, "max");
		else if (str_starts_with(field, "disabled=") && (is_yes(value) || is_no(value)))
			ret->provenance = is_no(value);
		else if (str_starts_with(field, "builder-id=")) {
			free(ret->builder_id);
			ret->builder_id = alloc_string(value);
		} else if (strcmp(field, "version=v0.2") != 0 &&
			   strcmp(field, "type=provenance") != 0 &&
			   !str_starts_with(field, "reproducible=") &&
			   !str_starts_with(field, "inline-only="))
			return error_set(err, EINVAL,
					 "--provenance %s: there are true, false, mode=min|max, "
					 "builder-id=URL and version=v0.2",
					 text);
	}
	return 0;
}

static void warn_of_sbom(const char *text, const char *flag)
{
	static bool told;

	if (!told && text && *text && !is_no(text) && !strstr(text, "disabled=true")) {
		told = true;
		output_warn(
			"%s: an SBOM is made by a scanner (such as docker/buildkit-syft-scanner), "
			"and berth runs none: the image is built without one",
			flag);
	}
}

int build_attest_parse(char *const *attest, const char *provenance, const char *sbom,
		       struct build_attest *ret, struct error *err)
{
	*ret = (struct build_attest){0};
	warn_of_sbom(sbom, "--sbom");
	strv_foreach(row, (char **)attest) {
		if (str_starts_with(row, "type=sbom"))
			warn_of_sbom(row, "--attest type=sbom");
		else if (!str_starts_with(row, "type=provenance"))
			return error_set(err, EINVAL,
					 "--attest %s: there are type=provenance and type=sbom",
					 row);
		else if (parse_provenance(row, ret, err) < 0)
			return -err->code;
	}
	return provenance ? parse_provenance(provenance, ret, err) : 0;
}

void build_attest_done(struct build_attest *attest)
{
	free(attest->builder_id);
}

bool build_attest_joins(const struct build_attest *attest, size_t platform_count)
{
	return attest->provenance || platform_count > 1;
}

static void put_rows(json_t *object, const char *prefix, char *const *rows)
{
	strv_foreach(row, (char **)rows) {
		const char *equals = strchr(row, '=') ?: row + strlen(row);
		_cleanup_free_ char *name = alloc_string_n(row, (size_t)(equals - row));
		_cleanup_free_ char *key = str_printf("%s%s", prefix, name);

		/* Where a proxy is, and its password, is nobody else's. */
		if (scope_is_proxy(name))
			continue;
		json_put_string(object, key, *equals ? equals + 1 : "");
	}
}

/* What it was asked for with. */
static json_t *invocation_of(const struct build_attest *attest, const struct build_job *job)
{
	const struct build_options *o = &job->options;
	const char *slash = o->dockerfile ? strrchr(o->dockerfile, '/') : NULL;
	_cleanup_json_ json_t *platform = json_object();
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;
	json_t *source = json_object(), *arguments = json_object();

	(void)platform_describe(o->platform, platform, &ignored);
	text = platform_text(platform);
	if (build_context_is_remote(o->context))
		json_put_string(source, "uri", o->context);
	json_put_string(source, "entryPoint",
			slash           ? slash + 1
			: o->dockerfile ? o->dockerfile
					: "Dockerfile");
	json_put_string(arguments, "target", o->target);
	if (attest->max) {
		put_rows(arguments, "build-arg:", o->args);
		put_rows(arguments, "label:", o->labels);
	}
	return json_pack("{s:o, s:{s:s, s:o, s:[{s:s}, {s:s}]}, s:{s:s}}", "configSource", source,
			 "parameters", "frontend", "dockerfile.v0", "args", arguments, "locals",
			 "name", "context", "name", "dockerfile", "environment", "platform", text);
}

static json_t *predicate_of(const struct build_attest *attest, const struct build_job *job)
{
	char started[UNITS_TIME_MAX], finished[UNITS_TIME_MAX], id[33];

	fs_random_hex(id, 16);
	return json_pack("{s:{s:s}, s:s, s:O, s:o, s:{s:s, s:s, s:s, s:{s:b, s:b, s:b}, s:b}}",
			 "builder", "id", attest->builder_id ?: "", "buildType", BUILD_TYPE,
			 "materials", job->materials, "invocation", invocation_of(attest, job),
			 "metadata", "buildInvocationID", id, "buildStartedOn",
			 units_format_time(job->started_nsec, started, sizeof(started)),
			 "buildFinishedOn",
			 units_format_time(units_now_nsec(), finished, sizeof(finished)),
			 "completeness", "parameters", attest->max, "environment", true,
			 "materials", false, "reproducible", false);
}

int build_attest_join(const struct build_attest *attest, struct build_job *jobs, size_t count,
		      char *const *names, size_t *ret_best, char **ret_digest, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_free_ struct image_part *parts = new_array(struct image_part, count);
	char digest[DIGEST_SIZE];
	int r = store_here_open(&store, err);

	for (size_t i = 0; i < count; i++) {
		parts[i].id = jobs[i].image_id;
		if (attest->provenance)
			parts[i].predicate = predicate_of(attest, &jobs[i]);
	}
	if (r == 0)
		r = image_join(store, parts, count, names, digest, ret_best, err);
	for (size_t i = 0; i < count; i++)
		json_decref(parts[i].predicate);
	if (r == 0)
		*ret_digest = alloc_string(digest);
	return r;
}
