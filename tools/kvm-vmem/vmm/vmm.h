/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all of vmem-vmm uses: how it ends, and a few words that C lacks.
 */
#ifndef VMM_H
#define VMM_H

#include <stddef.h>
#include <stdint.h>

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))

/**
 * enum vmm_exit - exit status of vmem-vmm
 * @VMM_EXIT_ENDED: The guest powered off, or the user ended it
 * @VMM_EXIT_FAILED: The guest or the host failed
 * @VMM_EXIT_USAGE: The command line or a file that it names is wrong
 * @VMM_EXIT_VIOLATION: The guest accessed memory that is not plugged
 */
enum vmm_exit {
	VMM_EXIT_ENDED = 0,
	VMM_EXIT_FAILED = 1,
	VMM_EXIT_USAGE = 2,
	VMM_EXIT_VIOLATION = 3,
};

/* Prints "vmem-vmm: ..." on stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* complain(), then exit(). */
void die(enum vmm_exit status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

static inline uint64_t align_up(uint64_t value, uint64_t power_of_two)
{
	return (value + power_of_two - 1) & -power_of_two;
}

#endif /* VMM_H */
