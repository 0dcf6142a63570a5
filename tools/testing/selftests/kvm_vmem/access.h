/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Touching memory that may be out of reach, and looking at what became of it.
 */
#ifndef KVM_VMEM_TEST_ACCESS_H
#define KVM_VMEM_TEST_ACCESS_H

#include <stdint.h>

#include "patience.h"

/* Any thread may. Returns 0, or -SIGBUS or -SIGSEGV. */
int try_read(const void *addr, uint64_t *value);
int try_write(void *addr, uint64_t value);
int try_touch(const void *addr);

/* A file of the device's in sysfs; ~0 if there is none. */
uint64_t device_value(uint32_t id, const char *name);
/* Bytes of shmem that the whole host has; a few MiB off, as it counts lazily. */
uint64_t host_shmem(void);
/* Bytes of a mapping's file that have memory, by mincore(); ~0 if it fails. */
uint64_t cached_bytes(void *addr, uint64_t size);

/* Errors are -errno. */
int parameter_write(const char *name, const char *value);
int parameter_read(const char *name, char *buf, size_t size);

#endif /* KVM_VMEM_TEST_ACCESS_H */
