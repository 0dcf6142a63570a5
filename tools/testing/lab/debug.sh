# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Builds the debug kernel: the source package of a Debian that is newer than this
# machine's, with debug.config, by this machine's compiler; newer headers packages need
# a newer one. It is built once: the cache keeps it by version, configuration and
# compiler, in <cache>/kernels/debug-*, laid out as fetch.sh says, with the tree it was
# built in as source/.

# The kernel, and where to look for it: the newest suites, in which a version stays for
# a while.
debug_version=7.2
debug_suites=(sid stable-backports)
debug_config=$LAB_DIR/debug.config

# Besides lab_needs.
debug_needs() {
	cat <<-'END'
	cmd:flex|flex|to build the debug kernel
	cmd:bison|bison|to build the debug kernel
	cmd:bc|bc|to build the debug kernel
	cmd:perl|perl|to build the debug kernel
	cmd:python3|python3|for kernel-doc, which W=1 runs on newer kernels
	libelf.a|libelf-dev|for the debug kernel's objtool
	END
}

debug_name() {
	local key

	key=$({ cat "$debug_config" && gcc -dumpfullversion; } | sha256sum)
	printf 'debug-%s-%s' "$debug_version" "${key:0:12}"
}

# find_debug_source: the package, as name=version.
find_debug_source() {
	local apt_state=apt-debug log=$LAB_CACHE/log/fetch-debug.log found name=linux-source-$debug_version

	say lab "reading the package lists of Debian ${debug_suites[*]}" >&2
	write_sources "${debug_suites[@]}"
	if ! apt_lab apt-get -o APT::Update::Error-Mode=any update >"$log" 2>&1; then
		show_log "$log"
		die_environment "cannot read the package lists of Debian ${debug_suites[*]}" \
			"Is the network there, and debian-archive-keyring new enough?"
	fi
	found=$(apt_lab apt-cache --no-all-versions show "$name" 2>>"$log" |
		sed -n 's/^Version: //p')
	[[ -n $found ]] || die_environment "Debian ${debug_suites[*]} has no $name" \
		"Name a newer one in $LAB_DIR/debug.sh."
	printf '%s=%s\n' "$name" "$found"
}

debug_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL nice -n 10 \
		make -C "$(kernel_dir debug)/source" -j"$(nproc)" "$@"
}

# Kconfig silently leaves out what depends on something that is not there.
check_debug_config() {
	local config=$1 lost

	lost=$(
		grep '^CONFIG_' "$debug_config" | grep -vxFf "$config" || true
		sed -n 's/^# \(CONFIG_[A-Z0-9_]*\) is not set$/\1=/p' "$debug_config" |
			grep -Ff - "$config" || true
	)
	[[ -z $lost ]] || die_environment "Kconfig does not take all of debug.config:" "$lost"
}

configure_debug_kernel() {
	local source=$1

	debug_make tinyconfig &&
		(cd "$source" && scripts/kconfig/merge_config.sh -m .config "$debug_config") &&
		debug_make olddefconfig
}

install_debug_kernel() {
	local dir=$1 release=$2 root=$1/root

	mkdir -p "$root"/{boot,bin,usr/src} "$dir/uapi" &&
		debug_make INSTALL_MOD_PATH="$root" modules_install &&
		debug_make headers &&
		rm -f "$root/lib/modules/$release/build" &&
		depmod -b "$root" "$release" &&
		cp "$dir/source/arch/x86/boot/bzImage" "$root/boot/vmlinuz-$release" &&
		cp -r "$dir/source/usr/include"/{linux,asm-generic,asm} "$dir/uapi/" &&
		cp "$(kernel_dir 6.12)/root/bin/busybox" "$root/bin/" &&
		ln -s ../../../source "$root/usr/src/linux-headers-$release"
}

# What is left is what modules are built from, inside the tree and outside.
trim_debug_source() {
	local source=$1 other
	local -a unused=("$source"/{Documentation,drivers,fs,net,rust,samples,sound,tools/perf})

	find "$source" -type f ! -path "$source/scripts/*" ! -path "$source/tools/*" \
		\( -name '*.o' -o -name '*.a' -o -name '*.ko' -o -name '*.cmd' -o -name 'vmlinux*' \
		-o -name 'bzImage' \) -delete
	for other in "$source"/arch/*/; do
		[[ $other == */x86/ ]] || unused+=("${other%/}")
	done
	find "${unused[@]}" -type f ! -name 'Kconfig*' ! -name 'Makefile*' ! -name 'Kbuild*' -delete
}

# debug_step WHAT COMMAND...: one of fetch_debug_kernel's, which has the log.
debug_step() {
	local what=$1

	shift
	"$@" >>"$log" 2>&1 && return
	show_log "$log"
	die_environment "$what"
}

unpack_debug_source() {
	local deb=$1 source=$2

	dpkg-deb --fsys-tarfile "$deb" | tar -xO --wildcards '*.tar.xz' |
		tar -C "$source" --strip-components=1 -xJ
}

# fetch_debug_kernel: in the place where it will be, as a tree that was built keeps its
# path; without the file "release" it is not whole.
fetch_debug_kernel() {
	local dir log=$LAB_CACHE/log/debug.log package deb release

	dir=$(kernel_dir debug)
	package=$(find_debug_source)
	[[ -n $package ]] || exit "$LAB_EXIT_ENVIRONMENT"
	[[ ! -e $dir/release || $(<"$dir/version") != "${package#*=}" ]] || return 0
	apt_state=apt-debug download "$package"
	deb=$(compgen -G "$LAB_CACHE/debs/${package%%=*}_*.deb" | tail -n 1)

	say lab "building the debug kernel from ${package/=/ }: once, several minutes"
	rm -rf "$dir"
	mkdir -p "$dir/source"
	: >"$log"
	debug_step "cannot unpack $package: is there room in $LAB_CACHE?" \
		unpack_debug_source "$deb" "$dir/source"
	debug_step "the debug kernel cannot be configured" configure_debug_kernel "$dir/source"
	check_debug_config "$dir/source/.config"
	debug_step "the debug kernel does not build" debug_make bzImage modules
	release=$(<"$dir/source/include/config/kernel.release")
	debug_step "the debug kernel cannot be put into the cache" install_debug_kernel "$dir" "$release"
	trim_debug_source "$dir/source"
	printf '%s\n' "${package#*=}" >"$dir/version"
	printf '%s\n' "$release" >"$dir/release"
	rm -f "$deb"
}
