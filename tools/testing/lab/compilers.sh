# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The module, as two compilers and sparse see it: gcc, which builds it for use, with W=1;
# and clang with all warnings that it has but those of clang.warnings. For check.

compilers_needs() {
	cat <<-'END'
	cmd:sparse|sparse|to check the module
	cmd:clang-22|clang-22|to check the module
	END
}

# From nothing, as make says each warning once.
silent_build() {
	rm -rf "${LAB_BUILD:?}/$1"
	LAB_W=1 LAB_C=1 "$here/lab" build --kernel "$1" | grep -v '^\['
	# grep finds nothing if all is well.
	return "$((PIPESTATUS[0]))"
}

# Headers that are not ours to be warned of, as they are included.
foreign_headers() {
	printf -- '--system-header-prefix=%s/ ' asm asm-generic generated kunit linux trace uapi vdso
	printf -- '--no-system-header-prefix=uapi/linux/kvm_vmem.h'
}

clang_warnings() {
	sed -n 's/^\(-W[^[:space:]]*\).*/\1/p' "$here/clang.warnings" | tr '\n' ' '
}

# clang_build SERIES: the kernels were configured for gcc, and so are told of clang what
# Kconfig would have found out.
clang_build() {
	local series=$1 dir log
	local -a options

	dir=$(kernel_build_dir "clang-$series")
	log=$dir/module.log
	rm -rf "${dir:?}"
	choose_options "$series"
	copy_sources "$dir/src"
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -k -Otarget -C "$(kernel_headers "$series")" \
		M="$dir/src" -j"$(nproc)" CC="clang-22 $(foreign_headers)" \
		CONFIG_CC_IS_GCC= CONFIG_CC_IS_CLANG=y CONFIG_FTRACE_MCOUNT_USE_CC= CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT= \
		CONFIG_UBSAN_BOUNDS_STRICT= CONFIG_UBSAN_ARRAY_BOUNDS=y \
		CONFIG_CC_IMPLICIT_FALLTHROUGH=-Wimplicit-fallthrough \
		KCFLAGS="-Weverything $(clang_warnings) -Wno-unknown-warning-option -Wno-error" \
		"${options[@]}" modules >"$log" 2>&1 || show_log "$log"
	[[ -e $dir/src/drivers/virt/kvm_vmem/kvm_vmem.ko ]] || echo "there is no module"
	grep -v 'warning: the compiler differs' "$log" | grep -A 6 -E 'warning:|error:' || true
}

part_build() {
	local series

	for series in "${kernels[@]}"; do
		verify "gcc, with W=1, and sparse are silent: $series" silent_build "$series"
		verify "clang, with -Weverything, is silent: $series" clang_build "$series"
	done
}
