// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attribute.c - THE table: every attribute of a service and a project that berth knows.
 *
 * Columns: name, field, form, merge rule, what `up` does when it changes. In the order
 * in which docker compose prints them.
 */
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/process.h"

#include "compose/model/shapes.h"

static json_t *string_encode(const struct slot *slot)
{
	return shape_string.encode(slot);
}

static void string_release(const struct slot *slot)
{
	shape_string.release(slot);
}

/* no, always, unless-stopped, on-failure[:N] */
static void restart_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const policies[] = {"no", "always", "unless-stopped", "on-failure"};
	char **text = slot->field;
	const char *meant;

	if (!decode_string_if_any(d, node, text))
		return;
	array_foreach(name, policies)
		if (!strcmp(*name, *text))
			return;
	if (str_starts_with(*text, "on-failure:") && (*text)[11] &&
	    strspn(*text + 11, "0123456789") == strlen(*text + 11) && strlen(*text) < 20)
		return;
	meant = str_suggest(*text, policies, ARRAY_SIZE(policies));
	decode_problem(
		d, node,
		"must be one of no, always, unless-stopped, on-failure[:N], not \"%s\"%s%s%s",
		*text, meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

static void signal_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **text = slot->field;

	if (decode_string_if_any(d, node, text) && process_signal_from_name(*text) < 0)
		decode_problem(d, node, "\"%s\" is not a signal", *text);
}

static bool is_container_name(const char *s)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	if (!*s || !strchr(letters, *s))
		return false;
	for (const char *c = s; *c; c++)
		if (!strchr(letters, *c) && !strchr("_.-", *c))
			return false;
	return s[1] && strlen(s) <= 255;
}

static void container_name_decode(struct decoder *d, const struct node *node,
				  const struct slot *slot)
{
	char **text = slot->field;

	if (decode_string(d, node, text) && !is_container_name(*text))
		decode_problem(d, node,
			       "does not match pattern '[a-zA-Z0-9][a-zA-Z0-9_.-]+': \"%s\"",
			       *text);
}

/* A text, or null, which is as good as nothing. */
static void nullable_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (node->kind != NODE_NULL)
		decode_string(d, node, slot->field);
}

static void if_any_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_string_if_any(d, node, slot->field);
}

/* Digits and a unit of w d h m s, once or more: "1w2d". */
static bool is_span(const char *s)
{
	if (!*s)
		return false;
	while (*s) {
		size_t digits = strspn(s, "0123456789");

		if (!digits || digits > 9 || !s[digits] || !strchr("wdhms", s[digits]))
			return false;
		s += digits + 1;
	}
	return true;
}

static void refresh_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **text = slot->field;

	if (decode_string(d, node, text) && !is_span(*text))
		decode_problem(d, node, "must be a time as \"12h\" or \"1w2d\", not \"%s\"", *text);
}

static void policy_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const policies[] = {"always",  "never", "if_not_present", "missing",
					       "refresh", "daily", "weekly",         "build"};
	char **text = slot->field;

	if (!decode_string(d, node, text) ||
	    (str_starts_with(*text, "every_") && is_span(*text + strlen("every_"))))
		return;
	array_foreach(name, policies)
		if (!strcmp(*name, *text))
			return;
	decode_problem(d, node, "must be one of always, missing, never, daily, weekly, every_N");
}

/* There is one user namespace, the host's. */
static void userns_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **text = slot->field;

	if (decode_string(d, node, text) && **text && strcmp(*text, "host"))
		decode_problem(d, node, "must be \"host\" or \"\", not \"%s\"", *text);
}

/* Containers are run by berth itself; what is meant by these names is what it does. */
static void runtime_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const same[] = {"runc", "crun", "berth", "io.containerd.runc.v2"};
	char **text = slot->field;

	if (!decode_string(d, node, text) || !**text)
		return;
	array_foreach(name, same)
		if (!strcmp(*name, *text))
			return;
	decode_unheeded(d, node, "berth runs containers itself, without another runtime");
}

static void storage_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	shape_options.decode(d, node, slot);
	decode_unheeded(d, node, "roots are overlays, which have no quota of their own");
}

