/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ACPI tables by which the guest finds its CPUs, memory and devices. The
 * devices are in dsdt.asl; the rest depends on the command line.
 */
#ifndef ACPI_H
#define ACPI_H

#include <stdint.h>

#include "memory.h"

/* I/O ports that dsdt.asl and the FADT name. */
#define ACPI_PORT_RESET 0x600
#define ACPI_PORT_SLEEP_CONTROL 0x601
#define ACPI_PORT_SLEEP_STATUS 0x602
#define ACPI_PORT_PRESENCE 0x603

#define ACPI_RESET_VALUE 1
/* Sleep type of S5 in dsdt.asl, and the bit that means it. */
#define ACPI_SLEEP_S5 (5 << 2 | 1 << 5)

/**
 * struct acpi_memory - memory that belongs to a NUMA node
 * @gpa: Guest physical address
 * @size: In bytes
 * @node: The node
 * @hotplug: It comes later
 */
struct acpi_memory {
	uint64_t gpa;
	uint64_t size;
	uint32_t node;
	int hotplug;
};

/**
 * acpi_write_tables() - write all tables
 * @memory: Guest memory
 * @nb_cpus: CPUs, with APIC ids from 0 on; all in node 0
 * @nodes: Memory
 * @nb_nodes: Elements of @nodes
 *
 * Return: guest physical address of the root pointer (RSDP)
 */
uint64_t acpi_write_tables(const struct guest_memory *memory, unsigned int nb_cpus,
			   const struct acpi_memory *nodes, unsigned int nb_nodes);

#endif /* ACPI_H */
