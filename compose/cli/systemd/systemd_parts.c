// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd/systemd_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/rootless.h"
#include "common/str.h"

#include "compose/cli/systemd/systemd_unit.h"
#include "compose/control/requests.h"

#define CONF       "services.conf"
#define TEXT_BYTES (1 << 20)

/* A unit that is written: its name below the folder of units, and what is in it. */
struct part {
	char *name, *text;
};

struct parts {
	const struct project *project;
	const struct systemd_program *program;
	struct part *items;
	size_t count;
};

static void parts_done(struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++) {
		free(parts->items[i].name);
		free(parts->items[i].text);
	}
	free(parts->items);
}

struct systemd_program systemd_program_of(const char *path)
{
	const char *root = getenv("BERTH_ROOT"), *runtime = getenv("BERTH_RUNTIME_DIR");
	/* Of the user's shell, perhaps, and unknown to the user's systemd. */
	const char *data = geteuid() != 0 || rootless() ? getenv("XDG_DATA_HOME") : NULL;

	return (struct systemd_program){
		.path = path,
		.root = (root && root[0]) || (data && data[0]) ? paths_root() : NULL,
		.runtime = runtime && runtime[0] ? paths_runtime() : NULL,
	};
}

/* Takes both. */
static void add(struct parts *parts, char *name, char *text)
{
	*array_add(parts->items, parts->count) = (struct part){name, text};
}

static char *part_name(const char *project, const char *service, const char *kind)
{
	return str_printf("berth-%s-%s.%s", project, service, kind);
}

static bool is_job(const struct service *service)
{
	return service->berth.schedule.calendar != NULL;
}

bool systemd_parts_has_sockets(const struct project *project)
{
	for (size_t i = 0; i < project->service_count; i++)
		if (project->services[i].berth.socket_count)
			return true;
	return false;
}

static void mark_needed(const struct project *project, const struct service *service, bool *marks)
{
	size_t index = (size_t)(service - project->services);

	if (marks[index])
		return;
	marks[index] = true;
	for (size_t i = 0; i < service->dependency_count; i++) {
		const struct service *other =
			project_service(project, service->depends_on[i].service);

		if (other)
			mark_needed(project, other, marks);
	}
}

bool systemd_parts_on_demand(const struct project *project)
{
	_cleanup_free_ bool *marks = new_array(bool, project->service_count + 1);

	for (size_t i = 0; i < project->service_count; i++)
		if (project->services[i].berth.socket_count)
			mark_needed(project, &project->services[i], marks);
	for (size_t i = 0; i < project->service_count; i++)
		if (!marks[i])
			return false;
	return project->service_count > 0;
}

static void add_head(struct strbuf *text, const char *project)
{
	strbuf_addf(text,
		    SYSTEMD_UNIT_MARK ", for project %s: `berth systemd enable` writes it anew.\n",
		    project);
}

static void make_timer(struct parts *parts, const struct service *service)
{
	struct strbuf text = {0};
	const char *project = parts->project->name;

	add_head(&text, project);
	strbuf_addf(&text,
		    "[Unit]\nDescription=When job %s of Compose project %s runs\n"
		    "After=berth@%s.service\nPartOf=berth@%s.service\n"
		    "\n[Timer]\nAccuracySec=1s\nPersistent=%s\nOnCalendar=",
		    service->name, project, project, project,
		    service->berth.schedule.persistent ? "yes" : "no");
	systemd_unit_add_escaped(&text, service->berth.schedule.calendar);
	strbuf_addc(&text, '\n');
	add(parts, part_name(project, service->name, "timer"), strbuf_take(&text));
}

/* One that may overlap is told each time; of one that may not, its exit code is the unit's. */
static void make_job(struct parts *parts, const struct service *service)
{
	struct strbuf text = {0};
	const char *project = parts->project->name;
	bool waits = service->berth.schedule.overlap == OVERLAP_SKIP;

	add_head(&text, project);
	strbuf_addf(&text,
		    "[Unit]\nDescription=Job %s of Compose project %s\n"
		    "Requisite=berth@%s.service\nAfter=berth@%s.service\n"
		    "\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\n",
		    service->name, project, project, project);
	systemd_unit_add_variable(&text, "BERTH_ROOT", parts->program->root);
	systemd_unit_add_variable(&text, "BERTH_RUNTIME_DIR", parts->program->runtime);
	strbuf_add(&text, "ExecStart=");
	systemd_unit_add_program(&text, parts->program->path);
	strbuf_addf(&text, " -p %s job run --scheduled%s %s\n", project, waits ? "" : " --detach",
		    service->name);
	add(parts, part_name(project, service->name, "service"), strbuf_take(&text));
}

