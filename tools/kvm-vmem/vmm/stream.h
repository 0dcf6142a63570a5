/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A saved or migrating machine as a stream of bytes: a preface, then sections, each with
 * a header that has its length, its place in the stream and a checksum of it. What is in
 * them is incoming.h's and outgoing.h's affair. All numbers are little endian.
 *
 * Documentation/virt/kvm_vmem/migration.rst describes it. Nothing here reads or writes a
 * file: the reader may be given any bytes, and its caller has to be prepared for any.
 */
#ifndef STREAM_H
#define STREAM_H

#include <stddef.h>
#include <stdint.h>

#define STREAM_MAGIC "kvm-vmem"
#define STREAM_VERSION 1

/* The most bytes of a section, without its header: so many pages, and where they are. */
#define STREAM_MOST_PAGES 64
#define STREAM_MOST (STREAM_MOST_PAGES * 4096 + 64)

/**
 * enum stream_type - what a section has; see format.h for the structures
 * @STREAM_MACHINE: What has to be the same on both sides
 * @STREAM_VMEM: A virtio-mem device
 * @STREAM_PLUGGED: Its plugged blocks, as runs
 * @STREAM_ROUND: A round over the memory begins
 * @STREAM_PAGES: Pages of the guest's memory, and where they are
 * @STREAM_ZEROS: Pages that are zero now and were not
 * @STREAM_CPU_CPUID: What a vCPU says that it can do; the vCPUs' state follows
 * @STREAM_CPU_TSC: Time stamp counter
 * @STREAM_CPU_SREGS: System registers
 * @STREAM_CPU_NESTED: What KVM has of a guest of the guest
 * @STREAM_CPU_REGS: General registers
 * @STREAM_CPU_XSAVE: The FPU
 * @STREAM_CPU_XCRS: Extended control registers
 * @STREAM_CPU_DEBUGREGS: Debug registers
 * @STREAM_CPU_LAPIC: The local APIC
 * @STREAM_CPU_MP_STATE: Whether it runs, halts, or waits to be started
 * @STREAM_CPU_EVENTS: Exceptions, interrupts and NMIs on their way
 * @STREAM_CPU_MSRS: All other registers
 * @STREAM_IRQCHIP: The interrupt controllers
 * @STREAM_CLOCK: kvmclock
 * @STREAM_SERIAL: The serial port
 * @STREAM_VIRTIO: A virtio device
 * @STREAM_VMEM_SIZES: The sizes of a virtio-mem device, as they are at the end
 * @STREAM_END: That was all
 * @STREAM_GO: The source will not run any more: run
 * @STREAM_READY: Answer: all of it is here, and good
 * @STREAM_RUNNING: Answer: the guest runs
 * @STREAM_REFUSED: Answer: why it does not
 *
 * Of the source, in this order: MACHINE; for each device VMEM and PLUGGED; ROUND, PAGES
 * and ZEROS; the state from CPU_CPUID to VMEM_SIZES; END. Then, where somebody answers,
 * GO. The others are answers. Numbers are never used again for anything else.
 */
enum stream_type {
	STREAM_MACHINE = 1,
	STREAM_VMEM = 2,
	STREAM_PLUGGED = 3,
	STREAM_ROUND = 4,
	STREAM_PAGES = 5,
	STREAM_ZEROS = 6,
	STREAM_CPU_CPUID = 16,
	STREAM_CPU_TSC = 17,
	STREAM_CPU_SREGS = 18,
	STREAM_CPU_NESTED = 19,
	STREAM_CPU_REGS = 20,
	STREAM_CPU_XSAVE = 21,
	STREAM_CPU_XCRS = 22,
	STREAM_CPU_DEBUGREGS = 23,
	STREAM_CPU_LAPIC = 24,
	STREAM_CPU_MP_STATE = 25,
	STREAM_CPU_EVENTS = 26,
	STREAM_CPU_MSRS = 27,
	STREAM_IRQCHIP = 32,
	STREAM_CLOCK = 33,
	STREAM_SERIAL = 34,
	STREAM_VIRTIO = 35,
	STREAM_VMEM_SIZES = 36,
	STREAM_END = 48,
	STREAM_GO = 49,
	STREAM_READY = 64,
	STREAM_RUNNING = 65,
	STREAM_REFUSED = 66,
};

/* What a stream begins with. */
struct stream_preface {
	char magic[8];
	uint32_t version;
	uint32_t flags;
};

/**
 * struct stream_section - header of a section
 * @type: One of enum stream_type
 * @instance: Of several alike, which: a vCPU, a device
 * @sequence: How many sections came before it
 * @length: Bytes that follow
 * @sum: stream_sum() of all before it, and what follows
 */
struct stream_section {
	uint16_t type;
	uint16_t instance;
	uint32_t sequence;
	uint64_t length;
	uint64_t sum[2];
};

/* What a reader has to say at most. */
#define STREAM_WRONG_SIZE 160

/**
 * struct stream_reader - takes a stream apart
 * @read: Reads exactly @size bytes; returns 0, -ENODATA if there are fewer, or -errno
 * @owner: What @read gets
 * @section: The header of the section that was read last
 * @payload: What followed it, @section.length bytes; aligned for any structure
 * @nb_sections: How many were read
 * @nb_bytes: How many bytes
 * @wrong: What is wrong, if something is
 */
struct stream_reader {
	int (*read)(void *owner, void *data, size_t size);
	void *owner;
	struct stream_section section;
	uint8_t payload[STREAM_MOST] __attribute__((aligned(16)));
	uint64_t nb_sections;
	uint64_t nb_bytes;
	char wrong[STREAM_WRONG_SIZE];
};

/* Reads the preface. Return: 0, or -errno with @wrong set. */
int stream_read_preface(struct stream_reader *reader);

/* Reads a section. Return: 0, or -errno with @wrong set. */
int stream_read(struct stream_reader *reader);

/* Sets @wrong. Return: -EPROTO. */
int stream_is_wrong(struct stream_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * struct stream_writer - puts a stream together
 * @write: Writes all of it; returns 0 or -errno
 * @owner: What @write gets
 * @nb_sections: How many were written
 * @nb_bytes: How many bytes
 * @buffer: The next section, with its header; the header's length is what of it there is
 */
struct stream_writer {
	int (*write)(void *owner, const void *data, size_t size);
	void *owner;
	uint64_t nb_sections;
	uint64_t nb_bytes;
	struct {
		struct stream_section section;
		uint8_t payload[STREAM_MOST];
	} buffer __attribute__((aligned(16)));
};

int stream_write_preface(struct stream_writer *writer);

/* A section: begun, added to as long as it fits into STREAM_MOST, and written. */
void stream_begin(struct stream_writer *writer, enum stream_type type, uint16_t instance);
void stream_add(struct stream_writer *writer, const void *data, size_t size);
int stream_end(struct stream_writer *writer);

/* All three. */
int stream_write(struct stream_writer *writer, enum stream_type type, uint16_t instance,
		 const void *data, size_t size);

#endif /* STREAM_H */
