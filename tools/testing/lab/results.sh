# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Reads what the emulated host says on its second serial port (see init), shows
# progress, and makes one TAP file of it. In doubt something failed: a test that
# says nothing, stops early or is not there has not passed.

results_begin() {
	who=$1 tap=$2 nr_tests=$3
	passed=0 failed=0 skipped=0
	test='' nr_begun=0 finished='' command_status=''
	begun=' '
	programs_took=() tests_took=()
	receiving=''
	printf 'TAP version 13\n' >"$tap"
}

# pass, fail, skip NAME [LINE...]: one result, and what explains it.
pass() {
	passed=$((passed + 1))
	printf 'ok %d - %s\n' $((passed + failed + skipped)) "$1" >>"$tap"
	say "$who" "${progress-}ok    $1"
}

fail() {
	failed=$((failed + 1))
	printf 'not ok %d - %s\n' $((passed + failed + skipped)) "$1" >>"$tap"
	say "$who" "${progress-}FAIL  $1"
	shift
	[[ $# -eq 0 ]] || printf '# %s\n' "$@" | tee -a "$tap"
}

skip() {
	skipped=$((skipped + 1))
	printf 'ok %d - %s # SKIP %s\n' $((passed + failed + skipped)) "$1" "$2" >>"$tap"
	say "$who" "${progress-}skip  $1: $2"
}

test_begins() {
	test=$1
	begun+="$test "
	nr_begun=$((nr_begun + 1))
	progress=''
	[[ $nr_tests -eq 0 ]] || progress="$nr_begun/$nr_tests "
	planned='' reported=0 not_ok=0 running=''
	notes=()
	since=${EPOCHREALTIME/[.,]/}
	say "$who" "$progress$test"
}

# Of this machine's time: the harness tells of no other.
test_took() {
	local now=${EPOCHREALTIME/[.,]/}

	tests_took+=("$(((now - since) / 1000)) $1")
	since=$now
}

# slowest MS-AND-NAME...
slowest() {
	printf '%s\n' "$@" | sort -rn | head -n 6 |
		awk '{ printf "%s%s %.1f s", (NR > 1 ? ", " : ""), $2, $1 / 1000 }'
}

test_says() {
	local line=$1 name

	case $line in
	1..*)
		planned=${line#1..}
		planned=${planned%% *}
		[[ $planned =~ ^[0-9]+$ ]] || planned=''
		;;
	'ok '* | 'not ok '*)
		reported=$((reported + 1))
		name=$(sed -E 's/^(not )?ok [0-9]*( -)? *//; s/ *# (SKIP|XFAIL).*//' <<<"$line")
		# Linux 6.1's harness does not name a test that is skipped.
		name="$test: ${name:-${running:-test $reported}}"
		test_took "${name/: //}"
		if [[ $line == 'not ok '* ]]; then
			not_ok=$((not_ok + 1))
			fail "$name" "${notes[@]}"
		elif [[ $line =~ '# SKIP'(.*) ]]; then
			skip "$name" "${BASH_REMATCH[1]# }"
		else
			pass "$name"
		fi
		notes=()
		;;
	'#  RUN '*)
		running=$(awk '{ print $3 }' <<<"$line")
		notes=()
		;;
	'' | 'TAP version'*) ;;
	*)
		notes+=("${line#\# }")
		;;
	esac
}