/* All of a project's are one unit, by whose name systemd starts the project's. */
static void make_socket(struct parts *parts)
{
	const struct project *project = parts->project;
	struct strbuf text = {0};
	char address[LISTEN_TEXT_MAX];

	add_head(&text, project->name);
	strbuf_addf(&text,
		    "[Unit]\nDescription=Sockets of Compose project %s\n"
		    "Documentation=man:berth-systemd(1)\n\n[Socket]\n",
		    project->name);
	for (size_t i = 0; i < project->service_count; i++) {
		const struct berth_extension *berth = &project->services[i].berth;

		for (size_t s = 0; s < berth->socket_count; s++) {
			const struct listen_address *at = &berth->sockets[s].address;

			strbuf_add(&text,
				   at->type == SOCK_DGRAM ? "ListenDatagram=" : "ListenStream=");
			systemd_unit_add_escaped(&text, listen_text(at, address));
			strbuf_addc(&text, '\n');
		}
	}
	strbuf_add(&text, "\n[Install]\nWantedBy=sockets.target\n");
	add(parts, systemd_unit_socket_name(project->name), strbuf_take(&text));
}

/* In credstore.encrypted, of the administrator or of this boot. */
static bool is_sealed(const char *credential)
{
	static const char *const stores[] = {"/etc/credstore.encrypted", "/run/credstore.encrypted",
					     "/usr/lib/credstore.encrypted"};

	array_foreach(store, stores) {
		_cleanup_free_ char *path = str_printf("%s/%s", *store, credential);

		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static void add_credentials(struct strbuf *text, const struct file_object *objects, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *credential = objects[i].berth.credential;

		/* Without a path: systemd looks where credentials stand. */
		if (credential)
			strbuf_addf(text, "LoadCredential%s=%s:%s\n",
				    is_sealed(credential) ? "Encrypted" : "", credential,
				    credential);
	}
}

/* The drop-in of the project's own unit. */
static void make_conf(struct parts *parts)
{
	const struct project *project = parts->project;
	struct strbuf text = {0};
	_cleanup_free_ char *unit = systemd_unit_name(project->name), *jobs = NULL;
	_cleanup_strv_ char **names = NULL;

	add_head(&text, project->name);
	strbuf_add(&text, "[Unit]\n");
	for (size_t i = 0; i < parts->count; i++)
		if (!str_ends_with(parts->items[i].name, ".service"))
			strbuf_addf(&text, "Wants=%s\n", parts->items[i].name);
	strbuf_add(&text, "\n[Service]\n");
	for (size_t i = 0; i < project->service_count; i++)
		if (is_job(&project->services[i]))
			strv_append(&names, project->services[i].name);
	jobs = names ? strv_join(names, ",") : NULL;
	systemd_unit_add_variable(&text, "BERTH_TIMERS", jobs);
	add_credentials(&text, project->secrets, project->secret_count);
	add_credentials(&text, project->configs, project->config_count);
	add(parts, str_printf("%s.d/" CONF, unit), strbuf_take(&text));
}

static bool has_credentials(const struct project *project)
{
	for (size_t i = 0; i < project->secret_count; i++)
		if (project->secrets[i].berth.credential)
			return true;
	for (size_t i = 0; i < project->config_count; i++)
		if (project->configs[i].berth.credential)
			return true;
	return false;
}

static void make_parts(struct parts *parts)
{
	const struct project *project = parts->project;

	for (size_t i = 0; i < project->service_count; i++) {
		if (!is_job(&project->services[i]))
			continue;
		make_timer(parts, &project->services[i]);
		make_job(parts, &project->services[i]);
	}
	if (systemd_parts_has_sockets(project))
		make_socket(parts);
	if (parts->count || has_credentials(project))
		make_conf(parts);
}

static int write_part(const char *units, const struct part *part, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/%s", units, part->name);
	char *name = strrchr(path, '/');
	_cleanup_close_ int dir = -EBADF;

	*name++ = 0;
	dir = fs_mkdir_path(path, 0755, err);
	if (dir < 0)
		return dir;
	if (fs_replace(dir, name, part->text, strlen(part->text), FS_DURABLE, err) < 0)
		return error_wrap(err, "%s/%s", path, name);
	return 0;
}

/* Projects "a-b" with a service "c" and "a" with "b-c" would have units of one name. */
static int check_part(int dir, const char *units, const char *project, const char *mark,
		      const struct part *part, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_read(dir, part->name, TEXT_BYTES, &text, NULL, &ignored) < 0 ||
	    str_starts_with(text, mark))
		return 0;
	return error_set(err, EEXIST,
			 "%s/%s is there already, and not of project %s: rename the service, or "
			 "remove the file",
			 units, part->name, project);
}

