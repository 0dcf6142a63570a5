# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What follows the paths through the sources: coccinelle with the kernel's own scripts for
# the module, clang-tidy, cppcheck and gcc's analyzer for the tools. For check.

analysis_needs() {
	cat <<-'END'
	cmd:spatch|coccinelle|to check the module with the kernel's scripts
	cmd:clang-tidy-22|clang-tidy-22|to check the tools
	installed:libclang-rt-22-dev|libclang-rt-22-dev|for the sanitizers' headers, as clang-tidy reads them
	cmd:python3|python3|for coccinelle's scripts
	installed:libpython3-dev|libpython3-dev|for coccinelle, which looks for it by that name
	cmd:cppcheck|cppcheck|to check the tools
	END
}

analysed=$LAB_BUILD/analysis

# Of what nothing was found in, ever: of each file and tool a name that is its fingerprint.
silent=$LAB_CACHE/analysed

# in_parallel FUNCTION [ARGUMENT]: for each further argument, which come by a null between
# them. The function is exported.
in_parallel() {
	export analysed silent LAB_ROOT
	# shellcheck disable=SC2016 # the other bash's
	xargs -0 -n 1 -P "$(nproc)" bash -c '"$0" "$@"' "$@"
}

# drop_output WORD...: leaves what a compiler needs to know of a file to understand it.
drop_output() {
	local word

	while [[ $# -gt 0 ]]; do
		word=$1
		shift
		case $word in
		-o) shift ;;
		-c | -static | -shared | -l* | -Wl,* | *.[coa] | *.map | -f*sanitize*=*) ;;
		*) printf ' %q' "$word" ;;
		esac
	done
}

# What make would do: lines of a directory and what the compiler is given there. Sources
# of the kernel's are not ours to be warned of.
make_commands() {
	local kernel makefile dir

	kernel=$(kernel_dir 6.12)
	files 'tools/*Makefile' | while IFS= read -r makefile; do
		dir=$LAB_ROOT/$(dirname "$makefile")
		# shellcheck disable=SC2016 # make's
		env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -nBk --no-print-directory -C "$dir" \
			CC='compile: $(CURDIR)' OUT="$analysed/tools" KHDR="$kernel/uapi" \
			LINUX_TOOLS="$kernel/source" KSFT="$kernel/source/tools/testing/selftests" \
			DEBUG_KERNEL=1 all unit example 2>/dev/null | sed -e ':more' -e '/\\$/N; s/\\\n//; t more' \
			-e "s,^\(gcc\|clang\) ,compile: $dir ," || true
	done | sed -n -e "s,[[:space:]]-I *$kernel/, -isystem $kernel/,g" -e 's/^compile: //p'
}

# What has no makefile of its own is compiled by a script, with the tests' helpers.
other_commands() {
	local file

	files 'tools/*.c' | while IFS= read -r file; do
		printf '%s -std=gnu11 -O2 -Wall -Wextra -I%s -I%s -isystem %s -I%s -c %s\n' \
			"$LAB_ROOT/$(dirname "$file")" "$LAB_ROOT/include/uapi" \
			"$LAB_ROOT/tools/kvm-vmem/lib" "$(kernel_dir 6.12)/uapi" \
			"$LAB_ROOT/tools/testing/selftests/kvm_vmem" "$(basename "$file")"
	done
}

