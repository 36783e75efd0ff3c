# coffer: a software HSM. `make demo` and `make test` set up what they need.

SHELL := /bin/bash
GO ?= go
PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build
LIB := $(BUILD)/libcoffer.so
CMD := $(BUILD)/coffer
VERSION := 0.1.0

# Settings of the Go runtime that a library in a foreign process needs; the
# reasons are in cshim/doc.go, and a test reads them off the built file.
GODEBUG_DEFAULT := asyncpreemptoff=1,invalidptr=0,containermaxprocs=0,updatemaxprocs=0,clobberfree=1
# Built on Go's FIPS 140-3 module (make GOFIPS140=v1.0.0), the library runs in
# that mode. The setting of the linker's goes before what go build would say.
ifneq ($(filter-out off,$(shell $(GO) env GOFIPS140)),)
GODEBUG_DEFAULT := $(GODEBUG_DEFAULT),fips140=on
endif
LDFLAGS := -s -w -X runtime.godebugDefault=$(GODEBUG_DEFAULT)

.PHONY: all demo build test check gen race fuzz bench install clean tools FORCE

all: build

.PHONY: help
help:
	@echo 'demo     the main job for real: pkcs11-tool and OpenSSL with keys in an encrypted token'
	@echo 'test     all tests, with real clients, and check'
	@echo 'build    build/libcoffer.so and build/coffer'
	@echo 'check    gofmt, vet, staticcheck, govulncheck, import law, generated files up to date'
	@echo 'race     the tests of the Go packages under the race detector'
	@echo 'fuzz     every fuzz target for FUZZTIME each (20s)'
	@echo 'bench    coffer beside SoftHSM2, openCryptoki, NSS, bare Go and OpenSSL; ARGS=-quick for a short run'
	@echo 'gen      generated files anew'
	@echo 'install  PREFIX=/usr/local DESTDIR='
	@echo 'clean    remove build/'

build: $(LIB) $(CMD)

# Go knows better than make what is up to date.
$(LIB): FORCE | tools-build
	$(GO) build -buildmode=c-shared -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cshim
	@rm -f $(BUILD)/libcoffer.h

$(CMD): FORCE | tools-build
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $@ ./cmd/coffer

FORCE:

.PHONY: tools-build
tools-build:
	@tests/setup.sh build

# The main job, for real: pkcs11-tool and OpenSSL with keys in a token that
# lies encrypted on disk.
demo:
	@tests/setup.sh build demo
	@$(MAKE) --no-print-directory build
	@tests/demo.sh

test:
	@tests/setup.sh build demo test
	@$(MAKE) --no-print-directory build
	COFFER_LIB=$(CURDIR)/$(LIB) COFFER_CMD=$(CURDIR)/$(CMD) $(GO) test -timeout 15m ./...
	@$(MAKE) --no-print-directory check

# What can be read off the tree. staticcheck and govulncheck are tools of
# go.mod; govulncheck needs its database, which not every network reaches.
check: gen-check
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@tests/govulncheck.sh
	$(GO) test -count=1 ./tests

gen:
	$(GO) generate ./...
	@$(MAKE) --no-print-directory build
	tests/readme.sh
	$(GO) test -count=1 ./tests/vectors ./tests/interop -update

# Generated files are up to date: generating them again changes nothing.
.PHONY: gen-check
gen-check:
	@tests/generated.sh

race:
	@tests/setup.sh build
	$(GO) test -race -timeout 30m ./p11/... ./mech/... ./store/... ./token/... ./cmd/...

# FUZZTIME is spent on each target.
FUZZTIME ?= 20s
fuzz:
	@tests/fuzz.sh $(FUZZTIME)

bench: build
	bench/run.sh -coffer $(LIB) $(ARGS)

install: build
	install -D -m 755 $(LIB) $(DESTDIR)$(PREFIX)/lib/pkcs11/libcoffer.so
	install -D -m 755 $(CMD) $(DESTDIR)$(PREFIX)/bin/coffer
	install -D -m 644 cshim/pkcs11.h $(DESTDIR)$(PREFIX)/include/coffer/pkcs11.h
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,share/p11-kit/modules lib/pkgconfig lib/systemd/system)
	sed 's|@PREFIX@|$(PREFIX)|g' packaging/coffer.module > $(DESTDIR)$(PREFIX)/share/p11-kit/modules/coffer.module
	sed 's|@PREFIX@|$(PREFIX)|g; s|@VERSION@|$(VERSION)|g' packaging/coffer.pc > $(DESTDIR)$(PREFIX)/lib/pkgconfig/coffer.pc
	sed 's|@PREFIX@|$(PREFIX)|g' packaging/coffer.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/coffer.service
	chmod 644 $(addprefix $(DESTDIR)$(PREFIX)/,share/p11-kit/modules/coffer.module lib/pkgconfig/coffer.pc lib/systemd/system/coffer.service)

clean:
	rm -rf $(BUILD)
