// SPDX-License-Identifier: GPL-2.0
/* Page tables, and what is said of an exception. */
#include "mini.h"

#define PTE_PRESENT	(1ULL << 0)
#define PTE_WRITE	(1ULL << 1)
#define PTE_HUGE	(1ULL << 7)
#define PTE_ADDR	0x000ffffffffff000ULL
#define HUGE		(2 * MiB)
#define NR_TABLES	64
#define NR_VECTORS	32
#define ENTRY_SIZE	16
#define GATE		0x8e00
#define CODE_SEGMENT	8

extern char exception_entries[];

struct gate {
	uint16_t offset_low, segment, flags, offset_mid;
	uint32_t offset_high, zero;
};

struct frame {
	uint64_t vector, error, rip, cs, flags, rsp, ss;
};

static uint64_t tables[NR_TABLES][PAGE / 8] __aligned(PAGE);
static unsigned int nr_tables;
static struct gate gates[NR_VECTORS];

void handle_exception(const struct frame *frame)
{
	uint64_t cr2;

	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	print("mini: FAILED exception %llu error=0x%llx rip=0x%llx cr2=0x%llx\n",
	      (unsigned long long)frame->vector, (unsigned long long)frame->error,
	      (unsigned long long)frame->rip, (unsigned long long)cr2);
	power_off();
}

static uint64_t *new_table(void)
{
	if (nr_tables == NR_TABLES) {
		print("mini: FAILED no more page tables\n");
		power_off();
	}
	return tables[nr_tables++];
}

static uint64_t *next_table(uint64_t *entry)
{
	if (!*entry)
		*entry = (uint64_t)new_table() | PTE_PRESENT | PTE_WRITE;
	return (uint64_t *)(*entry & PTE_ADDR);
}

/* At the same virtual address, by 2 MiB pages. */
void map(uint64_t addr, uint64_t size)
{
	uint64_t at, *table;

	for (at = addr & ~(HUGE - 1); at < addr + size; at += HUGE) {
		table = next_table(&tables[0][at >> 39 & 511]);
		table = next_table(&table[at >> 30 & 511]);
		table[at >> 21 & 511] = at | PTE_PRESENT | PTE_WRITE | PTE_HUGE;
	}
}

void load_page_tables(uint64_t pml4)
{
	asm volatile("mov %0, %%cr3" : : "r"(pml4) : "memory");
}

static void set_gates(void)
{
	struct { uint16_t limit; uint64_t base; } __packed pointer;
	unsigned int i;

	for (i = 0; i < NR_VECTORS; i++) {
		uint64_t entry = (uint64_t)exception_entries + i * ENTRY_SIZE;

		gates[i].offset_low = entry;
		gates[i].offset_mid = entry >> 16;
		gates[i].offset_high = entry >> 32;
		gates[i].segment = CODE_SEGMENT;
		gates[i].flags = GATE;
	}
	pointer.limit = sizeof(gates) - 1;
	pointer.base = (uint64_t)gates;
	asm volatile("lidt %0" : : "m"(pointer));
}

void cpu_init(void)
{
	set_gates();
	new_table();
	map(0, 4 * GiB);
	load_page_tables((uint64_t)tables[0]);
}
