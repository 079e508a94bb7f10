// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/rootless.h"
#include "common/str.h"

#include "runtime/container/confine/lsm.h"
#include "runtime/container/confine/seccomp.h"

#include "compose/model/replica.h"
#include "compose/supervisor/probes/probe.h"
#include "compose/supervisor/translate/translate.h"

#define SECCOMP_FILE_MAX (4 << 20)

void *translation_own(struct translation *translation, void *p)
{
	*array_add(translation->owned, translation->owned_count) = p;
	return p;
}

int translation_own_fd(struct translation *translation, int fd)
{
	*array_add(translation->fds, translation->fd_count) = fd;
	return fd;
}

void translation_done(struct translation *translation)
{
	for (size_t i = 0; i < translation->owned_count; i++)
		free(translation->owned[i]);
	for (size_t i = 0; i < translation->fd_count; i++)
		if (translation->fds[i] >= 0)
			close(translation->fds[i]);
	free(translation->owned);
	free(translation->fds);
	strv_free(translation->env);
	free(translation->rlimits);
	free(translation->sysctls);
	free(translation->mounts);
	free(translation->devices);
	free(translation->device_rules);
	free(translation->block_weights);
	free(translation->block_rates);
	if (translation->seccomp)
		seccomp_program_free(translation->seccomp);
}

char **translate_arguments(const struct service *service, const struct image *image)
{
	char **arguments = NULL, *const *entrypoint = image->entrypoint;
	char *const *command = image->command;

	if (service->entrypoint.set) {
		entrypoint = service->entrypoint.args;
		command = NULL;
	}
	if (service->command.set)
		command = service->command.args;
	strv_foreach(word, entrypoint)
		strv_append(&arguments, word);
	strv_foreach(word, command)
		strv_append(&arguments, word);
	return arguments;
}

char *translate_replica(const struct instance *instance, const char *text)
{
	const struct replica replica = {
		.service = instance->service_name,
		.name = instance->name,
		.id = instance->id,
		.number = instance->number,
	};

	return replica_expand(&replica, text);
}

char *translate_hostname(const struct instance *instance)
{
	const char *hostname = instance->service->hostname;

	if (!hostname)
		return alloc_string_n(instance->id, 12);
	return translate_replica(instance, hostname) ?: alloc_string(hostname);
}

static void put_rows(char ***env, char *const *rows)
{
	strv_foreach(row, rows) {
		char *value = strchr(row, '=');
		_cleanup_free_ char *key =
			alloc_string_n(row, value ? (size_t)(value - row) : strlen(row));

		strv_env_set(env, key, value ? value + 1 : "");
	}
}

/*
 * Docker's own first, then the image's, then the user's proxies, then the service's; each replaces
 * in place.
 */
static void translate_environment(struct translation *translation)
{
	const struct service *service = translation->service;
	_cleanup_free_ char *hostname = translate_hostname(translation->instance);

	strv_env_set(&translation->env, "PATH", TRANSLATE_DEFAULT_PATH);
	strv_env_set(&translation->env, "HOSTNAME", hostname);
	if (service->tty == TRI_TRUE)
		strv_env_set(&translation->env, "TERM", "xterm");
	translate_systemd_environment(translation);
	put_rows(&translation->env, translation->image->env);
	put_rows(&translation->env, translation->instance->model->project->proxies);
	for (size_t i = 0; i < service->environment.count; i++) {
		const char *value = service->environment.items[i].value;
		_cleanup_free_ char *own = translate_replica(translation->instance, value);

		strv_env_set(&translation->env, service->environment.items[i].key, own ?: value);
	}
	if (service->berth.probe.notify)
		strv_env_set(
			&translation->env, "NOTIFY_SOCKET",
			translation_own(translation, probe_notify_address(translation->instance)));
}

