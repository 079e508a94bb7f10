/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_HELP_COMPLETE_NAMES_H
#define COMPOSE_CLI_HELP_COMPLETE_NAMES_H

/* complete_names.h - what a word being typed may name. New lists; NULL: nothing, or not readable.
 */

char **complete_networks(void);
char **complete_volumes(void);
char **complete_images(void);
/* Of the project's services. */
char **complete_profiles(void);

#endif
