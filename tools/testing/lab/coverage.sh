# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Which lines of the module the debug kernel's tests have run: what its emulated hosts
# counted (LAB_COVERAGE=gcov), put together, and compared with uncovered.txt. For check.

coverage_needs() {
	cat <<-'END'
	cmd:gcov|gcc|to read what was covered
	END
}

# collect_coverage INTO COUNTS...: beside the notes that the compiler made.
collect_coverage() {
	local into=$1 counts next

	shift
	rm -rf "$into"
	mkdir -p "$into/all"
	for counts in "$@"; do
		next=$into/next
		rm -rf "$next"
		mkdir "$next"
		tar -C "$next" -xzf "$counts" || return
		if [[ -n $(find "$into/all" -name '*.gcda') ]]; then
			gcov-tool merge -o "$into/sum" "$into/all" "$next" 2>"$into/log" || {
				cat "$into/log"
				return 1
			}
			rm -rf "$into/all" "$next"
			mv "$into/sum" "$into/all"
		else
			rmdir "$into/all"
			mv "$next" "$into/all"
		fi
	done
	cp "$(kernel_build_dir debug)"/src/drivers/virt/kvm_vmem/*.gcno "$into/all/"
}

# list_lines DIR: file, line, how often it was run, function. Of the module's own files:
# a function in a header is in several, its lines add up.
list_lines() (
	cd "$1"
	for counts in *.gcda; do
		# Tests have no notes beside the module's.
		[[ ! -e ${counts%.gcda}.gcno ]] || gcov --json-format --stdout "$counts"
	done | jq -r '.files[] | select(.file | test("(^|/)drivers/virt/kvm_vmem/[^/]*$")) |
		(.file | sub(".*/"; "")) as $file | .lines[] |
		[$file, .line_number, .count, .function_name // "-"] | @tsv' |
		sort -t "$(printf '\t')" -k 1,1 -k 2,2n
)

# report_coverage COUNTS...: prints a table and what is not covered; fails if that is too
# much, or is not as uncovered.txt has it.
report_coverage() {
	local dir=$LAB_BUILD/coverage

	[[ $# -gt 0 && -e $1 ]] || {
		echo "no emulated host has said what was covered"
		return 1
	}
	collect_coverage "$dir" "$@" && list_lines "$dir/all" >"$dir/lines" &&
		awk -v sources="$LAB_ROOT/drivers/virt/kvm_vmem" -f "$LAB_DIR/coverage.awk" \
			"$LAB_DIR/uncovered.txt" "$dir/lines"
}
