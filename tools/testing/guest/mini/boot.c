// SPDX-License-Identifier: GPL-2.0
/* struct boot_params: the command line, the memory map, where ACPI is. */
#include <asm/bootparam.h>

#include "mini.h"

#define E820_RAM	1

static char words[2048];
static uint64_t ram_end, rsdp;

/* A copy: hostile tests write where the VMM put the original. */
static void copy_command_line(const char *line)
{
	size_t i;

	for (i = 0; line && line[i] && i < sizeof(words) - 2; i++)
		words[i] = line[i] == ' ' ? 0 : line[i];
	words[i] = 0;
	words[i + 1] = 0;
}

void boot_init(const struct boot_params *params)
{
	const struct boot_e820_entry *entry;
	unsigned int i;

	copy_command_line((const char *)(uint64_t)params->hdr.cmd_line_ptr);
	rsdp = params->acpi_rsdp_addr;
	for (i = 0; i < params->e820_entries; i++) {
		entry = &params->e820_table[i];
		if (entry->type == E820_RAM && entry->addr < 4 * GiB &&
		    entry->addr + entry->size > ram_end)
			ram_end = entry->addr + entry->size;
	}
}

/* The VALUE of NAME=VALUE; "" of a NAME alone; NULL if it is not there. */
const char *boot_word(const char *name)
{
	const char *end = words + sizeof(words), *word = words, *n;

	while (word < end) {
		for (n = name; *n && *n == *word; n++)
			word++;
		if (!*n && !*word)
			return "";
		if (!*n && *word == '=')
			return word + 1;
		while (word < end && *word)
			word++;
		word++;
	}
	return NULL;
}

/* Decimal, or hexadecimal after 0x. */
uint64_t boot_number(const char *name, uint64_t otherwise)
{
	const char *value = boot_word(name);
	uint64_t number = 0, base = 10;

	if (!value || !*value)
		return otherwise;
	if (value[0] == '0' && value[1] == 'x') {
		base = 16;
		value += 2;
	}
	for (; *value; value++)
		number = number * base + (*value <= '9' ? *value - '0' : (*value | 32) - 'a' + 10);
	return number;
}

/* Of the memory below 4 GiB. */
uint64_t boot_ram_end(void)
{
	return ram_end;
}

uint64_t boot_rsdp(void)
{
	return rsdp;
}
