// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd/systemd_files.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "compose/cli/systemd/systemd_parts.h"
#include "compose/cli/systemd/systemd_unit.h"
#include "compose/control/requests.h"

#define DROPIN          "project.conf"
#define SYSTEMD_DROPINS "berth@?*.service.d" /* of any project */
#define PLACE_ENDS      "# Disabled while it ran: goes with its stop.\n"
#define TEXT_BYTES_MAX  (1 << 20)

static char *user_config(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && config[0] == '/')
		return alloc_string(config);
	return str_printf("%s/.config", home && home[0] == '/' ? home : "");
}

char *systemd_files_units(bool user)
{
	_cleanup_free_ char *config = user ? user_config() : NULL;

	return user ? str_printf("%s/systemd/user", config) : alloc_string("/etc/systemd/system");
}

char *systemd_files_default_folder(const char *project, bool user)
{
	_cleanup_free_ char *config = user ? user_config() : alloc_string("/etc");

	return str_printf("%s/berth/%s", config, project);
}

static bool has_compose_file(const char *folder)
{
	static const char *const names[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
					    "docker-compose.yaml"};

	array_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("%s/%s", folder, *name);

		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

char *systemd_files_program(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return alloc_string("/usr/bin/berth");
	path[n] = 0;
	return alloc_string(path);
}

int systemd_files_write(const char *folder, const char *name, const char *text, struct error *err)
{
	_cleanup_close_ int dir = fs_mkdir_path(folder, 0755, err);

	if (dir < 0)
		return dir;
	if (fs_replace(dir, name, text, strlen(text), FS_DURABLE, err) < 0)
		return error_wrap(err, "%s/%s", folder, name);
	return 0;
}

/* The one that a package brought; NULL: none did. New string. */
static char *packaged_template(bool user)
{
	static const char *const folders[] = {"/usr/local/lib/systemd", "/usr/lib/systemd",
					      "/lib/systemd"};

	array_foreach(folder, folders) {
		_cleanup_free_ char *path =
			str_printf("%s/%s/" SYSTEMD_TEMPLATE, *folder, user ? "user" : "system");

		if (access(path, F_OK) == 0)
			return TAKE_PTR(path);
	}
	return NULL;
}

/* One that a package brought, or that somebody wrote, stays as it is. */
static bool template_is_there(const char *own, bool user)
{
	_cleanup_free_ char *path = str_printf("%s/" SYSTEMD_TEMPLATE, own), *text = NULL;
	_cleanup_free_ char *packaged = packaged_template(user);
	struct error ignored = ERROR_INIT;

	if (fs_read(AT_FDCWD, path, TEXT_BYTES_MAX, &text, NULL, &ignored) >= 0)
		return !str_starts_with(text, SYSTEMD_UNIT_MARK);
	return packaged;
}

int systemd_files_template(const char *folder, bool user, struct error *err)
{
	_cleanup_free_ char *program = systemd_files_program(), *text = NULL;

	if (template_is_there(folder, user))
		return 0;
	text = systemd_unit_template(program, user);
	return systemd_files_write(folder, SYSTEMD_TEMPLATE, text, err);
}

/* Whether @folder has a file of ours of which @pattern is the name. */
static bool has_file(int units, const char *folder, const char *pattern, bool only_ours)
{
	_cleanup_strv_ char **entries = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_list(units, folder, &entries, &ignored) < 0)
		return false;
	strv_foreach(entry, entries) {
		_cleanup_free_ char *path = str_printf("%s/%s", folder, entry), *text = NULL;

		if (fnmatch(pattern, entry, 0) != 0)
			continue;
		if (!only_ours)
			return true;
		if (fs_read(units, path, TEXT_BYTES_MAX, &text, NULL, &ignored) >= 0 &&
		    str_starts_with(text, SYSTEMD_UNIT_MARK))
			return true;
	}
	return false;
}

/* By a link of a target's, or by drop-ins of a project's. */
static int template_is_used(int units, struct error *err)
{
	_cleanup_strv_ char **entries = NULL;

	if (fs_list(units, ".", &entries, err) < 0)
		return -err->code;
	strv_foreach(entry, entries) {
		if ((fnmatch("*.wants", entry, 0) == 0 || fnmatch("*.requires", entry, 0) == 0) &&
		    has_file(units, entry, "berth@?*", false))
			return 1;
		if (fnmatch(SYSTEMD_DROPINS, entry, 0) == 0 &&
		    has_file(units, entry, "*.conf", true))
			return 1;
	}
	return 0;
}

