# make            build the programs into build/release
# make demo       three regions clear, net and settle; see README
# make test       every test that belongs before a commit
# make help       every target, with what it does
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.SECONDARY:

VARIANT ?= release
BUILD ?= build/$(VARIANT)
PREFIX ?= /usr/local

CC ?= cc
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wcast-qual -Wmissing-prototypes -Werror
FLAGS_release :=
FLAGS_asan := -fsanitize=address -fno-omit-frame-pointer
FLAGS_ubsan := -fsanitize=undefined -fno-sanitize-recover=all
FLAGS_tsan := -fsanitize=thread
FLAGS_coverage := --coverage -fprofile-update=atomic
FLAGS_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
VARIANT_FLAGS := $(FLAGS_$(VARIANT))

PACKAGES := libzmq libprotobuf-c lmdb libsodium libcyaml yaml-0.1 libcrypto libsystemd jansson libxml-2.0
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -pthread

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(VARIANT_FLAGS) -I. -I$(BUILD)/gen $(PKG_CFLAGS) -pthread $(CFLAGS)
GEN_CFLAGS = -std=gnu11 -w $(VARIANT_FLAGS) -I$(BUILD)/gen $(PKG_CFLAGS) $(CFLAGS)

# `make V=1` shows whole commands.
Q := $(if $(V),,@)
comma := ,
say = @printf '  %-8s%s\n' '$(1)' '$(2)'

