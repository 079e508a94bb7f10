// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/main.h"

#include <string.h>

#include "compose/cli/command.h"
#include "compose/cli/rootless/rootless.h"
#include "compose/control/requests.h"

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], KEEPER_COMMAND))
		return keeper_main(argc, argv);
	if (argc > 1 && !strcmp(argv[1], SUPERVISOR_COMMAND))
		return supervisor_main(argc, argv);
	if (argc > 1 && !strcmp(argv[1], PROBER_COMMAND))
		return prober_main(argc, argv);
	if (argc > 1 && !strcmp(argv[1], ROOTLESS_COMMAND))
		return rootless_holder_main(argc, argv);
	return command_main(argc, argv);
}
