// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "answer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void answer_clear(struct answer *answer)
{
	answer->nr_errors = 0;
	answer->nr_values = 0;
	answer->has_text = false;
	answer->columns = NULL;
	answer->nr_columns = 0;
	answer->has_masks = false;
	answer->nr_rows = 0;
}

void answer_free(struct answer *answer)
{
	free(answer->cells);
	memset(answer, 0, sizeof(*answer));
}

void answer_error(struct answer *answer, int error)
{
	unsigned int i;

	for (i = 0; i < answer->nr_errors; i++)
		if (answer->errors[i] == error)
			return;
	if (answer->nr_errors == ANSWER_MAX_ERRORS)
		abort();
	answer->errors[answer->nr_errors++] = error;
}

bool answer_return(struct answer *answer, int ret)
{
	if (ret < 0)
		answer_error(answer, -ret);
	return ret >= 0;
}

void answer_range(struct answer *answer, const char *name, uint64_t min, uint64_t max)
{
	if (answer->nr_values == ANSWER_MAX_VALUES)
		abort();
	answer->values[answer->nr_values++] = (struct answer_value){ name, min, max };
}

void answer_value(struct answer *answer, const char *name, uint64_t value)
{
	answer_range(answer, name, value, value);
}

void answer_text(struct answer *answer, const char *text)
{
	answer->has_text = true;
	snprintf(answer->text, sizeof(answer->text), "%s", text);
}

void answer_table(struct answer *answer, const char *const *columns, unsigned int nr_columns)
{
	answer->columns = columns;
	answer->nr_columns = nr_columns;
	answer->nr_rows = 0;
}

void answer_row(struct answer *answer, const uint64_t *cells)
{
	size_t used = answer->nr_rows * answer->nr_columns;
	unsigned int i;
	uint64_t *more;

	if (used + answer->nr_columns > answer->room) {
		answer->room = (used + answer->nr_columns) * 2;
		more = realloc(answer->cells, answer->room * sizeof(*cells));
		if (!more)
			abort();
		answer->cells = more;
	}
	for (i = 0; i < answer->nr_columns; i++)
		answer->cells[used + i] = cells[i];
	answer->nr_rows++;
}

void answer_masks(struct answer *answer, const char *const *columns)
{
	answer_table(answer, columns, 2);
	answer->has_masks = true;
}

void answer_mask(struct answer *answer, uint64_t least, uint64_t most)
{
	const uint64_t cells[] = { least, most };

	answer_row(answer, cells);
}

uint64_t answer_get(const struct answer *answer, const char *name)
{
	unsigned int i;

	for (i = 0; i < answer->nr_values; i++)
		if (!strcmp(answer->values[i].name, name))
			return answer->values[i].min;
	return 0;
}

static bool differ(struct difference *difference, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Returns false, for the caller to return. */
static bool differ(struct difference *difference, const char *name, const char *format, ...)
{
	va_list args;

	snprintf(difference->name, sizeof(difference->name), "%s", name);
	va_start(args, format);
	vsnprintf(difference->text, sizeof(difference->text), format, args);
	va_end(args);
	return false;
}

static const char *errors_text(const struct answer *answer, char *buf, size_t size)
{
	size_t len = 0;
	unsigned int i;

	if (!answer->nr_errors)
		return "success";
	for (i = 0; i < answer->nr_errors && len < size; i++)
		len += snprintf(buf + len, size - len, "%s%s", i ? " or " : "",
				strerrorname_np(answer->errors[i]));
	return buf;
}

static bool errors_match(const struct answer *expected, const struct answer *actual,
			 struct difference *difference)
{
	char allowed[160], happened[32];
	unsigned int i;

	if (!expected->nr_errors && !actual->nr_errors)
		return true;
	for (i = 0; actual->nr_errors && i < expected->nr_errors; i++)
		if (expected->errors[i] == actual->errors[0])
			return true;
	return differ(difference, "error", "expected %s, happened %s",
		      errors_text(expected, allowed, sizeof(allowed)),
		      errors_text(actual, happened, sizeof(happened)));
}

static bool value_matches(const struct answer_value *expected, const struct answer_value *actual,
			  struct difference *difference)
{
	const char *name = expected->name;

	if (strcmp(name, actual->name))
		return differ(difference, name, "is answered by %s", actual->name);
	if (actual->min >= expected->min && actual->min <= expected->max)
		return true;
	if (expected->min == expected->max)
		return differ(difference, name, "%s: expected 0x%" PRIx64 ", is 0x%" PRIx64, name,
			      expected->min, actual->min);
	return differ(difference, name,
		      "%s: expected 0x%" PRIx64 " to 0x%" PRIx64 ", is 0x%" PRIx64, name,
		      expected->min, expected->max, actual->min);
}

static bool masks_match(const struct answer *expected, const struct answer *actual, size_t rows,
			struct difference *difference)
{
	uint64_t least, most, is;
	size_t i;

	for (i = 0; i < rows; i++) {
		least = expected->cells[2 * i];
		most = expected->cells[2 * i + 1];
		is = actual->cells[i];
		if ((least & ~is) || (is & ~most))
			return differ(difference, expected->columns[0],
				      "%s of row %zu: expected all of 0x%" PRIx64
				      " and of 0x%" PRIx64 ", is 0x%" PRIx64,
				      expected->columns[0], i, least, most, is);
	}
	return true;
}

static bool tables_match(const struct answer *expected, const struct answer *actual,
			 struct difference *difference)
{
	size_t i, rows = expected->nr_rows;
	const char *column;

	if (expected->columns != actual->columns)
		return differ(difference, "table", "one has a table, the other none");
	if (actual->nr_rows < rows)
		rows = actual->nr_rows;
	if (expected->has_masks && !masks_match(expected, actual, rows, difference))
		return false;
	for (i = 0; !expected->has_masks && i < rows * expected->nr_columns; i++) {
		if (expected->cells[i] == actual->cells[i])
			continue;
		column = expected->columns[i % expected->nr_columns];
		return differ(difference, column,
			      "%s of row %zu: expected 0x%" PRIx64 ", is 0x%" PRIx64, column,
			      i / expected->nr_columns, expected->cells[i], actual->cells[i]);
	}
	if (expected->nr_rows != actual->nr_rows)
		return differ(difference, "rows", "expected %zu rows, there are %zu",
			      expected->nr_rows, actual->nr_rows);
	return true;
}

bool answer_matches(const struct answer *expected, const struct answer *actual,
		    struct difference *difference)
{
	unsigned int i;

	if (!errors_match(expected, actual, difference))
		return false;
	if (expected->nr_values != actual->nr_values)
		return differ(difference, "values", "expected %u values, there are %u",
			      expected->nr_values, actual->nr_values);
	for (i = 0; i < expected->nr_values; i++)
		if (!value_matches(&expected->values[i], &actual->values[i], difference))
			return false;
	if (expected->has_text != actual->has_text ||
	    (expected->has_text && strcmp(expected->text, actual->text)))
		return differ(difference, "text", "expected '%.60s', is '%.60s'",
			      expected->has_text ? expected->text : "",
			      actual->has_text ? actual->text : "");
	return tables_match(expected, actual, difference);
}
