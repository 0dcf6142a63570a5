/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmem.h"

#define OPTIONS_MAX_VMEMS 4
#define OPTIONS_MAX_CPUS 64

/**
 * struct migrate_limits - when a migration stops the guest
 * @max_downtime_ms: When sending what is left takes no longer than that
 * @max_rounds: Or after so many rounds, at least 1
 */
struct migrate_limits {
	uint64_t max_downtime_ms;
	uint64_t max_rounds;
};

/**
 * struct options - what the user wants
 * @kernel: File of the kernel, a bzImage
 * @initrd: File of the initial RAM disk, or NULL
 * @append: Command line of the kernel
 * @control: Path of the control socket, or NULL
 * @nb_cpus: Number of vCPUs
 * @memory_size: Size of boot RAM in bytes
 * @huge_pages: Whether boot RAM may have transparent huge pages
 * @rng: Whether there is a virtio-rng
 * @mode: What is behind the virtio-mem devices
 * @vmems: The virtio-mem devices
 * @nb_vmems: How many
 * @restore: File of a saved machine, or NULL
 * @incoming: Address at which to wait for a machine, or NULL
 * @limits: When a migration stops the guest
 */
struct options {
	const char *kernel;
	const char *initrd;
	const char *append;
	const char *control;
	unsigned int nb_cpus;
	uint64_t memory_size;
	bool huge_pages;
	bool rng;
	enum vmem_mode mode;
	struct vmem_options vmems[OPTIONS_MAX_VMEMS];
	unsigned int nb_vmems;
	const char *restore;
	const char *incoming;
	struct migrate_limits limits;
};

/* Ends the program if the command line is wrong, or asks for help. */
void options_parse(struct options *options, int argc, char **argv);

/**
 * limits_parse() - read one of the limits of a migration
 * @text: max-downtime=MS or max-rounds=N
 * @limits: One of them is set
 *
 * Return: whether it is one
 */
bool limits_parse(const char *text, struct migrate_limits *limits);

/**
 * size_parse() - read a size
 * @text: Decimal digits, or hexadecimal ones after 0x; then nothing or one of K, M, G, T
 * @size: In bytes
 *
 * Return: whether it is one, below 2^64
 */
bool size_parse(const char *text, uint64_t *size);

#endif /* OPTIONS_H */
