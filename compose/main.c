// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/main.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compose/cli/command.h"
#include "compose/cli/rootless/rootless.h"
#include "compose/control/requests.h"

/* Started with one of 0, 1, 2 closed: what is opened later must not become it. */
static void keep_standard_ones(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	keep_standard_ones();
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
