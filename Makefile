# What a developer and CI run. `make` alone explains.

SHELL      := /bin/bash
BUILD      := $(shell scripts/buildid)
GOFLAGS    := -trimpath
LDFLAGS    := -s -w -X main.build=$(BUILD)
PROVIDERS  := preexisting lab aws gcp azure vsphere
AGENTARCHS := amd64 arm64
AGENTFILES := controller/agentbin/files
KITS       := build/kits

export CGO_ENABLED = 0
# Where scripts/tofu puts OpenTofu, on machines without it and without terraform.
export PATH := $(PATH):$(CURDIR)/build/tofu

.PHONY: help deps build agents kits demo test unit nodes crash race bench lint size docs clean

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install the Debian packages that nodes and tests need (as root)
	@scripts/deps
	@scripts/tofu

build: agents ## bin/: icm with its agents, the provider plugins, lab
	@mkdir -p bin
	go build $(GOFLAGS) -ldflags '$(LDFLAGS)' -o bin/icm ./controller
	@for p in $(PROVIDERS); do \
	  echo "go build ./plugins/$$p"; \
	  go build $(GOFLAGS) -ldflags '$(LDFLAGS)' -o bin/icm-provider-$$p ./plugins/$$p || exit 1; \
	done
	go build $(GOFLAGS) -ldflags '$(LDFLAGS)' -o bin/lab ./plugins/lab/cmd/lab
	@cd bin && sha256sum icm-provider-* > providers.sha256

agents: ## the agents that icm carries, compressed
	@mkdir -p bin
	@echo 'build $(BUILD)' > $(AGENTFILES)/BUILD
	@for a in $(AGENTARCHS); do f=bin/icm-agent-linux-$$a; \
	  GOARCH=$$a go build $(GOFLAGS) -ldflags '$(LDFLAGS)' -o $$f ./agent && \
	  gzip -9nc $$f > $(AGENTFILES)/icm-agent-linux-$$a.gz && \
	  echo "$$a $$(sha256sum < $$f | cut -d' ' -f1) $$(stat -c %s $$f)" >> $(AGENTFILES)/BUILD || exit 1; \
	done

kits: ## the stand-in kits, in build/kits
	@mkdir -p $(KITS)
	go run ./labkit/cmd/mkkits -o $(KITS)

demo: deps build kits ## boot three nodes and do the main job before your eyes
	@scripts/demo

test: deps build kits ## everything a change must pass
	@scripts/test

crash: ## cut every command off at every record of its journals, and more
	go test -count=1 -timeout 3h -v ./tests/crash -args -all

lint: ## gofmt, vet, staticcheck
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	go vet ./...
	go tool staticcheck ./...

bench: deps build kits ## measure the budgets into docs/benchmarks.md
	@scripts/bench

size: agents ## how big the agent is
	@ls -l bin/icm-agent-linux-* $(AGENTFILES)/*.gz

docs: ## make docs/parameters.md and the schemas from the table of fields
	go run ./controller/spec/cmd/fielddocs

clean: ## remove what was built
	rm -rf bin build $(AGENTFILES)/*.gz $(AGENTFILES)/BUILD
