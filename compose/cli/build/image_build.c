// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `berth image build`: one Dockerfile, as `docker build` has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/build/build_attest.h"
#include "compose/cli/build/build_options.h"
#include "compose/cli/build/build_output.h"
#include "compose/cli/build/build_process.h"
#include "compose/cli/command.h"
#include "compose/cli/registry/docker_config.h"
#include "compose/cli/view/output.h"
#include "compose/model/project.h"

#define STDIN_MAX (16 << 20)

static char **tags, **build_args, **labels, **contexts, **secrets, **ssh, **no_cache_filter,
	**hosts;
static char **allow, **annotations, **attest, **cache_from, **cache_to, **security, **ulimits,
	**outputs;
static char **platforms;
static const char *file, *target, *network, *memory, *shm_size, *iidfile, *metadata;
static const char *builder, *call, *cgroup_parent, *isolation, *progress, *provenance, *sbom,
	*unused;
static bool no_cache, pull, push, quiet, check, load, ignored;

static const struct option options[] = {
	{"add-host", 0, OPTION_LIST, &hosts, "stringSlice", "HOST:ADDRESS for /etc/hosts of steps"},
	{"allow", 0, OPTION_LIST, &allow, "stringArray", "security.insecure"},
	{"annotation", 0, OPTION_LIST, &annotations, "stringArray",
	 "NAME=VALUE, for the image's manifest"},
	{"attest", 0, OPTION_LIST, &attest, "stringArray", "type=provenance,mode=min|max"},
	{"build-arg", 0, OPTION_LIST, &build_args, "stringArray", "NAME=VALUE for ARG"},
	{"build-context", 0, OPTION_LIST, &contexts, "stringArray",
	 "NAME=PATH or NAME=docker-image://IMAGE: one more context"},
	{"builder", 0, OPTION_STRING, &builder, "string", NULL},
	{"cache-from", 0, OPTION_LIST, &cache_from, "stringArray",
	 "IMAGE, type=registry,ref=IMAGE or type=local,src=DIR: the cache of another machine"},
	{"cache-to", 0, OPTION_LIST, &cache_to, "stringArray",
	 "type=registry,ref=IMAGE, type=local,dest=DIR or type=inline: the cache for others"},
	{"call", 0, OPTION_STRING, &call, "string", "build, or check: only look for what is wrong"},
	{"cgroup-parent", 0, OPTION_STRING, &cgroup_parent, "string", NULL},
	{"check", 0, OPTION_FLAG, &check, NULL, "Only look for what is wrong"},
	{"compress", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"cpu-period", 0, OPTION_STRING, &unused, "int", NULL},
	{"cpu-quota", 0, OPTION_STRING, &unused, "int", NULL},
	{"cpu-shares", 'c', OPTION_STRING, &unused, "int", NULL},
	{"cpuset-cpus", 0, OPTION_STRING, &unused, "string", NULL},
	{"cpuset-mems", 0, OPTION_STRING, &unused, "string", NULL},
	{"disable-content-trust", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"file", 'f', OPTION_STRING, &file, "string",
	 "The Dockerfile (default: DIR/Dockerfile); -: standard input"},
	{"force-rm", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"iidfile", 0, OPTION_STRING, &iidfile, "string", "Write the image's id into this file"},
	{"isolation", 0, OPTION_STRING, &isolation, "string", NULL},
	{"label", 0, OPTION_LIST, &labels, "stringArray", "NAME=VALUE, for the image"},
	{"load", 0, OPTION_FLAG, &load, NULL,
	 "Into the store, where it goes unless told otherwise"},
	{"memory", 'm', OPTION_STRING, &memory, "bytes", "What a step may use"},
	{"memory-swap", 0, OPTION_STRING, &unused, "bytes", NULL},
	{"metadata-file", 0, OPTION_STRING, &metadata, "string",
	 "Write the image's digests and names into this file, as JSON"},
	{"network", 0, OPTION_STRING, &network, "string", "Of RUN: default, none or host"},
	{"no-cache", 0, OPTION_FLAG, &no_cache, NULL, "Do every step anew"},
	{"no-cache-filter", 0, OPTION_LIST, &no_cache_filter, "stringArray",
	 "Do the steps of these stages anew"},
	{"output", 'o', OPTION_LIST, &outputs, "stringArray",
	 "FOLDER for the files; - for a tar of them; type=local|tar|oci|docker|image|registry,"
	 "dest=PATH"},
	{"platform", 0, OPTION_LIST, &platforms, "stringArray",
	 "linux/amd64; several: one image for all of them"},
	{"progress", 0, OPTION_STRING, &progress, "string", "auto, tty, plain, json or quiet"},
	{"provenance", 0, OPTION_STRING, &provenance, "string",
	 "true, mode=min or mode=max: say in the image's index what it was made of"},
	{"pull", 0, OPTION_FLAG, &pull, NULL, "Ask for newer base images"},
	{"push", 0, OPTION_FLAG, &push, NULL, "Send the image to its registry"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Print the image's id and nothing else"},
	{"rm", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"sbom", 0, OPTION_STRING, &sbom, "string", NULL},
	{"secret", 0, OPTION_LIST, &secrets, "stringArray", "id=NAME,src=FILE or id=NAME,env=NAME"},
	{"security-opt", 0, OPTION_LIST, &security, "stringSlice", NULL},
	{"shm-size", 0, OPTION_STRING, &shm_size, "bytes", "Size of /dev/shm"},
	{"squash", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"ssh", 0, OPTION_LIST, &ssh, "stringArray",
	 "default or ID=SOCKET: an ssh agent for steps"},
	{"tag", 't', OPTION_LIST, &tags, "stringArray", "NAME[:TAG] of the image"},
	{"target", 0, OPTION_STRING, &target, "string", "The stage to build"},
	{"ulimit", 0, OPTION_LIST, &ulimits, "list",
	 "NAME=SOFT[:HARD], of steps: nofile=1024:2048"},
	{NULL},
};

static int check_call(struct error *err)
{
	if (!call || !*call || !strcmp(call, "build"))
		return 0;
	check = check || !strcmp(call, "check") || str_starts_with(call, "check,");
	return check ? 0 : error_set(err, EINVAL, "--call %s: it must be build or check", call);
}

/* One honest line for what is asked for and changes nothing. */
static int check_flags(struct project_args *args, struct error *err)
{
	if (build_check_builder(builder, err) < 0 || check_call(err) < 0 ||
	    build_set_progress(args, progress, err) < 0)
		return -err->code;
	if (cgroup_parent)
		output_warn("--cgroup-parent: steps run in control groups of their own");
	if (unused)
		output_warn("limits of CPU and swap have no effect on steps of a build");
	if (security)
		output_warn("--security-opt has no effect: RUN --security=insecure with --allow "
			    "security.insecure is what there is");
	if (isolation && *isolation && strcmp(isolation, "default") != 0)
		output_warn("--isolation is for Windows and has no effect");
	return 0;
}

static int parse_size(const char *flag, const char *text, int64_t *ret, struct error *err)
{
	if (text && (units_parse_bytes(text, ret) < 0 || *ret < 0))
		return error_set(err, EINVAL, "--%s %s: not a size", flag, text);
	return 0;
}

static int fill(struct build_options *o, struct build_inputs *inputs, const char *context,
		struct error *err)
{
	*o = (struct build_options){
		.context = context,
		.dockerfile = file,
		.target = target,
		.labels = labels,
		.tags = tags,
		.annotations = annotations,
		.contexts = contexts,
		.network = network,
		.no_cache = no_cache,
		.pull = pull,
		.check_only = check,
		.no_cache_filter = no_cache_filter,
		.cache_from = cache_from,
		.cache_to = cache_to,
		.insecure = strv_contains(allow, "security.insecure"),
	};
	if (parse_size("memory", memory, &o->memory_bytes, err) < 0 ||
	    parse_size("shm-size", shm_size, &o->shm_bytes, err) < 0 ||
	    build_inputs_args(inputs, build_args, err) < 0 ||
	    build_inputs_secrets(inputs, secrets, err) < 0 ||
	    build_inputs_ssh(inputs, ssh, err) < 0 || build_inputs_hosts(inputs, hosts, err) < 0 ||
	    build_inputs_limits(inputs, ulimits, err) < 0)
		return -err->code;
	build_inputs_put(inputs, o);
	return 0;
}

/* The Dockerfile on standard input; as the context it is the builder's to read. */
static int read_stdin(struct build_options *o, struct strbuf *text, struct error *err)
{
	char buffer[65536];
	ssize_t n;

	o->context_fd = STDIN_FILENO;
	if (!str_equal(file, "-"))
		return 0;
	if (!strcmp(o->context, "-"))
		return error_set(err, EINVAL,
				 "invalid argument: can't use stdin for both build context and "
				 "dockerfile");
	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read the Dockerfile from standard input");
		strbuf_add_n(text, buffer, (size_t)n);
		if (text->length > STDIN_MAX)
			return error_set(err, EFBIG,
					 "the Dockerfile on standard input is larger "
					 "than 16 MB");
	}
	if (!text->length || memchr(text->data, '\0', text->length))
		return error_set(err, EINVAL,
				 "standard input: it must be the text of a Dockerfile");
	o->dockerfile_inline = text->data;
	return 0;
}

