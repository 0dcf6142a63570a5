# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What every part of the lab shares: places, exit codes, and how it talks.

export LAB_EXIT_FAILED=1 LAB_EXIT_USAGE=2 LAB_EXIT_ENVIRONMENT=3

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_ROOT=$(cd "$LAB_DIR/../../.." && pwd)
LAB_CACHE=${KVM_VMEM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kvm-vmem}
LAB_BUILD=${KVM_VMEM_BUILD:-$LAB_ROOT/build}

# depmod and modprobe live here and are not on every user's path.
PATH=$PATH:/usr/sbin:/sbin

# Of the Debian that this machine runs.
codename() {
	local VERSION_CODENAME=''

	[[ ! -r /etc/os-release ]] || {
		# shellcheck source=/dev/null
		. /etc/os-release
	}
	printf '%s' "$VERSION_CODENAME"
}

# The stock kernels, the oldest first: Debian 12's own and that of its backports, or Debian
# 13's own. Both have 6.12, which is for what any of them does. No Debian can have none but
# those that are in the cache.
case $(codename) in
trixie) LAB_SERIES=(6.12) ;;
*) LAB_SERIES=(6.1 6.12) ;;
esac
# By whose headers is compiled what is to work with all of them.
LAB_OLDEST=${LAB_SERIES[0]}

# Of the outermost script.
export LAB_START=${LAB_START:-$EPOCHSECONDS}

# say WHO WORD...: one line of progress, with the seconds since the start.
say() {
	local who=$1

	shift
	printf '[%s %3ds] %s\n' "$who" $((EPOCHSECONDS - LAB_START)) "$*"
}

# die_environment WHAT [HINT...]: this machine cannot do it; the tests are not
# to blame.
die_environment() {
	printf 'lab: %s\n' "$1" >&2
	shift
	[[ $# -eq 0 ]] || printf '     %s\n' "$@" >&2
	exit "$LAB_EXIT_ENVIRONMENT"
}

die_usage() {
	printf 'lab: %s\nTry: lab help\n' "$1" >&2
	exit "$LAB_EXIT_USAGE"
}

# show_log FILE: the end of a log, for an error that it explains.
show_log() {
	[[ -s $1 ]] || return 0
	printf -- '--- the end of %s\n' "$1" >&2
	tail -n 30 "$1" >&2
	printf -- '---\n' >&2
}

# take_lock FILE WHO WHAT: until this (sub)shell and all that it starts end, or
# release_lock. Two developers, or one with two terminals, share the cache and build/.
take_lock() {
	local file=$1 who=$2 what=$3

	mkdir -p "$(dirname "$file")" 2>/dev/null ||
		die_environment "cannot create $(dirname "$file")"
	exec {lock_fd}>"$file" || die_environment "cannot write $file"
	flock -n "$lock_fd" && return
	say "$who" "waiting for another lab that uses $what"
	flock "$lock_fd"
}

# The last one taken, for all who have it.
release_lock() { flock -u "$lock_fd"; }

# lab_jobs MORE: how many emulated hosts run at a time: one for each CPU, which it keeps busy
# while it does not sleep, and MORE. Each has a few GiB.
lab_jobs() {
	local jobs

	jobs=$(awk -v cpus="$(($(nproc) + $1))" '/^MemTotal:/ {
		fit = int($2 / (4 * 1024 * 1024))
		jobs = fit < cpus ? fit : cpus
		print jobs < 1 ? 1 : jobs
	}' /proc/meminfo)
	printf '%s' "${LAB_JOBS:-${jobs:-1}}"
}

# take_slot: waits until there are fewer emulated hosts than lab_jobs, of those labs that
# have the same LAB_SLOTS; for as long as this (sub)shell and all that it starts. Who
# asked first is first.
take_slot() {
	local dir=${LAB_SLOTS:-$LAB_BUILD/slots} queue fd i jobs

	jobs=$(lab_jobs 0)
	mkdir -p "$dir"
	exec {queue}>"$dir/queue"
	flock "$queue"
	while :; do
		for ((i = 0; i < jobs; i++)); do
			exec {fd}>"$dir/$i"
			if flock -n "$fd"; then
				exec {queue}>&-
				return
			fi
			exec {fd}>&-
		done
		sleep 0.2
	done
}

# make splits its variables at blanks, the kernel's makefiles among them.
check_paths() {
	local path

	for path in "$LAB_ROOT" "$LAB_CACHE" "$LAB_BUILD"; do
		[[ $path != *[[:space:]]* ]] || die_environment \
			"'$path' contains a blank, which the kernel's build cannot handle" \
			"Move the repository, or set KVM_VMEM_CACHE and KVM_VMEM_BUILD."
	done
}
