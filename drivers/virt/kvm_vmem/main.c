// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-vmem: virtio-mem memory hotplug for KVM VMs. The module, /dev/kvm-vmem
 * and its file operations.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvm_vmem.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/*
 * What every device needs sooner or later: retirement, news for sysfs, the end. No
 * work here waits for a VMM, or a few could keep those of all others waiting.
 *
 * Frozen when the host suspends or hibernates, with the processes: retirement may
 * swap in, and punch holes into user backing, whose file system must not change
 * once the image for hibernation is made.
 */
struct workqueue_struct *kvm_vmem_wq;

/*
 * Requests of other processes, which wait for the device's lock. Not frozen, as its
 * work is over before its callers are.
 */
struct workqueue_struct *kvm_vmem_request_wq;

unsigned int kvm_vmem_memslot_limit = 4096;

static int kvm_vmem_set_memslot_limit(const char *val,
				      const struct kernel_param *kp)
{
	/* KVM numbers memslots in 16 bits. */
	return param_set_uint_minmax(val, kp, 1, U16_MAX);
}

static const struct kernel_param_ops kvm_vmem_memslot_limit_ops = {
	.set = kvm_vmem_set_memslot_limit,
	.get = param_get_uint,
};

module_param_cb(memslot_limit, &kvm_vmem_memslot_limit_ops,
		&kvm_vmem_memslot_limit, 0644);
MODULE_PARM_DESC(memslot_limit,
		 "Soft limit to the number of memslots that all devices of a VM use together, 1 to 65535 (default 4096). Changes hold for devices set up and attached afterwards.");

unsigned int kvm_vmem_retire_delay_ms = 1000;
module_param_named(retire_delay_ms, kvm_vmem_retire_delay_ms, uint, 0644);
MODULE_PARM_DESC(retire_delay_ms,
		 "How long in milliseconds a device must be quiet before its idle memslots are taken from KVM (default 1000). New devices begin with it.");

union kvm_vmem_cmd {
	/* Where all begin. */
	struct kvm_vmem_action action;
	struct kvm_vmem_setup setup;
	struct kvm_vmem_attach attach;
	struct kvm_vmem_request request;
	struct kvm_vmem_get_config get_config;
	struct kvm_vmem_set_requested_size set_requested_size;
	struct kvm_vmem_set_eventfd set_eventfd;
	struct kvm_vmem_get_info get_info;
	struct kvm_vmem_get_memslots get_memslots;
	struct kvm_vmem_get_bitmap get_bitmap;
	struct kvm_vmem_set_bitmap set_bitmap;
	struct kvm_vmem_get_dirty_log get_dirty_log;
	struct kvm_vmem_get_memory_fd get_memory_fd;
};

struct kvm_vmem_ioctl_op;

struct kvm_vmem_ioctl {
	struct kvm_vmem *dev;
	struct task_struct *caller;
	const struct kvm_vmem_ioctl_op *op;
	/* Where @cmd was read. */
	void __user *uarg;
	/* What the file descriptor in the answer is reserved for. */
	struct file *file;
	union kvm_vmem_cmd cmd;
};

static int kvm_vmem_ioctl_setup(struct kvm_vmem *dev, union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_setup(dev, &cmd->setup);
}

static int kvm_vmem_ioctl_attach(struct kvm_vmem *dev, union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_attach(dev, &cmd->attach);
}

static int kvm_vmem_ioctl_plug(struct kvm_vmem *dev, union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_plug(dev, &cmd->request);
}

static int kvm_vmem_ioctl_unplug(struct kvm_vmem *dev, union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_unplug(dev, &cmd->request);
}

static int kvm_vmem_ioctl_unplug_all(struct kvm_vmem *dev,
				     union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_unplug_all(dev, &cmd->request);
}

static int kvm_vmem_ioctl_state(struct kvm_vmem *dev, union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_state(dev, &cmd->request);
}

