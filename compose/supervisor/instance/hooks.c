// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/hooks.h"

#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/exec/exec.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/state.h"

static const char *const phase_names[] = {
	[HOOKS_POST_START] = "post_start",
	[HOOKS_PRE_STOP] = "pre_stop",
	[HOOKS_STOPPED] = "stopped",
};

static const struct hook *hooks_of(const struct instance *instance, enum hook_phase phase,
				   size_t *ret_count)
{
	const struct service *service = instance->service;
	bool start = phase == HOOKS_POST_START;

	*ret_count = start ? service->post_start_count : service->pre_stop_count;
	return start ? service->post_start : service->pre_stop;
}

void hooks_reset(struct instance *instance)
{
	instance->hooks = (struct hook_state){
		.phase = instance->service->post_start_count ? HOOKS_POST_START : HOOKS_NONE,
	};
	free(TAKE_PTR(instance->hook_error));
}

bool hooks_pending(const struct instance *instance, enum hook_phase phase)
{
	return instance->hooks.phase == phase;
}

/* As the container's process has it, but for what the hook says itself. */
static json_t *request_of(const struct hook *hook)
{
	json_t *request = json_object(), *env = json_array();

	json_object_set_new(request, "args", json_from_strv(hook->command.args));
	for (size_t i = 0; i < hook->environment.count; i++)
		if (hook->environment.items[i].value)
			json_array_append_new(env,
					      json_sprintf("%s=%s", hook->environment.items[i].key,
							   hook->environment.items[i].value));
	json_object_set_new(request, "env", env);
	json_put_string(request, "user", hook->user);
	json_put_string(request, "cwd", hook->working_dir);
	json_put_bool(request, "privileged", hook->privileged == TRI_TRUE);
	return request;
}

static void finish(struct instance *instance)
{
	void (*done)(struct instance *) = instance->hooks.done;

	instance->hooks = (struct hook_state){
		.phase = instance->hooks.phase == HOOKS_PRE_STOP ? HOOKS_STOPPED : HOOKS_NONE,
	};
	state_note(instance);
	done(instance);
}

static void fail(struct instance *instance, int exit_code, const struct error *err)
{
	bool why = err && err->code;

	free(instance->hook_error);
	instance->hook_error =
		str_printf("%s hook exited with status %d%s%s", instance->service_name, exit_code,
			   why ? ": " : "", why ? err->message : "");
	log_warning("%s: %s: %s", instance->name, phase_names[instance->hooks.phase],
		    instance->hook_error);
	finish(instance);
}

static void go_on(struct instance *instance);

static void ended(void *context, int exit_code, const struct error *err)
{
	struct instance *instance = context;

	instance->hooks.following = false;
	if (exit_code || (err && err->code)) {
		fail(instance, exit_code, err);
		return;
	}
	instance->hooks.next++;
	instance->hooks.session[0] = '\0';
	go_on(instance);
}

static void begin(struct instance *instance, const struct hook *hook)
{
	_cleanup_json_ json_t *request = request_of(hook);
	int fds[] = {-EBADF, -EBADF, -EBADF};

	/* Known before it runs: a crash in between begins it again, and never a second one. */
	fs_random_hex(instance->hooks.session, 16);
	state_note(instance);
	if (instance->log) {
		fds[1] = log_pump_writer(instance->log, LOG_STDOUT);
		fds[2] = log_pump_writer(instance->log, LOG_STDERR);
	}
	instance->hooks.following = true;
	exec_start(instance, instance->hooks.session, request, fds, ended, instance);
}

static void go_on(struct instance *instance)
{
	struct hook_state *state = &instance->hooks;
	size_t count;
	const struct hook *hooks = hooks_of(instance, state->phase, &count);
	struct error err = ERROR_INIT;
	int exit_code = 0;

	if (state->next >= count) {
		finish(instance);
		return;
	}
	if (state->session[0]) {
		int r = exec_follow(instance->supervisor->execs, state->session, ended, instance,
				    &exit_code, &err);

		if (r == 0)
			state->following = true;
		if (r > 0)
			ended(instance, exit_code, &err);
		if (r >= 0)
			return;
	}
	begin(instance, &hooks[state->next]);
}

bool hooks_run(struct instance *instance, enum hook_phase phase,
	       void (*done)(struct instance *instance))
{
	struct hook_state *state = &instance->hooks;
	size_t count;

	(void)hooks_of(instance, phase, &count);
	if (!count || state->phase == HOOKS_STOPPED ||
	    (phase == HOOKS_POST_START && state->phase != phase))
		return false;
	if (state->phase != phase) {
		hooks_cancel(instance);
		free(TAKE_PTR(instance->hook_error));
		*state = (struct hook_state){.phase = phase};
	}
	state->done = done;
	if (!state->following)
		go_on(instance);
	return true;
}

void hooks_cancel(struct instance *instance)
{
	if (instance->hooks.following)
		exec_unfollow(instance->supervisor->execs, instance->hooks.session);
	instance->hooks = (struct hook_state){0};
}

json_t *hooks_to_json(const struct instance *instance)
{
	const struct hook_state *state = &instance->hooks;
	json_t *json;

	if (state->phase == HOOKS_NONE)
		return NULL;
	json = json_object();
	json_put_string(json, "phase", phase_names[state->phase]);
	json_put_int(json, "next", (int64_t)state->next);
	if (state->session[0])
		json_put_string(json, "session", state->session);
	return json;
}

void hooks_from_json(struct instance *instance, const json_t *json)
{
	struct hook_state *state = &instance->hooks;
	const char *phase = json_get_string(json, "phase");
	int64_t next = json_get_int(json, "next", 0);

	*state = (struct hook_state){0};
	for (size_t i = HOOKS_POST_START; phase && i < ARRAY_SIZE(phase_names); i++)
		if (strcmp(phase, phase_names[i]) == 0)
			state->phase = (enum hook_phase)i;
	state->next = next > 0 ? (size_t)next : 0;
	snprintf(state->session, sizeof(state->session), "%s",
		 json_get_string(json, "session") ?: "");
}
