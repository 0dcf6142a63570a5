/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loads a Linux kernel by the 64-bit boot protocol
 * (Documentation/arch/x86/boot.rst).
 */
#ifndef BOOT_H
#define BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "memory.h"

/* A file in this process's memory. */
struct boot_file {
	char *data;
	size_t size;
};

/**
 * struct boot_kernel - what a bzImage says of itself
 * @header_size: Size of its setup header in bytes
 * @payload: Offset of its protected-mode part in the file
 * @payload_size: Size of that part
 * @load: Guest physical address where that goes
 * @run_size: Memory from @load on that it needs until it knows the memory map
 * @initrd_end: The initrd has to end here or below
 * @append_size: Longest command line that it takes, without the terminating zero
 */
struct boot_kernel {
	size_t header_size;
	size_t payload;
	size_t payload_size;
	uint64_t load;
	uint64_t run_size;
	uint64_t initrd_end;
	uint32_t append_size;
};

/**
 * struct boot_layout - what the guest is told of its memory
 * @ram_size: RAM from address 0 on
 * @high_ram_size: RAM from 4 GiB on
 * @rsdp: Guest physical address of the ACPI tables' root
 */
struct boot_layout {
	uint64_t ram_size;
	uint64_t high_ram_size;
	uint64_t rsdp;
};

/* Where what is loaded lies. */
struct boot_entry {
	uint64_t rip;
	uint64_t boot_params;
	uint64_t page_tables;
};

/**
 * boot_inspect() - check a kernel
 * @file: The kernel, from whomever
 * @ram_size: RAM from address 0 on
 * @kernel: Filled in
 *
 * Return: NULL, or what is wrong with it
 */
const char *boot_inspect(const struct boot_file *file, uint64_t ram_size,
			 struct boot_kernel *kernel);

/**
 * boot_load() - put a kernel and all that it needs into memory
 * @memory: Guest memory, with RAM as @layout says
 * @layout: The guest's memory
 * @file: The kernel
 * @initrd: The initial RAM disk; its size may be 0
 * @append: The command line
 * @entry: Filled in
 *
 * Return: NULL, or what is wrong
 */
const char *boot_load(const struct guest_memory *memory, const struct boot_layout *layout,
		      const struct boot_file *file, const struct boot_file *initrd,
		      const char *append, struct boot_entry *entry);

/**
 * boot_read_file() - read a file
 * @path: The file
 * @most: Most bytes that it may have
 * @file: Filled in
 *
 * Return: 0; -EFBIG (more than @most, or nothing that ends), or another -errno
 */
int boot_read_file(const char *path, uint64_t most, struct boot_file *file);

#endif /* BOOT_H */
