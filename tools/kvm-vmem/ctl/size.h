/* SPDX-License-Identifier: GPL-2.0 */
/* Sizes as people write and read them: powers of 1024. */
#ifndef VMEMCTL_SIZE_H
#define VMEMCTL_SIZE_H

#include <stdint.h>

/**
 * struct new_size - what is asked for
 * @sign: '+' or '-': so much more or less than now; 0: just that
 * @bytes: How much
 */
struct new_size {
	char sign;
	uint64_t bytes;
};

struct size_text {
	char text[32];
};

/* [+|-]N[K|M|G|T]; says what is wrong with others. */
int parse_size(const char *arg, struct new_size *size);

/* Two digits after the point where it is no whole number: 1.50G. */
struct size_text format_size(uint64_t bytes);
/* All of it, for those who are to type it: 1536M. */
struct size_text format_exact(uint64_t bytes);

#endif /* VMEMCTL_SIZE_H */
