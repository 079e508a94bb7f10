// SPDX-License-Identifier: GPL-2.0-or-later

/* `berth container`: docker's commands for single containers, whichever project they belong to. */

#include <stddef.h>

#include "compose/cli/command.h"

/* One a line, so that two that are added side by side do not meet. */
/* clang-format off */
extern const struct command command_container_attach;
extern const struct command command_container_commit;
extern const struct command command_container_cp;
extern const struct command command_container_create;
extern const struct command command_container_diff;
extern const struct command command_container_exec;
extern const struct command command_container_export;
extern const struct command command_container_inspect;
extern const struct command command_container_kill;
extern const struct command command_container_logs;
extern const struct command command_container_ls;
extern const struct command command_container_pause;
extern const struct command command_container_port;
extern const struct command command_container_prune;
extern const struct command command_container_rename;
extern const struct command command_container_restart;
extern const struct command command_container_rm;
extern const struct command command_container_run;
extern const struct command command_container_start;
extern const struct command command_container_stats;
extern const struct command command_container_stop;
extern const struct command command_container_top;
extern const struct command command_container_unpause;
extern const struct command command_container_update;
extern const struct command command_container_wait;

static const struct command *const children[] = {
	&command_container_attach,
	&command_container_commit,
	&command_container_cp,
	&command_container_create,
	&command_container_diff,
	&command_container_exec,
	&command_container_export,
	&command_container_inspect,
	&command_container_kill,
	&command_container_logs,
	&command_container_ls,
	&command_container_pause,
	&command_container_port,
	&command_container_prune,
	&command_container_rename,
	&command_container_restart,
	&command_container_rm,
	&command_container_run,
	&command_container_start,
	&command_container_stats,
	&command_container_stop,
	&command_container_top,
	&command_container_unpause,
	&command_container_update,
	&command_container_wait,
	NULL,
};
/* clang-format on */

const struct command command_container = {
	.name = "container",
	.operands = "COMMAND",
	.summary = "Single containers, without a compose file, and those of all projects",
	.children = children,
};
