// SPDX-License-Identifier: GPL-2.0-or-later
/* probe_command.c - healthcheck.test: a command run inside the container by the prober. */
#include <string.h>

#include "common/alloc.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/probes/probe_internal.h"
#include "compose/supervisor/probes/prober.h"
#include "compose/supervisor/translate/translate.h"

struct command_probe {
	struct probe probe;
	/* Made once: a probe costs little more than its fork. */
	struct translation translation;
	struct prober_run *run; /* NULL: none is under way */
};

static struct command_probe *of(struct probe *probe)
{
	return (struct command_probe *)probe;
}

/* Never half a character: it goes out as JSON. */
static char *output_of(const struct prober_result *result)
{
	size_t size = result->size;

	while (size && !str_is_utf8(result->text, size))
		size--;
	return size ? alloc_string_n(result->text, size) : NULL;
}

static void on_done(void *context, const struct prober_result *result)
{
	struct command_probe *self = context;
	const struct probe_answer answer = {
		.exit_code = result->exit_code,
		.not_run = result->not_run,
		.output = output_of(result),
	};

	self->run = NULL;
	self->probe.answered(self->probe.context, &answer);
}

static struct prober *prober_of(const struct command_probe *self)
{
	struct supervisor *supervisor = self->probe.instance->supervisor;

	if (!supervisor->prober)
		supervisor->prober = prober_new(supervisor->event, supervisor->project);
	return supervisor->prober;
}

static void begin(struct probe *probe)
{
	struct command_probe *self = of(probe);

	self->translation.spec.cgroup_handle = probe->instance->cgroup;
	self->run = prober_begin(prober_of(self), probe->instance->pidfd, &self->translation.spec,
				 on_done, self);
}

static void give_up(struct probe *probe)
{
	struct command_probe *self = of(probe);

	if (self->run)
		prober_kill(prober_of(self), self->run);
}

static void release(struct probe *probe)
{
	struct command_probe *self = of(probe);

	if (self->run)
		prober_forget(prober_of(self), self->run);
	prober_release(prober_of(self));
	translation_done(&self->translation);
	free(self);
}

static const struct probe_ops ops = {begin, give_up, release};

static int translate_command(struct command_probe *self, char *const *test,
			     const struct image *image, struct error *err)
{
	struct translation *translation = &self->translation;
	struct instance *instance = self->probe.instance;

	*translation = (struct translation){
		.instance = instance,
		.service = instance->service,
		.project = instance->model->project,
		.image = image,
	};
	translation->spec.id = instance->id;
	translation->spec.args = (const char *const *)test;
	if (translate_exec_process(translation, false, err) < 0)
		return -err->code;
	/* The image is not needed beyond this, and may be forgotten. */
	translation->image = NULL;
	translation->spec.user = translation_own(translation, alloc_string(translation->spec.user));
	translation->spec.cwd = translation_own(translation, alloc_string(translation->spec.cwd));
	return 0;
}

struct probe *probe_new_command(struct instance *instance, char *const *test,
				const struct image *image, probe_answered *answered, void *context)
{
	struct command_probe *self = new (struct command_probe);
	struct error err = ERROR_INIT;

	self->probe = (struct probe){
		.ops = &ops, .instance = instance, .answered = answered, .context = context};
	prober_hold(prober_of(self));
	if (translate_command(self, test, image, &err) < 0)
		log_error("%s: healthcheck: %s", instance->name, err.message);
	return &self->probe;
}