/* docker's -f is seen from where the user is, compose's from the context; of a context that is
 * elsewhere it is a file there. */
static void place_dockerfile(const struct project_args *args, struct build_options *o, char **ret)
{
	bool remote = !strcmp(o->context, "-") || build_context_is_remote(o->context);

	if (!file || *file == '/' || o->dockerfile_inline || remote)
		return;
	*ret = str_printf("%s/%s", args->working_dir, file);
	o->dockerfile = *ret;
}

static int open_output(struct build_output_to *to, struct build_inputs *inputs,
		       struct build_options *o, struct error *err)
{
	if (strv_length(outputs) > 1)
		return error_set(err, EINVAL, "--output: one at a time is possible");
	if (build_output_parse(to, outputs ? outputs[0] : NULL, err) < 0)
		return -err->code;
	to->push = to->push || push;
	inputs->tags = strv_dup(tags);
	strv_foreach(name, to->names)
		strv_append(&inputs->tags, name);
	o->tags = inputs->tags;
	return build_output_open(to, o, err);
}

/* @index: its digest, or NULL. */
static int report(const struct build_job *job, const struct build_output_to *to, const char *index,
		  struct error *err)
{
	if (job->image_id && !build_output_is_stdout(to) && !check)
		puts(job->image_id);
	if (iidfile && job->image_id &&
	    fs_replace(AT_FDCWD, iidfile, job->image_id, strlen(job->image_id), FS_ATOMIC, err) < 0)
		return -err->code;
	return metadata ? build_output_metadata(job, index, metadata, err) : 0;
}

