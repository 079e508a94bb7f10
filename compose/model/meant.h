/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_MEANT_H
#define COMPOSE_MODEL_MEANT_H

/*
 * meant.h - words for an attribute that people bring from elsewhere: docker run's options,
 * Kubernetes, the Dockerfile, files of old versions. No likeness of letters leads from them to the
 * right one.
 */

/* What to write for @word as an attribute of @object ("service", "build", "volumes", ...); NULL:
 * not known. */
const char *meant_elsewhere(const char *object, const char *word);

#endif
