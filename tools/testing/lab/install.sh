# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Installs the programs that the lab runs, and only those that are missing.

# What is needed | the package that has it | what it is for
lab_needs() {
	cat <<-'END'
	cmd:qemu-system-x86_64|qemu-system-x86|to emulate the host
	cmd:make|make|to build the module and the tests
	cmd:gcc|gcc|to build the tests
	libc.a|libc6-dev|to link the tests statically
	libelf.so.1|libelf1|for the kernel's objtool
	cmd:pahole|pahole|for the type information (BTF) of modules for 6.12
	cmd:cpio|cpio|to pack the initramfs
	cmd:depmod|kmod|to find the modules that KVM depends on
	cmd:xz|xz-utils|to unpack the kernel's sources
	cmd:iasl|acpica-tools|to compile the ACPI tables of vmem-vmm
	libjson-c.a|libjson-c-dev|for the tools
	END
}

is_here() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null ;;
	clang:*) [[ $(clang -print-file-name="${1#clang:}" 2>/dev/null) == /* ]] ;;
	installed:*) [[ $(dpkg-query -W -f '${db:Status-Status}' "${1#installed:}" 2>/dev/null) == installed ]] ;;
	*.a) [[ $(gcc -print-file-name="$1" 2>/dev/null) == /* ]] ;;
	# Not grep -q, which would have ldconfig die of a broken pipe.
	*.so.*) ldconfig -p 2>/dev/null | grep -F "$1 " >/dev/null ;;
	*) false ;;
	esac
}

is_debian() {
	[[ -r /etc/os-release ]] && grep -qx 'ID=debian' /etc/os-release &&
		command -v apt-get >/dev/null
}

# as_root COMMAND...: never waits for a password that nobody can type.
as_root() {
	if [[ $EUID -eq 0 ]]; then
		"$@"
	elif [[ -t 0 ]]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

can_be_root() {
	[[ $EUID -eq 0 ]] && return
	command -v sudo >/dev/null || return
	[[ -t 0 ]] || sudo -n true 2>/dev/null
}

# install_packages PACKAGE...: the caller has said why.
install_packages() {
	local log=$LAB_CACHE/log/install.log by_hand="apt-get install --no-install-recommends $*"

	[[ -z ${LAB_NO_INSTALL-} ]] || die_environment \
		"LAB_NO_INSTALL is set, so nothing was installed" \
		"Install by hand: $by_hand"
	is_debian || die_environment "this is no Debian, so the lab cannot install: $*" \
		"Install what corresponds to these packages, then try again."
	can_be_root || die_environment "root's rights are needed to install: $*" \
		"There is no sudo that works without a terminal. As root:" "$by_hand"

	mkdir -p "$LAB_CACHE/log"
	local -a install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y
		--no-install-recommends "$@")
	# A fresh machine or container has no package lists, an old one stale ones.
	if ! as_root "${install[@]}" >"$log" 2>&1 </dev/null; then
		say lab "refreshing the package lists first"
		if ! { as_root apt-get update && as_root "${install[@]}"; } >"$log" 2>&1 </dev/null; then
			show_log "$log"
			die_environment "apt could not install: $*" \
				"Is the network there? By hand, as root: $by_hand"
		fi
	fi
}

# install_missing NEEDS [ARGUMENT...]: NEEDS prints lines like those of lab_needs.
install_missing() {
	local need package why
	local -a packages=()

	while IFS='|' read -r need package why; do
		is_here "$need" && continue
		# Each but once: several may need it.
		[[ " ${packages[*]} " != *" $package "* ]] || continue
		say lab "needs $package, $why"
		packages+=("$package")
	done < <("$@")
	[[ ${#packages[@]} -gt 0 ]] || return 0
	say lab "installing ${packages[*]}"
	install_packages "${packages[@]}"
}
