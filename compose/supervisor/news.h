/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NEWS_H
#define COMPOSE_SUPERVISOR_NEWS_H

/*
 * news.h - what the supervisor says of a container: "NAME: ..." in its log, or in a unit an entry
 * of systemd's journal that has BERTH_PROJECT, BERTH_SERVICE, BERTH_CONTAINER and, for what can be
 * looked up in berth.catalog, a MESSAGE_ID (compose/control/message_ids.h).
 */

#include <stdbool.h>

#include "common/log.h"

struct instance;
struct supervisor;

/* "NAME: ...", with a MESSAGE_ID. */
void news_log(const struct instance *instance, enum log_level level, const char *message_id,
	      const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * From now on the journal, where our log is that, is told of starts, ends and health as well, and
 * in fields of which container any message is that begins with one's name.
 */
void news_begin(struct supervisor *supervisor);
/* Whether that is so. */
bool news_begun(void);

#endif
