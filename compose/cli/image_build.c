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

#include "compose/cli/build_options.h"
#include "compose/cli/build_process.h"
#include "compose/cli/command.h"
#include "compose/cli/output.h"
#include "compose/cli/project_args.h"

#define STDIN_MAX (16 << 20)

static char **tags, **build_args, **labels, **contexts, **secrets, **ssh, **no_cache_filter,
	**hosts;
static char **allow, **cache_from, **cache_to;
static const char *file, *target, *platform, *network, *memory, *shm_size, *iidfile;
static bool no_cache, pull, quiet, check;

static const struct option options[] = {
	{"add-host", 0, OPTION_LIST, &hosts, "stringSlice", "HOST:ADDRESS for /etc/hosts of steps"},
	{"allow", 0, OPTION_LIST, &allow, "stringArray", "security.insecure"},
	{"build-arg", 0, OPTION_LIST, &build_args, "stringArray", "NAME=VALUE for ARG"},
	{"build-context", 0, OPTION_LIST, &contexts, "stringArray",
	 "NAME=PATH or NAME=docker-image://IMAGE: one more context"},
	{"cache-from", 0, OPTION_LIST, &cache_from, "stringArray",
	 "IMAGE, type=registry,ref=IMAGE or type=local,src=DIR: the cache of another machine"},
	{"cache-to", 0, OPTION_LIST, &cache_to, "stringArray",
	 "type=registry,ref=IMAGE, type=local,dest=DIR or type=inline: the cache for others"},
	{"check", 0, OPTION_FLAG, &check, NULL, "Only look for what is wrong"},
	{"file", 'f', OPTION_STRING, &file, "string",
	 "The Dockerfile (default: DIR/Dockerfile); -: standard input"},
	{"iidfile", 0, OPTION_STRING, &iidfile, "string", "Write the image's id into this file"},
	{"label", 0, OPTION_LIST, &labels, "stringArray", "NAME=VALUE, for the image"},
	{"memory", 'm', OPTION_STRING, &memory, "bytes", "What a step may use"},
	{"network", 0, OPTION_STRING, &network, "string", "Of RUN: default, none or host"},
	{"no-cache", 0, OPTION_FLAG, &no_cache, NULL, "Do every step anew"},
	{"no-cache-filter", 0, OPTION_LIST, &no_cache_filter, "stringArray",
	 "Do the steps of these stages anew"},
	{"platform", 0, OPTION_STRING, &platform, "string", "linux/amd64"},
	{"pull", 0, OPTION_FLAG, &pull, NULL, "Ask for newer base images"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Print the image's id and nothing else"},
	{"secret", 0, OPTION_LIST, &secrets, "stringArray", "id=NAME,src=FILE or id=NAME,env=NAME"},
	{"shm-size", 0, OPTION_STRING, &shm_size, "bytes", "Size of /dev/shm"},
	{"ssh", 0, OPTION_LIST, &ssh, "stringArray",
	 "default or ID=SOCKET: an ssh agent for steps"},
	{"tag", 't', OPTION_LIST, &tags, "stringArray", "NAME[:TAG] of the image"},
	{"target", 0, OPTION_STRING, &target, "string", "The stage to build"},
	{NULL},
};

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
		.contexts = contexts,
		.network = network,
		.platform = platform,
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
	    build_inputs_ssh(inputs, ssh, err) < 0 || build_inputs_hosts(inputs, hosts, err) < 0)
		return -err->code;
	build_inputs_put(inputs, o);
	return 0;
}

/* "-" for the Dockerfile, or for the context, which is then none. */
static int read_stdin(struct build_options *o, struct strbuf *text, struct error *err)
{
	bool alone = !strcmp(o->context, "-");
	char buffer[65536];
	ssize_t n;

	if (!alone && !str_equal(file, "-"))
		return 0;
	if (alone)
		o->context = "";
	if (alone && file && strcmp(file, "-") != 0)
		return error_set(err, EINVAL, "-f %s: there is no context that it could be in",
				 file);
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
	o->dockerfile = "-";
	o->dockerfile_inline = text->data;
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct build_job job = {.fd = -EBADF};
	struct build_inputs inputs = {0};
	struct build_view *view = build_view_new(args, quiet);
	_cleanup_free_ char *dockerfile = NULL;
	_cleanup_strbuf_ struct strbuf text = {0};
	struct error err = ERROR_INIT;
	int r = fill(&job.options, &inputs, argv[0], &err);

	/* docker's -f is seen from where the user is, compose's from the context. */
	if (r == 0)
		r = read_stdin(&job.options, &text, &err);
	if (r == 0 && file && *file != '/' && !job.options.dockerfile_inline) {
		dockerfile = str_printf("%s/%s", args->working_dir, file);
		job.options.dockerfile = dockerfile;
	}
	if (r == 0)
		r = build_process_run(&job, 1, view, &err);
	build_view_free(view);
	if (r == 0 && !check)
		printf("%s\n", job.image_id);
	if (r == 0 && iidfile && job.image_id)
		r = fs_replace(AT_FDCWD, iidfile, job.image_id, strlen(job.image_id), FS_ATOMIC,
			       &err);
	r = r < 0 ? build_fail(args, &job, &err) : 0;
	build_job_done(&job);
	build_inputs_done(&inputs);
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
