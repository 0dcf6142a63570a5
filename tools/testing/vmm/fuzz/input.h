/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a fuzzer's bytes are read by: from the front, and zeros once they are used up, so
 * that any bytes are an input.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer calls it with one input after the other. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static inline void take(struct input *input, void *to, size_t size)
{
	size_t part = size < input->size ? size : input->size;

	memset(to, 0, size);
	memcpy(to, input->data, part);
	input->data += part;
	input->size -= part;
}

static inline uint8_t take8(struct input *input)
{
	uint8_t value;

	take(input, &value, sizeof(value));
	return value;
}

static inline uint16_t take16(struct input *input)
{
	uint16_t value;

	take(input, &value, sizeof(value));
	return value;
}

static inline uint32_t take32(struct input *input)
{
	uint32_t value;

	take(input, &value, sizeof(value));
	return value;
}

static inline uint64_t take64(struct input *input)
{
	uint64_t value;

	take(input, &value, sizeof(value));
	return value;
}

/* Memory of exactly that size: what is beyond it is not there. */
static inline void *exactly(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		abort();
	return memory;
}

/* A rule that the program under test has broken. */
#define must(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "%s:%d: must be: %s\n", __FILE__, __LINE__, #condition); \
		abort(); \
	} \
} while (0)

#endif /* FUZZ_INPUT_H */