/* KEY, KEY=VALUE or KEY:VALUE */
static void security_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const known[] = {
		"no-new-privileges", "seccomp",          "apparmor",      "label",
		"systempaths",       "writable-cgroups", "credentialspec"};
	size_t index = 0;

	shape_strings.decode(d, node, slot);
	node_foreach(item, node) {
		const char *text = item->kind == NODE_STRING ? item->text : known[0];
		_cleanup_free_ char *key = alloc_string_n(text, strcspn(text, "=:"));
		const char *meant = str_suggest(key, known, ARRAY_SIZE(known));
		bool good = false;

		array_foreach(name, known)
			good = good || !strcmp(key, *name);
		decoder_push_index(d, index++);
		if (!good)
			decode_problem(
				d, item,
				"there is no such option: \"%s\"%s%s%s; there are "
				"no-new-privileges, seccomp=FILE|unconfined, apparmor=PROFILE, "
				"label=LABEL|disable, systempaths=unconfined and writable-cgroups",
				text, meant ? "; did you mean '" : "", meant ? meant : "",
				meant ? "'?" : "");
		else if (!strcmp(key, "credentialspec"))
			decode_unheeded(d, item, "managed service accounts are Windows'");
		decoder_pop(d);
	}
}

static json_t *strings_encode(const struct slot *slot)
{
	return shape_strings.encode(slot);
}

static void strings_release(const struct slot *slot)
{
	shape_strings.release(slot);
}

static json_t *options_encode(const struct slot *slot)
{
	return shape_options.encode(slot);
}

static void options_release(const struct slot *slot)
{
	shape_options.release(slot);
}

static const struct shape shape_security = {security_decode, strings_encode, strings_release};
static const struct shape shape_userns = {userns_decode, string_encode, string_release};
static const struct shape shape_runtime = {runtime_decode, string_encode, string_release};
static const struct shape shape_storage = {storage_decode, options_encode, options_release};
static const struct shape shape_restart = {restart_decode, string_encode, string_release};
static const struct shape shape_signal = {signal_decode, string_encode, string_release};
static const struct shape shape_container_name = {container_name_decode, string_encode,
						  string_release};
static const struct shape shape_nullable = {nullable_decode, string_encode, string_release,
					    .nullable = true};
static const struct shape shape_string_if_any = {if_any_decode, string_encode, string_release};
static const struct shape shape_refresh = {refresh_decode, string_encode, string_release};
static const struct shape shape_pull_policy = {policy_decode, string_encode, string_release};

#define SERVICE(field)         offsetof(struct service, field), NO_FIELD
#define SERVICES(field, count) offsetof(struct service, field), offsetof(struct service, count)

