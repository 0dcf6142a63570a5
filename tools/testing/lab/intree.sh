# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Builds the module where it would be in a kernel tree: in a copy of the debug kernel's.

tree_dir() { printf '%s/tree' "$LAB_BUILD"; }

tree_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$(tree_dir)" -j"$(nproc)" "$@"
}

# What a patch would do: Kbuild and drivers/virt/kvm_vmem/Kconfig say so.
plant_module() {
	local tree

	tree=$(tree_dir)
	rm -rf "$tree"
	mkdir -p "$LAB_BUILD"
	cp -a "$(kernel_dir debug)/source" "$tree"
	(cd "$LAB_ROOT" && cp -r --parents drivers/virt/kvm_vmem include/uapi/linux/kvm_vmem.h "$tree"/)
	# shellcheck disable=SC2016 # make's
	printf '%s\n' 'obj-$(CONFIG_KVM_VMEM) += kvm_vmem/' >>"$tree/drivers/virt/Makefile"
	printf '%s\n' 'source "drivers/virt/kvm_vmem/Kconfig"' >>"$tree/drivers/virt/Kconfig"
}

# build_in_tree y|m [TARGET]: as W=1 has it, what concerns the module. The cache keeps no
# vmlinux.o, without which modpost knows no symbol of the kernel's: that they are all there
# is what the build outside of a tree shows.
build_in_tree() {
	local how=$1 target=${2-} tree log=$LAB_BUILD/tree-$1.log status=0

	tree=$(tree_dir)
	(
		cd "$tree"
		scripts/config --enable VIRT_DRIVERS --set-val KVM "$how" --set-val KVM_AMD "$how" \
			--set-val KVM_INTEL "$how" --set-val KVM_VMEM "$how" --enable KVM_VMEM_KUNIT_TEST
	)
	{
		tree_make olddefconfig &&
			grep -x "CONFIG_KVM_VMEM=$how" "$tree/.config" &&
			grep -x "CONFIG_KVM_VMEM_KUNIT_TEST=y" "$tree/.config" &&
			tree_make modules_prepare &&
			tree_make W=1 KBUILD_MODPOST_WARN=1 "drivers/virt/kvm_vmem/$target"
	} >"$log" 2>&1 || status=$?
	if [[ $status -ne 0 || ! -e $tree/drivers/virt/kvm_vmem/${target:-built-in.a} ]]; then
		show_log "$log"
		return 1
	fi
	grep -v 'undefined!$\|unresolved symbol' "$log" |
		grep -A 5 'kvm_vmem.*\(warning\|error\)\|modpost:' || true
}
