// SPDX-License-Identifier: GPL-2.0
/*
 * Streams that are cut, reordered, damaged, or lie: vmem-vmm says what is wrong, ends,
 * and holds nothing. A good stream is saved, taken apart, and put together otherwise. See
 * unit_incoming for what needs no KVM, and migrate_failure_test for the source.
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "format.h"
#include "migration.h"
#include "patience.h"

#define ENDED 0
#define FAILED 1
#define USAGE 2
#define SAVED "/tmp/kvm_vmem.saved"
#define MOST_SECTIONS 20000

static const struct vmm_kind group = { "group", "4G,requested=2G,block=2M,label=moved" };
static const struct vmm_kind single = { "static", "4G,requested=2G,block=2M,label=moved" };

struct piece {
	uint16_t type, instance;
	size_t size;
	void *data;
};

FIXTURE(stream) {
	struct linux_guest vmm;
	char said[4096];
	struct piece pieces[MOST_SECTIONS];
	unsigned int nb;
	int fd;
};

FIXTURE_VARIANT(stream) {
	const struct vmm_kind *kind;
};

FIXTURE_VARIANT_ADD(stream, group) { &group };
FIXTURE_VARIANT_ADD(stream, static) { &single };

#define stream_data FIXTURE_DATA(stream)

static int file_read(void *owner, void *data, size_t size)
{
	return read(*(int *)owner, data, size) == size ? 0 : -ENODATA;
}

static int file_write(void *owner, const void *data, size_t size)
{
	return write(*(int *)owner, data, size) == size ? 0 : -EIO;
}

static int take_apart(stream_data *self)
{
	struct stream_reader *reader = calloc(1, sizeof(*reader));
	int ret;

	if (!reader)
		return -ENOMEM;
	self->fd = open(SAVED, O_RDONLY | O_CLOEXEC);
	reader->read = file_read;
	reader->owner = &self->fd;
	ret = stream_read_preface(reader);
	while (ret == 0 && self->nb < MOST_SECTIONS) {
		struct piece *piece = &self->pieces[self->nb];
		void *data;

		ret = stream_read(reader);
		if (ret)
			break;
		data = malloc(reader->section.length + 8);
		if (!data) {
			ret = -ENOMEM;
			break;
		}
		memcpy(data, reader->payload, reader->section.length);
		*piece = (struct piece){
			.type = reader->section.type, .instance = reader->section.instance,
			.size = reader->section.length, .data = data,
		};
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the fixture has it. */
		self->nb++;
		if (piece->type == STREAM_END)
			break;
	}
	free(reader);
	close(self->fd);
	self->fd = -1;
	return ret;
}

static int put_together(const struct piece *pieces, unsigned int nb)
{
	struct stream_writer *writer = calloc(1, sizeof(*writer));
	unsigned int i;
	int fd, ret;

	if (!writer)
		return -ENOMEM;
	fd = open(SAVED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	writer->write = file_write;
	writer->owner = &fd;
	ret = stream_write_preface(writer);
	for (i = 0; i < nb; i++)
		ret |= stream_write(writer, pieces[i].type, pieces[i].instance, pieces[i].data,
				    pieces[i].size);
	close(fd);
	free(writer);
	return ret;
}

FIXTURE_SETUP(stream)
{
	struct linux_guest source;

	self->fd = -1;
	unlink(SAVED);
	guest_eq(&source, 0, vmm_start(&source, variant->kind, MIGRATION_SOURCE, NULL));
	guest_eq(&source, 0, linux_wait_ready(&source, MIGRATION_TIME));
	guest_eq(&source, 0, linux_control(MIGRATION_SOURCE, "save " SAVED, self->said,
					   sizeof(self->said)));
	guest_eq(&source, ENDED, linux_wait_exit(&source, MIGRATION_TIME));
	linux_stop(&source);
	ASSERT_EQ(0, take_apart(self));
	ASSERT_LT(20, self->nb);
	ASSERT_EQ(0, count_devices());
}

FIXTURE_TEARDOWN(stream)
{
	unsigned int i;

	linux_stop(&self->vmm);
	close(self->fd);
	for (i = 0; i < self->nb; i++)
		free(self->pieces[i].data);
	unlink(SAVED);
	unlink(MIGRATION_SOURCE);
	unlink(MIGRATION_TARGET);
	unlink(MIGRATION_SOCKET);
}

/* It has ended, said why, and nothing of it is there. */
#define test_ended(status, reason) do { \
	guest_eq(&self->vmm, status, linux_wait_exit(&self->vmm, MIGRATION_TIME)); \
	ASSERT_NE(NULL, strstr(self->vmm.messages.text ?: "", reason)) \
		TH_LOG("'%s', not '%s'", self->vmm.messages.text, reason); \
	ASSERT_EQ(NULL, self->vmm.console.text); \
	ASSERT_EQ(0, count_devices()); \
	linux_stop(&self->vmm); \
} while (0)