/* clang-format off */
static const struct attribute service_attributes[] = {
	{"profiles",            SERVICE(profiles),                       &shape_strings,          MERGE_LIST,         CHANGE_NONE},
	{"annotations",         SERVICE(annotations),                    &shape_labels,           MERGE_MAPPING},
	{"attach",              SERVICE(attach),                         &shape_tristate,         MERGE_DEEP,         CHANGE_NONE},
	{"build",               SERVICE(build),                          &shape_build,            MERGE_BUILD,        CHANGE_NONE},
	{"develop",             SERVICE(develop),                        &shape_develop,          MERGE_DEEP,         CHANGE_NONE},
	{"blkio_config",        SERVICE(blkio),                          &shape_blkio},
	{"cap_add",             SERVICE(cap_add),                        &shape_strings,          MERGE_LIST},
	{"cap_drop",            SERVICE(cap_drop),                       &shape_strings,          MERGE_LIST},
	{"cgroup_parent",       SERVICE(cgroup_parent),                  &shape_string},
	{"cgroup",              SERVICE(cgroup),                         &shape_cgroup},
	{"cpu_count",           SERVICE(cpu_count),                      &shape_cpu_count,        MERGE_DEEP,         CHANGE_NONE},
	{"cpu_percent",         SERVICE(cpu_percent),                    &shape_cpu_percent,      MERGE_DEEP,         CHANGE_NONE},
	{"cpu_period",          SERVICE(cpu_period),                     &shape_int,              MERGE_DEEP,         CHANGE_UPDATE},
	{"cpu_quota",           SERVICE(cpu_quota),                      &shape_int,              MERGE_DEEP,         CHANGE_UPDATE},
	{"cpu_rt_period",       SERVICE(cpu_rt_period),                  &shape_usec},
	{"cpu_rt_runtime",      SERVICE(cpu_rt_runtime),                 &shape_usec},
	{"cpus",                SERVICE(cpus),                           &shape_number,           MERGE_DEEP,         CHANGE_UPDATE},
	{"cpuset",              SERVICE(cpuset),                         &shape_string},
	{"cpu_shares",          SERVICE(cpu_shares),                     &shape_int,              MERGE_DEEP,         CHANGE_UPDATE},
	{"command",             SERVICE(command),                        &shape_argv,             MERGE_REPLACE},
	{"configs",             SERVICES(configs, config_count),         &shape_configs,          MERGE_LIST},
	{"container_name",      SERVICE(container_name),                 &shape_container_name},
	{"credential_spec",     SERVICE(credential_spec),                &shape_credential_spec,  MERGE_DEEP,         CHANGE_NONE},
	{"depends_on",          SERVICES(depends_on, dependency_count),  &shape_dependencies,     MERGE_DEPENDENCIES, CHANGE_NONE},
	{"deploy",              SERVICE(deploy),                         &shape_deploy},
	{"device_cgroup_rules", SERVICE(device_cgroup_rules),            &shape_strings,          MERGE_LIST},
	{"devices",             SERVICES(devices, device_count),         &shape_devices,          MERGE_LIST},
	{"dns",                 SERVICE(dns),                            &shape_string_list,      MERGE_LIST},
	{"dns_opt",             SERVICE(dns_opt),                        &shape_strings,          MERGE_LIST},
	{"dns_search",          SERVICE(dns_search),                     &shape_string_list,      MERGE_LIST},
	{"domainname",          SERVICE(domainname),                     &shape_string},
	{"entrypoint",          SERVICE(entrypoint),                     &shape_argv,             MERGE_REPLACE},
	{"provider",            SERVICE(provider),                       &shape_provider},
	{"environment",         SERVICE(environment),                    &shape_environment,      MERGE_MAPPING},
	{"env_file",            SERVICES(env_files, env_file_count),     &shape_env_files,        MERGE_LIST},
	{"expose",              SERVICE(expose),                         &shape_expose,           MERGE_LIST,         CHANGE_UPDATE},
	{"external_links",      SERVICE(external_links),                 &shape_strings,          MERGE_LIST},
	{"extra_hosts",         SERVICES(extra_hosts, extra_host_count), &shape_extra_hosts,      MERGE_LIST},
	{"group_add",           SERVICE(group_add),                      &shape_texts,            MERGE_LIST},
	{"gpus",                SERVICES(gpus, gpu_count),               &shape_gpus,             MERGE_LIST},
	{"hostname",            SERVICE(hostname),                       &shape_string},
	{"healthcheck",         SERVICE(healthcheck),                    &shape_healthcheck,      MERGE_DEEP,         CHANGE_UPDATE},
	{"image",               SERVICE(image),                          &shape_string},
	{"init",                SERVICE(init),                           &shape_tristate},
	{"ipc",                 SERVICE(ipc),                            &shape_string},
	{"isolation",           SERVICE(isolation),                      &shape_isolation,        MERGE_DEEP,         CHANGE_NONE},
	{"labels",              SERVICE(labels),                         &shape_labels,           MERGE_MAPPING,      CHANGE_UPDATE},
	{"label_file",          SERVICE(label_files),                    &shape_label_files,      MERGE_LIST,         CHANGE_UPDATE},
	{"links",               SERVICE(links),                          &shape_strings,          MERGE_LIST},
	{"logging",             SERVICE(logging),                        &shape_logging,          MERGE_LOGGING,      CHANGE_UPDATE},
	{"mem_limit",           SERVICE(mem_limit),                      &shape_bytes,            MERGE_DEEP,         CHANGE_UPDATE},
	{"mem_reservation",     SERVICE(mem_reservation),                &shape_bytes,            MERGE_DEEP,         CHANGE_UPDATE},
	{"memswap_limit",       SERVICE(memswap_limit),                  &shape_bytes,            MERGE_DEEP,         CHANGE_UPDATE},
	{"mem_swappiness",      SERVICE(mem_swappiness),                 &shape_swappiness},
	{"mac_address",         SERVICE(mac_address),                    &shape_string},
	{"models",              SERVICES(models, model_count),           &shape_service_models,   MERGE_NAMES},
	{"network_mode",        SERVICE(network_mode),                   &shape_string_if_any},
	{"networks",            SERVICES(networks, network_count),       &shape_service_networks, MERGE_NAMES},
	{"oom_kill_disable",    SERVICE(oom_kill_disable),               &shape_switch},
	{"oom_score_adj",       SERVICE(oom_score_adj),                  &shape_oom_score},
	{"pid",                 SERVICE(pid),                            &shape_nullable},
	{"pids_limit",          SERVICE(pids_limit),                     &shape_int,              MERGE_DEEP,         CHANGE_UPDATE},
	{"platform",            SERVICE(platform),                       &shape_string},
	{"ports",               SERVICES(ports, port_count),             &shape_ports,            MERGE_LIST,         CHANGE_UPDATE},
	{"privileged",          SERVICE(privileged),                     &shape_switch},
	{"pull_policy",         SERVICE(pull_policy),                    &shape_pull_policy,      MERGE_DEEP,         CHANGE_NONE},
	{"pull_refresh_after",  SERVICE(pull_refresh_after),             &shape_refresh,          MERGE_DEEP,         CHANGE_NONE},
	{"read_only",           SERVICE(read_only),                      &shape_switch},
	{"restart",             SERVICE(restart),                        &shape_restart,          MERGE_DEEP,         CHANGE_UPDATE},
	{"runtime",             SERVICE(runtime),                        &shape_runtime},
	{"scale",               SERVICE(scale),                          &shape_count,            MERGE_DEEP,         CHANGE_NONE},
	{"secrets",             SERVICES(secrets,secret_count),          &shape_secrets,          MERGE_LIST},
	{"security_opt",        SERVICE(security_opt),                   &shape_security,         MERGE_LIST},
	{"shm_size",            SERVICE(shm_size),                       &shape_bytes},
	{"stdin_open",          SERVICE(stdin_open),                     &shape_switch},
	{"stop_grace_period",   SERVICE(stop_grace_period),              &shape_duration,         MERGE_DEEP,         CHANGE_UPDATE},
	{"stop_signal",         SERVICE(stop_signal),                    &shape_signal,           MERGE_DEEP,         CHANGE_UPDATE},
	{"storage_opt",         SERVICE(storage_opt),                    &shape_storage},
	{"sysctls",             SERVICE(sysctls),                        &shape_labels,           MERGE_MAPPING},
	{"tmpfs",               SERVICE(tmpfs),                          &shape_string_list,      MERGE_LIST},
	{"tty",                 SERVICE(tty),                            &shape_switch},
	{"ulimits",             SERVICES(ulimits, ulimit_count),         &shape_ulimits,          MERGE_MAPPING},
	{"use_api_socket",      SERVICE(use_api_socket),                 &shape_bool},
	{"user",                SERVICE(user),                           &shape_string},
	{"userns_mode",         SERVICE(userns_mode),                    &shape_userns},
	{"uts",                 SERVICE(uts),                            &shape_string},
	{"volumes",             SERVICES(volumes, volume_count),         &shape_mounts,           MERGE_LIST},
	{"volumes_from",        SERVICE(volumes_from),                   &shape_strings,          MERGE_LIST},
	{"working_dir",         SERVICE(working_dir),                    &shape_string},
	{"pre_start",           SERVICES(pre_start, pre_start_count),    &shape_pre_start},
	{"post_start",          SERVICES(post_start, post_start_count),  &shape_hooks},
	{"pre_stop",            SERVICES(pre_stop, pre_stop_count),      &shape_hooks},
	{"x-berth",             SERVICE(berth),                          &shape_berth,            MERGE_DEEP,         CHANGE_UPDATE},
};
/* clang-format on */

