// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/kvm_vmem/vmemN: the operator's view of a device. One value a file;
 * sizes in bytes. What may be written takes the suffixes k, M, G and T. The
 * files are documented in Documentation/ABI/testing/sysfs-class-kvm-vmem.
 */
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/idr.h>
#include <linux/kstrtox.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "kvm_vmem.h"

static DEFINE_IDA(kvm_vmem_ida);

/* A number and at most one suffix; memparse() would let overflows pass. */
static int kvm_vmem_parse_size(const char *buf, u64 *size)
{
	static const char suffixes[] = "kmgt";
	unsigned int shift = 0;
	const char *suffix;
	char number[32];
	size_t len;

	if (strscpy(number, buf, sizeof(number)) < 0)
		return -EINVAL;
	strim(number);
	len = strlen(number);
	suffix = len ? strchr(suffixes, tolower(number[len - 1])) : NULL;
	if (suffix) {
		shift = 10 * (suffix - suffixes + 1);
		number[len - 1] = '\0';
	}

	/* kstrtou64() takes a sign. */
	if (!isdigit(number[0]))
		return -EINVAL;
	if (kstrtou64(number, 0, size) ||
	    check_shl_overflow(*size, shift, size))
		return -EINVAL;
	return 0;
}

#define KVM_VMEM_SHOW(_name, _format, _value)				\
static ssize_t _name##_show(struct device *sysfs,			\
			    struct device_attribute *attr, char *buf)	\
{									\
	struct kvm_vmem *dev = dev_get_drvdata(sysfs);			\
									\
	return sysfs_emit(buf, _format "\n", _value);			\
}

#define KVM_VMEM_ATTR_RO(_name, _format, _value)			\
static ssize_t _name##_show(struct device *sysfs,			\
			    struct device_attribute *attr, char *buf);	\
static DEVICE_ATTR_RO(_name);						\
KVM_VMEM_SHOW(_name, _format, _value)

/* Settled before the files exist. */
KVM_VMEM_ATTR_RO(label, "%s", dev->label)
KVM_VMEM_ATTR_RO(addr, "0x%llx", dev->grid.addr)
KVM_VMEM_ATTR_RO(region_size, "%llu", dev->grid.region_size)
KVM_VMEM_ATTR_RO(block_size, "%llu", kvm_vmem_grid_block_size(&dev->grid))
KVM_VMEM_ATTR_RO(node_id, "%u", dev->node_id)
/* Read without the lock: one number at a time is never torn. */
KVM_VMEM_ATTR_RO(size, "%llu", READ_ONCE(dev->size))
KVM_VMEM_ATTR_RO(usable_region_size, "%llu",
		 READ_ONCE(dev->usable_region_size))
KVM_VMEM_ATTR_RO(memslots_total, "%u", READ_ONCE(dev->grid.nb_memslots))
KVM_VMEM_ATTR_RO(memslots_active, "%u", READ_ONCE(dev->nb_active))
KVM_VMEM_ATTR_RO(memslots_idle, "%u", READ_ONCE(dev->nb_idle))
KVM_VMEM_ATTR_RO(frozen, "%u", READ_ONCE(dev->frozen))
KVM_VMEM_ATTR_RO(dirty_log, "%u", READ_ONCE(dev->dirty_log))

/* ATTACH may change the grid in steps. */
static ssize_t memslot_size_show(struct device *sysfs,
				 struct device_attribute *attr, char *buf)
{
	struct kvm_vmem *dev = dev_get_drvdata(sysfs);
	u64 memslot_size;

	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	memslot_size = kvm_vmem_grid_size_of(&dev->grid, 0);
	mutex_unlock(&dev->lock);
	return sysfs_emit(buf, "%llu\n", memslot_size);
}
static DEVICE_ATTR_RO(memslot_size);

/* As the reader's pid namespace knows it; 0 if it does not, or before ATTACH. */
static ssize_t pid_show(struct device *sysfs, struct device_attribute *attr,
			char *buf)
{
	struct kvm_vmem *dev = dev_get_drvdata(sysfs);
	pid_t pid = 0;

	/* Pairs with the smp_store_release() of ATTACH. */
	if (smp_load_acquire(&dev->attached))
		pid = pid_vnr(dev->pid);
	return sysfs_emit(buf, "%d\n", pid);
}
static DEVICE_ATTR_RO(pid);

