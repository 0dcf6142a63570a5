# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The stock guest: what the emulated host boots under a VMM. The kernel is Debian's own
# of the same series, with its own virtio drivers; the initrd is the lab's.

guest_dir() { printf '%s/guest' "$(kernel_build_dir "$1")"; }

# What is debugged is the host.
guest_series() {
	case $1 in
	debug) printf 6.12 ;;
	*) printf '%s' "$1" ;;
	esac
}

# Besides what they depend on.
guest_modules=(virtio_mmio virtio_pci virtio_mem virtio-rng)

# build_guest SERIES: bzImage and initrd, in build/<series>/guest/.
build_guest() {
	local series dir root

	dir=$(guest_dir "$1")
	series=$(guest_series "$1")
	root=$dir/root
	rm -rf "$dir"
	mkdir -p "$root"/{bin,dev,proc,sys,tmp}
	pack_modules "$series" "$root" "${guest_modules[@]}"
	pack_busybox "$series" "$root"
	cp "$LAB_ROOT/tools/testing/guest/init" "$root/init"
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -static -o "$root/bin/memory" \
		"$LAB_ROOT/tools/testing/guest/memory.c" ||
		die_environment "the guest's program does not build"
	strip "$root/bin/memory"
	pack_cpio "$root" "$dir/initrd"
	cp "$(kernel_dir "$series")/root/boot/vmlinuz-$(kernel_release "$series")" "$dir/bzImage"
}

# build_mini SERIES: the miniature guest kernel, build/<series>/mini/mini.
build_mini() {
	local series=$1 log

	log=$(kernel_build_dir "$series")/mini.log
	if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory \
		-C "$LAB_ROOT/tools/testing/guest/mini" OUT="$(kernel_build_dir "$series")/mini" \
		KHDR="$(kernel_dir "$series")/uapi" -j"$(nproc)" all >"$log" 2>&1; then
		show_log "$log"
		die_environment "the miniature guest kernel does not build"
	fi
}
