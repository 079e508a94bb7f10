// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd/systemd_unit.h"

#include <string.h>

#include "common/str.h"

char *systemd_unit_name(const char *project)
{
	return str_printf("berth@%s.service", project);
}

char *systemd_unit_socket_name(const char *project)
{
	return str_printf("berth@%s.socket", project);
}

/*
 * KillMode=process, and a stop that does nothing once the main process is gone: the containers of
 * a keeper that was killed are left to the next one. Their cgroups are below the unit's, which may
 * have no process of its own beside them (cgroups(7)): hence DelegateSubgroup=, and before systemd
 * 254, which would complain of the word, what `settle` does. A project that cannot be brought up is
 * not tried again by itself: exit 1. A folder that is gone is for us to tell of, not for systemd.
 */
static const char template_head[] = SYSTEMD_UNIT_MARK ".\n"
						      "[Unit]\n"
						      "Description=Compose project %i\n"
						      "Documentation=man:berth-systemd(1)\n";

/* Other firewalls, where they are: what they drop is let pass by rules among theirs. */
static const char template_order[] =
	"Wants=network-online.target\n"
	"After=network-online.target local-fs.target remote-fs.target nss-lookup.target\n"
	"After=nftables.service ufw.service firewalld.service docker.service\n";

/* Who holds the user's namespaces goes after those who are in them. */
static const char template_user_order[] = "After=" SYSTEMD_HOLDER_SCOPE "\n";

static const char template_service[] = "\n"
				       "[Service]\n"
				       "Type=notify\n"
				       "NotifyAccess=all\n"
				       "Environment=COMPOSE_PROJECT_NAME=%%i\n"
				       "WorkingDirectory=-%%E/berth/%%i\n"
				       "ExecStart=%1$s systemd run %%i\n"
				       "ExecReload=%1$s systemd reload %%i\n"
				       "ExecStop=%1$s systemd stop %%i\n"
				       "ExecStopPost=-%1$s systemd settle %%i\n"
				       "Restart=on-failure\n"
				       "RestartPreventExitStatus=1\n"
				       "WatchdogSec=60\n"
				       "KillMode=process\n"
				       "Delegate=yes\n"
				       "OOMPolicy=continue\n"
				       "TasksMax=infinity\n"
				       "\n"
				       "[Install]\n"
				       "WantedBy=%2$s\n";

const char systemd_unit_subgroup[] = SYSTEMD_UNIT_MARK ".\n"
						       "[Service]\n"
						       "DelegateSubgroup=supervisor\n";

static void add_escaped(struct strbuf *text, const char *word, const char *escaped)
{
	for (; *word; word++) {
		if (*word == '%')
			strbuf_addc(text, '%');
		else if (strchr(escaped, *word))
			strbuf_addc(text, '\\');
		strbuf_addc(text, *word);
	}
}

/* One word of a list, systemd.syntax(7); NAME=VALUE where there is a name. */
static void add_word(struct strbuf *text, const char *name, const char *value)
{
	strbuf_addc(text, '"');
	if (name)
		strbuf_addf(text, "%s=", name);
	add_escaped(text, value, "\\\"");
	strbuf_addc(text, '"');
}

void systemd_unit_add_escaped(struct strbuf *text, const char *value)
{
	add_escaped(text, value, "");
}

/* A path with blanks in it is a quoted word of the command line. */
void systemd_unit_add_program(struct strbuf *text, const char *program)
{
	if (strpbrk(program, " \t\"\\%'"))
		add_word(text, NULL, program);
	else
		strbuf_add(text, program);
}

char *systemd_unit_template(const char *program, bool user)
{
	_cleanup_strbuf_ struct strbuf text = {0}, path = {0};

	systemd_unit_add_program(&path, program);
	strbuf_add(&text, template_head);
	strbuf_add(&text, user ? template_user_order : template_order);
	strbuf_addf(&text, template_service, path.data,
		    user ? "default.target" : "multi-user.target");
	return strbuf_take(&text);
}

/* A separator that is in none of the paths. */
static char path_separator(char *const *paths)
{
	static const char candidates[] = ":;|,!";

	for (const char *c = candidates; *c; c++) {
		bool used = false;

		strv_foreach(path, paths)
			used = used || strchr(path, *c);
		if (!used)
			return *c;
	}
	return ':';
}

void systemd_unit_add_variable(struct strbuf *text, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	strbuf_add(text, "Environment=");
	add_word(text, name, value);
	strbuf_addc(text, '\n');
}

static void add_list(struct strbuf *text, const char *name, char *const *list, char separator)
{
	const char between[] = {separator, 0};
	_cleanup_free_ char *joined = list ? strv_join(list, between) : NULL;

	systemd_unit_add_variable(text, name, joined);
}

char *systemd_unit_dropin(const struct systemd_place *place)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	char separator = path_separator(place->files);

	strbuf_add(&text, SYSTEMD_UNIT_MARK ": `berth systemd enable` writes it anew.\n[Unit]\n"
					    "RequiresMountsFor=");
	add_word(&text, NULL, place->folder);
	strbuf_add(&text, "\n\n[Service]\nWorkingDirectory=-");
	add_escaped(&text, place->folder, "");
	/* Else the line would go on, or lose its blank. */
	if (strchr("\\ \t", place->folder[strlen(place->folder) - 1]))
		strbuf_addc(&text, '/');
	strbuf_addc(&text, '\n');
	systemd_unit_add_variable(&text, SYSTEMD_FOLDER_VARIABLE, place->folder);
	add_list(&text, "COMPOSE_FILE", place->files, separator);
	if (place->files && separator != ':')
		systemd_unit_add_variable(&text, "COMPOSE_PATH_SEPARATOR", (char[]){separator, 0});
	add_list(&text, "COMPOSE_ENV_FILES", place->env_files, ',');
	add_list(&text, "COMPOSE_PROFILES", place->profiles, ',');
	systemd_unit_add_variable(&text, "BERTH_PROJECT_DIRECTORY", place->project_directory);
	systemd_unit_add_variable(&text, "BERTH_ROOT", place->root);
	systemd_unit_add_variable(&text, "BERTH_RUNTIME_DIR", place->runtime);
	return strbuf_take(&text);
}
