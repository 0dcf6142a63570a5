# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Scripts and awk programs: what their checkers say. For check, whose static part they are
# of.

static_needs() {
	cat <<-'END'
	cmd:shellcheck|shellcheck|to check the scripts
	cmd:gawk|gawk|to check the awk programs
	END
}

scripts() {
	files 'tools/*' '.ci/*' | while IFS= read -r file; do
		! head -n 1 "$LAB_ROOT/$file" | grep -qE '^#!/bin/(ba)?sh' || printf '%s\n' "$file"
	done
}

# What others source: the lab's parts, the completion, what dkms reads.
sourced_scripts() {
	files 'tools/*' | while IFS= read -r file; do
		! head -n 5 "$LAB_ROOT/$file" | grep -qE '^# shellcheck shell=' || printf '%s\n' "$file"
	done
}

# What a part is given, and what it leaves to others, is seen where it is sourced only:
# so what it uses is looked at once more from there.
run_shellcheck() (
	cd "$LAB_ROOT"
	status=0
	mapfile -t found < <(scripts)
	mapfile -t parts < <(sourced_scripts)
	mapfile -t unmarked < <(comm -23 <(files '*.sh' '*.bash' | sort) \
		<(printf '%s\n' "${found[@]}" "${parts[@]}" | sort))
	[[ ${#found[@]} -gt 0 && ${#parts[@]} -gt 0 ]] || exit 1
	[[ ${#unmarked[@]} -eq 0 ]] || printf 'neither "#!" nor "# shellcheck shell=": %s\n' "${unmarked[@]}"
	printf '%s\0' "${found[@]}" | xargs -0 -n 4 -P "$(nproc)" shellcheck -x || status=1
	printf '%s\0' "${found[@]}" |
		xargs -0 -n 4 -P "$(nproc)" shellcheck -x -a --include=SC2154 || status=1
	printf '%s\0' "${parts[@]}" |
		xargs -0 -n 8 -P "$(nproc)" shellcheck -x --exclude=SC2034,SC2154,SC2164 || status=1
	exit "$status"
)

# On no input. That all begins empty is how awk is written.
run_awk_lint() (
	cd "$LAB_ROOT"
	mapfile -t found < <(files '*.awk')
	[[ ${#found[@]} -gt 0 ]] || exit 1
	for program in "${found[@]}"; do
		gawk --posix --lint -f "$program" </dev/null 2>&1 >/dev/null |
			grep -vE 'reference to uninitialized (variable|element|argument)' || true
	done
)
