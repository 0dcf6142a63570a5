# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Completion of bash, as readline asks for it.

# completes LINE EXPECTED...: at the end of the line. Sorted, as readline does.
completes() {
	local line=$1
	local -a replies

	shift
	mapfile -t replies < <(
		# shellcheck source=tools/kvm-vmem/ctl/vmemctl.bash
		. "$here/../vmemctl.bash"
		COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
		COMP_LINE=$line COMP_POINT=${#line}
		split_words
		_vmemctl
		# Nothing is not one empty line.
		[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\n' "${COMPREPLY[@]}" | sort
	)
	[[ ${replies[*]} == "$*" ]] || fail "$line: ${replies[*]}, not $*"
}

# As bash does, for lines without quotes that end within the line: blanks part words, and
# a colon is one of its own.
split_words() {
	local rest=$COMP_LINE word

	COMP_WORDS=()
	while [[ $rest =~ ^[[:blank:]]*((\"[^\"]*\"?|\\.|[^:[:blank:]\\\"])+|:)(.*)$ ]]; do
		word=${BASH_REMATCH[1]} rest=${BASH_REMATCH[3]}
		COMP_WORDS+=("$word")
	done
	[[ $COMP_LINE != *[[:blank:]] || $COMP_LINE == *\\[[:blank:]] || $COMP_LINE == *\"*\ * ]] ||
		COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
}

test_completion_of_commands_and_options() {
	completes 'vmemctl ' export list map resize show top watch
	completes 'vmemctl s' show
	completes 'vmemctl x'
	completes 'vmemctl --j' --json
	completes 'vmemctl --json r' resize
	completes 'vmemctl list --' --help --json --sysfs --version
	completes 'vmemctl resize web 4G --w' --wait
	completes 'vmemctl watch --i' --interval
	completes 'vmemctl top --in' --interval
	completes 'vmemctl top --w'
	completes 'vmemctl export --' --help --sysfs --version
	completes 'vmemctl resize web 4G --wait --timeout '
}

test_completion_of_devices() {
	vmem vmem0 label=web
	vmem vmem1 label=db
	vmem vmem2
	completes "vmemctl --sysfs $sysfs show " db vmem0 vmem1 vmem2 web
	completes "vmemctl --sysfs $sysfs map w" web
	completes "vmemctl --sysfs $sysfs resize vmem" vmem0 vmem1 vmem2
	completes "vmemctl --sysfs $sysfs watch web d" db
	completes "vmemctl --sysfs $sysfs resize web "
	completes "vmemctl --sysfs $sysfs list "
	completes "vmemctl --sysfs ${sysfs%ss/kvm_vmem}" "${sysfs%/kvm_vmem}"
	: >"$scratch/vmem.prom"
	completes "vmemctl export $scratch/vmem.p" "$scratch/vmem.prom"
	rm -rf "$sysfs"
	completes "vmemctl --sysfs $sysfs show "
}

test_completion_of_odd_labels() {
	vmem vmem0 'label=my vm'
	# shellcheck disable=SC2016 # no command
	vmem vmem1 'label=a$(touch x);"'
	vmem vmem2 label=shop:web:1
	vmem vmem3 label=shop:db
	completes "vmemctl --sysfs $sysfs show m" 'my\ vm'
	completes "vmemctl --sysfs $sysfs show my\\ v" 'my\ vm'
	completes "vmemctl --sysfs $sysfs show \"my v" 'my vm'
	completes "vmemctl --sysfs $sysfs show a" 'a\$\(touch\ x\)\;\"'
	# readline replaces what follows the colon.
	completes "vmemctl --sysfs $sysfs show sho" shop:db shop:web:1
	completes "vmemctl --sysfs $sysfs show shop:" db web:1
	completes "vmemctl --sysfs $sysfs resize shop:web:" 1
	[[ ! -e x ]]
}

test_completion_is_for_vmemctl() {
	(
		# shellcheck source=tools/kvm-vmem/ctl/vmemctl.bash
		. "$here/../vmemctl.bash"
		[[ $(complete -p vmemctl) == 'complete -F _vmemctl vmemctl' ]]
	)
}
