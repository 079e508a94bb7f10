/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_JOURNAL_H
#define COMMON_JOURNAL_H

/*
 * journal.h - entries for systemd's journal: datagrams of fields (systemd.io,
 * JOURNAL_NATIVE_PROTOCOL). Nothing here needs libsystemd.
 */

#include <stddef.h>

#include "common/str.h"

/* Any bytes; @name is one of capital letters, digits and underscores. */
void journal_add(struct strbuf *entry, const char *name, const char *value, size_t size);
void journal_add_text(struct strbuf *entry, const char *name, const char *value);

/* New socket, the caller's; -errno. */
int journal_socket(void);

/*
 * 0, or -errno: -ENOENT and -ECONNREFUSED where there is no journal, -EAGAIN when it did not take
 * the entry within @patience_msec.
 */
int journal_send(int fd, const char *entry, size_t size, int patience_msec);

#endif