static int remove_own(int units, const char *name, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_read(units, name, TEXT_BYTES_MAX, &text, NULL, &ignored) < 0 ||
	    !str_starts_with(text, SYSTEMD_UNIT_MARK))
		return 0;
	return unlinkat(units, name, 0) < 0 ? error_errno(err, "remove %s", name) : 1;
}

int systemd_files_remove_template(const char *units, struct error *err)
{
	static const char folder[] = SYSTEMD_TEMPLATE ".d";
	_cleanup_close_ int dir = open(units, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r, conf;

	if (dir < 0)
		return errno == ENOENT ? 0 : error_errno(err, "%s", units);
	r = template_is_used(dir, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = remove_own(dir, SYSTEMD_TEMPLATE, err);
	conf = r < 0 ? r : remove_own(dir, SYSTEMD_TEMPLATE ".d/" SYSTEMD_SUBGROUP, err);
	(void)unlinkat(dir, folder, AT_REMOVEDIR);
	return conf < 0 ? conf : r || conf;
}

static char **absolute_paths(const struct project_args *args, char *const *paths)
{
	char **list = NULL;

	strv_foreach(path, paths) {
		strv_take(&list, path[0] == '/' ? alloc_string(path)
						: str_printf("%s/%s", args->working_dir, path));
	}
	return list;
}

static char **words_of(char *const *given, const char *variable)
{
	const char *value = getenv(variable);

	return given ? strv_dup(given) : strv_split(value ? value : "", ",");
}

/* Such a line would be two, or none: systemd.syntax(7). */
static int check_word(const char *word, struct error *err)
{
	bool bad = word && !str_is_utf8(word, strlen(word));

	for (const char *c = word; c && *c; c++)
		bad = bad || (unsigned char)*c < ' ' || *c == 127;
	if (!bad)
		return 0;
	return error_set(err, EINVAL,
			 "\"%s\": no unit can name it, for it has a control character, or one that "
			 "is not UTF-8",
			 word);
}

static int check_place(const struct systemd_place *place, struct error *err)
{
	char *const *const lists[] = {place->files, place->env_files, place->profiles};
	int r = check_word(place->folder, err);

	array_foreach(list, lists)
		strv_foreach(word, *list)
			r = r < 0 ? r : check_word(word, err);
	return r;
}

/* By flags and variables, which the unit will not have; what is in the folder it finds itself. */
static int dropin_text(const struct project_args *args, const struct project *project,
		       char **ret_text, struct error *err)
{
	const struct systemd_program program = systemd_program_of(NULL);
	const char *variable = getenv("COMPOSE_FILE");
	_cleanup_strv_ char **given = words_of(args->env_files, "COMPOSE_ENV_FILES");
	_cleanup_strv_ char **env_files = absolute_paths(args, given);
	_cleanup_strv_ char **profiles = words_of(args->profiles, "COMPOSE_PROFILES");
	const struct systemd_place place = {
		.folder = project->working_dir,
		.files = args->files || (variable && variable[0]) ? project->config_files : NULL,
		.env_files = env_files,
		.profiles = profiles,
		.project_directory = args->project_directory ? project->working_dir : NULL,
		.root = program.root,
		.runtime = program.runtime,
	};

	if (check_place(&place, err) < 0)
		return -err->code;
	*ret_text = systemd_unit_dropin(&place);
	return 0;
}

static int write_dropin(struct project_args *args, const char *units, const char *wanted,
			struct project **ret, struct error *err)
{
	struct project *project;
	_cleanup_free_ char *folder = NULL, *unit = NULL, *text = NULL;
	int r;

	/* The same name that the unit will say. */
	if (wanted)
		args->project_name = wanted;
	r = project_args_load(args, NULL, ret, err);
	if (r < 0)
		return r;
	project = *ret;
	if (args->files && strv_contains(args->files, "-"))
		return error_set(err, EINVAL,
				 "a unit cannot read its compose file from standard input");
	/* Before anything is written. */
	if (systemd_parts_check(units, project, err) < 0)
		return -err->code;
	unit = systemd_unit_name(project->name);
	folder = str_printf("%s/%s.d", units, unit);
	r = dropin_text(args, project, &text, err);
	if (r < 0)
		return r;
	return systemd_files_write(folder, DROPIN, text, err);
}

int systemd_files_place(struct project_args *args, const char *units, bool user, const char *wanted,
			struct project **ret, struct error *err)
{
	_cleanup_free_ char *folder = wanted ? systemd_files_default_folder(wanted, user) : NULL,
			    *dropin = NULL;
	int r;

	if (wanted && project_args_check_name(wanted, err) < 0)
		return -err->code;
	if (!wanted || args->files || args->project_directory || !has_compose_file(folder))
		return write_dropin(args, units, wanted, ret, err);
	dropin = str_printf("%s/berth@%s.service.d/" DROPIN, units, wanted);
	if (unlink(dropin) < 0 && errno != ENOENT && errno != ENOTDIR)
		return error_errno(err, "remove %s", dropin);
	/* As the unit will find it, whatever folder this is. */
	args->project_name = wanted;
	args->project_directory = folder;
	(void)unsetenv("COMPOSE_FILE");
	r = project_args_load(args, NULL, ret, err);
	args->project_directory = NULL;
	return r;
}

int systemd_files_link(const char *units, const char *target, const char *unit, const char *to,
		       struct error *err)
{
	_cleanup_free_ char *folder = str_printf("%s/%s.wants", units, target);
	_cleanup_free_ char *path = str_printf("%s/%s", folder, unit);
	_cleanup_close_ int dir = to ? fs_mkdir_path(folder, 0755, err) : -EBADF;

	if (to && dir < 0)
		return dir;
	if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		return error_errno(err, "remove %s", path);
	if (to && symlink(to, path) < 0)
		return error_errno(err, "enable %s", path);
	return 0;
}

int systemd_files_link_template(const char *units, bool user, const char *unit, bool wanted,
				struct error *err)
{
	_cleanup_free_ char *own = str_printf("%s/" SYSTEMD_TEMPLATE, units);
	_cleanup_free_ char *packaged = packaged_template(user);
	const char *to = NULL;

	if (wanted)
		to = packaged && access(own, F_OK) < 0 ? packaged : "../" SYSTEMD_TEMPLATE;
	return systemd_files_link(units, user ? "default.target" : "multi-user.target", unit, to,
				  err);
}

static char *dropin_folder(const char *units, const char *project)
{
	_cleanup_free_ char *unit = systemd_unit_name(project);

	return str_printf("%s/%s.d", units, unit);
}

/* NULL: there is none. New string. */
static char *read_dropin(const char *folder)
{
	_cleanup_free_ char *path = str_printf("%s/" DROPIN, folder);
	struct error ignored = ERROR_INIT;
	char *text = NULL;

	return fs_read(AT_FDCWD, path, TEXT_BYTES_MAX, &text, NULL, &ignored) < 0 ? NULL : text;
}

int systemd_files_end_place(const char *units, const char *project, struct error *err)
{
	_cleanup_free_ char *folder = dropin_folder(units, project), *old = read_dropin(folder);
	_cleanup_free_ char *text = str_printf(PLACE_ENDS "%s", old ?: "");

	if (old && str_starts_with(old, PLACE_ENDS))
		return 0;
	return systemd_files_write(folder, DROPIN, text, err);
}

bool systemd_files_place_ends(const char *units, const char *project)
{
	_cleanup_free_ char *folder = dropin_folder(units, project), *text = read_dropin(folder);

	return text && str_starts_with(text, PLACE_ENDS);
}

int systemd_files_remove_place(const char *units, const char *project, struct error *err)
{
	_cleanup_free_ char *folder = dropin_folder(units, project);
	_cleanup_free_ char *dropin = str_printf("%s/" DROPIN, folder);

	if (unlink(dropin) < 0 && errno != ENOENT)
		return error_errno(err, "remove %s", dropin);
	(void)rmdir(folder);
	return 0;
}

int systemd_files_name(struct project_args *args, const char *given, char **ret_name,
		       struct error *err)
{
	struct load_options options;

	if (given) {
		*ret_name = alloc_string(given);
		return project_args_check_name(given, err);
	}
	project_args_load_options(args, &options);
	return load_project_name(&options, ret_name, err);
}
