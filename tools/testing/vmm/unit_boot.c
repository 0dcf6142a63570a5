// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's loader with kernels that are none, or not whole. Each file is a piece of
 * memory of its own size, so that reading past its end stops the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asm/bootparam.h>

#include "boot.h"
#include "vmm.h"

#include <kselftest_harness.h>

#define HEADER		0x1f1
#define SECTOR		512
#define SETUP_SECTORS	3
#define PAYLOAD		((1 + SETUP_SECTORS) * SECTOR)
#define PAYLOAD_SIZE	(64 * KIB)
#define KERNEL_SIZE	(PAYLOAD + PAYLOAD_SIZE)
#define SIGNATURE	100
#define LOAD		(16 * MIB)
#define RUN_SIZE	(8 * MIB)
#define RAM_SIZE	(64 * MIB)
#define APPEND_SIZE	255

struct rig {
	struct boot_file file;
	struct setup_header *header;
	struct boot_kernel kernel;
	struct guest_memory memory;
	struct boot_layout layout;
	struct boot_entry entry;
	struct boot_file initrd;
	char *ram;
};

FIXTURE(boot) {
	struct rig rig;
};

FIXTURE_SETUP(boot)
{
	size_t i;

	self->rig.file.size = KERNEL_SIZE;
	self->rig.file.data = malloc(KERNEL_SIZE);
	self->rig.ram = calloc(1, RAM_SIZE);
	ASSERT_TRUE(self->rig.file.data && self->rig.ram);
	for (i = 0; i < KERNEL_SIZE; i++)
		self->rig.file.data[i] = i < PAYLOAD ? 0 : i * 7 + i / 256;
	self->rig.file.data[0x201] = HEADER + sizeof(struct setup_header) - 0x202;
	self->rig.header = (struct setup_header *)(self->rig.file.data + HEADER);
	*self->rig.header = (struct setup_header){
		.setup_sects = SETUP_SECTORS, .syssize = PAYLOAD_SIZE / 16, .boot_flag = 0xaa55,
		.jump = 0xeb | self->rig.file.data[0x201] << 8, .header = 0x53726448,
		.version = 0x20f, .loadflags = LOADED_HIGH, .initrd_addr_max = 0x7fffffff,
		.xloadflags = XLF_KERNEL_64, .cmdline_size = APPEND_SIZE, .pref_address = LOAD,
		.init_size = RUN_SIZE,
	};
	memory_add(&self->rig.memory, &(struct memory_range){ 0, RAM_SIZE, self->rig.ram });
	self->rig.layout = (struct boot_layout){ .ram_size = RAM_SIZE, .rsdp = 0xf0000 };
}

FIXTURE_TEARDOWN(boot)
{
	free(self->rig.file.data);
	free(self->rig.initrd.data);
	free(self->rig.ram);
}

static const char *inspect(struct rig *rig)
{
	return boot_inspect(&rig->file, RAM_SIZE, &rig->kernel);
}

static const char *load(struct rig *rig, const char *append)
{
	return boot_load(&rig->memory, &rig->layout, &rig->file, &rig->initrd, append,
			 &rig->entry);
}

/* One field of the header is wrong, and then is not. */
#define test_refused(field, value, why) do { \
	__typeof__(field) good_ = (field); \
\
	ASSERT_EQ(NULL, inspect(&self->rig)); \
	(field) = (value); \
	ASSERT_NE(NULL, inspect(&self->rig)); \
	ASSERT_NE(NULL, strstr(inspect(&self->rig), why)) \
		TH_LOG("%s", inspect(&self->rig)); \
	(field) = good_; \
} while (0)

