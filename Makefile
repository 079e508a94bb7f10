# SPDX-License-Identifier: GPL-2.0-or-later
#
# berth. `make`, `make unit`, `make integration`, `make test`, `make demo`, `make bench`,
# `make fuzz`, `make lint`, `make install`. BUILD=release|debug|asan; O= moves the objects.

BUILD  ?= release
O      ?= build/$(BUILD)
PREFIX ?= /usr/local
CC     ?= cc
VERSION := 0.1.0

# The one list of Debian packages: to build, and what the tests and the demo need besides.
BUILD_PACKAGES := gcc make pkg-config libc6-dev libyaml-dev libjansson-dev \
	libsystemd-dev libiptc-dev libip4tc-dev libip6tc-dev libxtables-dev \
	libseccomp-dev libarchive-dev libisal-dev \
	libcurl4-openssl-dev
DEMO_PACKAGES := curl ca-certificates
TEST_PACKAGES := libcriterion-dev buildah busybox-static iproute2 iptables nftables valgrind strace \
	python3 python3-pytest python3-pytest-xdist python3-pytest-timeout jq skopeo socat tmux procps \
	util-linux systemd docker-registry apache2-utils openssl zsh fish git openssh-client podman zstd \
	groff-base python3-pyte nginx-light redis-server postgresql bzip2 xz-utils uidmap passt

# A folder is an archive; `below_X` is all that X may call (DESIGN.md), in link order.
ROOMS := common volumes netmgr runtime/container runtime/image runtime/build compose/tree compose/model \
	compose/load compose/plan compose/control compose/supervisor compose/cli
below_common             :=
below_volumes            := common
below_netmgr             := common
below_runtime/container  := common
below_runtime/image      := common
below_runtime/build      := runtime/container runtime/image common
below_compose/tree       := common
below_compose/model      := compose/tree common
below_compose/load       := compose/model compose/tree common
below_compose/plan       := compose/model compose/tree common
below_compose/control    := common
below_compose/supervisor := compose/plan compose/model compose/tree compose/control \
	runtime/container runtime/image volumes netmgr common
below_compose/cli        := compose/load compose/plan compose/model compose/tree compose/control \
	runtime/build runtime/container runtime/image volumes netmgr common

LIBRARIES := yaml-0.1 jansson
# Opened at run time where they are needed: headers only.
HEADERS_ONLY := libarchive libisal libcurl libsystemd libip4tc libip6tc libseccomp

CPPFLAGS += -I. -D_GNU_SOURCE -DBERTH_VERSION='"$(VERSION)"'
WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wno-unused-parameter \
	-Wformat=2 -Wundef -Wno-missing-field-initializers
CFLAGS_release := -O2 -g -fno-plt -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_debug   := -Og -g3 -fPIE
CFLAGS_asan    := -O1 -g3 -fPIE -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
CFLAGS_fuzz    := $(CFLAGS_asan) -fsanitize-coverage=trace-pc
CFLAGS_libfuzzer := -O1 -g3 -fPIE -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer
LDFLAGS_release := -pie -Wl,-z,relro -Wl,--as-needed -Wl,-O1
LDFLAGS_debug   := -pie -Wl,--as-needed
LDFLAGS_asan    := -pie -fsanitize=address,undefined
LDFLAGS_fuzz    := $(LDFLAGS_asan)
LDFLAGS_libfuzzer := -pie -fsanitize=fuzzer,address,undefined
# Asked once, at first use: `make packages` may have to run before.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(LIBRARIES) $(HEADERS_ONLY)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(LIBRARIES)))$(PKG_LIBS)
ALL_CFLAGS = -std=gnu17 $(WARNINGS) $(CFLAGS_$(BUILD)) $(PKG_CFLAGS) $(CFLAGS)
ALL_LIBS   = $(PKG_LIBS) -ldl

# */pid1/* is a program of its own, see below.
sources_of  = $(shell find $(1) -name '*.c' -not -path '*/pid1/*' 2>/dev/null | sort)
objects_of  = $(patsubst %.c,$(O)/%.o,$(call sources_of,$(1)))
archive_of  = $(O)/$(subst /,-,$(1)).a

all: $(O)/berth

define room
$(call archive_of,$(1)): $(call objects_of,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR) ar rcs $$@ $$^

# The room's unit tests link the room and what stands below it.
$(O)/test/$(subst /,-,$(1)): $(call objects_of,tests/unit/$(1)) $(call archive_of,$(1)) $(foreach b,$(below_$(1)),$(call archive_of,$(b))) $(O)/tests-support.a
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS_$$(BUILD)) $$(LDFLAGS) -o $$@ $(call objects_of,tests/unit/$(1)) $(O)/tests-support.a $(call archive_of,$(1)) $(foreach b,$(below_$(1)),$(call archive_of,$(b))) $$(ALL_LIBS) -lcriterion
endef
# compose/* rooms are siblings, runtime has two archives: no folder contains another room.
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

