// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's loader under libFuzzer: any file as a kernel, with an initrd and a command
 * line of any size, in memory that ends where the guest is told that it ends.
 */
#include <asm/bootparam.h>

#include "boot.h"
#include "vmm.h"
#include "input.h"

/* The least that options.c takes, and a little more. */
static const uint64_t ram_sizes[] = { 32 * MIB, 33 * MIB, 48 * MIB };

/* Made once: it is large, and what is left in it does no harm. */
static char *ram_of(unsigned int choice)
{
	static char *rams[ARRAY_SIZE(ram_sizes)];

	if (!rams[choice])
		rams[choice] = exactly(ram_sizes[choice]);
	return rams[choice];
}

static struct boot_file file_of(const void *data, size_t size)
{
	struct boot_file file = { exactly(size), size };

	if (data)
		memcpy(file.data, data, size);
	else
		memset(file.data, 0x5a, size);
	return file;
}

/* All that was loaded is where the guest looks for it. */
static void check(const char *ram, uint64_t ram_size, const struct boot_file *kernel,
		  const struct boot_file *initrd, const char *append,
		  const struct boot_entry *entry)
{
	const struct boot_params *params = (void *)(ram + entry->boot_params);
	uint64_t start = params->hdr.ramdisk_image;
	struct boot_kernel said;

	must(!boot_inspect(kernel, ram_size, &said));
	must(said.load >= MIB && said.run_size >= said.payload_size);
	must(said.load <= ram_size && said.run_size <= ram_size - said.load);
	must(entry->rip >= said.load && entry->rip < said.load + said.payload_size);
	must(!memcmp(ram + said.load, kernel->data + said.payload, said.payload_size));
	must(strlen(append) <= said.append_size);
	must(!strcmp(ram + params->hdr.cmd_line_ptr, append));
	must(params->e820_entries <= 3);
	must(params->hdr.ramdisk_size == initrd->size);
	if (!initrd->size)
		return;
	must(start >= said.load + said.run_size && start + initrd->size <= ram_size);
	must(!memcmp(ram + start, initrd->data, initrd->size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	unsigned int choice = take8(&input) % ARRAY_SIZE(ram_sizes);
	size_t append_size = take16(&input);
	struct boot_file initrd = file_of(NULL, take32(&input) % (256 * KIB));
	struct boot_file kernel = file_of(input.data, input.size);
	struct boot_layout layout = { .ram_size = ram_sizes[choice], .rsdp = 0xe0000 };
	struct guest_memory memory = { 0 };
	char *append = exactly(append_size + 1);
	struct boot_entry entry;

	memset(append, 'x', append_size);
	append[append_size] = '\0';
	memory_add(&memory, &(struct memory_range){ 0, layout.ram_size, ram_of(choice) });
	if (!boot_load(&memory, &layout, &kernel, &initrd, append, &entry))
		check(ram_of(choice), layout.ram_size, &kernel, &initrd, append, &entry);
	free(append);
	free(kernel.data);
	free(initrd.data);
	return 0;
}
