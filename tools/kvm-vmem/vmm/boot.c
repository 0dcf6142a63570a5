// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asm/bootparam.h>

#include "boot.h"
#include "vmm.h"

/*
 * The first megabyte. The kernel finds what it needs there by pointers, and uses
 * nothing of it before it has read the memory map.
 */
#define BOOT_PARAMS 0x7000
#define PAGE_TABLES 0x9000
#define COMMAND_LINE 0x20000
#define LOW_MEMORY_END 0x9fc00
#define RESET_VECTOR 0xffff0
#define HIGH_MEMORY 0x100000ULL
#define RAM_ABOVE_HOLE (4 * GIB)

#define BOOT_FLAG 0xaa55
#define HEADER_MAGIC 0x53726448		/* "HdrS" */
#define FIRST_64BIT_VERSION 0x020c	/* Has xloadflags. */
#define ENTRY_64BIT 0x200
#define LOADER_UNDEFINED 0xff
#define SECTOR 512ULL
#define HEADER_OFFSET offsetof(struct boot_params, hdr)
/* Offset of the byte that says where the header ends, from the next byte on. */
#define HEADER_END 0x201

#define PAGE_SIZE 4096ULL
#define PAGE_PRESENT_WRITABLE 0x3
#define PAGE_LARGE 0x80
#define MAPPED_GIB 4

/* As it is in the file, or zeros beyond its end. */
static struct setup_header read_header(const struct boot_file *file, size_t size)
{
	struct setup_header header = { 0 };

	memcpy(&header, file->data + HEADER_OFFSET,
	       size < sizeof(header) ? size : sizeof(header));
	return header;
}

const char *boot_inspect(const struct boot_file *file, uint64_t ram_size,
			 struct boot_kernel *kernel)
{
	struct setup_header header;
	size_t header_end;

	if (file->size < HEADER_OFFSET + sizeof(header))
		return "is no bzImage: it is too short";
	header_end = HEADER_END + 1 + (uint8_t)file->data[HEADER_END];
	if (header_end > file->size)
		return "is no bzImage: its header has no end";
	kernel->header_size = header_end - HEADER_OFFSET;
	header = read_header(file, kernel->header_size);
	if (header.boot_flag != BOOT_FLAG || header.header != HEADER_MAGIC)
		return "is no bzImage: it has no setup header";
	if (header.version < FIRST_64BIT_VERSION || !(header.xloadflags & XLF_KERNEL_64))
		return "is no 64-bit bzImage of Linux 3.8 or later";
	if (!(header.loadflags & LOADED_HIGH))
		return "is no bzImage, but a zImage";

	kernel->payload = ((header.setup_sects ? header.setup_sects : 4) + 1) * SECTOR;
	kernel->payload_size = header.syssize * 16ULL;
	/* What follows is a signature. */
	if (kernel->payload >= file->size ||
	    kernel->payload_size > file->size - kernel->payload ||
	    kernel->payload_size <= ENTRY_64BIT)
		return "is truncated";

	kernel->load = header.pref_address;
	kernel->run_size = header.init_size > kernel->payload_size ? header.init_size :
								     kernel->payload_size;
	if (kernel->load < HIGH_MEMORY || kernel->load > ram_size ||
	    kernel->run_size > ram_size - kernel->load)
		return "does not fit into --memory";
	kernel->initrd_end = header.initrd_addr_max + 1ULL;
	if (kernel->initrd_end > ram_size)
		kernel->initrd_end = ram_size;
	kernel->append_size = header.cmdline_size;
	if (kernel->append_size >= LOW_MEMORY_END - COMMAND_LINE)
		kernel->append_size = LOW_MEMORY_END - COMMAND_LINE - 1;
	return NULL;
}

static void add_e820(struct boot_params *params, uint64_t start, uint64_t size)
{
	if (!size)
		return;
	params->e820_table[params->e820_entries++] = (struct boot_e820_entry){
		.addr = start,
		.size = size,
		.type = 1, /* RAM */
	};
}

/* Maps the first 4 GiB to themselves, by 2 MiB pages. */
static void fill_page_tables(uint64_t *tables)
{
	const unsigned int entries = PAGE_SIZE / sizeof(*tables);
	uint64_t *pdpt = tables + entries, *pd = pdpt + entries;

	memset(tables, 0, 2 * PAGE_SIZE);
	tables[0] = (PAGE_TABLES + PAGE_SIZE) | PAGE_PRESENT_WRITABLE;
	for (unsigned int i = 0; i < MAPPED_GIB; i++)
		pdpt[i] = (PAGE_TABLES + (2 + i) * PAGE_SIZE) | PAGE_PRESENT_WRITABLE;
	for (unsigned int i = 0; i < MAPPED_GIB * entries; i++)
		pd[i] = 2 * MIB * i | PAGE_PRESENT_WRITABLE | PAGE_LARGE;
}

