// SPDX-License-Identifier: GPL-2.0
/*
 * What libFuzzer begins with: for each target a few inputs that a driver or a user might
 * make.
 *
 *   seeds DIR     writes DIR/<target>/<number>
 */
#include <err.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <asm/bootparam.h>
#include <linux/serial_reg.h>
#include <linux/virtio_mem.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "vmm.h"
#include "input.h"
#include "steps.h"

#define MOST 8192

/* One seed. */
struct seed {
	uint8_t bytes[MOST];
	size_t size;
};

static const char *directory;

static void add(struct seed *seed, const void *data, size_t size)
{
	if (size > MOST - seed->size)
		errx(1, "a seed is too large");
	memcpy(seed->bytes + seed->size, data, size);
	seed->size += size;
}

static void add_number(struct seed *seed, uint64_t value, size_t size)
{
	add(seed, &value, size);
}

/* add_bytes(seed, 1, 2, 3) */
#define add_bytes(seed, ...) \
	add(seed, (uint8_t []){ __VA_ARGS__ }, sizeof((uint8_t []){ __VA_ARGS__ }))

static void save(const char *target, const struct seed *seed)
{
	static unsigned int number;
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%03u", directory, target, number++);
	file = fopen(path, "we");
	if (!file || fwrite(seed->bytes, 1, seed->size, file) != seed->size || fclose(file))
		err(1, "%s", path);
}

static void add_place(struct seed *seed, enum virtqueue_place place, uint16_t offset)
{
	add_bytes(seed, place);
	add_number(seed, offset, 2);
}

/* Rings that end where memory does. */
static void add_queue(struct seed *seed, uint16_t size)
{
	add_bytes(seed, QUEUE_SET_UP);
	add_number(seed, size, 2);
	add_place(seed, PLACE_RAM_END, -16 * size);
	add_place(seed, PLACE_HIGH_END, -2 * size - 4);
	add_place(seed, PLACE_PLUGGED_END, -8 * size - 4);
}

static void add_descriptor(struct seed *seed, uint8_t index, enum virtqueue_place place,
			   uint32_t size, uint16_t flags, uint16_t next)
{
	add_bytes(seed, QUEUE_DESCRIBE, index);
	add_place(seed, place, place == PLACE_RAM ? 16 * KIB : 0);
	add_number(seed, size, 4);
	add_number(seed, flags, 2);
	add_number(seed, next, 2);
}

/* At a check of memory nothing is set up: the driver's other steps are from 0 on. */
static uint8_t at_check(enum virtqueue_step step)
{
	return step - 1;
}

static void seed_virtqueue(void)
{
	struct seed seed = { 0 };

	add_queue(&seed, 8);
	add_descriptor(&seed, 0, PLACE_RAM, 24, VRING_DESC_F_NEXT, 1);
	add_descriptor(&seed, 1, PLACE_HIGH, 16, VRING_DESC_F_NEXT, 2);
	add_descriptor(&seed, 2, PLACE_PLUGGABLE, 10, VRING_DESC_F_WRITE, 0);
	add_bytes(&seed, QUEUE_OFFER, 0, 0, QUEUE_POP, QUEUE_READ, 24, QUEUE_WRITE, 10,
		  QUEUE_PUSH, 10, 0, 0, 0, QUEUE_POP);
	save("virtqueue", &seed);

	/* A table that is too large, with a loop. */
	add_queue(&seed, 1024);
	add_queue(&seed, 128);
	add_descriptor(&seed, 0, PLACE_RAM, 24, VRING_DESC_F_NEXT, 0);
	add_bytes(&seed, QUEUE_OFFER, 0, 0, QUEUE_POP);
	save("virtqueue", &seed);

	/* A driver that changes a descriptor while it is looked at. */
	add_bytes(&seed, QUEUE_TRAP, 2, QUEUE_OFFER, 0, 0, QUEUE_POP,
		  at_check(QUEUE_DESCRIBE), 0, PLACE_RAM_END, 0, 0, 255, 255, 255, 255, 3, 0,
		  255, 255);
	add_bytes(&seed, QUEUE_UNPLUG, 0, QUEUE_WRITE, 10, QUEUE_RING, 1, 0, 9, 0, QUEUE_POP);
	save("virtqueue", &seed);
}

static void add_request(struct seed *seed, uint16_t type, uint8_t block, uint16_t nb,
			uint8_t flags)
{
	add_bytes(seed, VIRTIO_REQUEST);
	add_number(seed, type, 2);
	add_bytes(seed, block);
	add_number(seed, nb, 2);
	add_bytes(seed, flags, VIRTIO_NOTIFY);
}

static void seed_virtio(void)
{
	for (uint8_t kind = 0; kind < 4; kind++) {
		struct seed seed = { 0 };

		add_bytes(&seed, kind, VIRTIO_DRIVE, 8);
		add_request(&seed, VIRTIO_MEM_REQ_PLUG, 0, 4, 0);
		add_request(&seed, VIRTIO_MEM_REQ_STATE, 0, 8, REQUEST_IN_BLOCKS);
		add_request(&seed, VIRTIO_MEM_REQ_UNPLUG, 1, 2, REQUEST_IN_TWO);
		add_request(&seed, VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0, 0);
		add_bytes(&seed, VIRTIO_RESIZE, 3, VIRTIO_READ,
			  VIRTIO_MMIO_CONFIG_GENERATION / 4);
		add_bytes(&seed, VIRTIO_ACCESS, 0x30, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, VIRTIO_RESET,
			  VIRTIO_NOTIFY);
		save("virtio", &seed);
		add_bytes(&seed, VIRTIO_DRIVE, 2);
		add_request(&seed, 9, 0, 0, 0);
		add_request(&seed, VIRTIO_MEM_REQ_PLUG, 0, 1, REQUEST_SHORT);
		add_bytes(&seed, VIRTIO_WRITE, VIRTIO_MMIO_INTERRUPT_ACK / 4, 3, 0, 0, 0);
		add_bytes(&seed, VIRTIO_WRITE, VIRTIO_MMIO_QUEUE_NUM / 4, 0, 4, 0, 0);
		save("virtio", &seed);
	}
}

