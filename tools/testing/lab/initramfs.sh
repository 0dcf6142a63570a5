# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Packs what the emulated host boots into: busybox, KVM's modules, ours, and the
# programs to run. Needs no root's rights.

# Besides what they depend on.
lab_modules=(kvm kvm_amd kvm_intel)

# pack_modules SERIES INTO NAME...: the kernel's own modules, with what they depend on.
pack_modules() {
	local series=$1 into=$2 release module file
	local -a files=()

	shift 2
	release=$(kernel_release "$series")
	mkdir -p "$into/lib/modules/$release"
	for module in "$@"; do
		# -C: not this machine's configuration.
		mapfile -t -O "${#files[@]}" files < <(modprobe -C /dev/null \
			-d "$(kernel_dir "$series")/root" -S "$release" --show-depends "$module" |
			awk '$1 == "insmod" { print $2 }')
	done
	for file in "${files[@]}"; do
		cp -n "$file" "$into/lib/modules/$release/"
	done
	# Inside, busybox loads them.
	find "$into/lib/modules" -name '*.ko.xz' -exec xz -d {} +
	cp "$(kernel_dir "$series")"/root/lib/modules/"$release"/modules.{order,builtin,builtin.modinfo} \
		"$into/lib/modules/$release/"
	depmod -b "$into" "$release"
}

# pack_busybox SERIES ROOT
pack_busybox() {
	mkdir -p "$2/bin"
	cp "$(kernel_dir "$1")/root/bin/busybox" "$2/bin/busybox"
	ln -sf busybox "$2/bin/sh"
}

# pack_cpio ROOT IMAGE
pack_cpio() {
	chmod 755 "$1/init"
	(cd "$1" && find . -print0 | cpio --null --quiet -o -H newc -R 0:0) >"$2"
}

# pack_initramfs SERIES ROOT IMAGE: ROOT has what is particular to this run.
pack_initramfs() {
	local series=$1 root=$2 image=$3

	mkdir -p "$root"/{bin,dev,proc,sys,tmp,etc,lab}
	pack_busybox "$series" "$root"
	cp "$LAB_DIR/init" "$root/init"
	pack_cpio "$root" "$image"
}