static int capability_list(char *const *names, const char *key, bool *ret_all, uint64_t *ret,
			   struct error *err)
{
	*ret = 0;
	*ret_all = false;
	strv_foreach(name, names) {
		uint64_t mask = 0;

		if (strcasecmp(name, "ALL") == 0) {
			*ret_all = true;
			continue;
		}
		if (capability_from_name(name, &mask) < 0)
			return error_set(err, EINVAL, "%s: there is no capability '%s'", key, name);
		*ret |= mask;
	}
	return 0;
}

int translate_capabilities(const struct service *service, uint64_t *ret, struct error *err)
{
	uint64_t add, drop;
	bool add_all, drop_all;

	if (capability_list(service->cap_add, "cap_add", &add_all, &add, err) < 0 ||
	    capability_list(service->cap_drop, "cap_drop", &drop_all, &drop, err) < 0)
		return -err->code;
	if (service->privileged == TRI_TRUE)
		*ret = capability_all();
	else if (add_all)
		*ret = capability_all() & ~drop;
	else if (drop_all)
		*ret = add;
	else
		*ret = (CAPABILITY_MASK_DOCKER_DEFAULT & ~drop) | add;
	return 0;
}

const char *translate_security_option(const struct service *service, const char *key)
{
	size_t length = strlen(key);

	strv_foreach(option, service->security_opt) {
		if (strncmp(option, key, length) != 0)
			continue;
		if (option[length] == '=' || option[length] == ':')
			return option + length + 1;
		if (!option[length])
			return "";
	}
	return NULL;
}

static int seccomp_from_file(struct translation *translation, const char *path, struct error *err)
{
	_cleanup_free_ char *json = NULL, *full = NULL;
	int r;

	full = path[0] == '/' ? alloc_string(path)
			      : str_printf("%s/%s", translation->project->working_dir, path);
	r = fs_read(AT_FDCWD, full, SECCOMP_FILE_MAX, &json, NULL, err);
	if (r < 0)
		return error_wrap(err, "security_opt: seccomp profile %s", full);
	r = seccomp_profile_program(json, translation->spec.capabilities, &translation->seccomp,
				    err);
	if (r < 0)
		return error_wrap(err, "security_opt: seccomp profile %s", full);
	translation->spec.seccomp_program = translation->seccomp;
	return 0;
}

int translate_seccomp(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;
	const char *seccomp = translate_security_option(service, "seccomp");
	const struct sock_fprog *program = NULL;
	int r;

	if (str_equal(seccomp, "unconfined") || (!seccomp && service->privileged == TRI_TRUE))
		return 0;
	if (seccomp && seccomp[0] && !str_equal(seccomp, "builtin"))
		return seccomp_from_file(translation, seccomp, err);
	r = seccomp_default_program(translation->spec.capabilities, &program, err);
	translation->spec.seccomp_program = program;
	return r;
}

static int translate_confinement(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;
	const char *option = translate_security_option(service, "no-new-privileges");
	struct container_spec *spec = &translation->spec;

	spec->no_new_privileges = option && !str_equal(option, "false");
	spec->apparmor_profile = translate_security_option(service, "apparmor");
	spec->selinux_label = translate_security_option(service, "label");
	/* As Docker: a machine without the one or the other has nothing to be confined by. */
	if (str_equal(spec->apparmor_profile, "unconfined") || !lsm_has_apparmor())
		spec->apparmor_profile = NULL;
	if (str_equal(spec->selinux_label, "disable") || !lsm_has_selinux())
		spec->selinux_label = NULL;
	if (service->privileged == TRI_TRUE) {
		spec->all_devices = true;
		spec->proc_unmasked = true;
		spec->sys_writable = true;
		spec->cgroup_writable = true;
	}
	option = translate_security_option(service, "systempaths");
	if (str_equal(option, "unconfined"))
		spec->proc_unmasked = true;
	if (translation->instance->systemd)
		spec->cgroup_writable = spec->cgroup_unified = true;
	option = translate_security_option(service, "writable-cgroups");
	if (option)
		spec->cgroup_writable = !str_equal(option, "false");
	return translate_seccomp(translation, err);
}