# list_commands: each of the tools' C files, the directory it is compiled in, and by which
# flags, as its own makefile has them.
list_commands() {
	local dir line word path flags
	local -a words
	local -A seen=()

	while read -r dir line; do
		mapfile -t words < <(xargs printf '%s\n' <<<"$line")
		flags=$(drop_output "${words[@]}")
		for word in "${words[@]}"; do
			[[ $word == *.c ]] || continue
			path=$(realpath -m "$dir/$word")
			[[ $path == "$LAB_ROOT"/tools/* && -e $path && -z ${seen[$path]-} ]] || continue
			seen[$path]=1
			printf '%s\t%s\t%s\n' "$path" "$dir" "$flags"
		done
	done < <(make_commands; other_commands)
}

# As clang's tools and cppcheck read them. cppcheck needs the macros of the harness.
write_database() {
	jq -R 'split("\t") | { file: .[0], directory: .[1], command: "cc\(.[2]) -c \(.[0])" }' |
		jq -s .
}

# What a file's findings depend on, besides the file.
list_settings() {
	gcc --version
	clang-tidy-22 --version
	cat "$LAB_ROOT"/tools/.clang-tidy "$LAB_ROOT"/tools/testing/.clang-tidy "$LAB_DIR/analysis.sh"
}

prepare_analysis() {
	rm -rf "$analysed"/{tidy,tools}
	mkdir -p "$analysed"/{tidy,tools} "$silent"
	find "$silent" -type f -mtime +60 -delete
	# acpi.c includes it.
	make -s -C "$LAB_ROOT/tools/kvm-vmem/vmm" OUT="$analysed/tools" "$analysed/tools/vmm/dsdt.hex"
	list_commands >"$analysed/commands"
	list_settings >"$analysed/settings"
	write_database <"$analysed/commands" >"$analysed/tidy/compile_commands.json"
	sed 's, -isystem \([^ ]*/selftests\) , -I\1 ,' "$analysed/tidy/compile_commands.json" \
		>"$analysed/cppcheck.json"
	diff <(cut -f 1 "$analysed/commands" | sed "s,^$LAB_ROOT/,," | sort) <(files 'tools/*.c' | sort)
}

# fingerprint TOOL COMMAND: of what TOOL is given: comments are for it, too. None if it cannot
# be compiled.
fingerprint() {
	local file dir flags text

	IFS=$'\t' read -r file dir flags <<<"$2"
	text=$(cd "$dir" && eval "gcc $flags -E -C -P $file" 2>/dev/null) || return
	printf '%s\n' "${@//"$LAB_ROOT"/}" "${text//"$LAB_ROOT"/}" | cat - "$analysed/settings" | sha256sum |
		cut -d ' ' -f 1
}

# analyse_file TOOL COMMAND: TOOL is a function, COMMAND a line of list_commands. What was
# silent is not asked again. clang-tidy also says how much it does not say.
analyse_file() {
	local mark='' said status=0

	! mark=$(fingerprint "$1" "$2") || mark=$silent/$mark
	if [[ -z $mark || ! -e $mark ]]; then
		said=$("$1" "$2" 2>&1) || status=$?
		said=$(sed -E -e "s,^$LAB_ROOT/,," -e '/^(\[[0-9]+\/[0-9]+\] Processing|[0-9]+ warnings? generated|Suppressed|Use -header)/d' <<<"$said")
		if [[ -n $said || $status -ne 0 ]]; then
			printf '%s: %s: status %d\n%s\n' "$1" "${2%%$'\t'*}" "$status" "$said"
			return
		fi
	fi
	[[ -z $mark ]] || touch "$mark"
}
export -f fingerprint analyse_file

# Compiler warnings are among what it finds, as those of gcc are no news.
clang_tidy() {
	clang-tidy-22 --quiet -p "$analysed/tidy" --extra-arg=-Wno-unknown-warning-option \
		"${1%%$'\t'*}"
}
export -f clang_tidy

run_clang_tidy() {
	tr '\n' '\0' <"$analysed/commands" | in_parallel analyse_file clang_tidy
}

run_cppcheck() {
	cppcheck --project="$analysed/cppcheck.json" --quiet -j "$(nproc)" \
		--enable=warning,performance,portability,style --platform=unix64 \
		--inline-suppr --error-exitcode=1 \
		--suppressions-list="$here/cppcheck.suppressions" \
		--template='{file}:{line}: {severity}: {message} [{id}]' 2>&1 | sed "s,^$LAB_ROOT/,,"
}

gcc_analyzer() {
	local file dir flags

	IFS=$'\t' read -r file dir flags <<<"$1"
	cd "$dir" && eval "gcc $flags -fanalyzer -fdiagnostics-plain-output -S -o /dev/null $file"
}
export -f gcc_analyzer

# All but what clang compiles, and the programs of the harness, for which it takes long and
# clang's analyzer has to do.
run_gcc_analyzer() {
	grep -v -e 'tools/testing/selftests$' -e '/testing/vmm/fuzz/' "$analysed/commands" | tr '\n' '\0' |
		in_parallel analyse_file gcc_analyzer
}

# Some scripts of the kernel's are no check, or need more than coccinelle:
#   check_bq27xxx_data	written in OCaml, whose compiler is large; for one driver
#   badzero		the same; sparse says what it says
coccinelle_unused=(check_bq27xxx_data badzero)

coccinelle_scripts() {
	local file

	for file in $(find "$(kernel_dir debug)/source/scripts/coccinelle" -name '*.cocci' | sort); do
		[[ " ${coccinelle_unused[*]} " == *" $(basename "$file" .cocci) "* ]] ||
			! grep -q 'virtual[[:space:]]\+report' "$file" || printf '%s\0' "$file"
	done
}

# check_by_script SCRIPT: as "make coccicheck M=... MODE=report COCCI=SCRIPT" does. What it
# prints besides findings is what it always prints.
check_by_script() {
	local log=$analysed/coccinelle/${1//\//_}.log

	cd "$LAB_ROOT/drivers/virt/kvm_vmem" || return
	if ! COCCI=$1 MODE=report J=1 DEBUG_FILE=$log "$srctree/scripts/coccicheck" >"$log.out" 2>&1; then
		tail -n 3 "$log"
	fi
	grep -vE '^$|^Please check for false positives|^When using "patch" mode' "$log.out" || true
}
export -f check_by_script

run_coccicheck() (
	srctree=$(kernel_dir debug)/source
	LINUXINCLUDE="-I$srctree/arch/x86/include -I$srctree/arch/x86/include/generated
		-I$srctree/include -I$srctree/arch/x86/include/uapi -I$srctree/include/uapi
		-include $srctree/include/linux/compiler-version.h
		-include $srctree/include/linux/kconfig.h"
	export srctree LINUXINCLUDE srcroot=. KBUILD_EXTMOD=.
	rm -rf "$analysed/coccinelle"
	mkdir -p "$analysed/coccinelle"
	mapfile -d '' -t found < <(coccinelle_scripts)
	[[ ${#found[@]} -gt 0 ]] || exit 1
	printf '%s\0' "${found[@]}" | in_parallel check_by_script
)

part_analysis() {
	verify "coccinelle's scripts of the kernel are silent: module" run_coccicheck
	verify "the tools' C files are found" prepare_analysis
	verify "clang-tidy is silent: tools" run_clang_tidy
	verify "cppcheck is silent: tools" run_cppcheck
	verify "gcc -fanalyzer is silent: tools" run_gcc_analyzer
}
