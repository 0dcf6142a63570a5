# SPDX-License-Identifier: GPL-2.0
#
# Builds the module outside of a kernel tree, and runs its tests. What the
# kernel's build reads is ./Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build
MODULE := drivers/virt/kvm_vmem/kvm_vmem.ko
PREFIX ?= /usr/local
TOOLS_OUT ?= $(CURDIR)/build/tools

have-headers:
	@test -e $(KDIR)/Makefile || { \
		echo "There are no headers of a kernel in $(KDIR)."; \
		echo "For the kernel that runs: apt install linux-headers-$$(uname -r)"; \
		echo "For another one: make KDIR=<its build directory>"; \
		echo "To try and test the module, none are needed: make demo, make check"; \
		exit 2; } >&2

modules: have-headers
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

# The kernel's own makefile leaves out depmod where there is no System.map, and headers
# from a package have none. Nor do they have the key to sign with.
modules_install: have-headers
	@test -e modules.order || { echo "Build the module first: make" >&2; exit 2; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install \
		$(if $(wildcard $(KDIR)/certs/signing_key.x509),,CONFIG_MODULE_SIG_ALL=)
	release=$$(PATH=$$PATH:/sbin modinfo -F vermagic $(MODULE)) && \
		PATH=$$PATH:/sbin depmod -b "$(INSTALL_MOD_PATH)/" "$${release%% *}"

tools:
	$(MAKE) -C tools/kvm-vmem OUT=$(TOOLS_OUT) PREFIX=$(PREFIX) all

install: tools
	$(MAKE) -C tools/kvm-vmem OUT=$(TOOLS_OUT) PREFIX=$(PREFIX) install
	$(MAKE) -C tools/kvm-vmem/install PREFIX=$(PREFIX) install

clean:
	@test ! -e $(KDIR)/Makefile || $(MAKE) -C $(KDIR) M=$(CURDIR) clean
	rm -rf build

docs:
	@tools/docs/docs

deb:
	@tools/kvm-vmem/packaging/build-deb

unit check:
	@tools/testing/lab/check $(filter unit,$@)

check-quick:
	@tools/testing/lab/check static unit quick

check-debug:
	@tools/testing/lab/check debug fuzz intree

check-kills:
	@tools/testing/lab/check kills

check-migrations:
	@tools/testing/lab/check migrations

demo:
	@tools/testing/demo/demo

run:
	@tools/testing/run/run

bench:
	@tools/testing/bench/bench

bench-quick:
	@tools/testing/bench/bench --quick

bench-charts:
	@tools/testing/bench/bench --draw

soak:
	@MINUTES=$(MINUTES) KERNEL=$(KERNEL) SEED=$(SEED) tools/testing/soak/soak
model:
	@tools/testing/model/model $(if $(KERNEL),--kernel $(KERNEL)) $(if $(OPS),--ops $(OPS)) \
		$(if $(SEED),--seed $(SEED))

fuzz:
	@tools/testing/fuzz/fuzz $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

help:
	@echo 'make [KDIR=DIR]   build drivers/virt/kvm_vmem/kvm_vmem.ko for the kernel that'
	@echo '                  runs, or the one with its build directory in DIR'
	@echo 'make demo         what the module is good for, measured on emulated hosts'
	@echo 'make run          a stock guest that grows to 4 GiB and shrinks, on an emulated host'
	@echo 'make check        all tests, on emulated hosts with Linux 6.1, 6.12, and 7.2 with KASAN,'
	@echo '                  lockdep, kmemleak'
	@echo 'make check-debug  those of them that need Linux 7.2'
	@echo 'make check-quick  those that take two and a half minutes together'
	@echo 'make check-kills  1000 VMMs killed on each kernel, the debug kernel included: hours'
	@echo 'make check-migrations   a stock guest with 2 GiB of 1 TiB migrated 20 times: an hour'
	@echo 'make bench        what it costs and saves, beside its peers and the bars it has to'
	@echo '                  meet: tables and charts, into Documentation/benchmarks'
	@echo 'make bench-quick  those of them that take a quarter of an hour together'
	@echo 'make bench-charts   only tables and charts, from the results that are there'
	@echo 'make soak         everything at once, for MINUTES=60, on KERNEL=6.12'
	@echo 'make model        random operations on the module and on a model of it, compared;'
	@echo '                  OPS (20000), KERNEL (6.12), SEED'
	@echo 'make fuzz         the module on the debug kernel, by random calls that its coverage'
	@echo '                  guides, for MINUTES (10), SEED'
	@echo 'make unit         the tests that need no kernel'
	@echo 'make docs         the documentation, into build/docs/html'
	@echo 'make modules_install   put the module where modprobe finds it; INSTALL_MOD_PATH'
	@echo 'make install      library, tools, manual pages, udev rule and sources for DKMS;'
	@echo '                  DESTDIR, PREFIX (/usr/local)'
	@echo 'make deb          Debian packages of all that, into build/out'
	@echo 'make clean        remove what was built'
	@echo
	@echo 'tools/testing/lab/lab help    more about the emulated hosts'

.PHONY: have-headers modules modules_install tools install clean docs deb unit check \
	check-quick demo run bench bench-quick bench-charts soak check-debug check-kills \
	check-migrations model fuzz help
