// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd_parts.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "compose/cli/systemd_unit.h"

#define CONF       "services.conf"
#define TEXT_BYTES (1 << 20)

/* A unit that is written: its name and what is in it. */
static int write_part(const char *units, const char *name, const struct strbuf *text,
		      struct error *err)
{
	_cleanup_close_ int dir = fs_mkdir_path(units, 0755, err);

	if (dir < 0)
		return dir;
	if (fs_replace(dir, name, text->data, text->length, FS_DURABLE, err) < 0)
		return error_wrap(err, "%s/%s", units, name);
	return 0;
}

static char *part_name(const char *project, const char *service, const char *kind)
{
	return str_printf("berth-%s-%s.%s", project, service, kind);
}

static bool is_job(const struct service *service)
{
	return service->berth.schedule.calendar != NULL;
}

char **systemd_parts_units(const struct project *project)
{
	char **names = NULL;

	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (is_job(service))
			strv_take(&names, part_name(project->name, service->name, "timer"));
	}
	return names;
}

static void add_head(struct strbuf *text, const char *project)
{
	strbuf_addf(text,
		    SYSTEMD_UNIT_MARK ", for project %s: `berth systemd enable` writes it anew.\n",
		    project);
}

static int write_timer(const char *units, const struct project *project,
		       const struct service *service, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	_cleanup_free_ char *name = part_name(project->name, service->name, "timer");

	add_head(&text, project->name);
	strbuf_addf(&text,
		    "[Unit]\nDescription=When job %s of Compose project %s runs\n"
		    "After=berth@%s.service\nPartOf=berth@%s.service\n"
		    "\n[Timer]\nAccuracySec=1s\nPersistent=%s\nOnCalendar=",
		    service->name, project->name, project->name, project->name,
		    service->berth.schedule.persistent ? "yes" : "no");
	systemd_unit_add_escaped(&text, service->berth.schedule.calendar);
	strbuf_addc(&text, '\n');
	return write_part(units, name, &text, err);
}

/* One that may overlap is told each time; of one that may not, its exit code is the unit's. */
static int write_job(const char *units, const struct project *project,
		     const struct service *service, const char *program, const char *root,
		     const char *runtime, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	_cleanup_free_ char *name = part_name(project->name, service->name, "service");
	bool waits = service->berth.schedule.overlap == OVERLAP_SKIP;

	add_head(&text, project->name);
	strbuf_addf(&text,
		    "[Unit]\nDescription=Job %s of Compose project %s\n"
		    "Requisite=berth@%s.service\nAfter=berth@%s.service\n"
		    "\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\n",
		    service->name, project->name, project->name, project->name);
	systemd_unit_add_variable(&text, "BERTH_ROOT", root);
	systemd_unit_add_variable(&text, "BERTH_RUNTIME_DIR", runtime);
	strbuf_add(&text, "ExecStart=");
	systemd_unit_add_program(&text, program);
	strbuf_addf(&text, " -p %s job run --scheduled%s %s\n", project->name,
		    waits ? "" : " --detach", service->name);
	return write_part(units, name, &text, err);
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

static int write_conf(const char *units, const struct project *project, char *const *parts,
		      struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	_cleanup_free_ char *unit = systemd_unit_name(project->name);
	_cleanup_free_ char *folder = str_printf("%s/%s.d", units, unit), *jobs = NULL;
	_cleanup_strv_ char **names = NULL;

	add_head(&text, project->name);
	strbuf_add(&text, "[Unit]\n");
	strv_foreach(part, parts)
		strbuf_addf(&text, "Wants=%s\n", part);
	strbuf_add(&text, "\n[Service]\n");
	for (size_t i = 0; i < project->service_count; i++)
		if (is_job(&project->services[i]))
			strv_append(&names, project->services[i].name);
	jobs = names ? strv_join(names, ",") : NULL;
	systemd_unit_add_variable(&text, "BERTH_TIMERS", jobs);
	add_credentials(&text, project->secrets, project->secret_count);
	add_credentials(&text, project->configs, project->config_count);
	return write_part(folder, CONF, &text, err);
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

int systemd_parts_write(const char *units, const struct project *project, const char *program,
			const char *root, const char *runtime, struct error *err)
{
	_cleanup_strv_ char **parts = systemd_parts_units(project), **removed = NULL;
	int r = systemd_parts_remove(units, project->name, &removed, err);

	for (size_t i = 0; r == 0 && i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (!is_job(service))
			continue;
		r = write_timer(units, project, service, err);
		if (r == 0)
			r = write_job(units, project, service, program, root, runtime, err);
	}
	if (r == 0 && (parts || has_credentials(project)))
		r = write_conf(units, project, parts, err);
	return r;
}

/* By what it says in its first line: project "a" has no part in those of "a-b". */
static bool belongs(int dir, const char *name, const char *mark)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;

	return str_starts_with(name, "berth-") &&
	       fs_read(dir, name, TEXT_BYTES, &text, NULL, &ignored) >= 0 &&
	       str_starts_with(text, mark);
}

int systemd_parts_remove(const char *units, const char *name, char ***ret_removed,
			 struct error *err)
{
	_cleanup_strbuf_ struct strbuf mark = {0};
	_cleanup_close_ int dir = open(units, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *conf = str_printf("berth@%s.service.d/" CONF, name);
	_cleanup_strv_ char **entries = NULL;

	if (dir < 0)
		return errno == ENOENT ? 0 : error_errno(err, "%s", units);
	add_head(&mark, name);
	if (unlinkat(dir, conf, 0) < 0 && errno != ENOENT && errno != ENOTDIR)
		return error_errno(err, "remove %s/%s", units, conf);
	if (fs_list(dir, ".", &entries, err) < 0)
		return -err->code;
	strv_foreach(entry, entries) {
		if (!belongs(dir, entry, mark.data))
			continue;
		if (unlinkat(dir, entry, 0) < 0 && errno != ENOENT)
			return error_errno(err, "remove %s/%s", units, entry);
		strv_append(ret_removed, entry);
	}
	return 0;
}