TEST_F(boot, a_kernel_is_what_its_header_says)
{
	ASSERT_EQ(NULL, inspect(&self->rig));
	ASSERT_EQ(sizeof(struct setup_header), self->rig.kernel.header_size);
	ASSERT_EQ(PAYLOAD, self->rig.kernel.payload);
	ASSERT_EQ(PAYLOAD_SIZE, self->rig.kernel.payload_size);
	ASSERT_EQ(LOAD, self->rig.kernel.load);
	ASSERT_EQ(RUN_SIZE, self->rig.kernel.run_size);
	ASSERT_EQ(RAM_SIZE, self->rig.kernel.initrd_end);
	ASSERT_EQ(APPEND_SIZE, self->rig.kernel.append_size);
}

/* As the protocol has it for kernels of old. */
TEST_F(boot, no_sectors_of_setup_are_four)
{
	self->rig.header->setup_sects = 0;
	self->rig.header->syssize = (KERNEL_SIZE - 5 * SECTOR) / 16;
	ASSERT_EQ(NULL, inspect(&self->rig));
	ASSERT_EQ(5 * SECTOR, self->rig.kernel.payload);
}

TEST_F(boot, a_kernel_that_is_cut_off_anywhere_is_refused)
{
	struct boot_file cut;
	const char *wrong;

	for (cut.size = 0; cut.size < KERNEL_SIZE; cut.size++) {
		cut.data = malloc(cut.size);
		memcpy(cut.data, self->rig.file.data, cut.size);
		wrong = boot_inspect(&cut, RAM_SIZE, &self->rig.kernel);
		free(cut.data);
		ASSERT_NE(NULL, wrong)
			TH_LOG("%zu bytes of %llu", cut.size, KERNEL_SIZE);
		if (cut.size > PAYLOAD)
			ASSERT_STREQ("is truncated", wrong);
	}
}

TEST_F(boot, what_follows_a_kernel_is_not_loaded)
{
	char *data = realloc(self->rig.file.data, KERNEL_SIZE + SIGNATURE);

	ASSERT_NE(NULL, data);
	self->rig.file.data = data;
	memset(self->rig.file.data + KERNEL_SIZE, 0x5a, SIGNATURE);
	self->rig.file.size += SIGNATURE;
	ASSERT_EQ(NULL, load(&self->rig, ""));
	ASSERT_EQ(PAYLOAD_SIZE, self->rig.kernel.payload_size ?: PAYLOAD_SIZE);
	ASSERT_EQ(0, self->rig.ram[LOAD + PAYLOAD_SIZE]);
}

TEST_F(boot, other_files_are_no_kernels)
{
	struct boot_file other = { .size = 8192 };
	int fill;

	other.data = malloc(other.size);
	ASSERT_NE(NULL, other.data);
	for (fill = 0; fill < 256; fill++) {
		memset(other.data, fill, other.size);
		ASSERT_NE(NULL, boot_inspect(&other, RAM_SIZE, &self->rig.kernel));
		memcpy(other.data, "\177ELF\2\1\1", 7);
		ASSERT_NE(NULL, strstr(boot_inspect(&other, RAM_SIZE, &self->rig.kernel),
				       "is no bzImage"));
	}
	free(other.data);
}

TEST_F(boot, a_header_that_is_wrong_is_refused)
{
	struct setup_header *header = self->rig.header;

	test_refused(header->boot_flag, 0xaa54, "is no bzImage");
	test_refused(header->header, 0x53726449, "is no bzImage");
	test_refused(header->version, 0x20b, "is no 64-bit bzImage");
	test_refused(header->version, 0, "is no 64-bit bzImage");
	test_refused(header->xloadflags, 0, "is no 64-bit bzImage");
	test_refused(header->xloadflags, ~XLF_KERNEL_64, "is no 64-bit bzImage");
	test_refused(header->loadflags, 0, "zImage");
	test_refused(header->syssize, 0, "is truncated");
	test_refused(header->syssize, PAYLOAD_SIZE / 16 + 1, "is truncated");
	test_refused(header->syssize, ~0U, "is truncated");
	test_refused(header->syssize, 0x200 / 16, "is truncated");
	test_refused(header->setup_sects, 255, "is truncated");
	ASSERT_EQ(NULL, inspect(&self->rig));
}