static int kvm_vmem_ioctl_get_config(struct kvm_vmem *dev,
				     union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_get_config(dev, &cmd->get_config);
}

static int kvm_vmem_ioctl_set_requested_size(struct kvm_vmem *dev,
					     union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_set_requested_size(dev,
					   cmd->set_requested_size.requested_size);
}

static int kvm_vmem_ioctl_set_eventfd(struct kvm_vmem *dev,
				      union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_set_eventfd(dev, &cmd->set_eventfd);
}

static int kvm_vmem_ioctl_get_info(struct kvm_vmem *dev,
				   union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_get_info(dev, &cmd->get_info);
}

static int kvm_vmem_ioctl_get_memslots(struct kvm_vmem *dev,
				       union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_get_memslots(dev, &cmd->get_memslots);
}

static int kvm_vmem_ioctl_reset(struct kvm_vmem *dev, union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_reset(dev);
}

static int kvm_vmem_ioctl_prepare_remove(struct kvm_vmem *dev,
					 union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_prepare_remove(dev, cmd->action.flags);
}

static int kvm_vmem_ioctl_get_bitmap(struct kvm_vmem *dev,
				     union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_get_bitmap(dev, &cmd->get_bitmap);
}

static int kvm_vmem_ioctl_set_bitmap(struct kvm_vmem *dev,
				     union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_set_bitmap(dev, &cmd->set_bitmap);
}

static int kvm_vmem_ioctl_freeze(struct kvm_vmem *dev, union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_freeze(dev, true);
}

static int kvm_vmem_ioctl_thaw(struct kvm_vmem *dev, union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_freeze(dev, false);
}

static int kvm_vmem_ioctl_set_dirty_log(struct kvm_vmem *dev,
					union kvm_vmem_cmd *cmd)
{
	return kvm_vmem_set_dirty_log(dev, cmd->action.flags);
}

static int kvm_vmem_ioctl_get_dirty_log(struct kvm_vmem *dev,
					union kvm_vmem_cmd *cmd)
{
	struct kvm_vmem_ioctl *ioctl =
		container_of(cmd, struct kvm_vmem_ioctl, cmd);

	return kvm_vmem_get_dirty_log(dev, &cmd->get_dirty_log, ioctl->uarg);
}

static int kvm_vmem_ioctl_get_memory_fd(struct kvm_vmem *dev,
					union kvm_vmem_cmd *cmd)
{
	struct kvm_vmem_ioctl *ioctl =
		container_of(cmd, struct kvm_vmem_ioctl, cmd);

	return kvm_vmem_get_memory_fd(dev, &cmd->get_memory_fd, &ioctl->file);
}

/* What a device must have been through before an ioctl. */
enum kvm_vmem_stage {
	KVM_VMEM_STAGE_OPEN,
	KVM_VMEM_STAGE_SET_UP,
	KVM_VMEM_STAGE_ATTACHED,
	/* And the ioctl takes the lock itself: it copies much from or to the caller. */
	KVM_VMEM_STAGE_UNLOCKED,
	/* And the ioctl runs in the address space of the VM's process. */
	KVM_VMEM_STAGE_IN_VM,
};

struct kvm_vmem_ioctl_op {
	unsigned int size;
	unsigned int min_size;
	unsigned int cmd;
	/* Those that are known. */
	u32 flags;
	enum kvm_vmem_stage stage;
	/* Has ``out_`` members, to be written when it is done. */
	bool out;
	int (*execute)(struct kvm_vmem *dev, union kvm_vmem_cmd *cmd);
};

#define KVM_VMEM_OP(_cmd, _fn, _struct, _last, _flags, _stage, _out)	\
	[KVM_VMEM_CMD_##_cmd] = {					\
		.size = sizeof(struct _struct),				\
		.min_size = offsetofend(struct _struct, _last),		\
		.cmd = KVM_VMEM_##_cmd,					\
		.flags = (_flags),					\
		.stage = KVM_VMEM_STAGE_##_stage,			\
		.out = (_out),						\
		.execute = kvm_vmem_ioctl_##_fn,			\
	}