#define restore() \
	guest_eq(&self->vmm, 0, vmm_start(&self->vmm, variant->kind, MIGRATION_TARGET, \
					  "--restore", SAVED, NULL))

#define await() do { \
	guest_eq(&self->vmm, 0, vmm_start(&self->vmm, variant->kind, MIGRATION_TARGET, \
					  "--incoming", "unix:" MIGRATION_SOCKET, NULL)); \
	ASSERT_EQ(0, wait_for_socket(MIGRATION_SOCKET, MIGRATION_TIME)); \
	self->fd = connect_to(MIGRATION_SOCKET); \
	ASSERT_LE(0, self->fd); \
} while (0)

/* What is saved is refused. */
#define test_refused(text) do { \
	restore(); \
	test_ended(USAGE, text); \
} while (0)

static struct piece *find(stream_data *self, enum stream_type type)
{
	unsigned int i;

	for (i = 0; self->pieces[i].type != type; i++)
		if (i + 1 == self->nb)
			abort();
	return &self->pieces[i];
}

/* The good stream, but for one section, in which @lie is a structure. */
#define test_lie(text, type, structure, ...) do { \
	struct piece *piece_ = find(self, type); \
	structure before_, *lie = piece_->data; \
\
	ASSERT_LE(sizeof(before_), piece_->size); \
	before_ = *lie; \
	__VA_ARGS__; \
	ASSERT_EQ(0, put_together(self->pieces, self->nb)); \
	test_refused(text); \
	*lie = before_; \
} while (0)

/* Up to a byte of the file. Who sends it goes away then. */
static int send_part(stream_data *self, size_t size)
{
	int file = open(SAVED, O_RDONLY | O_CLOEXEC);
	char bytes[4096];
	ssize_t n = 0;

	for (; size; size -= n) {
		n = read(file, bytes, size < sizeof(bytes) ? size : sizeof(bytes));
		if (n <= 0 || send_all(self->fd, bytes, n))
			break;
	}
	close(file);
	return size ? -EPIPE : 0;
}

static size_t size_of_saved(void)
{
	struct stat status;

	return stat(SAVED, &status) ? 0 : status.st_size;
}

#define hang_up() do { \
	close(self->fd); \
	self->fd = -1; \
} while (0)

TEST_F(stream, cut_is_refused)
{
	size_t size = size_of_saved();
	const size_t cuts[] = { 0, 1, 15, 16, 17, 100, size / 2, size - 20000, size - 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		await();
		ASSERT_EQ(0, send_part(self, cuts[i]));
		hang_up();
		test_ended(FAILED, "the stream ends early");
	}
	ASSERT_EQ(0, truncate(SAVED, size - 1));
	test_refused("the stream ends early");
	ASSERT_EQ(0, truncate(SAVED, 0));
	test_refused("the stream ends early");
}

/* While it waits it holds what it was given, and nothing when the source is gone. */
TEST_F(stream, of_a_source_that_dies_leaves_nothing)
{
	int id;

	await();
	id = linux_device("moved");
	ASSERT_EQ(variant->kind == &group, id >= 0);
	ASSERT_EQ(0, send_part(self, size_of_saved() - 30000));
	if (id >= 0) {
		ASSERT_TRUE(becomes(linux_number(id, "resident"), MIGRATION_TIME));
		ASSERT_LE(MIGRATION_NR_BLOCKS * MIGRATION_BLOCK, linux_number(id, "size"));
	}
	hang_up();
	test_ended(FAILED, "the stream ends early");
}

/* Complete, but whoever does not say go may go on itself. */
TEST_F(stream, without_go_does_not_run)
{
	await();
	ASSERT_EQ(0, send_part(self, size_of_saved()));
	ASSERT_EQ(sizeof(struct stream_section), swallow(self->fd, sizeof(struct stream_section)));
	hang_up();
	test_ended(FAILED, "the stream ends early");
}

TEST_F(stream, with_something_else_than_go_does_not_run)
{
	const struct stream_section odd = { .type = STREAM_GO, .sequence = 1 };

	await();
	ASSERT_EQ(0, send_part(self, size_of_saved()));
	ASSERT_EQ(0, send_all(self->fd, &odd, sizeof(odd)));
	test_ended(FAILED, "section 1 of the stream is where");
}

