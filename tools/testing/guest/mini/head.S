/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The setup header and the 64-bit entry of Documentation/arch/x86/boot.rst, and
 * the entries of exceptions. There is no code for 16 and 32 bits: only a loader
 * of the 64-bit protocol can boot this.
 */
#define __ASSEMBLY__
#include <asm/bootparam.h>

	.section .setup, "a"
	.org 0x1f1
	.byte 1				/* setup_sects */
	.word 0				/* root_flags */
	.long paragraphs		/* syssize */
	.word 0				/* ram_size */
	.word 0xffff			/* vid_mode */
	.word 0				/* root_dev */
	.word 0xaa55			/* boot_flag */
	.byte 0xeb, header_end - header	/* jump */
header:
	.ascii "HdrS"
	.word 0x020f			/* version */
	.long 0				/* realmode_swtch */
	.word 0				/* start_sys_seg */
	.word 0				/* kernel_version */
	.byte 0				/* type_of_loader */
	.byte LOADED_HIGH		/* loadflags */
	.word 0				/* setup_move_size */
	.long 0x100000			/* code32_start */
	.long 0				/* ramdisk_image */
	.long 0				/* ramdisk_size */
	.long 0				/* bootsect_kludge */
	.word 0				/* heap_end_ptr */
	.byte 0				/* ext_loader_ver */
	.byte 0				/* ext_loader_type */
	.long 0				/* cmd_line_ptr */
	.long 0x7fffffff		/* initrd_addr_max */
	.long 0x200000			/* kernel_alignment */
	.byte 0				/* relocatable_kernel */
	.byte 21			/* min_alignment */
	.word XLF_KERNEL_64		/* xloadflags */
	.long 2047			/* cmdline_size */
	.long 0				/* hardware_subarch */
	.quad 0				/* hardware_subarch_data */
	.long 0				/* payload_offset */
	.long 0				/* payload_length */
	.quad 0				/* setup_data */
	.quad start			/* pref_address */
	.long init_size			/* init_size */
	.long 0				/* handover_offset */
	.long 0				/* kernel_info_offset */
header_end:
	.org 0x400

	.section .head, "ax"
	.globl start
	.code32
start:
	hlt
	jmp start

	.org 0x200
	.code64
	.globl entry
entry:
	cli
	cld
	mov %rsi, %rdx
	/* As any kernel that is not relocatable: move to where it is linked. */
	lea start(%rip), %rsi
	mov $start, %rdi
	cmp %rsi, %rdi
	je 1f
	mov $image_end, %rcx
	sub %rdi, %rcx
	rep movsb
1:	mov $2f, %rax
	jmp *%rax

2:	mov $image_end, %rdi
	mov $bss_end, %rcx
	sub %rdi, %rcx
	xor %eax, %eax
	rep stosb
	mov $stack_end, %rsp
	lgdt gdt_pointer
	push $8
	push $3f
	lretq
3:	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %rdx, %rdi
	call main
4:	hlt
	jmp 4b

/* Of these the CPU has pushed an error code. */
#define ERROR_CODES	0x60227d00

	.align 16
	.globl exception_entries
exception_entries:
	.set vector, 0
	.rept 32
	.align 16
	.if !((ERROR_CODES >> vector) & 1)
	push $0
	.endif
	push $vector
	jmp exception_common
	.set vector, vector + 1
	.endr

exception_common:
	mov %rsp, %rdi
	and $-16, %rsp
	call handle_exception

	.section .data
	.align 8
gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* code, 64 bits */
	.quad 0x00cf93000000ffff	/* data */
gdt_pointer:
	.word . - gdt - 1
	.quad gdt

	.section .bss
	.align 16
	.skip 65536
stack_end:

	.section .note.GNU-stack, "", @progbits
