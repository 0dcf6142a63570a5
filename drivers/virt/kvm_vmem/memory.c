// SPDX-License-Identifier: GPL-2.0
/*
 * A file of a device's memory and nothing else, for who is to have the memory but
 * not the say: a vhost-user back end that is broken into could otherwise plug what
 * the guest was not given, or take away what it was.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/module.h>

#include "kvm_vmem.h"

static int kvm_vmem_memory_release(struct inode *inode, struct file *file)
{
	kvm_vmem_put(file->private_data);
	return 0;
}

static const struct file_operations kvm_vmem_memory_fops = {
	.owner = THIS_MODULE,
	.release = kvm_vmem_memory_release,
	.llseek = kvm_vmem_protected_llseek,
	.mmap = kvm_vmem_protected_mmap,
	.get_unmapped_area = kvm_vmem_protected_get_unmapped_area,
};

/**
 * kvm_vmem_get_memory_fd - KVM_VMEM_GET_MEMORY_FD
 * @dev: the device
 * @cmd: its argument; the file descriptor is reserved
 * @new: the file for it. Its caller installs it, or puts both
 *
 * Like a mapping, the file outlives the device and finds all blocks unplugged then.
 *
 * Return: as documented for the ioctl.
 */
int kvm_vmem_get_memory_fd(struct kvm_vmem *dev,
			   struct kvm_vmem_get_memory_fd *cmd,
			   struct file **new)
{
	struct file *file;
	int fd;

	lockdep_assert_held(&dev->lock);
	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if (!kvm_vmem_is_protected(dev))
		return -EOPNOTSUPP;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = anon_inode_getfile("kvm-vmem-memory", &kvm_vmem_memory_fops, dev,
				  O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	kvm_vmem_get(dev);
	file->f_mode |= FMODE_LSEEK;
	cmd->out_fd = fd;
	*new = file;
	return 0;
}
