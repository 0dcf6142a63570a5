# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Builds the Debian packages, for "make deb" and for check.

deb_needs() {
	cat <<-'END'
	cmd:dpkg-buildpackage|dpkg-dev|to build Debian packages
	installed:build-essential|build-essential|which each Debian package asks for to be built
	cmd:dh|debhelper|to build Debian packages
	cmd:dh_dkms|dh-dkms|to build Debian packages
	cmd:gcc|gcc|to build the tools
	cmd:iasl|acpica-tools|to compile the ACPI tables of vmem-vmm
	libjson-c.a|libjson-c-dev|for the tools
	END
}

deb=$LAB_BUILD/deb

# What the packages are made of.
deb_sources=(Kbuild Kconfig COPYING Makefile drivers include Documentation/man
	tools/kvm-vmem)

# stage_debs TREE: from the files alone that belong there; there may be objects beside them.
stage_debs() {
	local tree=$1 packaging=$LAB_ROOT/tools/kvm-vmem/packaging version

	version=$(sed -n 's/^VERSION := //p' "$LAB_ROOT/tools/kvm-vmem/version.mk")
	[[ $(dpkg-parsechangelog -l "$packaging/debian/changelog" -S Version) == "$version" ]] || {
		printf 'the changelog is not of version %s\n' "$version" >&2
		return 1
	}
	mkdir -p "$tree"
	(cd "$LAB_ROOT" && find "${deb_sources[@]}" -path tools/kvm-vmem/packaging -prune -o \
		\( -name '*.o' -o -name '*.ko' -o -name '*.mod*' -o -name '.*' \) -o \
		-type f -print0 | xargs -0 cp -p --parents -t "$tree") &&
		cp -rp "$packaging/debian" "$tree/debian"
}

# build_debs INTO
build_debs() {
	local into=$1 log=$deb/build.log tree=$deb/kvm-vmem

	rm -rf "$deb"
	mkdir -p "$deb" "$into"
	stage_debs "$tree" || return
	if ! (cd "$tree" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL LC_ALL=C \
		dpkg-buildpackage -b -us -uc) >"$log" 2>&1; then
		show_log "$log"
		return 1
	fi
	rm -f "$into"/{kvm-vmem,libkvm-vmem}*.deb
	mv "$deb"/*.deb "$into/"
}

# Besides deb_needs, to try the packages.
deb_test_needs() {
	cat <<-'END'
	cmd:lintian|lintian|to check the Debian packages
	cmd:mmdebstrap|mmdebstrap|to make a Debian system to install them on
	cmd:newuidmap|uidmap|to make it without root's rights
	END
}

# What is installed there beforehand: what the packages depend on, and the compiler that
# the kernels' headers ask for. Emulated hosts have no network.
deb_system() {
	printf '%s\n' dkms libc6-dev make openssl pkgconf dwarves libjson-c5 kmod
	kernel_needs "${LAB_SERIES[@]}" | cut -d '|' -f 2
}

deb_system_tar() { printf '%s/systems/%s.tar' "$LAB_CACHE" "$(codename)"; }

# fetch_deb_system: a Debian system of this machine's release, as a tarball in the cache.
fetch_deb_system() (
	tar=$(deb_system_tar)
	[[ ! -e $tar ]] || exit 0
	is_debian || die_environment "a Debian system is made of Debian's packages, and this is no Debian"
	take_lock "$LAB_CACHE/lock" lab "the cache"
	[[ ! -e $tar ]] || exit 0
	update_lists
	say lab "making a Debian system to install packages on"
	mkdir -p "$(dirname "$tar")"
	trap 'rm -f "$tar.new"' EXIT
	packages=$(deb_system | paste -s -d ,)
	# shellcheck disable=SC2016 # the hook's
	if ! mmdebstrap --variant=minbase --include="$packages" --format=tar \
		--customize-hook='cd "$1" && rm -rf usr/share/doc/* usr/share/man/* usr/share/locale/*' \
		"$(codename)" "$tar.new" "$LAB_CACHE/apt/sources.list" \
		>"$LAB_CACHE/log/system.log" 2>&1; then
		show_log "$LAB_CACHE/log/system.log"
		die_environment "mmdebstrap cannot make a Debian system" \
			"Is the network there? Without root's rights it needs user namespaces."
	fi
	mv "$tar.new" "$tar"
)

# What the emulated hosts get.
pack_deb_test() {
	local into=$deb/deb series

	fetch_deb_system >/dev/null || return
	mkdir -p "$into/packages" "$deb/tests"
	ln -sfn "$(deb_system_tar)" "$into/system.tar"
	# Not those with debugging information.
	# shellcheck disable=SC2154 # check's
	cp "$out/packages"/{kvm-vmem-{dkms,tools},libkvm-vmem{0,-dev}}_*.deb "$into/packages/" ||
		return
	for series in "${LAB_SERIES[@]}"; do
		tar -C "$(kernel_dir "$series")/root" -cf "$into/headers-$(kernel_release "$series").tar" \
			usr/src usr/lib || return
	done
	cp "$LAB_DIR/deb_test" "$deb/tests/"
}

run_lintian() {
	lintian --allow-root --info --display-info --pedantic --fail-on error,warning,info,pedantic \
		"$out/packages"/*.deb
}

part_deb() {
	verify "the Debian packages build" build_debs "$out/packages"
	verify "lintian is silent" run_lintian
}

# Apart, as the compiler takes its time in an emulated host.
part_debhost() {
	verify "the Debian packages build, to be installed" build_debs "$out/packages"
	verify "what a Debian system needs can be packed" pack_deb_test
	run_lab "$out/deb" all --from "$deb/tests" --timeout 3000 --add "$deb/deb"
}