$(O)/tests-support.a: $(call objects_of,tests/support)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

# Link order: a room before what it calls.
LINK_ORDER := compose/cli compose/supervisor compose/load compose/plan compose/model compose/tree \
	compose/control runtime/build runtime/container runtime/image volumes netmgr common

$(O)/berth: $(O)/compose/main.o $(foreach r,$(LINK_ORDER),$(call archive_of,$(r)))
	$(call say,LD) $(CC) $(LDFLAGS_$(BUILD)) $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

# V=1 shows whole commands.
V ?=
say = $(if $(V),,@echo '  $(1)' $@;)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The container's init: no libc, embedded into pid1.o, executed from a memfd.
INIT := runtime/container/pid1/init
$(O)/$(INIT): $(INIT).c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 $(WARNINGS) -Os -ffreestanding -fno-builtin -fno-stack-protector -fno-pie \
		-fno-asynchronous-unwind-tables -no-pie -nostdlib -static \
		-Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,noseparate-code -s -o $@ $<
$(O)/runtime/container/pid1.o: $(O)/$(INIT)
$(O)/runtime/container/pid1.o: CPPFLAGS += -DPID1_PROGRAM='"$(O)/$(INIT)"'

# Unit tests need no privileges. ROOMS_UNDER_TEST="netmgr common" runs some.
ROOMS_UNDER_TEST ?= $(foreach r,$(ROOMS),$(if $(call sources_of,tests/unit/$(r)),$(r)))
unit: $(foreach r,$(ROOMS_UNDER_TEST),$(O)/test/$(subst /,-,$(r)))
	@set -e; for t in $^; do echo "== $$t"; $$t --short-filename $(UNIT_FLAGS); done

unit-binaries: $(foreach r,$(ROOMS_UNDER_TEST),$(O)/test/$(subst /,-,$(r)))

# Everything: what the README names and .ci/run calls. STEPS="unit-asan integration" runs some.
PYTHON := /usr/bin/python3
STEPS  ?=
test: test-packages
	@$(PYTHON) tests/support/run_all.py $(STEPS)

# Root, each test in private namespaces. TESTS="-k dns" chooses; BUILD=asan for the sanitizers.
WORKERS ?= 2
TESTS   ?=
integration: $(O)/berth
	BERTH=$(abspath $(O)/berth) $(PYTHON) -m pytest -n $(WORKERS) tests/integration $(TESTS)

# On machines with systemd, of the command that BERTH_VM names (tests/vm/README.md); else skipped.
test-vm: $(O)/berth
	BERTH=$(abspath $(O)/berth) $(PYTHON) -m pytest -rs -v tests/vm

valgrind: $(O)/berth
	$(PYTHON) tests/support/run_all.py unit-valgrind

bench: $(O)/berth $(O)/bench/floor $(O)/bench/inflate
	$(PYTHON) tests/bench/run $(O)/berth $(O)/bench/floor $(BENCH_FLAGS)

$(O)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -D_GNU_SOURCE -I. $(CFLAGS) -o $@ $(filter %.c,$^) $(BENCH_LIBS)

$(O)/bench/inflate: common/sha256.c common/sha256.h
$(O)/bench/inflate: BENCH_LIBS = -lisal

# Each tests/fuzz/fuzz_X.c for so many seconds, from the inputs in tests/fuzz/corpus/X.
# FUZZ_ENGINE=libfuzzer takes clang's; otherwise tests/fuzz/driver.c, with gcc's coverage.
FUZZ_SECONDS ?= 10
FUZZ_ENGINE  ?= driver
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_ARCHIVES = $(foreach r,$(LINK_ORDER),$(call archive_of,$(r)))
fuzz:
	$(MAKE) BUILD=$(if $(filter libfuzzer,$(FUZZ_ENGINE)),libfuzzer CC=clang,fuzz) fuzz-run

$(O)/fuzz/%: $(O)/tests/fuzz/%.o $(if $(filter fuzz,$(BUILD)),$(O)/tests/fuzz/driver.o) $(FUZZ_ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_$(BUILD)) $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

# The driver counts what it runs, not itself.
$(O)/tests/fuzz/driver.o: CFLAGS_fuzz := $(CFLAGS_asan)

