# Wenlan: `make run` serves a library, `make test` tests everything; both do
# their own set-up. `make help` lists the rest.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X wenlan/internal/cli.Version=$(VERSION)
TOOL     = $(GO) tool -modfile=tools/go.mod

.PHONY: help run build assets test check format vet lint generated race fuzz bench bench-index bench-import bench-mirror relevance clean

help: ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 14

run: build ## build, take in the handbook, and serve on http://127.0.0.1:8080
	@scripts/run

build: assets ## build bin/wenlan
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/wenlan ./cmd/wenlan

assets: ## bundle the browser code, when it has changed (npm)
	@scripts/assets

test: build ## install what the tests need, and run all of them
	@scripts/packages test
	$(GO) test -timeout 25m ./...

check: format vet lint generated ## format, vet, staticcheck, import rules, generated files

format:
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not formatted:"; echo "$$out"; exit 1; }

vet: assets
	$(GO) vet ./...

lint: assets
	$(TOOL) staticcheck ./...

generated: build ## generated files are fresh
	@scripts/generated

race: assets ## the tests of what runs at once, with the race detector (needs a C compiler)
	@scripts/packages race
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -short -timeout 20m ./internal/durable ./internal/register ./internal/blob ./internal/view ./internal/intake ./internal/app ./internal/index ./internal/index/fulltext ./internal/mirror/... ./internal/torrent
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m -run 'Apply|Reading|Draft|CloseWaits' ./internal/index/store

fuzz: assets ## fuzz every target for FUZZTIME (default 10s)
	@scripts/fuzz

bench: build ## measure beside calibre and nginx, in one run
	@scripts/packages bench
	$(GO) run ./bench

bench-index: ## race the search engine beside Lucene and SQLite (N=100000 records, RUNS=3; keeps its cells)
	@scripts/packages bench-index
	$(GO) run ./bench/index -n $(or $(N),100000) -runs $(or $(RUNS),3) $(FLAGS)

bench-import: build ## measure taking in records in bulk, beside zebraidx (keeps its records; FLAGS='-only json')
	@scripts/packages bench-import
	$(GO) run ./bench/import $(FLAGS)

bench-mirror: build ## measure copying, checking and seeding beside rsync, sha256sum, mktorrent and aria2 (keeps its libraries)
	@scripts/packages bench-mirror
	$(GO) run ./bench/mirror $(FLAGS)

relevance: ## rank judged collections and known items, beside Lucene and SQLite
	@scripts/packages bench-index
	$(GO) run ./bench/relevance $(FLAGS)

clean: ## delete what was built
	rm -rf bin node_modules .cache internal/web/reader/dist/*.js internal/web/reader/dist/*.css internal/citation/dist/*.js