TEST_F(boot, a_header_ends_in_the_file_and_is_not_empty)
{
	self->rig.file.data[0x201] = 0;
	/* Its version is beyond it, and so is 0. */
	ASSERT_NE(NULL, inspect(&self->rig));
	self->rig.file.data[0x201] = 0xff;
	ASSERT_EQ(NULL, inspect(&self->rig));
	ASSERT_EQ(0x202 + 0xff - HEADER, self->rig.kernel.header_size);
	ASSERT_EQ(NULL, load(&self->rig, ""));
}

TEST_F(boot, a_header_that_is_longer_than_the_file_is_refused)
{
	struct boot_file cut = { .data = malloc(0x280), .size = 0x280 };
	const char *wrong;

	ASSERT_NE(NULL, cut.data);
	memcpy(cut.data, self->rig.file.data, cut.size);
	cut.data[0x201] = 0xff;
	wrong = boot_inspect(&cut, RAM_SIZE, &self->rig.kernel);
	ASSERT_NE(NULL, strstr(wrong, "header has no end"));
	free(cut.data);
}

TEST_F(boot, a_kernel_that_does_not_fit_is_refused)
{
	struct setup_header *header = self->rig.header;

	test_refused(header->pref_address, 0, "--memory");
	test_refused(header->pref_address, MIB - 1, "--memory");
	test_refused(header->pref_address, RAM_SIZE, "--memory");
	test_refused(header->pref_address, RAM_SIZE - RUN_SIZE + 1, "--memory");
	test_refused(header->pref_address, RAM_SIZE + 1, "--memory");
	test_refused(header->pref_address, -1ULL, "--memory");
	test_refused(header->pref_address, -RUN_SIZE, "--memory");
	test_refused(header->pref_address, -(uint64_t)PAYLOAD_SIZE, "--memory");
	test_refused(header->init_size, RAM_SIZE - LOAD + 1, "--memory");
	test_refused(header->init_size, ~0U, "--memory");
	self->rig.header->pref_address = RAM_SIZE - RUN_SIZE;
	ASSERT_EQ(NULL, load(&self->rig, ""));
	/* It is as large as its payload, whatever it says. */
	self->rig.header->init_size = 0;
	self->rig.header->pref_address = RAM_SIZE - PAYLOAD_SIZE;
	ASSERT_EQ(NULL, load(&self->rig, ""));
	test_refused(header->pref_address, RAM_SIZE - PAYLOAD_SIZE + 1, "--memory");
}

TEST_F(boot, random_headers_are_sound_or_refused)
{
	struct setup_header good = *self->rig.header;
	unsigned int i, nb, nb_sound = 0;

	srandom(1);
	for (i = 0; i < 100000; i++) {
		*self->rig.header = good;
		for (nb = random() % 6; nb; nb--)
			self->rig.file.data[0x1f0 + random() % 0x80] = random();
		if (inspect(&self->rig))
			continue;
		nb_sound++;
		ASSERT_LE(self->rig.kernel.payload + self->rig.kernel.payload_size, KERNEL_SIZE);
		ASSERT_LE(self->rig.kernel.payload_size, self->rig.kernel.run_size);
		ASSERT_LE(self->rig.kernel.load + self->rig.kernel.run_size, RAM_SIZE);
		ASSERT_LE(MIB, self->rig.kernel.load);
		load(&self->rig, "some words");
	}
	ASSERT_LT(10000, nb_sound);
	ASSERT_GT(90000, nb_sound);
}

TEST_F(boot, a_kernel_has_no_initrd_that_was_not_given)
{
	const struct boot_params *params;

	self->rig.header->ramdisk_image = LOAD + RUN_SIZE;
	self->rig.header->ramdisk_size = MIB;
	ASSERT_EQ(NULL, load(&self->rig, ""));
	params = (struct boot_params *)(self->rig.ram + self->rig.entry.boot_params);
	ASSERT_EQ(0, params->hdr.ramdisk_image);
	ASSERT_EQ(0, params->hdr.ramdisk_size);
}

