// SPDX-License-Identifier: GPL-2.0
/* Hardware-reduced ACPI: as much as ends and restarts a machine. */
#include "mini.h"

#define SLP_EN		(1 << 5)
#define SLP_TYP_SHIFT	2
#define AML_PACKAGE	0x12
#define AML_BYTE	0x0a

struct generic_address {
	uint8_t space, width, offset, size;
	uint64_t addr;
} __packed;

/* As in the ACPI specification, with the fields that matter here. */
struct rsdp {
	char signature[8];
	uint8_t checksum, oem[6], revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
} __packed;

struct table {
	char signature[4];
	uint32_t length;
	uint8_t rest[28];
	uint8_t data[];
} __packed;

struct fadt {
	uint8_t before_reset[116];
	struct generic_address reset;
	uint8_t reset_value, before_dsdt[11];
	uint64_t dsdt;
	uint8_t before_sleep[96];
	struct generic_address sleep_control;
} __packed;

_Static_assert(offsetof(struct fadt, dsdt) == 140, "X_DSDT");
_Static_assert(offsetof(struct fadt, sleep_control) == 244, "SLEEP_CONTROL_REG");

static void __noreturn halt(const char *why)
{
	print("mini: FAILED %s\n", why);
	for (;;)
		asm volatile("cli; hlt");
}

static const struct fadt *find_fadt(void)
{
	const struct rsdp *rsdp = (const struct rsdp *)boot_rsdp();
	const struct table *xsdt, *table;
	uint64_t addr;
	uint32_t i;

	if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", 8))
		halt("no ACPI");
	xsdt = (const struct table *)rsdp->xsdt;
	for (i = 0; i < (xsdt->length - sizeof(*xsdt)) / 8; i++) {
		memcpy(&addr, xsdt->data + i * 8, 8);
		table = (const struct table *)addr;
		if (!memcmp(table->signature, "FACP", 4))
			return (const struct fadt *)table;
	}
	halt("no FADT");
}

/* The first element of the package \_S5. */
static uint8_t sleep_type(const struct table *dsdt)
{
	const uint8_t *at = dsdt->data, *end = (const uint8_t *)dsdt + dsdt->length;

	for (; at + 9 < end; at++) {
		if (!memcmp(at, "_S5_", 4) && at[4] == AML_PACKAGE)
			return at[7] == AML_BYTE ? at[8] : at[7];
	}
	halt("no _S5");
}

static void write_register(const struct generic_address *reg, uint8_t value)
{
	if (reg->space)
		out8(reg->addr, value);
	else
		mmio_write8(reg->addr, value);
}

void power_off(void)
{
	const struct fadt *fadt = find_fadt();
	uint8_t type = sleep_type((const struct table *)fadt->dsdt);

	write_register(&fadt->sleep_control, type << SLP_TYP_SHIFT | SLP_EN);
	halt("the machine is still on");
}

void restart(void)
{
	const struct fadt *fadt = find_fadt();

	write_register(&fadt->reset, fadt->reset_value);
	halt("the machine goes on");
}
