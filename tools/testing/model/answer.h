/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an operation answers: an errno, or numbers that have names, a text, and a table.
 * The model's answer says what is allowed, a device's what happened.
 */
#ifndef VMEM_MODEL_ANSWER_H
#define VMEM_MODEL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_MAX_ERRORS	16
#define ANSWER_MAX_VALUES	40
#define ANSWER_MAX_COLUMNS	8
#define ANSWER_TEXT		64

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/**
 * struct answer_value - a number
 * @name: What it is; a string that stays
 * @min: The least that is allowed
 * @max: The most; of a device's answer the same
 */
struct answer_value {
	const char *name;
	uint64_t min;
	uint64_t max;
};

/**
 * struct answer - what an operation answers
 * @nr_errors: Of the model: how many errnos it may fail with. 0: it has to succeed.
 *	Of a device: 1 if it failed
 * @errors: The errnos
 * @nr_values: How many numbers there are
 * @values: The numbers
 * @has_text: There is a text
 * @text: The text, zero-terminated
 * @columns: Names of the table's columns; NULL: no table
 * @nr_columns: How many there are
 * @has_masks: Of the model: the table has one column, whose cells are two masks: which
 *	bits have to be set, and which may be
 * @nr_rows: How many rows the table has
 * @room: For how many cells there is memory
 * @cells: The table, row by row
 */
struct answer {
	unsigned int nr_errors;
	int errors[ANSWER_MAX_ERRORS];
	unsigned int nr_values;
	struct answer_value values[ANSWER_MAX_VALUES];
	bool has_text;
	char text[ANSWER_TEXT];
	const char *const *columns;
	unsigned int nr_columns;
	bool has_masks;
	size_t nr_rows;
	size_t room;
	uint64_t *cells;
};

/* An answer that is all zero is an empty one. */
void answer_clear(struct answer *answer);
void answer_free(struct answer *answer);

void answer_error(struct answer *answer, int error);
/* Of a device: what a call returned, 0 or -errno. Returns whether it succeeded. */
bool answer_return(struct answer *answer, int ret);
void answer_value(struct answer *answer, const char *name, uint64_t value);
void answer_range(struct answer *answer, const char *name, uint64_t min, uint64_t max);
void answer_text(struct answer *answer, const char *text);
void answer_table(struct answer *answer, const char *const *columns, unsigned int nr_columns);
/* As many cells as there are columns. */
void answer_row(struct answer *answer, const uint64_t *cells);

/* A table of masks, and a row of it. */
void answer_masks(struct answer *answer, const char *const *columns);
void answer_mask(struct answer *answer, uint64_t least, uint64_t most);

/* The number of that name, its least; 0 if there is none. */
uint64_t answer_get(const struct answer *answer, const char *name);

/**
 * struct difference - what was not as the model says
 * @name: The number, column or "error" that differs
 * @text: What was expected and what happened, for people
 */
struct difference {
	char name[48];
	char text[256];
};

/* Returns whether @actual is allowed by @expected; if not, says why. */
bool answer_matches(const struct answer *expected, const struct answer *actual,
		    struct difference *difference);

#endif /* VMEM_MODEL_ANSWER_H */
