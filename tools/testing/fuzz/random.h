/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers: the same ones for the same seed. */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

void random_seed(uint64_t seed);
uint64_t random_bits(void);

/* Below @limit, which is not 0. */
static inline uint64_t below(uint64_t limit)
{
	assert(limit);
	return random_bits() % limit;
}

static inline bool one_in(unsigned int n)
{
	return !below(n);
}

#define one_of(array) ((array)[below(sizeof(array) / sizeof((array)[0]))])

#endif /* FUZZ_RANDOM_H */
