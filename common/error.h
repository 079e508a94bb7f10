/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

/*
 * error.h - what went wrong, in words for the user, flat enough to write() across a pipe.
 *
 * A function that takes an error returns 0 or more when it succeeded and leaves the error alone.
 * When it fails it fills the error and returns -err->code. All setters return that value, so
 * that a failing branch is one line. They format on the stack with no allocation, and are
 * therefore fit for use between clone3 and execve.
 */

struct error {
	int code;          /* an errno value; 0 as long as nothing failed */
	char where[128];   /* where the user wrote it: "compose.yaml:7:9", or "" */
	char message[384]; /* for the user, naming the object first */
};

struct position;

/* Sets @err to @code (an errno value, positive) and the formatted message. Returns -code. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As error_set with the current errno, whose text is appended: "format: No such file". */
int error_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As error_errno for a @code (an errno value, of either sign) that is not in errno. */
int error_code(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As error_set(EINVAL), with @where ("file:line:column") kept beside the message. */
int error_where(struct error *err, const char *where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "format: " before the message of an error that is set. Returns -err->code. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forgets the error: for a failure that was dealt with. */
void error_clear(struct error *err);

/* "where: message" or "message", into @buffer; returns @buffer. */
const char *error_text(const struct error *err, char *buffer, unsigned long size);

#define ERROR_TEXT_MAX 520
#define ERROR_INIT     ((struct error){0})

#endif