/* One of them each; @o is for all. */
static int fill_jobs(struct build_job *jobs, size_t count, char *const *list, bool joined,
		     const struct build_options *o, struct error *err)
{
	if (count > 1 && !strcmp(o->context, "-"))
		return error_set(err, EINVAL,
				 "--platform: the context on standard input can be read for one "
				 "platform only");
	for (size_t i = 0; i < count; i++) {
		jobs[i].options = *o;
		jobs[i].options.platform = list ? list[i] : NULL;
		jobs[i].options.shared = count > 1;
		if (count > 1)
			jobs[i].name = list[i];
		/* The names are those of the whole. */
		if (joined)
			jobs[i].options.tags = NULL;
	}
	return 0;
}

static int run_jobs(struct project_args *args, struct build_job *jobs, size_t count,
		    struct error *err)
{
	struct build_view *view = build_view_new(args, quiet);
	int r = build_process_run(jobs, count, view, err);

	build_view_free(view);
	if (r == 0 && check && !jobs[0].warned)
		puts("Check complete, no warnings found.");
	return r;
}

struct building {
	struct build_attest attest;
	struct build_inputs inputs;
	struct build_output_to to;
	struct build_job *jobs;
	char **platforms;
	size_t count;
};

static int build(struct project_args *args, struct building *b, const char *context,
		 struct error *err)
{
	bool joined = build_attest_joins(&b->attest, b->count) && !check, archived;
	_cleanup_free_ char *dockerfile = NULL, *digest = NULL;
	_cleanup_strbuf_ struct strbuf text = {0};
	struct build_options o;
	size_t best = 0;
	int r = fill(&o, &b->inputs, context, err);

