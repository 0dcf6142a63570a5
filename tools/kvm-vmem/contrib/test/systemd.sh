# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The units, as they are installed.

# installed: into $scratch/root, as /usr/local.
installed() {
	make -s -C "$here/.." DESTDIR="$scratch/root" PREFIX=/usr/local install
	cp "$vmemctl" "$scratch/root/usr/local/bin/"
	units=$scratch/root/usr/local/lib/systemd/system
}

test_the_units_are_what_systemd_takes() {
	installed
	# It looks for programs on this machine.
	sed -i "s,^ExecStart=,ExecStart=$scratch/root/usr/local/bin/," "$units"/*.service
	systemd-analyze verify --man=no "$units"/* >"$scratch/said" 2>&1 || fail "$(<"$scratch/said")"
	[[ ! -s $scratch/said ]] || fail "$(<"$scratch/said")"
}

test_each_timer_has_a_service_and_programs_are_there() {
	local unit program

	installed
	for unit in "$units"/*.timer; do
		[[ -e ${unit%.timer}.service ]] || fail "no service for $unit"
	done
	for unit in "$units"/*.service; do
		program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
		[[ -x $scratch/root/usr/local/bin/$program ]] || fail "no $program for $unit"
	done
}

# A timer's service is to have nothing that it does not need.
test_the_units_are_confined() {
	local unit

	installed
	for unit in "$units"/*.service; do
		systemd-analyze security --offline=yes --threshold=45 "$unit" >"$scratch/said" 2>&1 ||
			fail "$unit: $(tail -n 3 "$scratch/said")"
	done
}

test_the_policy_that_is_installed_is_one_and_names_no_device() {
	full vmem0 8 web
	installed
	echo 'MemAvailable: 0 kB' >"$scratch/meminfo"
	out=$(KVM_VMEM_POLICY_MEMINFO=$scratch/meminfo \
		KVM_VMEM_POLICY_VMEMCTL="$vmemctl --sysfs $sysfs" \
		"$scratch/root/usr/local/bin/kvm-vmem-policy" \
		"$scratch/root/usr/local/share/kvm-vmem/policy/policy.conf")
	[[ -z $out ]]
	# With what it has as an example.
	sed -i 's/^#device/device/' "$scratch/root/usr/local/share/kvm-vmem/policy/policy.conf"
	out=$(KVM_VMEM_POLICY_MEMINFO=$scratch/meminfo \
		KVM_VMEM_POLICY_VMEMCTL="$vmemctl --sysfs $sysfs" \
		"$scratch/root/usr/local/bin/kvm-vmem-policy" --dry-run \
		"$scratch/root/usr/local/share/kvm-vmem/policy/policy.conf")
	[[ $out == 'vmem0: 4096 MiB' ]] || fail "$out"
}
