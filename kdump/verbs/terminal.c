/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/verbs/terminal.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/visible.h"

static bool wants_colour(FILE *out)
{
	const char *no_color = getenv("NO_COLOR"), *type = getenv("TERM");

	return isatty(fileno(out)) && !(no_color && *no_color) && type && *type && strcmp(type, "dumb") != 0;
}

void term_init(struct term *term, FILE *out)
{
	struct winsize size;

	*term = (struct term){ .out = out, .colour = wants_colour(out), .width = 80 };
	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col)
		term->width = size.ws_col;
}

const char *term_start(const struct term *term, enum term_colour colour)
{
	static const char *const codes[] = {
		[TERM_PLAIN] = "",        [TERM_BOLD] = "\033[1m",   [TERM_DIM] = "\033[2m",
		[TERM_RED] = "\033[31m",  [TERM_GREEN] = "\033[32m", [TERM_YELLOW] = "\033[33m",
		[TERM_BLUE] = "\033[34m",
	};

	return term->colour ? codes[colour] : "";
}

const char *term_stop(const struct term *term)
{
	return term->colour ? "\033[0m" : "";
}

void term_bar(const struct term *term, uint64_t part, uint64_t whole, unsigned int width)
{
	static const char *const eighths[] = { " ", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	unsigned int steps = utf8 ? 8 : 1, full, i;

	full = whole ? (unsigned int)((double)(part < whole ? part : whole) / whole * width * steps + 0.5) : 0;
	if (part && !full)
		full = 1; /* a small part is still visible */
	for (i = 0; i<width; i++, full -= full> steps ? steps : full) {
		if (full >= steps)
			fputs(utf8 ? "█" : "#", term->out);
		else
			fputs(utf8 ? eighths[full] : " ", term->out);
	}
}

const char *term_size(uint64_t bytes, char buffer[TERM_SIZE_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes;
	size_t i;

	/* A value that rounds to four digits is printed in the next unit. */
	for (i = 0; i < ARRAY_SIZE(units) - 1 && value >= 999.5; i++)
		value /= 1024;
	snprintf(buffer, TERM_SIZE_MAX, "%.*f %s", !i || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, units[i]);
	return buffer;
}

const char *term_time(int64_t seconds, char buffer[TERM_TIME_MAX])
{
	time_t when = seconds;
	struct tm tm;

	if (!localtime_r(&when, &tm) || !strftime(buffer, TERM_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm))
		strcpy(buffer, "?");
	return buffer;
}

const char *term_age(int64_t since, char buffer[TERM_TIME_MAX])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	int64_t age = (int64_t)time(NULL) - since, count;
	size_t i;

	if (age < 1) {
		/* The clock of the capture was ahead, or this one is behind: by more than clocks differ. */
		strcpy(buffer, age < -60 ? "in the future" : "just now");
		return buffer;
	}
	for (i = 0; i < ARRAY_SIZE(units) - 1 && age < units[i].seconds; i++)
		;
	count = age / units[i].seconds;
	snprintf(buffer, TERM_TIME_MAX, "%" PRId64 " %s%s ago", count, units[i].name, count == 1 ? "" : "s");
	return buffer;
}

void term_text(const struct term *term, const char *text)
{
	kd_visible_put(term->out, text, false);
}

void term_line(const struct term *term, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kd_visible_print(term->out, fmt, ap);
	va_end(ap);
	fputc('\n', term->out);
}

unsigned int term_columns(const char *text)
{
	char form[KD_VISIBLE_MAX];
	unsigned int length, columns, sum = 0;

	for (; (length = kd_visible_character(text, form, &columns)); text += length)
		sum += columns;
	return sum;
}

void term_cell(const struct term *term, const char *text, unsigned int width)
{
	char form[KD_VISIBLE_MAX];
	unsigned int length, columns, used = 0;

	for (; (length = kd_visible_character(text, form, &columns)) && used + columns <= width; text += length) {
		fputs(form, term->out);
		used += columns;
	}
	fprintf(term->out, "%*s  ", (int)(width - used), "");
}