static const struct {
	const char *name;
	int resource;
} rlimit_names[] = {
	{"as", RLIMIT_AS},
	{"core", RLIMIT_CORE},
	{"cpu", RLIMIT_CPU},
	{"data", RLIMIT_DATA},
	{"fsize", RLIMIT_FSIZE},
	{"locks", RLIMIT_LOCKS},
	{"memlock", RLIMIT_MEMLOCK},
	{"msgqueue", RLIMIT_MSGQUEUE},
	{"nice", RLIMIT_NICE},
	{"nofile", RLIMIT_NOFILE},
	{"nproc", RLIMIT_NPROC},
	{"rss", RLIMIT_RSS},
	{"rtprio", RLIMIT_RTPRIO},
	{"rttime", RLIMIT_RTTIME},
	{"sigpending", RLIMIT_SIGPENDING},
	{"stack", RLIMIT_STACK},
};

static struct rlimit_spec *rlimit_slot(struct translation *translation, int resource)
{
	struct rlimit_spec *slot;

	for (size_t i = 0; i < translation->spec.rlimit_count; i++)
		if (translation->rlimits[i].resource == resource)
			return &translation->rlimits[i];
	slot = array_add(translation->rlimits, translation->spec.rlimit_count);
	slot->resource = resource;
	return slot;
}

static int translate_rlimits(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;

	/* Ours was raised for all the descriptors we hold: containers get what berth was given. */
	rlimit_slot(translation, RLIMIT_NOFILE)->limit = translation->instance->supervisor->files;
	for (size_t i = 0; i < service->ulimit_count; i++) {
		const struct ulimit *ulimit = &service->ulimits[i];
		struct rlimit_spec *slot = NULL;

		array_foreach(row, rlimit_names)
			if (str_equal(ulimit->name, row->name))
				slot = rlimit_slot(translation, row->resource);
		if (!slot)
			return error_set(err, EINVAL, "ulimits: there is no limit '%s'",
					 ulimit->name);
		slot->limit.rlim_cur = ulimit->soft < 0 ? RLIM_INFINITY : (rlim_t)ulimit->soft;
		slot->limit.rlim_max = ulimit->hard < 0 ? RLIM_INFINITY : (rlim_t)ulimit->hard;
	}
	translation->spec.rlimits = translation->rlimits;
	return 0;
}

/* The interface that the container has on this network, as far as it is decided. */
static const char *interface_on(const struct translation *translation, const char *key)
{
	const struct network *network = project_network(translation->project, key);
	const struct attachment *attachment = translation->instance->attachment;
	const struct endpoint *endpoints = NULL;
	size_t count = 0;

	if (attachment)
		endpoints = attachment_endpoints(attachment, &count);
	for (size_t i = 0; network && i < count; i++)
		if (str_equal(endpoints[i].network, network->name))
			return endpoints[i].interface_name;
	return NULL;
}

/* "net.ipv4.conf.IFNAME.log_martians=1": the dots inside an interface's name are no separators. */
static int add_endpoint_sysctl(struct translation *translation, const char *interface,
			       const char *text, struct error *err)
{
	const char *equals = strchr(text, '='), *at = strstr(text, ".IFNAME.");
	struct sysctl_spec *slot;
	char *path;

	if (!equals || !at || at > equals || !str_starts_with(text, "net."))
		return error_set(err, EINVAL,
				 "networks: driver_opts: sysctl '%s' is not like "
				 "net.ipv4.conf.IFNAME.log_martians=1",
				 text);
	path = str_printf("%.*s/%s/%.*s", (int)(at - text), text, "IFNAME", (int)(equals - at - 8),
			  at + 8);
	for (char *c = path; *c; c++)
		*c = *c == '.' ? '/' : *c;
	at = strstr(path, "IFNAME");
	slot = array_add(translation->sysctls, translation->spec.sysctl_count);
	slot->path = translation_own(
		translation, str_printf("%.*s%s%s", (int)(at - path), path, interface, at + 6));
	slot->value = translation_own(translation, alloc_string(equals + 1));
	free(path);
	return 0;
}