LIB_SOURCES := $(wildcard proto/*.c clearing/*/*.c peers/*.c ops/common/*.c ops/history/*.c ops/files/*.c)
DAEMON_SOURCES := $(wildcard ops/daemon/*.c)
CONSOLE_SOURCES := $(wildcard ops/console/*.c)
CLI_MAIN := $(wildcard ops/cli/main.c)
CLI_SOURCES := $(filter-out $(CLI_MAIN),$(wildcard ops/cli/*.c))
LANGUAGES := $(patsubst ops/locale/%.po,%,$(wildcard ops/locale/*.po))
UNIT_SOURCES := $(wildcard tests/unit/*_test.c)
TEST_SUPPORT := $(wildcard tests/support/*.c tests/model/*.c)
BENCH_SOURCES := $(wildcard tests/bench/*_bench.c)
# The simulator turns the daemon's own loop; threads, sockets and clock are its own.
SIM_SOURCES := $(filter-out tests/sim/main.c,$(wildcard tests/sim/*.c)) $(wildcard tests/model/*.c) \
	$(filter-out $(addprefix ops/daemon/,main.c start.c loop.c commit_thread.c snapshots.c scrape.c),$(DAEMON_SOURCES))
BENCH_SUPPORT := $(filter-out $(BENCH_SOURCES),$(wildcard tests/bench/*.c))

GEN := $(BUILD)/gen/proto/sanquan.pb-c
LIB := $(BUILD)/libsanquan.a
SUPPORT := $(BUILD)/tests/libsupport.a
CLI_LIB := $(BUILD)/libsanquan-cli.a
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
PROGRAMS := $(BUILD)/sanquand $(BUILD)/sanquan $(BUILD)/sanquan-console
DEMO_PROGRAM := $(BUILD)/demo-hostile
CATALOGUES := $(patsubst %,$(BUILD)/locale/%/LC_MESSAGES/sanquan.mo,$(LANGUAGES))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SOURCES))
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(BENCH_SOURCES))

.PHONY: all
all: $(PROGRAMS) $(CATALOGUES) ## build the programs

# Every header we build against, with the Debian package that brings it: checked once, before the first compilation.
$(BUILD)/checked: ops/deps
	@mkdir -p $(@D)
	$(Q)ops/check-headers $(CC)
	@touch $@

$(GEN).h: proto/sanquan.proto $(BUILD)/checked
	@mkdir -p $(@D)
	$(call say,PROTOC,$<)
	$(Q)protoc-c --c_out=$(BUILD)/gen $<
$(GEN).c: $(GEN).h ;
$(GEN).o: $(GEN).c
	$(call say,CC,$<)
	$(Q)$(CC) $(GEN_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c $(GEN).h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(call objects,$(LIB_SOURCES)) $(GEN).o
$(CLI_LIB): $(call objects,$(CLI_SOURCES))
$(LIB) $(CLI_LIB):
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^

# An archive, so that a program takes what it uses of it and no more.
$(SUPPORT): $(call objects,$(TEST_SUPPORT))
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^

link = $(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(BUILD)/sanquan-console: $(call objects,$(CONSOLE_SOURCES)) $(LIB)
	$(call say,LINK,$@)
	$(link) -lmicrohttpd
$(BUILD)/sanquand: $(call objects,$(DAEMON_SOURCES)) $(LIB)
	$(call say,LINK,$@)
	$(link) -lmicrohttpd
$(BUILD)/sanquan: $(call objects,$(CLI_MAIN)) $(CLI_LIB) $(LIB)
	$(call say,LINK,$@)
	$(link) -lcsv
$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(SUPPORT) $(CLI_LIB) $(LIB)
	$(call say,LINK,$@)
	$(link) -lcsv -lcmocka
$(BUILD)/tests/unit/console_test: $(BUILD)/tests/unit/console_test.o $(call objects,$(filter-out ops/console/main.c,$(CONSOLE_SOURCES))) $(LIB)
	$(call say,LINK,$@)
	$(link) -lmicrohttpd -lcmocka
$(BUILD)/tests/unit/ledger_faults_test: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc)
# What it counts, it counts there.
$(BUILD)/tests/unit/hotpath_test: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc sq_tree_node_hash)
$(BUILD)/locale/%/LC_MESSAGES/sanquan.mo: ops/locale/%.po
	@mkdir -p $(@D)
	$(call say,MSGFMT,$<)
	$(Q)msgfmt --check -o $@ $<
$(BUILD)/tests/bench/%_bench: $(BUILD)/tests/bench/%_bench.o $(call objects,$(BENCH_SUPPORT)) $(SUPPORT) $(LIB)
	$(call say,LINK,$@)
	$(link) $(BENCH_LIBS)
$(BUILD)/tests/bench/postgres_bench.o: PKG_CFLAGS += $(shell pkg-config --cflags libpq 2>/dev/null)
$(BUILD)/tests/bench/postgres_bench: BENCH_LIBS := $(shell pkg-config --libs libpq 2>/dev/null)

$(BUILD)/tests/sim/sim: $(call objects,tests/sim/main.c $(SIM_SOURCES)) $(LIB)
	$(call say,LINK,$@)
	$(link)
$(BUILD)/tests/unit/sim_test: $(BUILD)/tests/unit/sim_test.o $(call objects,$(SIM_SOURCES)) $(LIB)
	$(call say,LINK,$@)
	$(link) -lcmocka

# Ledgers on disks that fail: what watches a process, and what reopens what it wrote.
$(BUILD)/tests/preload/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(filter-out -Wmissing-prototypes,$(WARNINGS)) -I. -O1 -shared -fPIC -MMD -MP -o $@ $< -ldl -pthread
$(BUILD)/tests/disk/%: $(BUILD)/tests/disk/%.o $(BUILD)/tests/disk/state.o $(BUILD)/tests/disk/place.o $(LIB)
	$(call say,LINK,$@)
	$(link)
DISK_TESTS := $(addprefix $(BUILD)/tests/,disk/images disk/damage preload/disk.so preload/memory.so)

# A fuzzer is one file and libFuzzer; for `make test`, that file and what replays its corpus.
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_MAIN = $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer,$(BUILD)/tests/fuzz/replay.o)
$(FUZZERS): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%_fuzz.o $(BUILD)/tests/fuzz/replay.o $(CLI_LIB) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(FUZZ_MAIN) $(CLI_LIB) $(LIB) $(PKG_LIBS) -lcsv

# ---- tests ----

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS) $(BUILD)/tests/sim/sim $(DISK_TESTS) $(FUZZERS) ## build the unit tests

# One test: `make unit-core` runs tests/unit/core_test.c
unit-%: $(BUILD)/tests/unit/%_test
	$<

.PHONY: check
check: all unit-tests ## the tests, without installing what they need
	tests/run $(BUILD)

.PHONY: test
test: ## install what the tests need, build, test
	ops/deps test
	$(MAKE) check

CLAIMS ?= 5000000
SETS ?= 1000000
IMAGES ?= 1000000
.PHONY: test-long
test-long: all unit-tests ## what takes minutes: CLAIMS=n random claims and SETS=n sets of obligations against a second opinion, IMAGES=n power cuts, every bit, a fault at every write, 1,000 kills, a minute of each fuzzer
	POLICY_CLAIMS=$(CLAIMS) $(BUILD)/tests/unit/policy_model_test
	POLICY_ROUNDS=$$(($(CLAIMS) / 50)) $(BUILD)/tests/unit/allocation_model_test
	AGREEMENTS=$$(($(CLAIMS) / 5)) $(BUILD)/tests/unit/recognition_model_test
	REVERSALS=$$(($(CLAIMS) / 5)) $(BUILD)/tests/unit/reversal_model_test
	SETS=$(SETS) $(BUILD)/tests/unit/netting_test
	SETS=$(SETS) $(BUILD)/tests/unit/setoff_test
	IMAGES=$(IMAGES) EVERY=1 tests/run $(BUILD) e2e/disk
	FAULTS=all tests/run $(BUILD) e2e/faults
	FLAPS=200 tests/run $(BUILD) e2e/netns
	KILLS=334 tests/run $(BUILD) e2e/kill
	$(MAKE) fuzz

FUZZ_SECONDS ?= 60
FUZZ ?= $(notdir $(FUZZERS))
.PHONY: fuzz
fuzz: ## libFuzzer with ASan and UBSan: FUZZ=name for one, FUZZ_SECONDS=n for each
	ops/deps fuzz
	$(MAKE) VARIANT=fuzz CC=clang WARNINGS=-w CFLAGS="-O1 -g" $(addprefix build/fuzz/tests/fuzz/,$(FUZZ))
	tests/fuzz/run build/fuzz $(FUZZ_SECONDS) $(FUZZ)

SEEDS ?= 20
SEED ?= 1
.PHONY: sim
sim: $(BUILD)/tests/sim/sim ## the simulator: SEEDS=n seeds from SEED=s on
	$< --seeds=$(SEEDS) --seed=$(SEED)

.PHONY: sim-provinces
sim-provinces: $(BUILD)/tests/sim/sim ## 34 nodes that crash, are cut off and lie, for 200 windows and more: a quarter of an hour
	$< --nodes=34 --requests=120 --windows=200 --faults=crash,partition,lie --once --seeds=5 --seed=$(SEED)

.PHONY: sim-canaries
sim-canaries: $(BUILD)/tests/sim/sim ## known bugs, one at a time: the simulator must find each; CANARY=name for one
	tests/sim/canaries.py --build $(BUILD) --cc "$(CC) $(ALL_CFLAGS)" --lib $(LIB) --libs "$(LDFLAGS) $(PKG_LIBS)" --only "$(CANARY)" \
		$(call objects,tests/sim/main.c $(SIM_SOURCES))

tsan: export TSAN_OPTIONS = suppressions=$(CURDIR)/tests/tsan.supp
.PHONY: asan ubsan tsan
asan ubsan tsan: ## the tests again under a sanitizer
	$(MAKE) VARIANT=$@ CFLAGS="-O1 -g" check

COVERED := clearing/* proto/* peers/yaml.c peers/directory.c peers/message.c ops/common/programme_yaml.c ops/cli/sheet.c ops/cli/cells.c ops/cli/batch.c ops/files/*
.PHONY: coverage
coverage: ## lines and branches that the tests run, of what decides and what reads (COVERAGE=pattern: only these tests)
	ops/deps coverage
	$(MAKE) VARIANT=coverage WARNINGS=-w CFLAGS="-O0 -g" all unit-tests
	tests/coverage build/coverage '$(COVERED)' $(COVERAGE)

MUTATE ?= clearing
.PHONY: mutation
mutation: ## change the code line by line and see which tests notice: MUTATE=files or folders, MUTANTS=n of them, SEED=s
	ops/deps test
	$(MAKE) all unit-tests
	tests/mutation --cc "$(CC) $(ALL_CFLAGS)" --link "$(LDFLAGS) $(PKG_LIBS)" --build $(BUILD) --seed $(SEED) --mutants $(or $(MUTANTS),100) $(MUTATE)

# ---- measurements ----

.PHONY: benches bench bench-postgres
benches: $(BENCHES) $(BUILD)/tests/unit/hotpath_test ## build the benches
bench: ## every figure against its goal; FULL=1 for the sizes of the goals (tests/bench/README.md)
	ops/deps bench
	$(MAKE) all benches
	tests/bench/run --build $(BUILD) $(if $(FULL),--full)
bench-postgres: ## the same job by PostgreSQL, in a cluster of its own
	ops/deps bench
	$(MAKE) all benches
	tests/bench/run --build $(BUILD) $(if $(FULL),--full) --only postgres

MODEL_ROUNDS ?= 3
.PHONY: model
model: ## search every state of the agreement, and of variants that must fail
	ops/deps model
	tests/model-check/run $(BUILD) $(MODEL_ROUNDS)

# ---- the demonstration ----

$(DEMO_PROGRAM): $(BUILD)/ops/demo/hostile.o $(LIB)
	$(call say,LINK,$@)
	$(link)

.PHONY: demo demo-up demo-down
demo: ## three regions clear, net and settle; checks its own outcome
	ops/deps demo
	$(MAKE) all $(DEMO_PROGRAM)
	BUILD=$(BUILD) ops/demo/run

demo-up: ## the same, and leave the nodes running, with commands to try
	ops/deps demo
	$(MAKE) all $(DEMO_PROGRAM)
	BUILD=$(BUILD) ops/demo/run up

demo-down: ## end the nodes that demo-up left running
	BUILD=$(BUILD) ops/demo/run down

# ---- the rest ----

SOURCES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)

.PHONY: format
format: ## let clang-format lay out every source
	clang-format -i $(SOURCES)

.PHONY: po
po: ## bring new texts of the sources into ops/locale/*.po, to be translated
	$(Q)mkdir -p $(BUILD) && ops/locale/extract >$(BUILD)/sanquan.pot
	$(Q)for po in ops/locale/*.po; do msgmerge --quiet --update --backup=none --no-wrap --no-fuzzy-matching --sort-output $$po $(BUILD)/sanquan.pot; done
	$(Q)sed -i '/^"POT-Creation-Date/d' ops/locale/*.po # it would differ with every change of a text

.PHONY: lint
lint: $(GEN).h ## clang-tidy and cppcheck
	@command -v clang-tidy cppcheck >/dev/null || { echo "make lint needs clang-tidy and cppcheck: ops/deps lint"; exit 1; }
	@echo "clang-tidy, some files at a time" && printf '%s\n' $(filter-out ops/locale/argp.c,$(filter %.c,$(SOURCES))) | xargs -P $$(nproc) -n 8 \
	    sh -c 'clang-tidy --quiet --warnings-as-errors="*" "$$@" -- -std=gnu11 -D_GNU_SOURCE -I. -I$(BUILD)/gen $(PKG_CFLAGS) $(shell pkg-config --cflags libpq 2>/dev/null) 2>/dev/null' lint
	cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --suppress=missingIncludeSystem --library=.cppcheck.xml -I. \
	    $(filter-out tests/%,$(filter %.c,$(SOURCES)))

share := $(DESTDIR)$(PREFIX)/share
.PHONY: install
install: all ## into PREFIX, /usr/local unless said otherwise
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system $(share)/sanquan/console $(share)/sanquan/calendar \
	    $(share)/doc/sanquan/programmes $(share)/doc/sanquan/monitoring
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(wildcard ops/console/pages/*) $(share)/sanquan/console
	install -m 644 $(wildcard ops/calendar/*) $(share)/sanquan/calendar
	install -m 644 $(wildcard ops/programmes/*) $(share)/doc/sanquan/programmes
	install -m 644 $(wildcard ops/monitoring/*) $(share)/doc/sanquan/monitoring
	install -m 644 ops/console/tokens.example.yaml $(share)/doc/sanquan
	sed 's|/usr/local|$(PREFIX)|' ops/console/console.example.yaml >$(share)/doc/sanquan/console.example.yaml
	$(foreach u,$(notdir $(wildcard ops/systemd/*.service)),sed 's|/usr/local|$(PREFIX)|' ops/systemd/$(u) >$(DESTDIR)$(PREFIX)/lib/systemd/system/$(u) &&) true
	$(foreach l,$(LANGUAGES),install -D -m 644 $(BUILD)/locale/$(l)/LC_MESSAGES/sanquan.mo $(share)/locale/$(l)/LC_MESSAGES/sanquan.mo;)

.PHONY: clean
clean: ## remove what was built
	rm -rf build

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z -]+):.*## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
