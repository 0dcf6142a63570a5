/* SPDX-License-Identifier: GPL-2.0 */
/* Tables of devices that fit the terminal: what matters least is left out. */
#ifndef VMEMCTL_TABLE_H
#define VMEMCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "names.h"

/**
 * struct row - what a line is made of
 * @device: The device
 * @before: The same a moment before, or NULL
 * @ms: How long before
 */
struct row {
	const struct device *device;
	const struct device *before;
	int64_t ms;
};

/**
 * struct column - of a table
 * @title: Its title
 * @cell: What is in it, fit for a terminal; for the caller to free
 * @left: Set it flush left
 * @rank: The higher, the sooner it is left out; 0: never
 */
struct column {
	const char *title;
	char *(*cell)(const struct row *row);
	bool left;
	unsigned int rank;
};

/**
 * struct table - a line for each device
 * @columns: The columns; the last has no title
 * @devices: The devices
 * @before: The devices a moment before, or NULL
 * @ms: How long before
 * @width: No line is longer; 0: any length
 * @max_rows: No more lines below the titles; 0: any number
 * @end_of_line: What each line ends with
 */
struct table {
	const struct column *columns;
	const struct devices *devices;
	const struct devices *before;
	int64_t ms;
	size_t width;
	size_t max_rows;
	const char *end_of_line;
};

void table_print(const struct table *table, FILE *out);

/* Columns that are in several tables. */
char *cell_name(const struct row *row);
char *cell_label(const struct row *row);
char *cell_pid(const struct row *row);
char *cell_size(const struct row *row);
char *cell_requested_size(const struct row *row);
char *cell_region_size(const struct row *row);
char *cell_block_size(const struct row *row);
char *cell_resident(const struct row *row);
char *cell_memslots(const struct row *row);
char *cell_violations(const struct row *row);

/* Of the terminal; 0 if standard output is none. */
size_t terminal_width(void);
size_t terminal_height(void);

#endif /* VMEMCTL_TABLE_H */
