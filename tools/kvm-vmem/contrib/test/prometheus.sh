# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The alert rules, and whether there are metrics for them.

rules=$here/../prometheus
promtool=${PROMTOOL:-promtool}

test_the_alert_rules_are_rules() {
	"$promtool" check rules "$rules/kvm-vmem-alerts.yml" >"$scratch/said" 2>&1 ||
		fail "$(<"$scratch/said")"
}

test_the_alert_rules_do_what_their_examples_say() {
	(cd "$rules" && "$promtool" test rules kvm-vmem-alerts_test.yml) >"$scratch/said" 2>&1 ||
		fail "$(<"$scratch/said")"
}

test_each_alert_has_an_example_that_fires_and_one_that_does_not() {
	local alert

	while read -r alert; do
		[[ $(grep -cw "$alert" "$rules/kvm-vmem-alerts_test.yml") -ge 2 ]] ||
			fail "$alert has not two examples"
	done < <(sed -n 's/.*- alert: //p' "$rules/kvm-vmem-alerts.yml")
}

test_alerts_are_about_metrics_that_vmemctl_exports() {
	local metric

	vmem vmem0
	expect 0 export
	while read -r metric; do
		grep -q "^${metric}[ {]" <<<"$out" || fail "there is no $metric"
	done < <(grep -ohE '\bkvm_vmem_[a-z_]+' "$rules/kvm-vmem-alerts.yml" |
		grep -vx kvm_vmem_discard | sort -u)
}