static const struct kvm_vmem_ioctl_op kvm_vmem_ioctl_ops[] = {
	KVM_VMEM_OP(SETUP, setup, kvm_vmem_setup, out_id,
		    KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS |
		    KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE |
		    KVM_VMEM_SETUP_PREALLOC |
		    KVM_VMEM_SETUP_USER_BACKING, OPEN, true),
	KVM_VMEM_OP(ATTACH, attach, kvm_vmem_attach, out_first_memslot_id,
		    0, SET_UP, true),
	KVM_VMEM_OP(PLUG, plug, kvm_vmem_request, out_state, 0, IN_VM, true),
	KVM_VMEM_OP(UNPLUG, unplug, kvm_vmem_request, out_state,
		    KVM_VMEM_UNPLUG_SYNC, IN_VM, true),
	KVM_VMEM_OP(UNPLUG_ALL, unplug_all, kvm_vmem_request, out_state,
		    KVM_VMEM_UNPLUG_SYNC, IN_VM, true),
	KVM_VMEM_OP(STATE, state, kvm_vmem_request, out_state, 0, ATTACHED,
		    true),
	KVM_VMEM_OP(GET_CONFIG, get_config, kvm_vmem_get_config, __reserved1,
		    0, SET_UP, true),
	KVM_VMEM_OP(SET_REQUESTED_SIZE, set_requested_size,
		    kvm_vmem_set_requested_size, requested_size, 0, SET_UP,
		    false),
	KVM_VMEM_OP(SET_EVENTFD, set_eventfd, kvm_vmem_set_eventfd, fd,
		    KVM_VMEM_EVENTFD_DEASSIGN, SET_UP, false),
	KVM_VMEM_OP(GET_INFO, get_info, kvm_vmem_get_info, out_label, 0, SET_UP,
		    true),
	KVM_VMEM_OP(GET_MEMSLOTS, get_memslots, kvm_vmem_get_memslots, memslots,
		    0, UNLOCKED, true),
	KVM_VMEM_OP(GET_BITMAP, get_bitmap, kvm_vmem_get_bitmap, bitmap, 0,
		    UNLOCKED, false),
	KVM_VMEM_OP(SET_BITMAP, set_bitmap, kvm_vmem_set_bitmap, bitmap, 0,
		    UNLOCKED, false),
	KVM_VMEM_OP(FREEZE, freeze, kvm_vmem_action, flags, 0, SET_UP, false),
	KVM_VMEM_OP(THAW, thaw, kvm_vmem_action, flags, 0, SET_UP, false),
	KVM_VMEM_OP(SET_DIRTY_LOG, set_dirty_log, kvm_vmem_action, flags,
		    KVM_VMEM_DIRTY_LOG_ENABLE |
		    KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT, IN_VM, false),
	/* Answers itself. */
	KVM_VMEM_OP(GET_DIRTY_LOG, get_dirty_log, kvm_vmem_get_dirty_log,
		    out_nb_dirty, 0, UNLOCKED, false),
	KVM_VMEM_OP(GET_MEMORY_FD, get_memory_fd, kvm_vmem_get_memory_fd,
		    __reserved, 0, SET_UP, true),
	KVM_VMEM_OP(RESET, reset, kvm_vmem_action, flags, 0, IN_VM, false),
	KVM_VMEM_OP(PREPARE_REMOVE, prepare_remove, kvm_vmem_action, flags,
		    KVM_VMEM_PREPARE_REMOVE_CANCEL, SET_UP, false),
};