# Warned (W), died (D), bad page (B), soft lockup (L).
tainted_anew() { (((${1#*:} & ~${1%:*}) & (1 << 9 | 1 << 7 | 1 << 5 | 1 << 14))); }

test_ends() {
	local rc=$1 ms=$2 refs=$3 tainted=$4 wrong=''

	programs_took+=("$ms $test")
	if [[ $rc -eq 137 && $ms -ge $((LAB_TIMEOUT * 1000)) ]]; then
		wrong="still ran after $LAB_TIMEOUT s"
	elif [[ $rc -gt 128 ]]; then
		wrong="was killed by signal $((rc - 128))"
	elif [[ -z $planned ]]; then
		wrong="printed no plan (exit status $rc)"
	elif [[ $planned -eq 0 || $rc -eq 4 ]]; then
		wrong="skipped everything"
	elif [[ $planned -ne $reported ]]; then
		wrong="planned $planned tests and reported $reported"
	elif [[ $rc -ne 0 && $not_ok -eq 0 ]]; then
		wrong="exited with status $rc"
	fi
	[[ -z $wrong ]] || fail "$test: ends as it should" "$test $wrong" "${notes[@]}"
	[[ $refs -eq 0 ]] || fail "$test: lets go of the module" "$refs references are left"
	! tainted_anew "$tainted" || fail "$test: the kernel stays untainted" "taint: $tainted"
	test='' progress=''
}

lab_says() {
	local key
	local -A is=()

	case $1 in
	'booted '*) say "$who" "$1" ;;
	'step ok '*) pass "${1#step ok }" ;;
	'step failed '*) fail "$(sed 's/^step failed //; s/:.*//' <<<"$1")" "${1#*: }" ;;
	'begin '*) test_begins "${1#begin }" ;;
	'leak '*) fail "${1#leak }: leaves no memory behind" "see the console" ;;
	'file begins '*)
		receiving=${tap%.tap}.${1#file begins }
		: >"$receiving.base64"
		;;
	'file ends')
		base64 -d "$receiving.base64" >"$receiving" || rm -f "$receiving"
		rm -f "$receiving.base64"
		receiving=''
		;;
	'end '*)
		for key in $1; do
			[[ $key != *=* ]] || is[${key%%=*}]=${key#*=}
		done
		if [[ $test == command ]]; then
			command_status=${is[rc]} test='' progress=''
		else
			test_ends "${is[rc]}" "${is[ms]}" "${is[refs]}" "${is[tainted]}"
		fi
		;;
	done) finished=1 ;;
	esac
}

# read_results RAW PATIENCE: from standard input, until the emulated host is
# through or silent for PATIENCE seconds.
read_results() {
	local raw=$1 patience=$2 line status

	: >"$raw"
	while [[ -z $finished ]]; do
		status=0
		IFS= read -r -t "$patience" line || status=$?
		if [[ $status -gt 128 ]]; then
			hung="was silent for $patience s"
			return
		elif [[ $status -ne 0 && -z $line ]]; then
			hung='stopped early'
			return
		fi
		line=${line%$'\r'}
		if [[ -n $receiving && $line != '#lab '* ]]; then
			printf '%s\n' "$line" >>"$receiving.base64"
			continue
		fi
		printf '%s\n' "$line" >>"$raw"
		if [[ $line == '#lab '* ]]; then
			lab_says "${line#\#lab }"
		elif [[ $test == command ]]; then
			[[ -z $line ]] || printf '%s\n' "$line"
		elif [[ -n $test ]]; then
			test_says "$line"
		fi
	done
}

# results_end TEST...: what was to be run. Prints the sum; fails unless all is
# well.
results_end() {
	local name

	progress=''
	[[ -n $finished ]] || fail "the emulated host runs to the end" \
		"it ${hung-}${test:+ during $test}"
	for name in "$@"; do
		[[ $begun == *" $name "* ]] || fail "$name: runs"
	done
	printf '1..%d\n' $((passed + failed + skipped)) >>"$tap"
	if [[ ${#tests_took[@]} -gt 1 ]]; then
		say "$who" "slowest programs, of the host's time: $(slowest "${programs_took[@]}")"
		say "$who" "slowest tests, of this machine's: $(slowest "${tests_took[@]}")"
	fi
	say "$who" "$passed passed, $failed failed$( ((skipped == 0)) || printf ', %d skipped' "$skipped")"
	[[ $failed -eq 0 && $passed -gt 0 ]]
}
