// SPDX-License-Identifier: GPL-2.0
/* A bar on a terminal, lines elsewhere. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "size.h"
#include "table.h"
#include "wait.h"

#define LINE_EVERY_MS 1000
#define BAR_MAX 40
#define BAR_MIN 8
/* "1023.99G down to 1023.99M, 9999 s": as long as they mostly are, for the bar to stay. */
#define WORDS 33

void progress_begin(struct progress *progress, const struct options *options)
{
	const char *term = getenv("TERM");

	*progress = (struct progress){
		.quiet = options->json,
		.is_terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb"),
	};
}

/* Done, of @width, of the way from where it began. */
static size_t done(const struct wait *wait, size_t width)
{
	long double way = (long double)wait->target - wait->from;
	long double gone = (long double)wait->device->facts[FACT_SIZE] - wait->from;
	long double part = way ? gone / way : 1;

	/* It may have gone the other way, or beyond. */
	return part <= 0 ? 0 : part >= 1 ? width : part * width;
}

char *way_text(const struct wait *wait)
{
	uint64_t size = wait->device->facts[FACT_SIZE];

	return text("%s %s %s", format_size(size).text, size > wait->target ? "down to" : "of",
		    format_size(wait->target).text);
}

static char *words(const struct wait *wait)
{
	char *way = way_text(wait);
	char *words = text("%s, %" PRId64 " s", way, (now_ms() - wait->started_ms) / 1000);

	free(way);
	return words;
}

static void draw_bar(const struct wait *wait)
{
	char bar[BAR_MAX + 1], *said = words(wait), *line;
	size_t width = terminal_width(), used = strlen(wait->title) + strlen(" [] ") + WORDS + 1;
	size_t length = width >= used + BAR_MIN ? width - used : 0;

	if (length > BAR_MAX)
		length = BAR_MAX;
	memset(bar, '-', length);
	memset(bar, '#', done(wait, length));
	bar[length] = 0;
	line = length ? text("%s [%s] %s", wait->title, bar, said) :
			text("%s %s", wait->title, said);
	/* A line that wraps could not be drawn over. */
	if (strlen(line) >= width)
		line[width - 1] = 0;
	printf("\r%s\033[K", line);
	free(line);
	free(said);
	flush_some();
}

static void print_line(const struct wait *wait)
{
	char *said = words(wait);

	printf("%s: %s\n", wait->title, said);
	free(said);
	flush_some();
}

static bool is_new(const struct progress *progress, const struct wait *wait)
{
	return !progress->shown_ms || progress->shown_size != wait->device->facts[FACT_SIZE];
}

static void show(struct progress *progress, const struct wait *wait)
{
	if (progress->is_terminal)
		draw_bar(wait);
	else
		print_line(wait);
	progress->shown_ms = now_ms();
	progress->shown_size = wait->device->facts[FACT_SIZE];
}

void progress_show(struct progress *progress, const struct wait *wait)
{
	bool due = now_ms() - progress->shown_ms >= LINE_EVERY_MS;

	if (progress->quiet)
		return;
	/* The bar has a clock, and as many changes as there are. */
	if (progress->is_terminal ? due || is_new(progress, wait) :
				    (due && is_new(progress, wait)))
		show(progress, wait);
}

void progress_end(struct progress *progress, const struct wait *wait)
{
	if (progress->quiet)
		return;
	if (is_new(progress, wait))
		show(progress, wait);
	if (progress->is_terminal)
		putchar('\n');
}
