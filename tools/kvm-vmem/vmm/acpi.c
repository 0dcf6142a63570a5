// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <string.h>

#include "acpi.h"
#include "vmm.h"

/* AML made of dsdt.asl: dsdt_aml_code[]. */
#include "dsdt.hex"

/* Where PCs have their BIOS, and guests look. */
#define TABLES 0xe0000
#define TABLES_SIZE 0x20000

#define LOCAL_APICS 0xfee00000
#define IOAPIC 0xfec00000

#define GAS_SYSTEM_IO 1
#define GAS_BYTE 1

#define FADT_RESET_REG_SUPPORTED (1 << 10)
#define FADT_HARDWARE_REDUCED (1 << 20)
/* Neither VGA nor a real-time clock; no ASPM. */
#define FADT_NO_VGA (1 << 2)
#define FADT_NO_RTC (1 << 5)

#define MADT_LOCAL_APIC 0
#define MADT_IOAPIC 1
#define SRAT_CPU 0
#define SRAT_MEMORY 1
#define SRAT_ENABLED 1
#define SRAT_HOTPLUG 2

/* ACPI 6.4, chapters 5.2.5 to 5.2.16. */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct address {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} __attribute__((packed));

struct fadt {
	struct header header;
	uint8_t fixed_hardware[73];
	uint16_t boot_flags;
	uint8_t reserved;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_boot_flags;
	uint8_t minor_revision;
	uint64_t facs;
	uint64_t dsdt;
	struct address fixed_registers[8];
	struct address sleep_control;
	struct address sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

_Static_assert(offsetof(struct fadt, flags) == 112, "ACPI 6.4, table 5.9");
_Static_assert(sizeof(struct fadt) == 276, "ACPI 6.4, table 5.9");

struct madt {
	struct header header;
	uint32_t local_apics;
	uint32_t flags;
} __attribute__((packed));

struct madt_local_apic {
	uint8_t type;
	uint8_t length;
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t first_gsi;
} __attribute__((packed));

struct srat {
	struct header header;
	uint32_t one;
	uint64_t reserved;
} __attribute__((packed));

struct srat_cpu {
	uint8_t type;
	uint8_t length;
	uint8_t node_low;
	uint8_t apic_id;
	uint32_t flags;
	uint8_t local_sapic_eid;
	uint8_t node_high[3];
	uint32_t clock_domain;
} __attribute__((packed));

struct srat_memory {
	uint8_t type;
	uint8_t length;
	uint32_t node;
	uint16_t reserved;
	uint64_t base;
	uint64_t size;
	uint32_t reserved2;
	uint32_t flags;
	uint64_t reserved3;
} __attribute__((packed));

/* The tables are written one after another. */
struct writer {
	char *hva;
	size_t used;
};

static void *append(struct writer *writer, const void *data, size_t size)
{
	void *at = writer->hva + writer->used;

	/* At most 64 CPUs and 16 ranges of memory: a few KiB. */
	memcpy(at, data, size);
	writer->used += size;
	return at;
}

static uint64_t gpa_of(const struct writer *writer, const void *at)
{
	return TABLES + ((const char *)at - writer->hva);
}

static uint8_t checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	while (size--)
		sum += *bytes++;
	return -sum;
}

static struct header *begin(struct writer *writer, const char *signature, uint8_t revision,
			    void *table, size_t size)
{
	struct header *header = table;

	*header = (struct header){
		.revision = revision,
		.oem_id = "KVMVM",
		.oem_table_id = "VMEMVMM",
		.oem_revision = 1,
		.creator_id = "KVMV",
		.creator_revision = 1,
	};
	memcpy(header->signature, signature, sizeof(header->signature));
	writer->used = align_up(writer->used, 16);
	return append(writer, table, size);
}

static uint64_t end(struct writer *writer, struct header *header)
{
	header->length = writer->hva + writer->used - (char *)header;
	header->checksum = checksum(header, header->length);
	return gpa_of(writer, header);
}

static struct address port(uint16_t number)
{
	return (struct address){
		.space = GAS_SYSTEM_IO,
		.bit_width = 8,
		.access_size = GAS_BYTE,
		.address = number,
	};
}

