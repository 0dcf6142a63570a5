# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Completion of vmemctl for bash: commands, options, and the devices that there are, by
# name and label.

# The devices' names and labels, a line each; --sysfs on the command line counts.
_vmemctl_devices() {
	local i sysfs=/sys/class/kvm_vmem dir label

	for ((i = 1; i < ${#COMP_WORDS[@]} - 1; i++)); do
		[[ ${COMP_WORDS[i]} != --sysfs ]] || sysfs=${COMP_WORDS[i + 1]}
	done
	for dir in "$sysfs"/vmem*; do
		[[ -d $dir ]] || continue
		printf '%s\n' "${dir##*/}"
		label=''
		{ IFS= read -r label <"$dir/label"; } 2>/dev/null
		[[ -z $label ]] || printf '%s\n' "$label"
	done
}

# _vmemctl_names TYPED: TYPED is what the user typed of a name, with his quotes.
_vmemctl_names() {
	local typed=$1 plain name quoted cut=''

	plain=${typed//\\/}
	plain=${plain#[\"\']}
	# bash takes a colon for the end of a word, and replaces only what follows it.
	[[ $typed != *:* || $COMP_WORDBREAKS != *:* || $typed == [\"\']* ]] || cut=${typed%:*}:
	while IFS= read -r name; do
		[[ $name == "$plain"* ]] || continue
		quoted=$name
		[[ $typed == [\"\']* ]] || printf -v quoted '%q' "$name"
		COMPREPLY+=("${quoted#"$cut"}")
	done < <(_vmemctl_devices | sort -u)
}

# _vmemctl_word: the word at the cursor, with the colons in it.
_vmemctl_word() {
	local line=${COMP_LINE:0:COMP_POINT} word='' char quote='' i

	for ((i = 0; i < ${#line}; i++)); do
		char=${line:i:1}
		case $char in
		[\"\'])
			if [[ -z $quote ]]; then
				quote=$char
			elif [[ $quote == "$char" ]]; then
				quote=''
			fi
			;;
		\\)
			word+=$char
			i=$((i + 1))
			char=${line:i:1}
			;;
		[[:blank:]])
			if [[ -z $quote ]]; then
				word=''
				continue
			fi
			;;
		esac
		word+=$char
	done
	printf '%s' "$word"
}

_vmemctl() {
	local word command='' options='--json --sysfs --help --version' i

	COMPREPLY=()
	word=$(_vmemctl_word)
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--sysfs | --timeout | --stall | --interval) i=$((i + 1)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done

	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--sysfs)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	--timeout | --stall | --interval) return ;;
	esac
	case $command in
	resize) options+=' --wait --timeout --stall' ;;
	watch | top) options+=' --interval' ;;
	export) options=${options#--json } ;;
	esac
	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
		return
	fi
	case $command in
	'') mapfile -t COMPREPLY < <(compgen -W 'list show resize watch top map export' -- "$word") ;;
	export) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	show | map | watch) _vmemctl_names "$word" ;;
	# The name comes first, and a size cannot be guessed.
	resize) [[ ${COMP_WORDS[COMP_CWORD - 1]} != resize && $word != *:* ]] || _vmemctl_names "$word" ;;
	esac
}

complete -F _vmemctl vmemctl