/*
 * What there is of a BIOS: mov $0xfe, %al; out %al, $0x64. With hardware-reduced ACPI
 * Linux reboots by EFI, which is not there, and then by a jump to the BIOS.
 */
static void write_reset_vector(const struct guest_memory *memory)
{
	static const uint8_t reset[] = { 0xb0, 0xfe, 0xe6, 0x64 };

	memcpy(memory_at(memory, RESET_VECTOR, sizeof(reset)), reset, sizeof(reset));
}

/* As high as it may be. */
static const char *load_initrd(const struct guest_memory *memory,
			       const struct boot_kernel *kernel, const struct boot_file *initrd,
			       struct boot_params *params)
{
	uint64_t start;

	/* Whatever the file says, it is for the loader to fill in. */
	params->hdr.ramdisk_image = 0;
	params->hdr.ramdisk_size = 0;
	if (!initrd->size)
		return NULL;
	if (initrd->size > kernel->initrd_end)
		return "does not fit into --memory with this initrd";
	start = (kernel->initrd_end - initrd->size) & -PAGE_SIZE;
	if (start < kernel->load + kernel->run_size)
		return "does not fit into --memory with this initrd";
	memcpy(memory_at(memory, start, initrd->size), initrd->data, initrd->size);
	params->hdr.ramdisk_image = start;
	params->hdr.ramdisk_size = initrd->size;
	params->ext_ramdisk_size = initrd->size >> 32;
	return NULL;
}

const char *boot_load(const struct guest_memory *memory, const struct boot_layout *layout,
		      const struct boot_file *file, const struct boot_file *initrd,
		      const char *append, struct boot_entry *entry)
{
	struct boot_params *params = memory_at(memory, BOOT_PARAMS, sizeof(*params));
	struct boot_kernel kernel;
	const char *wrong;

	wrong = boot_inspect(file, layout->ram_size, &kernel);
	if (wrong)
		return wrong;
	if (strlen(append) > kernel.append_size)
		return "does not take a command line as long as that";

	memset(params, 0, sizeof(*params));
	params->hdr = read_header(file, kernel.header_size);
	params->hdr.type_of_loader = LOADER_UNDEFINED;
	params->hdr.cmd_line_ptr = COMMAND_LINE;
	params->acpi_rsdp_addr = layout->rsdp;
	add_e820(params, 0, LOW_MEMORY_END);
	add_e820(params, HIGH_MEMORY, layout->ram_size - HIGH_MEMORY);
	add_e820(params, RAM_ABOVE_HOLE, layout->high_ram_size);
	wrong = load_initrd(memory, &kernel, initrd, params);
	if (wrong)
		return wrong;

	strcpy(memory_at(memory, COMMAND_LINE, strlen(append) + 1), append);
	memcpy(memory_at(memory, kernel.load, kernel.payload_size), file->data + kernel.payload,
	       kernel.payload_size);
	fill_page_tables(memory_at(memory, PAGE_TABLES, (2 + MAPPED_GIB) * PAGE_SIZE));
	write_reset_vector(memory);
	*entry = (struct boot_entry){
		.rip = kernel.load + ENTRY_64BIT,
		.boot_params = BOOT_PARAMS,
		.page_tables = PAGE_TABLES,
	};
	return NULL;
}

int boot_read_file(const char *path, uint64_t most, struct boot_file *file)
{
	/* A pipe that nobody writes to is not waited for. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	ssize_t n = 0;
	int ret = 0;

	if (fd < 0)
		return -errno;
	file->size = 0;
	file->data = NULL;
	if (fstat(fd, &status) < 0)
		ret = -errno;
	else if (S_ISDIR(status.st_mode))
		ret = -EISDIR;
	else if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > most)
		ret = -EFBIG;
	else
		file->data = malloc(status.st_size + 1);
	if (ret == 0 && !file->data)
		ret = -ENOMEM;
	while (ret == 0 && file->size < (size_t)status.st_size) {
		n = read(fd, file->data + file->size, status.st_size - file->size);
		if (n < 0)
			ret = -errno;
		/* It became shorter; what is there will be checked. */
		if (n <= 0)
			break;
		file->size += n;
	}
	close(fd);
	return ret;
}
