# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Tests what make install, make modules_install and DKMS put onto a host: as far as
# it goes on the machine that builds, then on emulated hosts. For check.

installation_needs() {
	cat <<-'END'
	cmd:pkg-config|pkgconf|to use the library as a VMM does
	cmd:g++|g++|to compile the library's header as C++
	cmd:dkms|dkms|to build the module as DKMS does
	cmd:udevadm|udev|to try the udev rule
	cmd:mandoc|mandoc|to check the manual pages
	END
}

installed=$LAB_BUILD/install
# What an emulated host is given, and what make install thinks is /.
host=$installed/host

# With the machine's own headers, as a user does.
install_all() {
	rm -rf "$installed"
	mkdir -p "$host"
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$LAB_ROOT" TOOLS_OUT="$installed/tools" \
		DESTDIR="$host" PREFIX=/usr install >"$installed/make.log" 2>&1 && return
	tail -n 20 "$installed/make.log"
	return 1
}

# A VMM's flags: by what is installed, and nothing else.
installed_flags() {
	# pkg-config leaves out /usr/include and /usr/lib, as the compiler knows them.
	PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
		PKG_CONFIG_SYSROOT_DIR=$host PKG_CONFIG_LIBDIR=$host/usr/lib/pkgconfig \
		pkg-config "$@" libkvm-vmem
}

compile_example() {
	local -a flags

	# Not where it lies beside the header.
	cp "$LAB_ROOT/tools/kvm-vmem/lib/example.c" "$installed/example.c"
	read -ra flags < <(installed_flags --cflags --libs)
	gcc -std=gnu11 -Wall -Wextra -Werror -o "$host/example" "$installed/example.c" "${flags[@]}" &&
		gcc -std=gnu11 -Wall -Wextra -Werror -static -o "$host/example-static" \
			"$installed/example.c" "${flags[@]}" &&
		readelf -d "$host/example" | grep 'NEEDED.*\[libkvm-vmem\.so\.0\]' >/dev/null
}

compile_cxx() {
	local -a flags

	read -ra flags < <(installed_flags --cflags)
	g++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only "${flags[@]}" -include kvm-vmem.h \
		-x c++ /dev/null
}

# Each name is one that man finds: the page, or one that refers to it.
find_man_pages() {
	local name page man=$host/usr/share/man

	for page in man1/vmemctl.1 man1/vmem-vmm.1 man3/libkvm-vmem.3 man4/kvm_vmem.4 man4/kvm-vmem.4; do
		[[ -s $man/$page ]] || echo "no $page"
	done
	while read -r name; do
		[[ -s $man/man3/$name.3 ]] || echo "no $name.3"
	done < <(nm -D --defined-only "$host/usr/lib/libkvm-vmem.so" |
		sed -n 's/.* T \(.*\)@@.*/\1/p')
	grep -rh '^\.so ' "$man" | while read -r _ page; do
		[[ -s $man/$page ]] || echo "no $page"
	done
}

# find_parameters SERIES: the module's are those of its manual page.
find_parameters() {
	diff <(modinfo -F parm "$(module_of "$1")" | cut -d: -f1 | sort) \
		<(sed -n '/^\.SH PARAMETERS/,/^\.SH FILES/s/^\.BR \([a-z_]*\) ".*/\1/p' \
			"$LAB_ROOT/Documentation/man/kvm_vmem.4" | sort)
}

module_of() { printf '%s/src/drivers/virt/kvm_vmem/kvm_vmem.ko' "$(kernel_build_dir "$1")"; }

# run_dkms SERIES HEADERS: touches nothing of this machine's.
run_dkms() {
	local version

	version=$(basename "$host"/usr/src/kvm-vmem-*)
	mkdir -p "$installed/dkms"/{tree,install}
	# A key would be made in /var/lib.
	sign_file=/nonexistent dkms build "kvm-vmem/${version#kvm-vmem-}" --sourcetree "$host/usr/src" \
		--dkmstree "$installed/dkms/tree" --installtree "$installed/dkms/install" \
		-k "$(kernel_release "$1")" --kernelsourcedir "$2" >"$installed/dkms.log" 2>&1
}

build_by_dkms() {
	local built

	if ! run_dkms "$1" "$(kernel_headers "$1")"; then
		tail -n 20 "$installed/dkms.log"
		return 1
	fi
	built=$(find "$installed/dkms/tree" -path "*/$(kernel_release "$1")/*" -name 'kvm_vmem.ko*')
	[[ -n $built && $(modinfo -F vermagic "$built") == "$(modinfo -F vermagic "$(module_of "$1")")" ]]
}

# leave_out OPTION: a kernel without it is none of DKMS's, which says so by 77.
leave_out() {
	local without=$installed/headers status=0

	rm -rf "$installed/dkms" "$without"
	# DKMS asks for a directory include, and newer ones prefer what is in it to .config. It
	# gets no further.
	mkdir -p "$without/include"
	sed "s/^$1=.*/# $1 is not set/" "$(kernel_headers "$LAB_OLDEST")/.config" >"$without/.config"
	run_dkms "$LAB_OLDEST" "$without" || status=$?
	[[ $status -eq 77 ]]
}

# pack_program PROGRAM...: with its libraries, for the emulated host.
pack_program() {
	local program file

	for program in "$@"; do
		for file in "$program" $(LD_LIBRARY_PATH=$host/usr/lib ldd "$program" | grep -oE '/[^ ]+'); do
			[[ $file == "$host"/* ]] || cp -L --parents -n "$file" "$host"
		done
	done
}

# The users are those that installed_test becomes.
pack_host() {
	local udevd

	udevd=$(readlink -f /lib/systemd/systemd-udevd)
	pack_program "$(command -v udevadm)" "$udevd" "$host"/usr/bin/vmem* "$host/example"
	mkdir -p "$host"/{bin,etc,run/udev,var}
	ln -sf "$udevd" "$host/bin/systemd-udevd"
	printf 'root:x:0:0::/:/bin/sh\nmember:x:1000:106::/:/bin/sh\nother:x:1001:1001::/:/bin/sh\n' \
		>"$host/etc/passwd"
	printf 'root:x:0:\nkvm:x:106:\nother:x:1001:\n' >"$host/etc/group"
	printf 'passwd: files\ngroup: files\n' >"$host/etc/nsswitch.conf"
}

part_install() {
	local series option

	verify "make install installs" install_all
	verify "the example compiles with what is installed" compile_example
	verify "the header compiles as C++ there" compile_cxx
	verify "each function has a manual page" find_man_pages
	verify "what is installed can be packed" pack_host
	mkdir -p "$installed/tests"
	cp "$here/installed_test" "$installed/tests/"
	run_lab "$out/install" all --from "$installed/tests" --add "$host"
	for series in "${LAB_SERIES[@]}"; do
		verify "DKMS builds the module: $series" build_by_dkms "$series"
		verify "the manual page has the module's parameters: $series" find_parameters "$series"
	done
	for option in CONFIG_KVM CONFIG_SHMEM; do
		verify "DKMS leaves out a kernel without $option" leave_out "$option"
	done
}
