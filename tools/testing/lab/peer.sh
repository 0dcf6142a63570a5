# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Fetches QEMU 10, to compare with, from the backports of this machine's release:
# unpacked into the cache, with the libraries and the firmware that it needs, and not
# installed. It runs in the emulated host.
#
#   <cache>/peers/qemu/version   the package's version
#                      root/     the program and all that it needs, in one directory

peer_dir() { printf '%s/peers/qemu' "$LAB_CACHE"; }

# Of the packages' data; pvh.bin is for kernels that boot so.
peer_firmware=(seabios/bios-256k.bin qemu/kvmvapic.bin qemu/linuxboot_dma.bin qemu/pvh.bin)

# The packages, as name=version: QEMU and what a machine without any package would have
# installed with it, but for what is no library.
peer_packages() {
	apt_lab apt-get -s install --no-install-recommends -t "$(codename)-backports" \
		qemu-system-x86 2>>"$LAB_CACHE/log/fetch.log" | awk '
		$1 == "Inst" && ($2 ~ /^(lib|zlib1g|seabios|qemu-system)/) {
			sub(/^\(/, "", $3); print $2 "=" $3
		}'
}

# libraries_of FILE...: the names of those that they are linked to.
libraries_of() {
	readelf -d "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u
}

# copy_with_libraries PROGRAM ROOT INTO: from the unpacked packages in ROOT.
copy_with_libraries() {
	local root=$2 into=$3 name file
	local -a new=("$1") names

	cp "$1" "$into/" || return
	while [[ ${#new[@]} -gt 0 ]]; do
		mapfile -t names < <(libraries_of "${new[@]}")
		new=()
		for name in "${names[@]}"; do
			[[ ! -e $into/$name ]] || continue
			file=$(compgen -G "$root/lib/x86_64-linux-gnu/$name" ||
				compgen -G "$root/usr/lib/x86_64-linux-gnu/$name") || {
				printf 'no package has %s\n' "$name" >&2
				return 1
			}
			cp -L "$file" "$into/" || return
			new+=("$into/$name")
		done
	done
}

# unpack_peer INTO: the packages are in debs/.
unpack_peer() {
	local into=$1 all=$1/all deb file

	mkdir -p "$into/root" || return
	for deb in "$into"/debs/*.deb; do
		dpkg -x "$deb" "$all" || return
	done
	copy_with_libraries "$all/usr/bin/qemu-system-x86_64" "$all" "$into/root" || return
	for file in "${peer_firmware[@]}"; do
		cp "$all/usr/share/$file" "$into/root/" || return
	done
	rm -rf "$all" "$into/debs"
}

# fetch_peer: into the cache, unless it is there. Fails, and says why, if it cannot be had;
# what it is for can do without.
fetch_peer() (
	log=$LAB_CACHE/log/peer.log
	dir=$(peer_dir)
	[[ ! -e $dir/version ]] || return 0

	is_debian || die_environment "QEMU 10 is fetched with apt, and this is no Debian"
	take_lock "$LAB_CACHE/lock" lab "the cache"
	[[ ! -e $dir/version ]] || return 0
	update_lists
	mapfile -t packages < <(peer_packages)
	version=$(printf '%s\n' "${packages[@]}" | sed -n 's/^qemu-system-x86=//p')
	[[ $version =~ ^([0-9]+:)?1[0-9]\. ]] || die_environment \
		"the backports of Debian $(codename) have no QEMU 10${version:+, but $version}"

	say lab "fetching QEMU $version, in ${#packages[@]} packages"
	# What a run that was killed left.
	rm -rf "$LAB_CACHE"/peers/.qemu.*
	tmp=$LAB_CACHE/peers/.qemu.$$
	trap 'rm -rf "$tmp"' EXIT
	# Step by step: where a caller asks whether this fails, bash does not stop at errors.
	# Published by one rename, as the kernels are.
	if ! { mkdir -p "$tmp/debs" && cd "$tmp/debs" && apt_lab apt-get download "${packages[@]}" &&
	       unpack_peer "$tmp" && printf '%s\n' "$version" >"$tmp/version" &&
	       mv "$tmp" "$dir"; } >"$log" 2>&1; then
		show_log "$log"
		die_environment "QEMU $version cannot be fetched or unpacked" \
			"Is the network there, and room in $LAB_CACHE?"
	fi
)