	if (r < 0 || read_stdin(&o, &text, err) < 0 || open_output(&b->to, &b->inputs, &o, err) < 0)
		return -err->code;
	joined = joined && o.output == BUILD_OUTPUT_IMAGE;
	place_dockerfile(args, &o, &dockerfile);
	archived = build_output_is_archive(&b->to) && !joined;
	if (b->count > 1 && b->to.kind == BUILD_TO_DOCKER)
		return error_set(err, ENOTSUP,
				 "--output type=docker: an archive of that kind holds one "
				 "platform; type=oci holds several");
	if (fill_jobs(b->jobs, b->count, b->platforms, joined || archived, &o, err) < 0 ||
	    build_output_split(&b->to, b->jobs, b->count, err) < 0)
		return -err->code;
	r = run_jobs(args, b->jobs, b->count, err);
	if (r < 0 || check)
		return r;
	if (joined &&
	    build_attest_join(&b->attest, b->jobs, b->count, o.tags, &best, &digest, err) < 0)
		return -err->code;
	b->jobs[best].options.tags = o.tags;
	r = build_output_finish(args, &b->to, &b->jobs[best], quiet, err);
	if (r == 0)
		r = report(&b->jobs[best], &b->to, digest, err);
	return r || !archived ? r : build_output_forget(&b->to, &b->jobs[best], err);
}

static const struct build_job *failed_job(const struct building *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->jobs[i].failed && b->jobs[i].error.code != ECANCELED)
			return &b->jobs[i];
	return b->jobs;
}

/* "--platform a,b" and "--platform a --platform b"; each once. */
static void split_platforms(struct building *b)
{
	const char *usual = docker_platform(NULL);

	if (!platforms && usual)
		strv_append(&platforms, usual);
	strv_foreach(row, platforms) {
		_cleanup_strv_ char **words = strv_split(row, ", ");

		strv_foreach(word, words)
			if (!strv_contains(b->platforms, word))
				strv_append(&b->platforms, word);
	}
	b->count = b->platforms ? strv_length(b->platforms) : 1;
	b->jobs = new_array(struct build_job, b->count);
	for (size_t i = 0; i < b->count; i++)
		b->jobs[i].fd = -EBADF;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct building b = {.to.fd = -EBADF};
	struct error err = ERROR_INIT;
	int r = check_flags(args, &err);

	split_platforms(&b);
	if (r == 0)
		r = build_attest_parse(attest, provenance, sbom, &b.attest, &err);
	if (r == 0)
		r = build(args, &b, argv[0], &err);
	if (r < 0)
		r = build_fail(args, failed_job(&b), &err);
	build_output_done(&b.to);
	for (size_t i = 0; i < b.count; i++)
		build_job_done(&b.jobs[i]);
	free(b.jobs);
	strv_free(b.platforms);
	build_inputs_done(&b.inputs);
	build_attest_done(&b.attest);
	return r;
}

const struct command command_image_build = {
	.name = "build",
	.operands = "[OPTIONS] DIRECTORY|URL|-",
	.summary = "Build an image from a Dockerfile",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