const struct schema service_schema = {"service", service_attributes, ARRAY_SIZE(service_attributes),
				      offsetof(struct service, rest)};

#define OBJECTS(shape_, type_, key_, schema_, nullable_) \
	static const struct shape shape_ = {             \
		.decode = decode_objects,                \
		.encode = encode_objects,                \
		.release = release_objects,              \
		.schema = &schema_,                      \
		.element_size = sizeof(type_),           \
		.key_offset = offsetof(type_, key_),     \
		.elements = true,                        \
		.nullable = nullable_,                   \
	}

OBJECTS(shape_network_map, struct network, key, network_schema, true);
OBJECTS(shape_volume_map, struct volume, key, volume_schema, true);
OBJECTS(shape_secret_map, struct file_object, key, secret_schema, false);
OBJECTS(shape_config_map, struct file_object, key, config_schema, false);
OBJECTS(shape_model_map, struct ai_model, key, model_schema, false);

/* `services: {}` is a project without services, and says so. */
static json_t *services_encode(const struct slot *slot)
{
	json_t *json = encode_objects(slot);

	return json ? json : json_object();
}

static const struct shape shape_services = {
	.decode = decode_objects,
	.encode = services_encode,
	.release = release_objects,
	.schema = &service_schema,
	.element_size = sizeof(struct service),
	.key_offset = offsetof(struct service, name),
	.elements = true,
};

#define PROJECT(field)         offsetof(struct project, field), NO_FIELD
#define PROJECTS(field, count) offsetof(struct project, field), offsetof(struct project, count)
/* clang-format off */
static const struct attribute project_attributes[] = {
	{"configs",  PROJECTS(configs, config_count),   &shape_config_map},
	{"models",   PROJECTS(models, model_count),     &shape_model_map},
	{"name",     PROJECT(name),                     &shape_name},
	{"networks", PROJECTS(networks, network_count), &shape_network_map},
	{"secrets",  PROJECTS(secrets, secret_count),   &shape_secret_map},
	{"services", PROJECTS(services, service_count), &shape_services},
	{"volumes",  PROJECTS(volumes, volume_count),   &shape_volume_map},
};
/* clang-format on */
const struct schema project_schema = {"project", project_attributes, ARRAY_SIZE(project_attributes),
				      offsetof(struct project, rest)};