static int check_parts(const char *units, const struct parts *parts, struct error *err)
{
	_cleanup_strbuf_ struct strbuf mark = {0};
	_cleanup_close_ int dir = open(units, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	add_head(&mark, parts->project->name);
	for (size_t i = 0; dir >= 0 && r == 0 && i < parts->count; i++)
		r = check_part(dir, units, parts->project->name, mark.data, &parts->items[i], err);
	return r;
}

int systemd_parts_check(const char *units, const struct project *project, struct error *err)
{
	const struct systemd_program program = {.path = ""};
	struct parts parts = {.project = project, .program = &program};
	int r;

	make_parts(&parts);
	r = check_parts(units, &parts, err);
	parts_done(&parts);
	return r;
}

int systemd_parts_write(const char *units, const struct project *project,
			const struct systemd_program *program, struct error *err)
{
	struct parts parts = {.project = project, .program = program};
	_cleanup_strv_ char **removed = NULL;
	int r;

	make_parts(&parts);
	r = check_parts(units, &parts, err);
	if (r == 0)
		r = systemd_parts_remove(units, project->name, &removed, err);
	for (size_t i = 0; r == 0 && i < parts.count; i++)
		r = write_part(units, &parts.items[i], err);
	parts_done(&parts);
	return r;
}

/* By what it says in its first line: project "a" has no part in those of "a-b". */
static bool belongs(int dir, const char *name, const char *mark)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;

	return (str_starts_with(name, "berth-") || str_starts_with(name, "berth@")) &&
	       fs_read(dir, name, TEXT_BYTES, &text, NULL, &ignored) >= 0 &&
	       str_starts_with(text, mark);
}

/* Names of those of the project of this name that are there. */
static int list_parts(int dir, const char *project, char ***ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf mark = {0};
	_cleanup_free_ char *unit = systemd_unit_name(project);
	_cleanup_free_ char *conf = str_printf("%s.d/" CONF, unit);
	_cleanup_strv_ char **entries = NULL;

	add_head(&mark, project);
	if (fs_list(dir, ".", &entries, err) < 0)
		return -err->code;
	strv_foreach(entry, entries)
		if (belongs(dir, entry, mark.data))
			strv_append(ret, entry);
	if (faccessat(dir, conf, F_OK, 0) == 0)
		strv_append(ret, conf);
	return 0;
}

static int open_units(const char *units, struct error *err)
{
	int dir = open(units, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? error_errno(err, "%s", units) : dir;
}

int systemd_parts_remove(const char *units, const char *name, char ***ret_removed,
			 struct error *err)
{
	_cleanup_close_ int dir = open_units(units, err);

	if (dir == -ENOENT)
		error_clear(err);
	if (dir < 0)
		return -err->code;
	if (list_parts(dir, name, ret_removed, err) < 0)
		return -err->code;
	strv_foreach(entry, *ret_removed)
		if (unlinkat(dir, entry, 0) < 0 && errno != ENOENT)
			return error_errno(err, "remove %s/%s", units, entry);
	return 0;
}

static bool is_as_written(int dir, const struct part *part)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;

	return fs_read(dir, part->name, TEXT_BYTES, &text, NULL, &ignored) >= 0 &&
	       str_equal(text, part->text);
}

char *systemd_parts_stale(const char *units, const struct project *project,
			  const struct systemd_program *program)
{
	struct parts parts = {.project = project, .program = program};
	struct error ignored = ERROR_INIT;
	_cleanup_close_ int dir = open_units(units, &ignored);
	_cleanup_strv_ char **there = NULL, **wanted = NULL, **stale = NULL;

	/* Where enable wrote none, we do ourselves what they would. */
	if (dir < 0 || list_parts(dir, project->name, &there, &ignored) < 0 || !there)
		return NULL;
	make_parts(&parts);
	for (size_t i = 0; i < parts.count; i++) {
		strv_append(&wanted, parts.items[i].name);
		if (!is_as_written(dir, &parts.items[i]))
			strv_append(&stale, parts.items[i].name);
	}
	strv_foreach(name, there)
		if (!strv_contains(wanted, name))
			strv_append(&stale, name);
	parts_done(&parts);
	return stale ? strv_join(stale, ", ") : NULL;
}
