# make            build the programs into build/release
# make demo       three regions clear, net and settle; see README
# make test       unit, conformance and end-to-end tests
# make help       every target, with what it does
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

VARIANT ?= release
BUILD ?= build/$(VARIANT)

CC ?= cc
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wcast-qual -Wmissing-prototypes -Werror
FLAGS_release :=
FLAGS_asan := -fsanitize=address -fno-omit-frame-pointer
FLAGS_ubsan := -fsanitize=undefined -fno-sanitize-recover=all
FLAGS_tsan := -fsanitize=thread
VARIANT_FLAGS := $(FLAGS_$(VARIANT))

PACKAGES := libzmq libprotobuf-c lmdb libsodium libcyaml libcrypto libsystemd jansson
ifeq ($(filter help clean deps-% demo test bench format,$(MAKECMDGOALS)),)
PKG_CONFIG_OK := $(shell pkg-config --exists $(PACKAGES) cmocka 2>/dev/null && echo yes)
endif
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES)) -pthread

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(VARIANT_FLAGS) -I. -I$(BUILD)/gen $(PKG_CFLAGS) -pthread $(CFLAGS)
GEN_CFLAGS = -std=gnu11 -w $(VARIANT_FLAGS) -I$(BUILD)/gen $(PKG_CFLAGS) $(CFLAGS)

LIB_SOURCES := $(wildcard proto/*.c clearing/*/*.c peers/*.c ops/common/*.c)
DAEMON_SOURCES := $(wildcard ops/daemon/*.c)
CLI_SOURCES := $(wildcard ops/cli/*.c)
UNIT_SOURCES := $(wildcard tests/unit/*_test.c)
TEST_SUPPORT := $(wildcard tests/support/*.c tests/model/*.c)
BENCH_SOURCES := $(wildcard tests/bench/*_bench.c)

GEN := $(BUILD)/gen/proto/sanquan.pb-c
LIB := $(BUILD)/libsanquan.a
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
PROGRAMS := $(if $(DAEMON_SOURCES),$(BUILD)/sanquand) $(if $(CLI_SOURCES),$(BUILD)/sanquan)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SOURCES))
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(BENCH_SOURCES))

.PHONY: all
all: $(PROGRAMS)

$(GEN).h: proto/sanquan.proto
	@command -v protoc-c >/dev/null || { echo "protoc-c is missing: run 'ops/deps build' or install protobuf-c-compiler" >&2; exit 1; }
	@mkdir -p $(@D)
	protoc-c --c_out=$(BUILD)/gen $<
$(GEN).c: $(GEN).h ;
$(GEN).o: $(GEN).c
	$(CC) $(GEN_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c $(GEN).h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(call objects,$(LIB_SOURCES)) $(GEN).o
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/sanquand: $(call objects,$(DAEMON_SOURCES)) $(LIB)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(BUILD)/sanquan: $(call objects,$(CLI_SOURCES)) $(LIB)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(call objects,$(TEST_SUPPORT)) $(LIB)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) $(shell pkg-config --libs cmocka)
$(BUILD)/tests/bench/%_bench: $(BUILD)/tests/bench/%_bench.o $(call objects,$(TEST_SUPPORT)) $(LIB)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

# One test: make BUILD=... unit-NAME  runs tests/unit/NAME_test.c
unit-%: $(BUILD)/tests/unit/%_test
	$<

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