static int kvm_vmem_execute(void *arg)
{
	struct kvm_vmem_ioctl *ioctl = arg;
	struct kvm_vmem *dev = ioctl->dev;
	int ret;

	if (mutex_lock_killable(&dev->lock))
		return -EINTR;
	dev->caller = ioctl->caller;
	if (ioctl->op->stage > KVM_VMEM_STAGE_OPEN && !kvm_vmem_is_setup(dev)) {
		ret = -ENODEV;
	} else {
		ret = ioctl->op->execute(dev, &ioctl->cmd);
		/* The others have tracepoints of their own. */
		if (ioctl->op->size == sizeof(ioctl->cmd.action))
			trace_kvm_vmem_action(dev, _IOC_NR(ioctl->op->cmd),
					      ioctl->cmd.action.flags, ret);
	}
	mutex_unlock(&dev->lock);
	return ret;
}

static int kvm_vmem_run_ioctl(struct kvm_vmem_ioctl *ioctl)
{
	struct kvm_vmem *dev = ioctl->dev;

	if (ioctl->op->stage < KVM_VMEM_STAGE_ATTACHED)
		return kvm_vmem_execute(ioctl);
	/* Pairs with the smp_store_release() of ATTACH. */
	if (!smp_load_acquire(&dev->attached))
		return -ENODEV;
	if (ioctl->op->stage == KVM_VMEM_STAGE_UNLOCKED)
		return ioctl->op->execute(dev, &ioctl->cmd);
	if (ioctl->op->stage < KVM_VMEM_STAGE_IN_VM)
		return kvm_vmem_execute(ioctl);
	return kvm_vmem_vm_run(dev->vm, kvm_vmem_request_wq, kvm_vmem_execute,
			       ioctl);
}

/* A file is the caller's when it knows the file descriptor, and not before. */
static int kvm_vmem_answer(struct kvm_vmem_ioctl *ioctl, size_t size)
{
	int fd = ioctl->cmd.get_memory_fd.out_fd;

	if (size && copy_to_user(ioctl->uarg, &ioctl->cmd, size)) {
		if (ioctl->file) {
			put_unused_fd(fd);
			fput(ioctl->file);
		}
		return -EFAULT;
	}
	if (ioctl->file)
		fd_install(fd, ioctl->file);
	return 0;
}

static long kvm_vmem_fops_ioctl(struct file *file, unsigned int cmd,
				unsigned long arg)
{
	struct kvm_vmem_ioctl ioctl = {
		.dev = file->private_data,
		.caller = current,
		.uarg = (void __user *)arg,
	};
	unsigned int nr = _IOC_NR(cmd);
	size_t out_size;
	u32 user_size;
	int ret;

	if (nr >= ARRAY_SIZE(kvm_vmem_ioctl_ops) ||
	    kvm_vmem_ioctl_ops[nr].cmd != cmd)
		return -ENOTTY;
	ioctl.op = &kvm_vmem_ioctl_ops[nr];

	if (get_user(user_size, (u32 __user *)ioctl.uarg))
		return -EFAULT;
	if (user_size < ioctl.op->min_size)
		return -EINVAL;
	/* What is beyond has to be looked through for zeros. */
	if (user_size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&ioctl.cmd, ioctl.op->size, ioctl.uarg,
				    user_size);
	if (ret)
		return ret;
	if (ioctl.cmd.action.flags & ~ioctl.op->flags)
		return -EOPNOTSUPP;

	/* What cannot be answered is not begun: write back what was read. */
	out_size = ioctl.op->out ? min(user_size, ioctl.op->size) : 0;
	if (out_size && copy_to_user(ioctl.uarg, &ioctl.cmd, out_size))
		return -EFAULT;

	ret = kvm_vmem_run_ioctl(&ioctl);
	if (ret == -ERESTARTNOINTR)
		return restart_syscall();
	if (ret && ret != -EMSGSIZE)
		return ret;
	ioctl.cmd.action.size = user_size;
	return kvm_vmem_answer(&ioctl, out_size) ?: ret;
}