fuzz-run: $(FUZZERS:%=$(O)/fuzz/%)
	@set -e; for f in $(FUZZERS); do \
		echo "== $$f"; corpus=tests/fuzz/corpus/$${f#fuzz_}; mkdir -p build/fuzz/$$f; \
		if [ $(BUILD) = libfuzzer ]; then \
			$(O)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=65536 \
				-artifact_prefix=build/fuzz/crash-$$f- build/fuzz/$$f $$( [ -d $$corpus ] && echo $$corpus ); \
		else \
			$(O)/fuzz/$$f $(FUZZ_SECONDS) $$corpus build/fuzz/crash-$$f; \
		fi; \
	done

# Version 14 of clang-format decides, which Debian 12 has by that name too.
CLANG_FORMAT := $(shell command -v clang-format-14 || echo clang-format)
CLANG_TIDY   := $(shell command -v clang-tidy-14 || echo clang-tidy)
C_FILES       = $(call sources_of,common volumes netmgr runtime compose)
C_HEADERS     = $(shell find common volumes netmgr runtime compose tests -name '*.h' | sort)
lint: lint-format lint-headers lint-tidy
lint-format:
	@printf '%s\n' $(C_FILES) $(C_HEADERS) $(call sources_of,tests) | xargs -P 2 -n 1 sh -c \
		'$(CLANG_FORMAT) --dry-run -Werror "$$1" 2>&1 || { echo "$$1: not as .clang-format says"; exit 1; }' format
lint-headers: $(C_HEADERS:%=$(O)/lint/%.ok)
$(O)/lint/%.ok: %
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fsyntax-only -Werror -x c -include $< /dev/null
	@touch $@
lint-tidy:
	printf '%s\n' $(C_FILES) | xargs -P 2 -n 4 sh -c '$(CLANG_TIDY) --quiet "$$@" -- \
		-I. -D_GNU_SOURCE -DBERTH_VERSION=\"\" -std=gnu17 $(PKG_CFLAGS) 2>/dev/null' tidy

# What builds, tests and shows berth, from Debian (12 or 13).
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT   = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0
define install_packages
	$(APT) update
	$(APT) install --no-install-recommends $(1)
endef
# The same, only where one of them is missing.
define need
@if dpkg-query -W -f '$${db:Status-Status}\n' $(1) 2>&1 | grep -qvx installed; then \
	$(APT) update && $(APT) install --no-install-recommends $(1); fi
endef
packages:
	$(call install_packages,$(BUILD_PACKAGES) $(DEMO_PACKAGES) $(TEST_PACKAGES))
lint-packages:
	$(call install_packages,clang clang-format clang-tidy)

# From nothing to a stack that answers: what the README shows first.
demo: demo-packages
	$(MAKE) --no-print-directory -j$$(nproc) $(O)/berth
	samples/demo $(abspath $(O)/berth)
demo-packages:
	$(call need,$(BUILD_PACKAGES) $(DEMO_PACKAGES))
test-packages:
	$(call need,$(BUILD_PACKAGES) $(DEMO_PACKAGES) $(TEST_PACKAGES))

# The program, and what it prints of itself: units, man pages, completions.
SHARE = $(PREFIX)/share
UNITS = $(PREFIX)/lib/systemd
install: all
	install -D -m 0755 $(O)/berth $(DESTDIR)$(PREFIX)/bin/berth
	install -d $(DESTDIR)$(SHARE)/man/man1 $(DESTDIR)$(SHARE)/bash-completion/completions \
		$(DESTDIR)$(SHARE)/zsh/site-functions $(DESTDIR)$(SHARE)/fish/vendor_completions.d
	install -d $(DESTDIR)$(UNITS)/system $(DESTDIR)$(UNITS)/user $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -D -m 0644 compose/berth.catalog $(DESTDIR)$(UNITS)/catalog/berth.catalog
	$(O)/berth systemd unit $(PREFIX)/bin/berth > $(DESTDIR)$(UNITS)/system/berth@.service
	$(O)/berth systemd unit --user $(PREFIX)/bin/berth > $(DESTDIR)$(UNITS)/user/berth@.service
	printf '%s\n' 'd /run/berth 0755 root root -' 'd /etc/berth 0755 root root -' \
		> $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/berth.conf
	$(O)/berth __manual $(DESTDIR)$(SHARE)/man/man1
	$(O)/berth completion bash > $(DESTDIR)$(SHARE)/bash-completion/completions/berth
	$(O)/berth completion zsh > $(DESTDIR)$(SHARE)/zsh/site-functions/_berth
	$(O)/berth completion fish > $(DESTDIR)$(SHARE)/fish/vendor_completions.d/berth.fish

# A Debian package in build/deb/, of what git knows, built apart; and what lintian says of it.
DEB := build/deb/berth-$(VERSION)
deb: deb-packages
	rm -rf build/deb
	mkdir -p $(DEB)
	git ls-files -z | xargs -0 cp -a --parents -t $(DEB)
	cd $(DEB) && dpkg-buildpackage -us -uc -b -j$$(nproc) >../dpkg-buildpackage.log 2>&1 || \
		{ tail -n 40 ../dpkg-buildpackage.log; exit 1; }
	lintian --fail-on error build/deb/*.changes
	@ls build/deb/*.deb
deb-packages:
	$(call need,$(BUILD_PACKAGES) debhelper dpkg-dev lintian git)

clean:
	rm -rf build

.PHONY: all demo demo-packages test-packages unit unit-binaries test integration test-vm valgrind bench fuzz fuzz-run lint lint-format \
	lint-headers lint-tidy packages lint-packages install deb deb-packages clean
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