static int translate_endpoint_sysctls(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;

	for (size_t i = 0; i < service->network_count; i++) {
		const char *text = mapping_get(&service->networks[i].driver_opts,
					       "com.docker.network.endpoint.sysctls");
		const char *interface = interface_on(translation, service->networks[i].name);
		_cleanup_strv_ char **list = text ? strv_split(text, ",") : NULL;

		strv_foreach(row, list)
			if (interface && add_endpoint_sysctl(translation, interface, row, err) < 0)
				return -err->code;
	}
	translation->spec.sysctls = translation->sysctls;
	return 0;
}

static int translate_sysctls(struct translation *translation, struct error *err)
{
	const struct mapping *given = &translation->service->sysctls;
	struct container_spec *spec = &translation->spec;

	for (size_t i = 0; i < given->count; i++) {
		struct sysctl_spec *slot = array_add(translation->sysctls, spec->sysctl_count);
		char *path = translation_own(translation, alloc_string(given->items[i].key));
		const char *refusal =
			service_sysctl_refusal(translation->service, given->items[i].key);

		if (refusal)
			return error_set(err, EPERM, "sysctls: %s %s", given->items[i].key,
					 refusal);

		/* "net.ipv4.conf.eth0/1.x" is written with the other separator inside names. */
		for (char *c = path; *c; c++)
			*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
		slot->path = path;
		slot->value = given->items[i].value ?: "";
	}
	if (spec->network.source == NAMESPACE_NEW &&
	    !mapping_get(given, "net.ipv4.ip_unprivileged_port_start"))
		*array_add(translation->sysctls, spec->sysctl_count) =
			(struct sysctl_spec){"net/ipv4/ip_unprivileged_port_start", "0"};
	if (spec->network.source == NAMESPACE_NEW &&
	    !mapping_get(given, "net.ipv4.ping_group_range"))
		*array_add(translation->sysctls, spec->sysctl_count) =
			(struct sysctl_spec){"net/ipv4/ping_group_range", rootless_group_range()};
	spec->sysctls = translation->sysctls;
	return 0;
}

int translate_exec_process(struct translation *translation, bool privileged, struct error *err)
{
	int r;

	translate_environment(translation);
	r = translate_capabilities(translation->service, &translation->spec.capabilities, err);
	if (r < 0)
		return r;
	if (privileged)
		translation->spec.capabilities = capability_all();
	r = translate_confinement(translation, err);
	if (privileged)
		translation->spec.seccomp_program = NULL;
	if (r < 0)
		return r;
	translation->spec.user = translation->service->user ?: translation->image->user ?: "";
	translation->spec.cwd =
		translation->service->working_dir ?: translation->image->working_dir ?: "/";
	if (!translation->spec.cwd[0])
		translation->spec.cwd = "/";
	translation->spec.groups = (const char *const *)translation->service->group_add;
	translation->spec.set_oom_score_adj = true;
	if (translation->service->oom_score_adj.set)
		translation->spec.oom_score_adj = (int)translation->service->oom_score_adj.value;
	translation->spec.env = (const char *const *)translation->env;
	return translate_rlimits(translation, err);
}

int translate_process(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;
	struct container_spec *spec = &translation->spec;
	char **arguments;
	int r;

	r = translate_exec_process(translation, false, err);
	if (r < 0)
		return r;
	arguments = translate_arguments(service, translation->image);
	strv_foreach(word, arguments)
		translation_own(translation, word);
	translation_own(translation, arguments);
	if (!arguments)
		return error_set(err, EINVAL,
				 "no command specified, neither by the service nor "
				 "by its image");
	spec->args = (const char *const *)arguments;
	spec->terminal = service->tty == TRI_TRUE;
	spec->init = service->init == TRI_TRUE;
	if (spec->uts.source == NAMESPACE_NEW) {
		spec->hostname =
			translation_own(translation, translate_hostname(translation->instance));
		spec->domainname = service->domainname;
	}
	r = translate_sysctls(translation, err);
	return r < 0 ? r : translate_endpoint_sysctls(translation, err);
}
