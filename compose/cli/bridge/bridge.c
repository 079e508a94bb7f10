// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `bridge`: a project as something else (Kubernetes manifests, ...), by images that make it so. A
 * transformer finds compose.yaml in /in, perhaps templates in /templates, and writes into /out.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/path.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/bridge/bridge_model.h"
#include "compose/cli/command.h"
#include "compose/cli/image/image_rows.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/view/output.h"
#include "compose/model/emit.h"

#define DEFAULT_TRANSFORMER "docker/compose-bridge-kubernetes"
#define BASE_TRANSFORMER    "docker/compose-bridge-transformer"
#define LABEL               "com.docker.compose.bridge"
#define LABEL_VALUE         "transformation"

extern char **environ;

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct project *, project_free);

/* One of our own commands, as a user would give it. Its exit code. */
static int berth(char *const *words, bool quiet, struct error *err)
{
	_cleanup_strv_ char **argv = NULL;
	posix_spawn_file_actions_t actions;
	int status = 0, r;
	pid_t pid;

	strv_append(&argv, "berth");
	strv_foreach(word, (char **)words)
		strv_append(&argv, word);
	posix_spawn_file_actions_init(&actions);
	if (quiet)
		posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		return error_code(err, -r, "run berth %s", words[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char *absolute(const char *path)
{
	_cleanup_free_ char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
	_cleanup_free_ char *text = str_printf("%s%s%s", here ?: "", here ? "/" : "", path);

	return path_clean(text);
}

/* bridge convert */

static const char *output = "out", *templates;
static char **transformations;
static bool yes;

static const struct option convert_options[] = {
	{"output", 'o', OPTION_STRING, &output, "string",
	 "The folder for what is made (default out)"},
	{"templates", 0, OPTION_STRING, &templates, "string", "A folder of templates to use"},
	{"transformation", 't', OPTION_LIST, &transformations, "stringArray",
	 "An image that transforms (default " DEFAULT_TRANSFORMER ")"},
	{"yes", 'y', OPTION_FLAG, &yes, NULL, "Empty the folder without asking"},
	{NULL},
};

/* There, and empty. 0: the user would rather keep it. */
static int prepare_output(const char *path, struct error *err)
{
	_cleanup_strv_ char **names = NULL;
	_cleanup_free_ char *question =
		str_printf("All that is in '%s' will be deleted. Continue?", output);
	int r = fs_list(AT_FDCWD, path, &names, err), fd;

	if (r == -ENOENT)
		error_clear(err);
	else if (r < 0)
		return r;
	if (names && names[0] && !yes && !output_ask(question))
		return 0;
	strv_foreach(name, names) {
		_cleanup_free_ char *one = str_printf("%s/%s", path, name);

		if (fs_remove_tree(AT_FDCWD, one, err) < 0)
			return -err->code;
	}
	fd = fs_mkdir_path(path, 0755, err);
	if (fd < 0)
		return fd;
	close(fd);
	return 1;
}

static int write_model(const json_t *model, const char *folder, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/compose.yaml", folder);
	_cleanup_fclose_ FILE *file = fopen(path, "we");
	int r;

	if (!file)
		return error_errno(err, "write %s", path);
	r = config_render_yaml(model, file);
	if (r >= 0 && fflush(file) != 0)
		r = -errno;
	return r < 0 ? error_code(err, r, "write %s", path) : 0;
}

/* Exit code, or negative. */
static int transform(const char *image, const char *in, const char *out, struct error *err)
{
	_cleanup_free_ char *in_mount = str_printf("%s:/in", in);
	_cleanup_free_ char *out_mount = str_printf("%s:/out", out);
	_cleanup_free_ char *from = templates ? absolute(templates) : NULL;
	_cleanup_free_ char *mount = from ? str_printf("%s:/templates", from) : NULL;
	_cleanup_free_ char *user = str_printf("%u", (unsigned int)getuid());
	const char *words[] = {
		"container", "run",    "--rm", "-u",      user,  "-e", "LICENSE_AGREEMENT=true",
		"-v",        in_mount, "-v",   out_mount, image, NULL, NULL,
		NULL};

	if (mount) {
		words[11] = "-v";
		words[12] = mount;
		words[13] = image;
	}
	return berth((char *const *)words, false, err);
}

static int convert_into(struct project_args *args, const json_t *model, const char *in,
			const char *out)
{
	const char *one[] = {DEFAULT_TRANSFORMER, NULL};
	struct error err = ERROR_INIT;
	int r = write_model(model, in, &err);

	strv_foreach(image, transformations ? transformations : (char **)one) {
		if (r == 0)
			r = transform(image, in, out, &err);
	}
	return r < 0 ? output_fail(args, &err) : r;
}

static int convert(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_project_free) struct project *project = NULL;
	_cleanup_json_ json_t *model = NULL;
	_cleanup_free_ char *out = absolute(output);
	struct error err = ERROR_INIT;
	char in[] = "/tmp/compose-convert-XXXXXX";
	int r;

	if (project_args_load(args, NULL, &project, &err) < 0 ||
	    bridge_model(project, &model, &err) < 0)
		return output_fail(args, &err);
	if (args->dry_run)
		return printf("convert project %s into %s\n", project->name, out), 0;
	r = prepare_output(out, &err);
	if (r == 0)
		error_set(&err, ECANCELED, "'%s' stays as it is: nothing was converted", output);
	if (r <= 0)
		return output_fail(args, &err);
	if (!mkdtemp(in)) {
		error_errno(&err, "make %s", in);
		return output_fail(args, &err);
	}
	r = convert_into(args, model, in, out);
	(void)fs_remove_tree(AT_FDCWD, in, &err);
	return r;
}

static const struct command command_convert = {
	.name = "convert",
	.operands = "[OPTIONS]",
	.summary = "Convert the project, by default into Kubernetes manifests",
	.options = convert_options,
	.run = convert,
};

/* bridge transformations list */

static const char *list_format;
static bool list_quiet;

static const struct option list_options[] = {
	{"format", 0, OPTION_STRING, &list_format, "string", "table (default) or json"},
	{"quiet", 'q', OPTION_FLAG, &list_quiet, NULL, "Names only"},
	{NULL},
};

static const char *const list_columns[] = {"IMAGE ID", "ID",   "REPO", "Repository", "TAGS",
					   "Tag",      "SIZE", "Size", NULL};

static int list_rows(json_t *rows, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct image **images = NULL;
	size_t count = 0;

	if (store_here_open(&store, err) < 0 || image_list(store, &images, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		if (str_equal(json_get_string(images[i]->labels, LABEL), LABEL_VALUE))
			json_array_append_new(rows, image_row(images[i], true));
		image_free(images[i]);
	}
	free(images);
	return 0;
}

static int list(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *rows = json_array();
	struct error err = ERROR_INIT;

	if (list_rows(rows, &err) < 0 ||
	    output_rows(rows, list_quiet ? "{{.Repository}}:{{.Tag}}" : list_format, list_columns,
			OUTPUT_ARRAY, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

static const struct command command_list = {
	.name = "list",
	.aliases = "ls",
	.operands = "[OPTIONS]",
	.summary = "List the images here that transform",
	.options = list_options,
	.run = list,
};

/* bridge transformations create */

static const char *from = DEFAULT_TRANSFORMER;

static const struct option create_options[] = {
	{"from", 'f', OPTION_STRING, &from, "string",
	 "Whose templates to begin with (default " DEFAULT_TRANSFORMER ")"},
	{NULL},
};

static const char dockerfile[] = "FROM " BASE_TRANSFORMER "\n"
				 "LABEL " LABEL "=" LABEL_VALUE "\n"
				 "COPY templates /templates\n";

static int copy_templates(const char *folder, struct error *err)
{
	char digits[13];
	_cleanup_free_ char *name = NULL, *source = NULL;

	fs_random_hex(digits, 6);
	name = str_printf("bridge-%s", digits);
	source = str_printf("%s:/templates", name);
	const char *make[] = {"container", "create", "--name", name, from, NULL};
	const char *copy[] = {"container", "cp", "-q", source, folder, NULL};
	const char *removal[] = {"container", "rm", name, NULL};
	int r = berth((char *const *)make, true, err), gone;

	if (r != 0)
		return r;
	r = berth((char *const *)copy, true, err);
	gone = berth((char *const *)removal, true, err);
	return r ? r : gone;
}

static int create(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *path = absolute(argv[0]);
	_cleanup_close_ int folder = -EBADF;
	struct error err = ERROR_INIT;
	int r;

	if (access(path, F_OK) == 0) {
		error_set(&err, EEXIST, "output folder %s already exists", path);
		return output_fail(args, &err);
	}
	folder = fs_mkdir_path(path, 0755, &err);
	if (folder < 0)
		return output_fail(args, &err);
	r = copy_templates(path, &err);
	if (r > 0)
		return r;
	if (r < 0 ||
	    fs_replace(folder, "Dockerfile", dockerfile, strlen(dockerfile), FS_ATOMIC, &err) < 0)
		return output_fail(args, &err);
	printf("Transformer created in \"%s\"\n", path);
	return 0;
}

static const struct command command_create_transformation = {
	.name = "create",
	.operands = "[OPTIONS] PATH",
	.summary = "Begin a transformer of one's own: its templates and its Dockerfile",
	.options = create_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = create,
};

static const struct command *const transformations_children[] = {&command_create_transformation,
								 &command_list, NULL};

static const struct command command_transformations = {
	.name = "transformations",
	.operands = "COMMAND",
	.summary = "Look after the images that transform",
	.children = transformations_children,
};

static const struct command *const children[] = {&command_convert, &command_transformations, NULL};

const struct command command_bridge = {
	.name = "bridge",
	.operands = "COMMAND",
	.summary = "Convert the project into something else",
	.children = children,
};
