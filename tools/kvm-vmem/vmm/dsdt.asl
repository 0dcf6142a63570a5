/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices of vmem-vmm, for the guest: a serial port, and places for eight
 * virtio-mmio devices. Which are there is one bit each of an I/O port. Addresses,
 * ports and interrupts are those of virtio.h, serial.h and acpi.h.
 */
DefinitionBlock ("", "DSDT", 2, "KVMVM", "VMEMVMM", 1)
{
	Name (\_S5, Package () { 5, 0, 0, 0 })

	Scope (\_SB)
	{
		OperationRegion (PORT, SystemIO, 0x603, 1)
		Field (PORT, ByteAcc, NoLock, Preserve)
		{
			VIO0, 1, VIO1, 1, VIO2, 1, VIO3, 1,
			VIO4, 1, VIO5, 1, VIO6, 1, VIO7, 1
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x3f8, 0x3f8, 1, 8)
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
			})
		}

#define VIRTIO(name, there, uid, address, gsi)					\
		Device (name)							\
		{								\
			Name (_HID, "LNRO0005")					\
			Name (_UID, uid)					\
			Name (_CCA, 1)						\
			Method (_STA)						\
			{							\
				If (there) { Return (0x0f) }			\
				Return (0)					\
			}							\
			Name (_CRS, ResourceTemplate ()				\
			{							\
				Memory32Fixed (ReadWrite, address, 0x1000)	\
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { gsi } \
			})							\
		}

		VIRTIO (VIR0, VIO0, 0, 0xd0000000, 16)
		VIRTIO (VIR1, VIO1, 1, 0xd0001000, 17)
		VIRTIO (VIR2, VIO2, 2, 0xd0002000, 18)
		VIRTIO (VIR3, VIO3, 3, 0xd0003000, 19)
		VIRTIO (VIR4, VIO4, 4, 0xd0004000, 20)
		VIRTIO (VIR5, VIO5, 5, 0xd0005000, 21)
		VIRTIO (VIR6, VIO6, 6, 0xd0006000, 22)
		VIRTIO (VIR7, VIO7, 7, 0xd0007000, 23)
	}
}
