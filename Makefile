# SPDX-License-Identifier: Apache-2.0
#
# Every target that one needs by name; "make" lists them. What is built goes to
# bin/ (programs) and build/ (all else).

SHELL := /bin/bash -o pipefail
VERSION := 0.1.0
KERNELS := 6.1 6.12

# How long make soak goes on, such as 8h; 0: each tier once.
SOAK := 0

# Everything is built in one way, so that each package is compiled once. The race
# detector alone is another one, and needs cgo.
export CGO_ENABLED := 0
export GOFLAGS := $(filter-out -trimpath,$(GOFLAGS)) -trimpath

# Not "go run", which has a last word of its own when tests fail.
RUNNER = go build -o build/runner ./tests/runner && build/runner

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what building and testing need (Debian 12)
	@packaging/setup.sh

.PHONY: build
build: ## build agentd, policyd and mbctl into bin/
	@mkdir -p bin
	go build -ldflags '-X main.version=$(VERSION)' -o bin/ ./agentd ./policyd ./mbctl

.PHONY: kmod kmod-debug
kmod: $(KERNELS:%=kmod-%) ## build mbchain.ko for each kernel, build/kmod/RELEASE/
kmod-debug: $(KERNELS:%=kmod-debug-%) ## the same with self-tests, checked by sparse, build/kmod-debug/

.PHONY: $(KERNELS:%=kmod-%) $(KERNELS:%=kmod-debug-%)
$(KERNELS:%=kmod-%): kmod-%:
	@echo "mbchain.ko for $*"
	@packaging/build-kmod.sh $* build/kmod MBC_VERSION=$(VERSION)
$(KERNELS:%=kmod-debug-%): kmod-debug-%:
	@echo "mbchain.ko with self-tests for $*"
	@packaging/build-kmod.sh $* build/kmod-debug MBC_VERSION=$(VERSION) CONFIG_MBCHAIN_DEBUG=y W=1 C=2

.PHONY: kmod-debug-kernel
kmod-debug-kernel: ## the same for the debug kernel, which is built when it is missing
	@packaging/setup.sh --debug-kernel
	@packaging/build-kmod.sh debug build/kmod-debug MBC_VERSION=$(VERSION) CONFIG_MBCHAIN_DEBUG=y

.PHONY: man
man: build ## write the man pages into build/man/
	@rm -rf build/man
	@env -u MBCHAIN_POLICYD bin/mbctl __man build/man
	@bin/agentd --man build/man
	@bin/policyd --man build/man

.PHONY: install
install: man ## put programs, man pages, units and the module's sources below DESTDIR
	@packaging/install.sh $(VERSION) "$(DESTDIR)/" agent policyd ctl dkms

.PHONY: deb
deb: man ## make Debian packages of all parts, build/deb/
	@packaging/deb/build.sh $(VERSION) build/deb

.PHONY: check
check: ## gofmt, vet, staticcheck, licences, shellcheck
	@$(RUNNER) --tier lint

.PHONY: proto
proto: ## generate proto/ anew; needs protobuf-compiler
	@mkdir -p build/tools
	go build -o build/tools/ google.golang.org/protobuf/cmd/protoc-gen-go \
		connectrpc.com/connect/cmd/protoc-gen-connect-go
	cd proto && go generate ./...

.PHONY: test
test: setup ## every tier of tests; the last line is "N passed, N failed"
	@$(RUNNER)

.PHONY: demo demo-shell
demo: setup build kmod-6.12 ## a chain at work, in a guest, in under 3 minutes
	@tests/demo/run
demo-shell: setup build kmod-6.12 ## a prompt in the running lab of the demo
	@tests/demo/run --shell

.PHONY: bench
bench: setup build kmod ## instructions per packet, into build/bench.json
	@tests/bench/run

.PHONY: soak
soak: setup ## all tiers with whole matrices, once, or until SOAK=8h is over; hours
	@export MBCHAIN_SOAK=1 MBCHAIN_GRAYBOX=1000000; \
	$(RUNNER) --tier all --limit 4h --for $(SOAK)

.PHONY: clean
clean: ## remove bin/ and build/, but for the kernels' downloads
	rm -rf bin
	find build -mindepth 1 -maxdepth 1 -not -name kernels -exec rm -rf {} +
