# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A test is a function test_*; it runs in a subshell with an empty tree of its own in
# $sysfs and room in $scratch, and fails by "fail" or by any command that fails.

fail() {
	printf '%s\n' "$*" >&2
	exit 1
}

# vmem NAME [FILE=VALUE...]: a device: 1 TiB in blocks of 2 MiB, 1 GiB of 4 GiB plugged.
vmem() {
	local dir=$sysfs/$1 file

	shift
	mkdir -p "$dir/counters"
	for file in label= pid=4711 addr=0x100000000 region_size=1099511627776 block_size=2097152 \
		node_id=1 size=1073741824 requested_size=4294967296 usable_region_size=4563402752 \
		memslot_size=1073741824 memslots_total=1024 memslots_active=1 memslots_idle=2 \
		frozen=0 dirty_log=0 retire_delay_ms=1000 resident=536870912 discard_pending=0 violations=0 \
		last_violation=0x0 counters/{acks,nacks,busies,errors,kvm_calls}=7 "$@"; do
		put "$dir/${file%%=*}" "${file#*=}"
	done
}

# put FILE VALUE: in one write that never leaves the file empty, as sysfs does.
put() {
	local padded=00000000000000000000$2

	# Any later number is as long; zeroes in front are none to vmemctl.
	if [[ $2 =~ ^[0-9]+$ ]]; then
		printf '%s\n' "${padded: -20}" 1<>"$1"
	else
		printf '%s\n' "$2" >"$1"
	fi
}

# number FILE: what is in it.
number() {
	local digits

	digits=$(<"$sysfs/$1")
	printf '%s' $((10#$digits))
}

# ctl ARG...: runs vmemctl on the tree; $status, $out and $err have the rest.
ctl() {
	status=0
	"$vmemctl" --sysfs "$sysfs" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
	out=$(<"$scratch/out")
	err=$(<"$scratch/err")
}

# expect STATUS ARG...: the same, and how it ends.
expect() {
	local expected=$1

	shift
	ctl "$@"
	[[ $status -eq $expected ]] ||
		fail "vmemctl $*: status $status, not $expected: $out $err"
}

# has TEXT WORD...: each is in the text.
has() {
	local text=$1 word

	shift
	for word in "$@"; do
		[[ $text == *"$word"* ]] || fail "'$word' is not in: $text"
	done
}

# json FILTER: the output is JSON, of which the filter holds.
json() {
	printf '%s\n' "$out" | jq -e "$1" >/dev/null || fail "not $1: $out"
}

# terminal COLUMNS ROWS COMMAND: on a terminal; keys come from standard input.
terminal() {
	TERM=xterm script -qec "stty cols $1 rows $2 -onlcr; $3" /dev/null
}

# Runs what follows as nobody, if it would else be root, who may do anything.
as_nobody() {
	if [[ $EUID -eq 0 ]]; then
		chmod -R a+rX "$scratch"
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

# They sleep most of the time.
parallel=8
# Seconds that one may take: one that hangs fails.
patience=60

# run_test NAME: in a process group of its own, of which nothing is left. Its exit status
# goes to a file, as does what it says.
run_test() {
	local status

	{
		sleep "$patience"
		kill -KILL 0
	} &
	(
		set -Eeuo pipefail
		scratch=$base/$1 sysfs=$base/$1/class/kvm_vmem
		vmemctl=$scratch/vmemctl
		mkdir -p "$sysfs"
		# Where nobody can run it: the build may be root's alone.
		cp "$base/vmemctl" "$vmemctl"
		cd "$scratch"
		"test_$1"
	) >"$base/$1.said" 2>&1
	status=$?
	trap '' TERM
	kill -TERM 0
	printf '%d\n' "$status" >"$base/$1.status"
}

# report NAME NUMBER
report() {
	local status

	status=$(cat "$base/$1.status" 2>/dev/null || echo "took more than $patience s")
	if [[ $status == 0 ]]; then
		printf 'ok %d - %s\n' "$2" "${1//_/ }"
		return
	fi
	printf 'not ok %d - %s\n# status: %s\n' "$2" "${1//_/ }" "$status"
	sed 's/^/# /' "$base/$1.said"
	return 1
}

# run_tests VMEMCTL PATTERN
run_tests() {
	local name number=0 bad=0
	local -a tests=()

	base=$(mktemp -d)
	trap 'rm -rf "$base"' EXIT
	chmod 755 "$base"
	cp "$1" "$base/vmemctl"
	export LC_ALL=C

	while IFS= read -r name; do
		# shellcheck disable=SC2053 # a pattern
		[[ $name != $2 ]] || tests+=("$name")
	done < <(declare -F | sed -n 's/^declare -f test_//p')
	# Not where set -e would end all with the first that fails.
	set +e
	set -m
	for name in "${tests[@]}"; do
		[[ $(jobs -rp | wc -l) -lt $parallel ]] || wait -n
		run_test "$name" &
	done
	wait
	set +m
	printf 'TAP version 13\n1..%d\n' "${#tests[@]}"
	for name in "${tests[@]}"; do
		number=$((number + 1))
		report "$name" "$number" || bad=$((bad + 1))
	done
	[[ $bad -eq 0 && $number -gt 0 ]]
}