TEST_F(boot, loads_what_the_protocol_says)
{
	const struct boot_params *params;

	self->rig.layout.high_ram_size = GIB;
	ASSERT_EQ(NULL, load(&self->rig, "some words"));
	ASSERT_EQ(LOAD + 0x200, self->rig.entry.rip);
	ASSERT_EQ(0, memcmp(self->rig.ram + LOAD, self->rig.file.data + PAYLOAD, PAYLOAD_SIZE));
	ASSERT_EQ(0, self->rig.ram[LOAD + PAYLOAD_SIZE]);
	ASSERT_EQ(0, self->rig.ram[LOAD - 1]);

	params = (struct boot_params *)(self->rig.ram + self->rig.entry.boot_params);
	ASSERT_EQ(0x53726448, params->hdr.header);
	ASSERT_EQ(0xff, params->hdr.type_of_loader);
	ASSERT_EQ(0xf0000, params->acpi_rsdp_addr);
	ASSERT_EQ(0, params->hdr.ramdisk_size);
	ASSERT_STREQ("some words", self->rig.ram + params->hdr.cmd_line_ptr);
	ASSERT_EQ(3, params->e820_entries);
	ASSERT_EQ(0, params->e820_table[0].addr);
	ASSERT_GE(640 * KIB, params->e820_table[0].size);
	ASSERT_EQ(MIB, params->e820_table[1].addr);
	ASSERT_EQ(RAM_SIZE - MIB, params->e820_table[1].size);
	ASSERT_EQ(4 * GIB, params->e820_table[2].addr);
	ASSERT_EQ(GIB, params->e820_table[2].size);
}

TEST_F(boot, page_tables_map_the_first_4_gib_to_themselves)
{
	uint64_t addr, entry, *table;

	ASSERT_EQ(NULL, load(&self->rig, ""));
	for (addr = 0; addr < 4 * GIB; addr += 2 * MIB) {
		table = (uint64_t *)(self->rig.ram + self->rig.entry.page_tables);
		entry = table[addr >> 39];
		ASSERT_EQ(3, entry & 0xfff);
		table = (uint64_t *)(self->rig.ram + (entry & ~0xfffULL));
		entry = table[addr >> 30 & 511];
		ASSERT_EQ(3, entry & 0xfff);
		table = (uint64_t *)(self->rig.ram + (entry & ~0xfffULL));
		ASSERT_EQ(addr | 0x83, table[addr >> 21 & 511]);
	}
}

TEST_F(boot, a_command_line_is_as_long_as_the_kernel_takes)
{
	char append[APPEND_SIZE + 2] = { 0 };

	memset(append, 'a', APPEND_SIZE);
	ASSERT_EQ(NULL, load(&self->rig, append));
	append[APPEND_SIZE] = 'a';
	ASSERT_NE(NULL, load(&self->rig, append));
	ASSERT_NE(NULL, strstr(load(&self->rig, append), "command line"));
}

TEST_F(boot, a_command_line_does_not_reach_the_end_of_low_memory)
{
	static char append[MIB];

	self->rig.header->cmdline_size = ~0U;
	ASSERT_EQ(NULL, inspect(&self->rig));
	ASSERT_GT(640 * KIB, self->rig.kernel.append_size);
	memset(append, 'a', sizeof(append) - 1);
	ASSERT_NE(NULL, load(&self->rig, append));
	append[self->rig.kernel.append_size] = 0;
	ASSERT_EQ(NULL, load(&self->rig, append));
}

static void make_initrd(struct rig *rig, size_t size)
{
	free(rig->initrd.data);
	rig->initrd.data = malloc(size);
	rig->initrd.size = size;
	memset(rig->initrd.data, 0x77, size);
}