/* A kernel as small as one may be: one sector of setup, and a little more than its entry. */
static void seed_boot(uint64_t load, uint16_t append_size, uint32_t initrd_size)
{
	const size_t payload = 2 * 512, payload_size = 0x220;
	struct seed seed = { 0 };
	uint8_t file[2 * 512 + 0x220] = { 0 };
	struct setup_header header = {
		.setup_sects = 1, .syssize = payload_size / 16, .boot_flag = 0xaa55,
		.header = 0x53726448, .version = 0x20f, .loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff, .xloadflags = XLF_KERNEL_64, .cmdline_size = 255,
		.pref_address = load, .init_size = MIB,
	};

	memcpy(file + offsetof(struct boot_params, hdr), &header, sizeof(header));
	file[0x201] = offsetof(struct boot_params, hdr) + sizeof(header) - 0x202;
	memset(file + payload, 0x90, payload_size);
	add_bytes(&seed, 0);
	add_number(&seed, append_size, 2);
	add_number(&seed, initrd_size, 4);
	add(&seed, file, sizeof(file));
	save("boot", &seed);
}

static void seed_serial(void)
{
	struct seed seed = { 0 };

	add_bytes(&seed, 1, SERIAL_WRITE, UART_LCR, UART_LCR_DLAB, SERIAL_WRITE, UART_TX, 1,
		  SERIAL_WRITE, UART_LCR, 3, SERIAL_WRITE, UART_FCR, 1, SERIAL_WRITE, UART_IER, 15,
		  SERIAL_ROOM, 1, SERIAL_WRITE, UART_TX, 'a', SERIAL_READ, UART_IIR,
		  SERIAL_TYPE, 5, 'b', 1, 1, 'c', '\r', SERIAL_READ, UART_RX, SERIAL_READ, UART_RX);
	save("serial", &seed);
	/* More than it takes, in either direction. */
	add_bytes(&seed, SERIAL_ROOM, 0);
	for (int i = 0; i < 20; i++)
		add_bytes(&seed, SERIAL_WRITE, UART_TX, 'd');
	add_bytes(&seed, SERIAL_TYPE, 70);
	for (int i = 0; i < 70; i++)
		add_bytes(&seed, 'e');
	save("serial", &seed);
	add_bytes(&seed, SERIAL_ROOM, 1, SERIAL_TYPE, 2, 1, 'x', SERIAL_RESET, SERIAL_END);
	save("serial", &seed);
}

static void seed_text(const char *target, const char *before, const char *const *lines)
{
	for (; *lines; lines++) {
		struct seed seed = { 0 };

		add(&seed, before, strlen(before));
		add(&seed, *lines, strlen(*lines));
		save(target, &seed);
	}
}

#define LABEL_63	"123456789-123456789-123456789-123456789-123456789-123456789-123"

static const char *const command_lines[] = {
	"4G", "0x10000000000000000", "18446744073709551615", "16777215T", "16777216T",
	"--kernel\nk\n--initrd\ni\n--append\nquiet\n--cpus\n4\n--memory\n1G,hugepages=off",
	"-kk\n-v\n4G,requested=1G,block=2M,label=web,node=1,addr=0x200000000,memslot=1G,prealloc",
	"-k\nk\n-v1G\n-v2G,label=vmem0\n--vmem-mode\ndynamic-user\n--control\ns\n--no-rng",
	"-kk\n-v1G,label=" LABEL_63, "-kk\n-v1G,label=" LABEL_63 "4",
	"--vmem-mode=static\n--kernel=k\n-v\n1T\n-v\n1T\n-v\n1T\n-v\n1T\n-v\n1T", "--help", NULL
};

static const char *const commands[] = {
	"info\n", "resize 64M \"vmem0\\\n", "resize 42M\nresize 3M\nresize\n", "quit\ninfo\n",
	"what?\n\n  resize 4G nobody\n", "save f\nmigrate-cancel\nmigrate-resume\n",
	"migrate unix:s max-downtime=100 max-rounds=3\nmigrate-status\n",
	LABEL_63 LABEL_63 LABEL_63 LABEL_63 LABEL_63 "\n", NULL
};

/* An even first byte: sections follow, without their headers; else a whole stream. */
static const char *const streams[] = {
	"\1kvm-vmem", "\2\1\1\10\1machine", "\2\60\1\1\1", NULL
};

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: seeds DIR");
	directory = argv[1];
	mkdir(directory, 0777);
	seed_virtqueue();
	seed_virtio();
	seed_boot(16 * MIB, 0, 0);
	seed_boot(16 * MIB, 255, 5000);
	seed_boot(31 * MIB - 4 * KIB, 0, 4 * KIB + 1);
	seed_serial();
	seed_text("options", "", command_lines);
	/* How many devices, and how much is said at once. */
	seed_text("control", "\1\7", commands);
	seed_text("control", "\2\377", commands);
	seed_text("incoming", "", streams);
	return 0;
}