TEST_F(stream, damaged_is_refused)
{
	size_t size = size_of_saved();
	const size_t at[] = { 16, 40, 200, size / 3, size / 2, size - 10000, size - 1 };
	uint8_t byte;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		fd = open(SAVED, O_RDWR | O_CLOEXEC);
		ASSERT_EQ(1, pread(fd, &byte, 1, at[i]));
		byte ^= 0x10;
		ASSERT_EQ(1, pwrite(fd, &byte, 1, at[i]));
		test_refused(SAVED);
		byte ^= 0x10;
		ASSERT_EQ(1, pwrite(fd, &byte, 1, at[i]));
		close(fd);
	}
}

TEST_F(stream, of_something_else_is_refused)
{
	ASSERT_EQ(0, unlink(SAVED));
	test_refused("No such file");
	ASSERT_EQ(0, symlink("/bin/busybox", SAVED));
	test_refused("no saved machine");
	ASSERT_EQ(0, unlink(SAVED));
	ASSERT_EQ(0, mkdir(SAVED, 0700));
	test_refused("cannot be read");
	ASSERT_EQ(0, rmdir(SAVED));
}

TEST_F(stream, with_more_after_its_end_is_refused)
{
	int fd = open(SAVED, O_WRONLY | O_APPEND | O_CLOEXEC);

	ASSERT_EQ(1, write(fd, "", 1));
	close(fd);
	test_refused("goes on after its end");
}

TEST_F(stream, reordered_or_incomplete_is_refused)
{
	struct piece *regs = find(self, STREAM_CPU_REGS), *pages = find(self, STREAM_PAGES);
	struct piece *last = &self->pieces[self->nb - 2], swapped;
	uint64_t rounds;

	/* Memory after the state. */
	swapped = *last;
	*last = *pages;
	*pages = swapped;
	ASSERT_EQ(0, put_together(self->pieces, self->nb));
	test_refused("is not where it should be");
	*pages = *last;
	*last = swapped;

	regs->type = STREAM_CPU_SREGS;
	ASSERT_EQ(0, put_together(self->pieces, self->nb));
	test_refused("is not where it should be");
	regs->type = STREAM_CPU_REGS;

	swapped = *last;
	*last = self->pieces[self->nb - 1];
	ASSERT_EQ(0, put_together(self->pieces, self->nb - 1));
	*last = swapped;
	test_refused("the stream has no sizes of virtio-mem 0");

	ASSERT_EQ(0, put_together(self->pieces, self->nb));
	restore();
	/* And the good one is good. */
	guest_eq(&self->vmm, 0, work_check(&self->vmm, &rounds, NULL));
	guest_eq(&self->vmm, 0, linux_send(&self->vmm, "p"));
	guest_eq(&self->vmm, ENDED, linux_wait_exit(&self->vmm, MIGRATION_TIME));
}

TEST_F(stream, of_another_machine_is_refused)
{
	test_lie("boot memory is 134217728 there and 67108864 here", STREAM_MACHINE,
		 struct format_machine, lie->memory_size *= 2);
	test_lie("number of vCPUs is 2 there and 1 here", STREAM_MACHINE, struct format_machine,
		 lie->nb_cpus = 2);
	test_lie("region size of virtio-mem", STREAM_VMEM, struct format_vmem,
		 lie->region_size *= 2);
	test_lie("block size of virtio-mem", STREAM_VMEM, struct format_vmem,
		 lie->block_size *= 2);
	test_lie("address of virtio-mem", STREAM_VMEM, struct format_vmem, lie->addr += GiB);
	test_lie("node of virtio-mem is 0 there and -1 here", STREAM_VMEM, struct format_vmem,
		 lie->node = 0);
}

TEST_F(stream, that_lies_about_sizes_is_refused)
{
	test_lie("cannot have", STREAM_VMEM, struct format_vmem, lie->plugged_size = 8 * GiB);
	test_lie("more blocks plugged than it said", STREAM_VMEM, struct format_vmem,
		 lie->plugged_size -= 2 * MiB);
	test_lie("is not where it should be", STREAM_VMEM, struct format_vmem,
		 lie->plugged_size += 2 * MiB);
	/* What the guest has would not be usable; or more than there is. */
	test_lie("cannot be restored", STREAM_VMEM, struct format_vmem,
		 lie->usable_region_size = 2 * MiB);
	test_lie("cannot be restored", STREAM_VMEM, struct format_vmem,
		 lie->usable_region_size = 8 * GiB);
	test_lie("cannot be restored", STREAM_VMEM, struct format_vmem,
		 lie->requested_size = 8 * GiB);
	test_lie("cannot be restored", STREAM_VMEM, struct format_vmem,
		 lie->requested_size += 4096);
	test_lie("its sizes", STREAM_VMEM_SIZES, struct format_vmem_sizes,
		 lie->requested_size = 5 * GiB);
	test_lie("its sizes", STREAM_VMEM_SIZES, struct format_vmem_sizes,
		 lie->usable_region_size = 5 * GiB);
	test_lie("its sizes", STREAM_VMEM_SIZES, struct format_vmem_sizes,
		 lie->usable_region_size -= 2 * MiB);
	test_lie("has no", STREAM_PLUGGED, struct format_run, lie->first_block = 1 << 20);
}

