/* SPDX-License-Identifier: GPL-2.0 */
/* The miniature guest kernel: what it runs on, and how it talks. */
#ifndef MINI_H
#define MINI_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE		4096ULL
#define MiB		(1ULL << 20)
#define GiB		(1ULL << 30)

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define __packed		__attribute__((packed))
#define __aligned(bytes)	__attribute__((aligned(bytes)))
#define __noreturn		__attribute__((noreturn))
#define __printf(text, args)	__attribute__((format(printf, text, args)))
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile __typeof__(x) *)&(x) = (value))

/* console.c: COM1 */
__printf(1, 2)
void print(const char *format, ...);
__printf(3, 4)
void format_into(char *buf, size_t size, const char *format, ...);
void vformat(char *text, size_t size, const char *format, va_list args);

/* boot.c: what the VMM handed over */
struct boot_params;

void boot_init(const struct boot_params *params);
const char *boot_word(const char *name);
uint64_t boot_number(const char *name, uint64_t otherwise);
uint64_t boot_ram_end(void);
uint64_t boot_rsdp(void);

/* cpu.c */
void cpu_init(void);
void map(uint64_t addr, uint64_t size);
void load_page_tables(uint64_t pml4);

/* clock.c */
void clock_init(void);
bool clock_is_known(void);
uint64_t ticks(void);
uint64_t ticks_to_ns(uint64_t ticks);
void wait_us(uint64_t us);

/* acpi.c */
void __noreturn power_off(void);
void __noreturn restart(void);

/* The modes of main.c */
void run_benchmark(void);
void run_hostile(const char *tests);
void run_touch(const char *how);
void __noreturn run_work(void);

static inline void fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void relax(void)
{
	asm volatile("pause" : : : "memory");
}

static inline void out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		     : "memory");
}

/* One access of the width asked for, whatever the compiler thinks of it. */
#define MMIO_ACCESSORS(bits, suffix, reg) \
static inline uint##bits##_t mmio_read##bits(uint64_t addr) \
{ \
	uint##bits##_t value; \
\
	asm volatile("mov" suffix " (%1), %0" : "=" reg(value) : "r"(addr) : "memory"); \
	return value; \
} \
static inline void mmio_write##bits(uint64_t addr, uint##bits##_t value) \
{ \
	asm volatile("mov" suffix " %0, (%1)" : : reg(value), "r"(addr) : "memory"); \
}

MMIO_ACCESSORS(8, "b", "q")
MMIO_ACCESSORS(16, "w", "r")
MMIO_ACCESSORS(32, "l", "r")
MMIO_ACCESSORS(64, "q", "r")

/* The compiler calls them, too. */
void *memcpy(void *dest, const void *src, size_t n);
void *memset(void *s, int c, size_t n);
int memcmp(const void *s1, const void *s2, size_t n);
bool streq(const char *a, const char *b);

#endif /* MINI_H */
