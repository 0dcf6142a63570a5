# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Builds the module, the tools and the tests for a kernel, in build/<series>/.

kernel_build_dir() { printf '%s/%s' "$LAB_BUILD" "$1"; }

# copy_sources DIR: the kernel's build puts its objects next to the sources, so
# every kernel gets a copy. What is unchanged keeps its time, for make.
copy_sources() {
	local into=$1 file

	mkdir -p "$into"
	(cd "$LAB_ROOT" && cp -rpu --parents Kbuild Kconfig Makefile drivers include "$into"/)
	while IFS= read -r file; do
		[[ -e $LAB_ROOT/$file ]] || rm -f "${into:?}/$file"
	done < <(cd "$into" && find . -type f \( -name '*.[ch]' -o -name Makefile -o -name Kbuild \) \
		! -name '*.mod.c' ! -name '.*' -printf '%P\n')
}

# choose_options SERIES: fills options with what only the debug kernel can do.
choose_options() {
	options=()
	[[ $1 == debug ]] || return 0
	options+=(CONFIG_KVM_VMEM_KUNIT_TEST=y)
	# Debian 12's sparse is older than what it reads.
	options+=("CF=-D__typeof_unqual__=__typeof__ '-D__builtin_strlen(s)=(sizeof(s)-1)'")
	case ${LAB_COVERAGE-} in
	'') ;;
	kcov) options+=(KCOV_INSTRUMENT=y) ;;
	gcov) options+=(GCOV_PROFILE=y) ;;
	*) die_usage "LAB_COVERAGE is kcov or gcov, not '$LAB_COVERAGE'" ;;
	esac
}

# build_module SERIES
build_module() {
	local series=$1 dir log
	local -a options

	choose_options "$series"
	dir=$(kernel_build_dir "$series")
	log=$dir/module.log
	copy_sources "$dir/src"
	# Built in make's own environment, whatever make calls this.
	if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$(kernel_headers "$series")" \
		M="$dir/src" -j"$(nproc)" W="${LAB_W-1}" ${LAB_C:+C=$LAB_C} \
		"${options[@]}" modules >"$log" 2>&1; then
		show_log "$log"
		die_environment "the module does not build for Linux $series"
	fi
	# That BTF needs the kernel's vmlinux is no news, and none of ours.
	grep -E 'warning:|error:|WARNING|C=[12] specified' "$log" >&2 || true
}

# install_module SERIES ROOT: as on any host.
install_module() {
	local series=$1 root=$2 dir log

	dir=$(kernel_build_dir "$series")
	log=$dir/install.log
	if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$dir/src" \
		KDIR="$(kernel_headers "$series")" INSTALL_MOD_PATH="$root" modules_install >"$log" 2>&1; then
		show_log "$log"
		die_environment "the module cannot be installed for Linux $series"
	fi
}

# make_tests SERIES TARGET: the contract with the tests' makefile.
make_tests() {
	local series=$1 target=$2 dir slowness='' debug_kernel=''

	dir=$(kernel_dir "$series")
	[[ $series != debug ]] || slowness=3 debug_kernel=1
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory \
		-C "$LAB_ROOT/tools/testing/selftests/kvm_vmem" \
		OUT="$(kernel_build_dir "$series")/tests" KHDR="$dir/uapi" \
		KSFT="$dir/source/tools/testing/selftests" UAPI="$LAB_ROOT/include/uapi" SLOWNESS=$slowness \
		DEBUG_KERNEL=$debug_kernel -j"$(nproc)" "$target"
}

# build_tests SERIES
build_tests() {
	local series=$1 log

	log=$(kernel_build_dir "$series")/tests.log
	mkdir -p "$(kernel_build_dir "$series")/tests"
	if ! make_tests "$series" all >"$log" 2>&1; then
		show_log "$log"
		die_environment "the tests do not build for Linux $series"
	fi
	grep -E 'warning:' "$log" >&2 || true
}

list_tests() { make_tests "$1" list | tr -s '[:space:]' '\n'; }

# Of tools/kvm-vmem: what goes into the emulated host's /bin.
lab_tools=(vmemctl vmem-vmm)

tools_dir() { printf '%s/tools' "$(kernel_build_dir "$1")"; }

# build_tools SERIES: static, as the emulated host has no libraries.
build_tools() {
	local series=$1 log

	log=$(kernel_build_dir "$series")/tools.log
	mkdir -p "$(tools_dir "$series")"
	if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory \
		-C "$LAB_ROOT/tools/kvm-vmem" OUT="$(tools_dir "$series")" STATIC=1 \
		KHDR="$(kernel_dir "$series")/uapi" UAPI="$LAB_ROOT/include/uapi" \
		-j"$(nproc)" all >"$log" 2>&1; then
		show_log "$log"
		die_environment "the tools do not build for Linux $series"
	fi
	grep -E 'warning:' "$log" >&2 || true
}
