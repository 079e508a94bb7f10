// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/alloc.h"
#include "common/cleanup.h"

#include "compose/plan/operations.h"

DEFINE_CLEANUP(struct graph *, graph_free);
DEFINE_CLEANUP(struct plan *, plan_free);

static int (*const goals[])(struct planning *planning, struct error *err) = {
	[PLAN_UP] = plan_up,         [PLAN_DOWN] = plan_down,       [PLAN_START] = plan_start,
	[PLAN_STOP] = plan_stop,     [PLAN_RESTART] = plan_restart, [PLAN_KILL] = plan_kill,
	[PLAN_REMOVE] = plan_remove, [PLAN_PAUSE] = plan_pause,     [PLAN_UNPAUSE] = plan_unpause,
};

/* up and start take along what the selected ones need; the others act on what was named. */
static bool takes_dependencies(const struct plan_options *options)
{
	return (options->goal == PLAN_UP || options->goal == PLAN_START) && !options->no_deps;
}

static int check_scales(const struct planning *planning, struct error *err)
{
	const struct plan_options *options = planning->options;

	for (size_t i = 0; i < options->scale_count; i++) {
		const struct graph_node *node =
			graph_find(planning->graph, options->scales[i].service);

		if (!node || !node->service)
			return error_set(err, ENOENT, "no such service: %s",
					 options->scales[i].service);
	}
	return 0;
}

int plan_reconcile(const struct project *project, const struct facts *facts,
		   const struct plan_options *options, struct plan **ret, struct error *err)
{
	_cleanup_(cleanup_graph_free) struct graph *graph = NULL;
	_cleanup_(cleanup_plan_free) struct plan *plan = new (struct plan);
	struct planning planning = {
		.project = project, .facts = facts, .options = options, .plan = plan};
	int r = 0;

	r = graph_new(project, facts, &graph, err);
	if (r < 0)
		return r;
	planning.graph = graph;
	r = graph_select(graph, options->services, takes_dependencies(options),
			 options->by_label || !project, err);
	if (r < 0)
		return r;
	r = check_scales(&planning, err);
	if (r < 0)
		return r;
	r = goals[options->goal](&planning, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(plan);
	return 0;
}