TEST_F(stream, with_memory_where_there_is_none_is_refused)
{
	const uint64_t region = 4 * GiB;

	/* Behind boot memory; the block behind the first, unplugged; behind the region. */
	test_lie("where there is none", STREAM_PAGES, struct format_pages, lie->gpa = 64 * MiB);
	test_lie("where there is none", STREAM_PAGES, struct format_pages,
		 lie->gpa = region + 2 * MiB);
	test_lie("where there is none", STREAM_PAGES, struct format_pages, lie->gpa = 2 * region);
	test_lie("where there is none", STREAM_PAGES, struct format_pages, lie->gpa = -4096ULL);
	test_lie("where there is none", STREAM_PAGES, struct format_pages, lie->gpa = 2048);
}

TEST_F(stream, of_devices_in_no_such_state_is_refused)
{
	static const char text[] = "no virtio device 0 is in such a state";

	test_lie(text, STREAM_VIRTIO, struct virtio_state, lie->status = 0xffffffff);
	/* Ready, with no entry: who divides by that? */
	test_lie(text, STREAM_VIRTIO, struct virtio_state, lie->queue_size = 0);
	test_lie(text, STREAM_VIRTIO, struct virtio_state, lie->queue_size = 127);
	test_lie(text, STREAM_VIRTIO, struct virtio_state, lie->queue_size = 1 << 20);
	test_lie(text, STREAM_VIRTIO, struct virtio_state, lie->queue_desc += 1);
	test_lie(text, STREAM_VIRTIO, struct virtio_state, lie->accepted = ~0ULL);
	test_lie(text, STREAM_VIRTIO, struct virtio_state, lie->accepted = 0);
	test_lie("no serial port", STREAM_SERIAL, struct serial_state, lie->nb_received = 65);
	test_lie("no serial port", STREAM_SERIAL, struct serial_state,
		 lie->nb_transmit = 0xffffffff);
}

TEST_F(stream, of_a_CPU_in_no_such_state_is_refused)
{
	struct piece *cpuid = find(self, STREAM_CPU_CPUID);
	struct kvm_cpuid_entry2 *entry = cpuid->data;
	uint32_t before;

	test_lie("vCPU 0: system registers: Invalid argument", STREAM_CPU_SREGS,
		 struct kvm_sregs, lie->cr0 = ~0ULL);
	test_lie("vCPU 0: MSR 0x12345: Invalid argument", STREAM_CPU_MSRS, struct kvm_msr_entry,
		 lie->index = 0x12345, lie->data = 1);
	test_lie("vCPU 0: debug registers", STREAM_CPU_DEBUGREGS, struct kvm_debugregs,
		 lie->dr7 = ~0ULL);
	test_lie("vCPU 0: run state", STREAM_CPU_MP_STATE, struct kvm_mp_state,
		 lie->mp_state = 77);
	test_lie("vCPU 0: nested guest", STREAM_CPU_NESTED, struct kvm_nested_state,
		 lie->size = 0xffffffff);
	/* What another CPU can do. */
	while (entry->function != 1)
		entry++;
	before = entry->ecx;
	entry->ecx = ~0U;
	ASSERT_EQ(0, put_together(self->pieces, self->nb));
	entry->ecx = before;
	test_refused("lacks CPUID 0x1.0 ECX 0x");
}

/* An MSR that this host does not have is none if it was never written to. */
TEST_F(stream, with_an_unknown_MSR_that_is_zero_is_good)
{
	struct kvm_msr_entry *msr = find(self, STREAM_CPU_MSRS)->data;
	uint64_t rounds;

	while (msr->data)
		msr++;
	msr->index = 0x12345;
	ASSERT_EQ(0, put_together(self->pieces, self->nb));
	restore();
	guest_eq(&self->vmm, 0, work_check(&self->vmm, &rounds, NULL));
}

TEST_HARNESS_MAIN
