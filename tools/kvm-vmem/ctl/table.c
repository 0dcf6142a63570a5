// SPDX-License-Identifier: GPL-2.0
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"

#define GAP 2

/**
 * struct layout - a table as text
 * @columns: The columns
 * @nb_columns: How many
 * @nb_rows: How many rows
 * @cells: Their text, row by row
 * @widths: Of the columns; 0: left out
 */
struct layout {
	const struct column *columns;
	size_t nb_columns;
	size_t nb_rows;
	char **cells;
	size_t *widths;
};

/* The same device a moment before, if it was there. */
static const struct device *find_before(const struct devices *before, const struct device *device)
{
	size_t i;

	for (i = 0; before && i < before->nb; i++)
		if (!strcmp(before->list[i].name, device->name) &&
		    !device_is_gone(&before->list[i]))
			return &before->list[i];
	return NULL;
}

static void lay_out(struct layout *layout, const struct table *table)
{
	size_t nb = layout->nb_columns, i, j, len;

	layout->cells = must(calloc(layout->nb_rows * nb + 1, sizeof(*layout->cells)));
	layout->widths = must(calloc(nb + 1, sizeof(*layout->widths)));
	for (i = 0; i < nb; i++)
		layout->widths[i] = strlen(layout->columns[i].title);
	for (i = 0; i < layout->nb_rows; i++) {
		const struct device *device = &table->devices->list[i];
		const struct row row = { device, find_before(table->before, device), table->ms };

		for (j = 0; j < nb; j++) {
			layout->cells[i * nb + j] = layout->columns[j].cell(&row);
			len = strlen(layout->cells[i * nb + j]);
			if (layout->widths[j] < len)
				layout->widths[j] = len;
		}
	}
}

static void layout_free(struct layout *layout)
{
	size_t i;

	for (i = 0; i < layout->nb_rows * layout->nb_columns; i++)
		free(layout->cells[i]);
	free(layout->cells);
	free(layout->widths);
}

static size_t total(const struct layout *layout)
{
	size_t i, sum = 0;

	for (i = 0; i < layout->nb_columns; i++)
		sum += layout->widths[i] ? layout->widths[i] + GAP : 0;
	return sum - GAP;
}

static void leave_out(struct layout *layout, size_t width)
{
	size_t i, least;

	while (total(layout) > width) {
		/* The first one never is. */
		for (i = 1, least = 0; i < layout->nb_columns; i++)
			if (layout->widths[i] &&
			    layout->columns[i].rank > layout->columns[least].rank)
				least = i;
		if (!least)
			return;
		layout->widths[least] = 0;
	}
}

/* @cells: NULL for the titles. */
static char *line_text(const struct layout *layout, char *const *cells)
{
	char *line = NULL;
	size_t i, size;
	FILE *out = must(open_memstream(&line, &size));

	for (i = 0; i < layout->nb_columns; i++) {
		const struct column *column = &layout->columns[i];
		int width = layout->widths[i];

		if (width)
			fprintf(out, "%*s%*s", i ? GAP : 0, "", column->left ? -width : width,
				cells ? cells[i] : column->title);
	}
	if (fclose(out))
		must(NULL);
	while (size && line[size - 1] == ' ')
		line[--size] = 0;
	return line;
}

static void print_line(char *line, const struct table *table, FILE *out)
{
	if (table->width && strlen(line) > table->width)
		line[table->width] = 0;
	fprintf(out, "%s%s\n", line, table->end_of_line);
	free(line);
}

void table_print(const struct table *table, FILE *out)
{
	struct layout layout = {
		.columns = table->columns,
		.nb_rows = table->devices->nb,
	};
	size_t i, hidden = 0;

	while (layout.columns[layout.nb_columns].title)
		layout.nb_columns++;
	/* The last line then says how many there are. */
	if (table->max_rows && layout.nb_rows > table->max_rows) {
		hidden = layout.nb_rows - (table->max_rows - 1);
		layout.nb_rows -= hidden;
	}
	lay_out(&layout, table);
	if (table->width)
		leave_out(&layout, table->width);
	print_line(line_text(&layout, NULL), table, out);
	for (i = 0; i < layout.nb_rows; i++)
		print_line(line_text(&layout, &layout.cells[i * layout.nb_columns]), table, out);
	if (hidden)
		print_line(text("... and %zu more", hidden), table, out);
	layout_free(&layout);
}

static bool get_terminal_size(struct winsize *size)
{
	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, size);
}

/* Serial consoles do not know theirs. */
size_t terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return get_terminal_size(&size) && size.ws_col ? size.ws_col : 80;
}

size_t terminal_height(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return get_terminal_size(&size) && size.ws_row ? size.ws_row : 24;
}