static int kvm_vmem_fops_open(struct inode *inode, struct file *file)
{
	struct kvm_vmem *dev = kvm_vmem_create();

	if (!dev)
		return -ENOMEM;
	file->private_data = dev;
	stream_open(inode, file);
	/* There is no position, but something to find. */
	file->f_mode |= FMODE_LSEEK;
	return 0;
}

static int kvm_vmem_fops_release(struct inode *inode, struct file *file)
{
	kvm_vmem_close(file->private_data);
	return 0;
}

static ssize_t kvm_vmem_fops_read(struct file *file, char __user *buf,
				  size_t count, loff_t *ppos)
{
	struct kvm_vmem *dev = file->private_data;
	u64 nb;
	int ret;

	if (count < sizeof(nb))
		return -EINVAL;

	nb = atomic64_xchg(&dev->size_changes, 0);
	if (!nb) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(dev->readers,
					       (nb = atomic64_xchg(&dev->size_changes, 0)));
		if (ret)
			return ret;
	}

	if (put_user(nb, (u64 __user *)buf)) {
		atomic64_add(nb, &dev->size_changes);
		return -EFAULT;
	}
	return sizeof(nb);
}

static __poll_t kvm_vmem_fops_poll(struct file *file, poll_table *wait)
{
	struct kvm_vmem *dev = file->private_data;

	poll_wait(file, &dev->readers, wait);
	return atomic64_read(&dev->size_changes) ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations kvm_vmem_fops = {
	.owner = THIS_MODULE,
	.open = kvm_vmem_fops_open,
	.release = kvm_vmem_fops_release,
	.unlocked_ioctl = kvm_vmem_fops_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = kvm_vmem_fops_read,
	.poll = kvm_vmem_fops_poll,
	.llseek = kvm_vmem_protected_llseek,
	.mmap = kvm_vmem_protected_mmap,
	.get_unmapped_area = kvm_vmem_protected_get_unmapped_area,
};

static struct miscdevice kvm_vmem_miscdev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvm-vmem",
	.fops = &kvm_vmem_fops,
	.mode = 0660,
};

static int __init kvm_vmem_init(void)
{
	int ret;

	kvm_vmem_wq = alloc_workqueue("kvm_vmem", WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!kvm_vmem_wq)
		return -ENOMEM;
	kvm_vmem_request_wq = alloc_workqueue("kvm_vmem_request", WQ_UNBOUND,
					      0);
	if (!kvm_vmem_request_wq) {
		ret = -ENOMEM;
		goto err_wq;
	}
	ret = kvm_vmem_discard_init();
	if (ret)
		goto err_request_wq;
	ret = kvm_vmem_protected_init();
	if (ret)
		goto err_discard;
	ret = kvm_vmem_sysfs_init();
	if (ret)
		goto err_protected;
	kvm_vmem_debugfs_init();

	ret = misc_register(&kvm_vmem_miscdev);
	if (ret)
		goto err_sysfs;
	return 0;

err_sysfs:
	kvm_vmem_debugfs_exit();
	kvm_vmem_sysfs_exit();
err_protected:
	kvm_vmem_protected_exit();
err_discard:
	kvm_vmem_discard_exit();
err_request_wq:
	destroy_workqueue(kvm_vmem_request_wq);
err_wq:
	destroy_workqueue(kvm_vmem_wq);
	return ret;
}

static void __exit kvm_vmem_exit(void)
{
	misc_deregister(&kvm_vmem_miscdev);
	kvm_vmem_debugfs_exit();
	kvm_vmem_sysfs_exit();
	kvm_vmem_protected_exit();
	kvm_vmem_discard_exit();
	destroy_workqueue(kvm_vmem_request_wq);
	destroy_workqueue(kvm_vmem_wq);
}

module_init(kvm_vmem_init);
module_exit(kvm_vmem_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("virtio-mem memory hotplug for KVM virtual machines");
MODULE_SOFTDEP("pre: kvm");
