// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/plan/operations.h"

#include <stdarg.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/model/pre_start.h"

static const char *object_of(enum operation_kind kind)
{
	switch (kind) {
	case OP_PULL_IMAGE:
	case OP_BUILD_IMAGE:
		return "Image";
	case OP_CREATE_NETWORK:
	case OP_REMOVE_NETWORK:
		return "Network";
	case OP_CREATE_VOLUME:
	case OP_REMOVE_VOLUME:
		return "Volume";
	case OP_AWAIT_IMAGE:
		return "Image";
	case OP_PROCEED:
		return "Service";
	default:
		return "Container";
	}
}

static char *format_text(const char *format, va_list arguments)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, arguments);
	return alloc_string(text);
}

size_t operation_add(struct plan *plan, enum operation_kind kind, const char *name,
		     const char *cause_format, ...)
{
	struct operation *operation = array_add(plan->operations, plan->count);
	va_list arguments;

	operation->kind = kind;
	operation->name = alloc_string(name);
	operation->object = str_printf("%s %s", object_of(kind), name);
	operation->timeout_usec = -1;
	operation->required = true;
	va_start(arguments, cause_format);
	operation->cause = format_text(cause_format, arguments);
	va_end(arguments);
	return plan->count - 1;
}

size_t operation_add_existing(struct plan *plan, enum operation_kind kind,
			      const struct fact_container *container, const char *cause)
{
	size_t index = operation_add(plan, kind, container->name, "%s", cause);
	struct operation *operation = &plan->operations[index];

	operation->id = alloc_string(container->id);
	operation->service = alloc_string(container->service);
	operation->number = container->number;
	return index;
}

void operation_after(struct plan *plan, size_t operation, size_t prerequisite)
{
	struct operation *late = &plan->operations[operation];
	size_t *slot = NULL;

	if (prerequisite == NO_OPERATION || prerequisite == operation)
		return;
	for (size_t i = late->after_count; i-- > 0;)
		if (late->after[i] == prerequisite)
			return;
	slot = array_add(late->after, late->after_count);
	*slot = prerequisite;
}

void plan_warn(struct plan *plan, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	strv_take(&plan->warnings, format_text(format, arguments));
	va_end(arguments);
}

bool container_is_done_with(const struct service *service, const struct fact_container *container)
{
	return service && service_is_pre_start(service) && container->state == CONTAINER_EXITED &&
	       container->exit_code == 0;
}

bool container_is_alive(const struct fact_container *container)
{
	return container->state == CONTAINER_RUNNING || container->state == CONTAINER_PAUSED ||
	       container->state == CONTAINER_RESTARTING;
}

bool container_has_temporary_name(const struct fact_container *container)
{
	return strspn(container->name, "0123456789abcdef") == 12 && container->name[12] == '_';
}

bool node_awaits_connections(const struct graph_node *node)
{
	return node->service && node->service->berth.socket_count && !node->needed_by_count;
}

bool container_is_half_made(const struct graph_node *node, const struct fact_container *container)
{
	if (!container_has_temporary_name(container) ||
	    (container_is_alive(container) && !container->standby))
		return false;
	for (size_t i = 0; i < node->container_count; i++)
		if (node->containers[i] != container && !node->containers[i]->oneoff &&
		    node->containers[i]->number == container->number)
			return true;
	return false;
}

bool container_is_replaced(const struct graph_node *node, const struct fact_container *container)
{
	if (container_has_temporary_name(container))
		return false;
	for (size_t i = 0; i < node->container_count; i++) {
		const struct fact_container *other = node->containers[i];

		if (other->number == container->number && !other->oneoff && !other->standby &&
		    container_has_temporary_name(other) && container_is_alive(other))
			return true;
	}
	return false;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++) {
		struct operation *operation = &plan->operations[i];

		free(operation->object);
		free(operation->name);
		free(operation->id);
		free(operation->key);
		free(operation->service);
		free(operation->new_name);
		free(operation->replaces);
		free(operation->waiter);
		free(operation->cause);
		json_decref(operation->changes);
		free(operation->after);
	}
	free(plan->operations);
	strv_free(plan->warnings);
	strv_free(plan->running);
	free(plan);
}

bool container_is_meant(const struct planning *planning, const struct fact_container *container,
			bool oneoffs)
{
	const char *const *ids = planning->options->containers;

	if (!ids)
		return oneoffs || !container->oneoff;
	for (; *ids; ids++)
		if (str_equal(*ids, container->id))
			return true;
	return false;
}
