# SPDX-License-Identifier: GPL-2.0
#
# Builds the module outside of a kernel tree, and runs its tests. What the
# kernel's build reads is ./Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build

modules:
	@test -e $(KDIR)/Makefile || { \
		echo "There are no headers of a kernel in $(KDIR)."; \
		echo "For the kernel that runs: apt install linux-headers-$$(uname -r)"; \
		echo "For another one: make KDIR=<its build directory>"; \
		echo "To try and test the module, none are needed: make demo, make check"; \
		exit 2; } >&2
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

clean:
	@test ! -e $(KDIR)/Makefile || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	rm -rf build

unit check:
	@tools/testing/lab/check $(filter unit,$@)

demo:
	@tools/testing/demo/demo

bench:
	@tools/testing/bench/bench

help:
	@echo 'make [KDIR=DIR]   build drivers/virt/kvm_vmem/kvm_vmem.ko for the kernel that'
	@echo '                  runs, or the one with its build directory in DIR'
	@echo 'make demo         what the module is good for, measured on emulated hosts'
	@echo 'make check        all tests, on emulated hosts with Linux 6.1 and 6.12'
	@echo 'make bench        what it costs and saves, beside the bars it has to meet'
	@echo 'make unit         the tests that need no kernel'
	@echo 'make clean        remove what was built'
	@echo
	@echo 'tools/testing/lab/lab help    more about the emulated hosts'

.PHONY: modules clean unit check demo bench help
