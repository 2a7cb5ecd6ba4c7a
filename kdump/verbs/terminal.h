/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Output for people: colours where they are wanted, bars, readable sizes and times. */
#ifndef KDUMP_VERBS_TERMINAL_H
#define KDUMP_VERBS_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum term_colour { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_RED, TERM_GREEN, TERM_YELLOW, TERM_BLUE };

struct term {
	FILE *out;
	bool colour;        /* a terminal, TERM is not "dumb", and NO_COLOR is not set (no-color.org) */
	unsigned int width; /* columns; 80 if unknown */
};

void term_init(struct term *term, FILE *out);

/** The sequence that switches to @colour, and the one that switches back; "" without colours. For printf's %s. */
const char *term_start(const struct term *term, enum term_colour colour);
const char *term_stop(const struct term *term);

/** A bar of @width cells of which @part / @whole are full, in eighths of a cell where the locale's encoding is UTF-8,
 *  else of '#'. @whole 0 is an empty bar. */
void term_bar(const struct term *term, uint64_t part, uint64_t whole, unsigned int width);

/** "0 B", "17.2 MiB", "3.0 GiB": three significant digits. */
#define TERM_SIZE_MAX 16
const char *term_size(uint64_t bytes, char buffer[TERM_SIZE_MAX]);

/** "2026-11-24 10:31:07", local time. */
#define TERM_TIME_MAX 32
const char *term_time(int64_t seconds, char buffer[TERM_TIME_MAX]);

/** "3 days ago", "1 minute ago", "just now", "in the future". */
const char *term_age(int64_t since, char buffer[TERM_TIME_MAX]);

/** The following print text that may contain any bytes, from a dump, a report, a log or a file's name: what could
 *  command the terminal is printed as \xNN (base/visible.h). */
void term_text(const struct term *term, const char *text);
/** A whole line, as printf(3) does; the newline is added. */
void term_line(const struct term *term, const char *fmt, ...) PRINTF_FORMAT(2, 3);
/** A cell of a table, @width columns and two blanks. A longer text is cut off. */
void term_cell(const struct term *term, const char *text, unsigned int width);
/** The columns that @text takes. */
unsigned int term_columns(const char *text);

#endif
