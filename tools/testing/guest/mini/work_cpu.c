// SPDX-License-Identifier: GPL-2.0
/* Registers that nobody but the guest changes. */
#include "work.h"

#define CR4_OSFXSR	(1ULL << 9)
#define PATTERN		0x00001234567890abULL

#define APIC		0xfee00000ULL
#define APIC_TPR	(APIC + 0x80)
#define APIC_LDR	(APIC + 0xd0)
#define APIC_LINT1	(APIC + 0x360)
#define IOAPIC		0xfec00000ULL
#define IOAPIC_DATA	(IOAPIC + 0x10)
#define IOAPIC_ENTRY(n)	(0x10 + 2 * (n))
#define MASKED		(1 << 16)
#define PIC1_MASK	0x21
#define PIC2_MASK	0xa1

/* Addresses are canonical, and PAT has known types only. */
static const struct {
	uint32_t msr;
	uint64_t value;
} msrs[] = {
	{ 0x174, 0x10 },			/* SYSENTER_CS */
	{ 0x175, 0x12345678 },			/* SYSENTER_ESP, of which AMD has 32 bits */
	{ 0x176, 0x2468ace0 },			/* SYSENTER_EIP */
	{ 0x277, 0x0007010600070105ULL },	/* PAT */
	{ 0xc0000081, 0x0013000800000000ULL },	/* STAR */
	{ 0xc0000082, PATTERN + 2 },		/* LSTAR */
	{ 0xc0000083, PATTERN + 3 },		/* CSTAR */
	{ 0xc0000084, 0x47700 },		/* SFMASK */
	{ 0xc0000100, PATTERN + 4 },		/* FS_BASE */
	{ 0xc0000101, PATTERN + 5 },		/* GS_BASE */
	{ 0xc0000102, PATTERN + 6 },		/* KERNEL_GS_BASE */
};

static uint8_t fx[512] __aligned(16), fx_before[512] __aligned(16);

static uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

/* All of the FPU, in the form in which it is saved. */
static void set_fpu(void)
{
	uint64_t cr4;
	unsigned int i;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	asm volatile("mov %0, %%cr4; fninit" : : "r"(cr4 | CR4_OSFXSR));
	asm volatile("fxsaveq %0" : "=m"(fx_before));
	/* Sixteen XMM registers, from byte 160 on. */
	for (i = 160; i < 160 + 16 * 16; i++)
		fx_before[i] = i * 7 + 1;
	/* Rounding: x87 down, SSE up. */
	fx_before[1] |= 0x04;
	fx_before[25] |= 0x40;
	asm volatile("fxrstorq %0" : : "m"(fx_before));
}

static void check_fpu(void)
{
	unsigned int i;

	asm volatile("fxsaveq %0" : "=m"(fx));
	for (i = 0; i < 160 + 16 * 16; i++) {
		if (fx[i] != fx_before[i])
			work_failed("FPU", i);
	}
}

static void write_ioapic(uint32_t reg, uint32_t value)
{
	mmio_write32(IOAPIC, reg);
	mmio_write32(IOAPIC_DATA, value);
}

static uint32_t read_ioapic(uint32_t reg)
{
	mmio_write32(IOAPIC, reg);
	return mmio_read32(IOAPIC_DATA);
}

static void set_interrupt_controllers(void)
{
	mmio_write32(APIC_TPR, 0x20);
	mmio_write32(APIC_LDR, 0x5a000000);
	mmio_write32(APIC_LINT1, MASKED | 0x41);
	write_ioapic(IOAPIC_ENTRY(11), MASKED | 0x77);
	write_ioapic(IOAPIC_ENTRY(11) + 1, 0x05000000);
	out8(PIC1_MASK, 0xa5);
	out8(PIC2_MASK, 0x5a);
}

static void check_interrupt_controllers(void)
{
	if (mmio_read32(APIC_TPR) != 0x20 || mmio_read32(APIC_LDR) != 0x5a000000 ||
	    mmio_read32(APIC_LINT1) != (MASKED | 0x41))
		work_failed("local APIC", mmio_read32(APIC_TPR));
	if (read_ioapic(IOAPIC_ENTRY(11)) != (MASKED | 0x77) ||
	    read_ioapic(IOAPIC_ENTRY(11) + 1) != 0x05000000)
		work_failed("IOAPIC", read_ioapic(IOAPIC_ENTRY(11)));
	if (in8(PIC1_MASK) != 0xa5 || in8(PIC2_MASK) != 0x5a)
		work_failed("PIC", in8(PIC1_MASK));
}

void registers_set(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		write_msr(msrs[i].msr, msrs[i].value);
	asm volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
		     : : "r"(PATTERN + 7), "r"(PATTERN + 8), "r"(PATTERN + 9),
			 "r"(PATTERN + 10));
	asm volatile("mov %0, %%cr2" : : "r"(PATTERN + 11));
	set_interrupt_controllers();
	set_fpu();
	registers_check();
}

void registers_check(void)
{
	uint64_t value[5];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (read_msr(msrs[i].msr) != msrs[i].value)
			work_failed("MSR", msrs[i].msr);
	}
	asm volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3; mov %%cr2, %4"
		     : "=r"(value[0]), "=r"(value[1]), "=r"(value[2]), "=r"(value[3]),
		       "=r"(value[4]));
	for (i = 0; i < ARRAY_SIZE(value); i++) {
		if (value[i] != PATTERN + 7 + i)
			work_failed("debug register or CR2", i);
	}
	check_interrupt_controllers();
	check_fpu();
}