static uint64_t write_fadt(struct writer *writer, uint64_t dsdt)
{
	struct fadt fadt = {
		.boot_flags = FADT_NO_VGA | FADT_NO_RTC,
		.flags = FADT_RESET_REG_SUPPORTED | FADT_HARDWARE_REDUCED,
		.reset = port(ACPI_PORT_RESET),
		.reset_value = ACPI_RESET_VALUE,
		.minor_revision = 4,
		.dsdt = dsdt,
		.sleep_control = port(ACPI_PORT_SLEEP_CONTROL),
		.sleep_status = port(ACPI_PORT_SLEEP_STATUS),
	};

	return end(writer, begin(writer, "FACP", 6, &fadt, sizeof(fadt)));
}

static uint64_t write_madt(struct writer *writer, unsigned int nb_cpus)
{
	struct madt madt = { .local_apics = LOCAL_APICS };
	struct madt_ioapic ioapic = {
		.type = MADT_IOAPIC,
		.length = sizeof(ioapic),
		.address = IOAPIC,
	};
	struct header *header = begin(writer, "APIC", 5, &madt, sizeof(madt));

	append(writer, &ioapic, sizeof(ioapic));
	for (unsigned int i = 0; i < nb_cpus; i++) {
		struct madt_local_apic apic = {
			.type = MADT_LOCAL_APIC,
			.length = sizeof(apic),
			.uid = i,
			.apic_id = i,
			.flags = 1,
		};

		append(writer, &apic, sizeof(apic));
	}
	return end(writer, header);
}

/*
 * Says how far memory may reach one day, which a guest wants to know when it
 * boots, and the nodes that virtio-mem names (VIRTIO_MEM_F_ACPI_PXM).
 */
static uint64_t write_srat(struct writer *writer, unsigned int nb_cpus,
			   const struct acpi_memory *nodes, unsigned int nb_nodes)
{
	struct srat srat = { .one = 1 };
	struct header *header = begin(writer, "SRAT", 3, &srat, sizeof(srat));

	for (unsigned int i = 0; i < nb_cpus; i++) {
		struct srat_cpu cpu = {
			.type = SRAT_CPU,
			.length = sizeof(cpu),
			.apic_id = i,
			.flags = SRAT_ENABLED,
		};

		append(writer, &cpu, sizeof(cpu));
	}
	for (unsigned int i = 0; i < nb_nodes; i++) {
		struct srat_memory memory = {
			.type = SRAT_MEMORY,
			.length = sizeof(memory),
			.node = nodes[i].node,
			.base = nodes[i].gpa,
			.size = nodes[i].size,
			.flags = SRAT_ENABLED | (nodes[i].hotplug ? SRAT_HOTPLUG : 0),
		};

		append(writer, &memory, sizeof(memory));
	}
	return end(writer, header);
}

static uint64_t write_xsdt(struct writer *writer, const uint64_t *tables, unsigned int nb)
{
	struct header xsdt;
	struct header *header = begin(writer, "XSDT", 1, &xsdt, sizeof(xsdt));

	append(writer, tables, nb * sizeof(*tables));
	return end(writer, header);
}

static uint64_t write_rsdp(struct writer *writer, uint64_t xsdt)
{
	struct rsdp rsdp = {
		.signature = "RSD PTR ",
		.oem_id = "KVMVM",
		.revision = 2,
		.length = sizeof(rsdp),
		.xsdt = xsdt,
	};

	/* The first covers what there was in ACPI 1.0. */
	rsdp.checksum = checksum(&rsdp, offsetof(struct rsdp, length));
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	writer->used = align_up(writer->used, 16);
	return gpa_of(writer, append(writer, &rsdp, sizeof(rsdp)));
}

uint64_t acpi_write_tables(const struct guest_memory *memory, unsigned int nb_cpus,
			   const struct acpi_memory *nodes, unsigned int nb_nodes)
{
	struct writer writer = { .hva = memory_at(memory, TABLES, TABLES_SIZE) };
	uint64_t dsdt, tables[3];

	dsdt = gpa_of(&writer, append(&writer, dsdt_aml_code, sizeof(dsdt_aml_code)));
	tables[0] = write_fadt(&writer, dsdt);
	tables[1] = write_madt(&writer, nb_cpus);
	tables[2] = write_srat(&writer, nb_cpus, nodes, nb_nodes);
	return write_rsdp(&writer, write_xsdt(&writer, tables, ARRAY_SIZE(tables)));
}