KVM_VMEM_SHOW(requested_size, "%llu", READ_ONCE(dev->requested_size))

static ssize_t requested_size_store(struct device *sysfs,
				    struct device_attribute *attr,
				    const char *buf, size_t count)
{
	struct kvm_vmem *dev = dev_get_drvdata(sysfs);
	u64 requested_size;
	int ret;

	ret = kvm_vmem_parse_size(buf, &requested_size);
	if (ret)
		return ret;
	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	ret = kvm_vmem_set_requested_size(dev, requested_size);
	mutex_unlock(&dev->lock);
	return ret ?: count;
}
static DEVICE_ATTR_RW(requested_size);

KVM_VMEM_SHOW(retire_delay_ms, "%u", READ_ONCE(dev->retire_delay_ms))

static ssize_t retire_delay_ms_store(struct device *sysfs,
				     struct device_attribute *attr,
				     const char *buf, size_t count)
{
	struct kvm_vmem *dev = dev_get_drvdata(sysfs);
	int ret;

	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	ret = kstrtouint(buf, 0, &dev->retire_delay_ms);
	/* Those that are idle already wait for the new time. */
	if (!ret)
		kvm_vmem_memslots_retire_later(dev);
	mutex_unlock(&dev->lock);
	return ret ?: count;
}
static DEVICE_ATTR_RW(retire_delay_ms);

/* Writing 1 takes idle memslots from KVM now. */
static ssize_t retire_store(struct device *sysfs,
			    struct device_attribute *attr, const char *buf,
			    size_t count)
{
	struct kvm_vmem *dev = dev_get_drvdata(sysfs);
	unsigned int retire;

	/* kstrtobool() takes whatever begins with what it knows. */
	if (kstrtouint(buf, 10, &retire) || retire > 1)
		return -EINVAL;
	/* Pairs with the smp_store_release() of ATTACH. */
	if (!retire || !smp_load_acquire(&dev->attached))
		return count;
	mod_delayed_work(kvm_vmem_wq, &dev->retire_work, 0);
	flush_delayed_work(&dev->retire_work);
	return count;
}
static DEVICE_ATTR_WO(retire);

/* User backing is the VMM's, and counted with its process. */
KVM_VMEM_ATTR_RO(resident, "%llu",
		 kvm_vmem_is_protected(dev) ?
			 kvm_vmem_protected_resident(dev) : 0)
KVM_VMEM_ATTR_RO(violations, "%llu", (u64)atomic64_read(&dev->violations))
KVM_VMEM_ATTR_RO(last_violation, "0x%llx", READ_ONCE(dev->last_violation))
KVM_VMEM_ATTR_RO(discard_pending, "%llu", READ_ONCE(dev->discard_pending))

/*
 * A bit for each block, set if it is plugged. sysfs reads a page at most at a
 * time; that much is of one moment.
 */
static ssize_t plugged_blocks_read(struct file *file, struct kobject *kobj,
				   BIN_ATTRIBUTE_CONST struct bin_attribute *attr,
				   char *buf, loff_t pos, size_t count)
{
	struct kvm_vmem *dev = dev_get_drvdata(kobj_to_dev(kobj));
	struct kvm_vmem_range range;
	u64 nb_blocks, size;

	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	nb_blocks = kvm_vmem_grid_all(&dev->grid).nb;
	size = DIV_ROUND_UP(nb_blocks, BITS_PER_BYTE);
	count = pos < size ? min_t(u64, count, size - pos) : 0;
	if (count) {
		range.first = pos * BITS_PER_BYTE;
		range.nb = min_t(u64, count * BITS_PER_BYTE,
				 nb_blocks - range.first);
		kvm_vmem_memslots_get_bitmap(dev, range, buf);
	}
	mutex_unlock(&dev->lock);
	return count;
}
static BIN_ATTR_RO(plugged_blocks, 0);