TEST_F(boot, an_initrd_lies_behind_the_kernel)
{
	const struct boot_params *params;
	uint64_t start;

	make_initrd(&self->rig, 5000);
	ASSERT_EQ(NULL, load(&self->rig, ""));
	params = (struct boot_params *)(self->rig.ram + self->rig.entry.boot_params);
	start = params->hdr.ramdisk_image;
	ASSERT_EQ(5000, params->hdr.ramdisk_size);
	ASSERT_EQ(0, start % 4096);
	ASSERT_LE(LOAD + RUN_SIZE, start);
	ASSERT_GE(RAM_SIZE, start + 5000);
	ASSERT_EQ(0, memcmp(self->rig.ram + start, self->rig.initrd.data, 5000));
	ASSERT_EQ(0, self->rig.ram[start - 1]);
}

TEST_F(boot, an_initrd_that_does_not_fit_is_refused)
{
	make_initrd(&self->rig, RAM_SIZE - LOAD - RUN_SIZE);
	ASSERT_EQ(NULL, load(&self->rig, ""));
	make_initrd(&self->rig, RAM_SIZE - LOAD - RUN_SIZE + 1);
	ASSERT_NE(NULL, strstr(load(&self->rig, ""), "initrd"));
	make_initrd(&self->rig, RAM_SIZE + 1);
	ASSERT_NE(NULL, strstr(load(&self->rig, ""), "initrd"));
	make_initrd(&self->rig, 1);
	ASSERT_EQ(NULL, load(&self->rig, ""));
}

TEST_F(boot, an_initrd_ends_where_the_kernel_wants_it)
{
	const struct boot_params *params;

	self->rig.header->initrd_addr_max = LOAD + RUN_SIZE + 8191;
	make_initrd(&self->rig, 8192);
	ASSERT_EQ(NULL, load(&self->rig, ""));
	params = (struct boot_params *)(self->rig.ram + self->rig.entry.boot_params);
	ASSERT_EQ(LOAD + RUN_SIZE, params->hdr.ramdisk_image);
	make_initrd(&self->rig, 8193);
	ASSERT_NE(NULL, load(&self->rig, ""));
	self->rig.header->initrd_addr_max = 0;
	ASSERT_NE(NULL, load(&self->rig, ""));
	self->rig.header->initrd_addr_max = ~0U;
	ASSERT_EQ(NULL, load(&self->rig, ""));
}

FIXTURE(file) {
	char path[32];
	struct boot_file file;
};

FIXTURE_SETUP(file)
{
	int fd;

	strcpy(self->path, "/tmp/kvm_vmem.XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	close(fd);
}

FIXTURE_TEARDOWN(file)
{
	unlink(self->path);
	free(self->file.data);
}

TEST_F(file, is_read_whole)
{
	ASSERT_EQ(0, boot_read_file(self->path, 10, &self->file));
	ASSERT_EQ(0, self->file.size);
	free(self->file.data);
	ASSERT_EQ(0, truncate(self->path, 10));
	ASSERT_EQ(0, boot_read_file(self->path, 10, &self->file));
	ASSERT_EQ(10, self->file.size);
	ASSERT_EQ(0, memcmp(self->file.data, "\0\0\0\0\0\0\0\0\0", 10));
	ASSERT_EQ(-EFBIG, boot_read_file(self->path, 9, &self->file));
}

TEST_F(file, that_is_none_is_refused)
{
	ASSERT_EQ(-ENOENT, boot_read_file("/nonexistent", MIB, &self->file));
	ASSERT_EQ(-ENOENT, boot_read_file("", MIB, &self->file));
	ASSERT_EQ(-ENOTDIR, boot_read_file("/dev/null/file", MIB, &self->file));
	ASSERT_EQ(-EISDIR, boot_read_file("/tmp", MIB, &self->file));
	ASSERT_EQ(-EFBIG, boot_read_file("/dev/zero", MIB, &self->file));
}

/* Nobody writes to it. */
TEST_F(file, that_is_a_pipe_is_not_waited_for)
{
	unlink(self->path);
	ASSERT_EQ(0, mkfifo(self->path, 0600));
	ASSERT_EQ(-EFBIG, boot_read_file(self->path, MIB, &self->file));
}

TEST_HARNESS_MAIN