static struct attribute *kvm_vmem_attrs[] = {
	&dev_attr_label.attr,
	&dev_attr_pid.attr,
	&dev_attr_addr.attr,
	&dev_attr_region_size.attr,
	&dev_attr_block_size.attr,
	&dev_attr_node_id.attr,
	&dev_attr_size.attr,
	&dev_attr_requested_size.attr,
	&dev_attr_usable_region_size.attr,
	&dev_attr_memslot_size.attr,
	&dev_attr_memslots_total.attr,
	&dev_attr_memslots_active.attr,
	&dev_attr_memslots_idle.attr,
	&dev_attr_frozen.attr,
	&dev_attr_dirty_log.attr,
	&dev_attr_retire_delay_ms.attr,
	&dev_attr_retire.attr,
	&dev_attr_resident.attr,
	&dev_attr_discard_pending.attr,
	&dev_attr_violations.attr,
	&dev_attr_last_violation.attr,
	NULL
};

static BIN_ATTRIBUTE_CONST struct bin_attribute *kvm_vmem_bin_attrs[] = {
	&bin_attr_plugged_blocks,
	NULL
};

static const struct attribute_group kvm_vmem_group = {
	.attrs = kvm_vmem_attrs,
	.bin_attrs = kvm_vmem_bin_attrs,
};

KVM_VMEM_ATTR_RO(acks, "%llu", READ_ONCE(dev->counters[KVM_VMEM_COUNT_ACK]))
KVM_VMEM_ATTR_RO(nacks, "%llu", READ_ONCE(dev->counters[KVM_VMEM_COUNT_NACK]))
KVM_VMEM_ATTR_RO(busies, "%llu", READ_ONCE(dev->counters[KVM_VMEM_COUNT_BUSY]))
KVM_VMEM_ATTR_RO(errors, "%llu",
		 READ_ONCE(dev->counters[KVM_VMEM_COUNT_ERROR]))
KVM_VMEM_ATTR_RO(kvm_calls, "%llu",
		 READ_ONCE(dev->counters[KVM_VMEM_COUNT_KVM_CALL]))

static struct attribute *kvm_vmem_counter_attrs[] = {
	&dev_attr_acks.attr,
	&dev_attr_nacks.attr,
	&dev_attr_busies.attr,
	&dev_attr_errors.attr,
	&dev_attr_kvm_calls.attr,
	NULL
};

static const struct attribute_group kvm_vmem_counter_group = {
	.name = "counters",
	.attrs = kvm_vmem_counter_attrs,
};

static const struct attribute_group *kvm_vmem_groups[] = {
	&kvm_vmem_group,
	&kvm_vmem_counter_group,
	NULL
};

static struct class kvm_vmem_class = {
	.name = "kvm_vmem",
};

/**
 * kvm_vmem_sysfs_add - show a device to the operator, and number it
 * @dev: the device
 *
 * Return: 0 or an errno.
 */
int kvm_vmem_sysfs_add(struct kvm_vmem *dev)
{
	struct device *sysfs;

	dev->id = ida_alloc(&kvm_vmem_ida, GFP_KERNEL);
	if (dev->id < 0)
		return dev->id;
	sysfs = device_create_with_groups(&kvm_vmem_class, NULL, MKDEV(0, 0),
					  dev, kvm_vmem_groups, "vmem%d",
					  dev->id);
	if (IS_ERR(sysfs)) {
		ida_free(&kvm_vmem_ida, dev->id);
		return PTR_ERR(sysfs);
	}
	dev->sysfs = sysfs;
	return 0;
}

/**
 * kvm_vmem_sysfs_remove - take a device from the operator's view
 * @dev: the device; its lock is not held, as readers and writers of the files
 *	take it and are waited for
 */
void kvm_vmem_sysfs_remove(struct kvm_vmem *dev)
{
	device_unregister(dev->sysfs);
	ida_free(&kvm_vmem_ida, dev->id);
}

int __init kvm_vmem_sysfs_init(void)
{
	return class_register(&kvm_vmem_class);
}

void kvm_vmem_sysfs_exit(void)
{
	class_unregister(&kvm_vmem_class);
	ida_destroy(&kvm_vmem_ida);
}
