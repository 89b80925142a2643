# Every command of the project. `make` alone lists them.

.DEFAULT_GOAL := help

# Every x86 processor of Lambda has AVX2; the checksums of stream records use it.
LAMBDA_RUSTFLAGS := $(if $(filter x86_64,$(shell uname -m)),-C target-cpu=x86-64-v3)

# The functions, and the processors that they are built for: x86_64 or arm64.
LAMBDAS := ingest processor api
ARCH ?= x86_64
HOST := $(patsubst aarch64,arm64,$(shell uname -m))

# On other processors than those at hand, cargo and the C code need a compiler for them.
ifneq ($(ARCH),$(HOST))
LAMBDA_CPU := $(patsubst arm64,aarch64,$(ARCH))
LAMBDA_TARGET := $(LAMBDA_CPU)-unknown-linux-gnu
LAMBDA_CROSS := CC_$(LAMBDA_CPU)_unknown_linux_gnu=$(LAMBDA_CPU)-linux-gnu-gcc \
	CARGO_TARGET_$(shell echo $(LAMBDA_CPU) | tr a-z A-Z)_UNKNOWN_LINUX_GNU_LINKER=$(LAMBDA_CPU)-linux-gnu-gcc
endif

# What tests in Node.js need.
NODE_OF_TESTS := $(addsuffix /node_modules,api/tests/render dialect/conformance local/tests/page)

# One of the stages in infra/lib/environments.ts.
STAGE ?= dev
PORT ?= 4566
BEDROCK_PORT ?= 8090

# The revision whose programs `make mixed` runs beside those at hand.
BASE ?= HEAD~1

# The folder of campaigns, absolute or from here. Recipes and programs read it in the environment,
# where a name may have blanks.
CAMPAIGNS ?= campaigns
export CAMPAIGNS

# Who has built the whole system has most of `ops` already; alone it is built faster.
OPS_PROFILE = $(if $(wildcard target/local/local),local,ops)

# What a deployment says that it was built from.
BUILD = $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null)

CDK := npm --prefix infra run --silent cdk --
CONTEXT = --context stage=$(STAGE) --context build=$(BUILD) --context "campaigns=$$CAMPAIGNS"

.PHONY: help
help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

.PHONY: run
run: ## run the whole system on this machine; ARGS="--help" lists what it takes
	cargo run --profile local --locked --bin local -- $(ARGS)

.PHONY: ops
ops: ## look after campaigns, dead letters and cost; ARGS="--help" lists what it takes
	cargo run --profile $(OPS_PROFILE) --locked --bin ops -- $(ARGS)

.PHONY: test
test: test-infra test-rust test-deployment mixed ## run every test that needs no AWS account

.PHONY: test-quick
test-quick: ## run every test that needs cargo only
	env -u CAMPAIGNS cargo test --workspace --locked --quiet -- --skip others::

.PHONY: test-rust
test-rust: target/python/ready $(NODE_OF_TESTS) browser ## run the Rust tests
	env -u CAMPAIGNS cargo test --workspace --locked --quiet

.PHONY: test-infra
test-infra: infra/node_modules target/python/ready ## run the tests of the AWS stack
	env -u CAMPAIGNS npm --prefix infra test

.PHONY: test-deployment
test-deployment: infra/node_modules target/ministack/ready ## deploy to an emulated AWS and use it; takes minutes
	env -u CAMPAIGNS cargo test --workspace --locked --quiet --no-run
	env -u CAMPAIGNS npm --prefix infra run --silent test-deployment

.PHONY: mixed
mixed: infra/node_modules target/ministack/ready ## run programs of another revision beside these on an emulated AWS; BASE=REV (HEAD~1)
	@# Without a name nothing is run that cannot be, or would take long: a clone may have no history.
	@named=$(if $(filter file,$(origin BASE)),no,yes); \
	if ! git rev-parse --quiet --verify '$(BASE)^{commit}' >/dev/null 2>&1; then \
		echo 'no revision $(BASE) is here (a shallow clone has none): nothing ran beside these programs' >&2; \
		[ $$named = no ]; \
	elif [ $$named = no ] && ! git diff --quiet '$(BASE)' -- Cargo.lock; then \
		echo 'nothing ran beside these programs: $(BASE) has other dependencies, which take minutes to build;' \
			'make mixed BASE=$(BASE) does' >&2; \
	else \
		$(MAKE) --no-print-directory target/mixed/tests; \
	fi

# The dependencies are those that tests are built from; examples ask for their features. Of two
# workspaces cargo takes crates of the same place for the same: debug information that nobody else
# asks for keeps theirs apart.
.PHONY: target/mixed/tests
target/mixed/tests: BASE_COMMIT = $(shell git rev-parse --short=12 '$(BASE)^{commit}')
target/mixed/tests:
	cargo build --workspace --locked --quiet --bins --examples
	if [ "$$(cat target/mixed/revision 2>/dev/null)" != $(BASE_COMMIT) ]; then \
		rm -rf target/mixed && mkdir -p target/mixed/tree && \
		git archive $(BASE_COMMIT) | tar -x -m -C target/mixed/tree && echo $(BASE_COMMIT) > target/mixed/revision; \
	fi
	cd target/mixed/tree && BUILD_COMMIT=$(BASE_COMMIT) CARGO_PROFILE_DEV_DEBUG=line-directives-only \
		CARGO_BUILD_BUILD_DIR=$(CURDIR)/target cargo build --workspace --locked --quiet \
		--target-dir $(CURDIR)/target/mixed/built $(addprefix --bin ,$(LAMBDAS)) --examples
	env -u CAMPAIGNS npm --prefix infra run --silent test-mixed

.PHONY: bench
bench: target/python/ready ## measure; writes ingest, processor, liquid, quota, shard, generate, api, scale and bill .json to target/bench
	RUSTFLAGS="$(LAMBDA_RUSTFLAGS)" cargo bench --locked --profile lambda --target-dir target/lambda \
		--package ingest --no-default-features --bench decode
	RUSTFLAGS="$(LAMBDA_RUSTFLAGS)" cargo bench --locked --profile lambda --target-dir target/lambda \
		--package processor --bench batch
	cargo bench --locked --package dialect --bench render
	@# In virtual time, so that the profile of the tests does.
	cargo bench --locked --profile dev --workspace --bench quota
	cargo build --release --locked --workspace --bin processor
	cargo bench --locked --workspace --bench shard --bench processes --bench generate
	$(MAKE) bench-api bench-scale bench-bill

.PHONY: tables
tables: dialect/conformance/node_modules ## write the tables of README and docs, from the code and from what `make bench` measured
	cd dialect/conformance && node engines.mjs snippets.json > engines.json
	cargo build --quiet --locked --workspace --examples
	target/debug/examples/failures > target/failures.md
	target/debug/examples/liquid > target/liquid.md
	target/debug/examples/metrics > target/metrics.md
	target/debug/examples/metrics names > contract/golden/metrics.json
	python3 docs/tables.py

.PHONY: bench-api
bench-api: target/python/ready ## measure the api alone; writes target/bench/api.json
	RUSTFLAGS="$(LAMBDA_RUSTFLAGS)" cargo build --locked --profile lambda --target-dir target/lambda --package api
	cargo bench --locked --package api --bench lookup

.PHONY: screenshot
screenshot: local/tests/page/node_modules browser ## take the picture of README anew
	cargo build --profile local --locked --bin local
	node local/tests/page/screenshot.mjs target/local/local docs/page.png

.PHONY: dictionary
dictionary: target/python/ready ## train a dictionary for compact items, from runs of the samples: NUMBER=N, one that no other had
	@test -n "$(NUMBER)" || { echo 'say which: make dictionary NUMBER=2; what is there never changes' >&2; exit 1; }
	rm -rf target/dictionary
	cargo run --profile local --locked --bin local -- --data target/dictionary/sample --seed 2 --exit-when-done
	for brand in shop bank canary; do cargo run --profile local --locked --bin local -- \
		--data target/dictionary/$$brand --campaigns examples/$$brand/campaigns --exit-when-done \
		examples/$$brand/events.jsonl || exit 1; done
	target/python/bin/python contract/dictionary/train.py contract/dictionary/$(NUMBER).zdict $(NUMBER) \
		target/dictionary/*/dynamodb.sqlite

.PHONY: bench-bill
bench-bill: ## count what AWS would charge for runs of some shapes; writes target/bench/bill.json, and ops/counted.json
	cargo bench --profile local --locked --bench bill

.PHONY: bench-scale
bench-scale: target/python/ready ## measure whole runs beside one Python function; writes target/bench/scale.json; EVENTS="N..."
	cargo bench --locked --workspace --bench scale -- $(EVENTS)

.PHONY: kill
kill: ## kill a run of the whole system in the middle of its work, and look what is lost; TIMES=n (200), SEED=s
	cargo bench --locked --profile dev --workspace --bench kill -- $(or $(TIMES),200) $(or $(SEED),1)

.PHONY: simulate
simulate: ## run the processor under faults; SEEDS=n for more runs, SEED=s SEEDS=1 to repeat one
	SEED=$(or $(SEED),0) SEEDS=$(or $(SEEDS),20000) cargo test --release --locked --package processor --test it \
		-- --nocapture simulation

.PHONY: fuzz
fuzz: target/tools/bin/cargo-fuzz ## attack what reads bytes from outside, 60 seconds each; SECONDS=n for another time
	@# Fuzzing needs flags that stable compilers keep back without this variable.
	@# The sanitiser guards unsafe code, and there is none of our own.
	for target in container stream_record; do \
		mkdir -p target/fuzz/$$target && RUSTC_BOOTSTRAP=1 \
		target/tools/bin/cargo-fuzz run --sanitizer none --target-dir target/fuzz/build $$target \
			target/fuzz/$$target fuzz/seeds/$$target -- -max_total_time=$(or $(SECONDS),60) -rss_limit_mb=1024 -timeout=10 || exit 1; \
	done

.PHONY: check
check: infra/node_modules ## format, lint, documentation, types and licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --locked --quiet
	npm --prefix infra run check
	cargo metadata --format-version 1 --locked | npm --prefix infra run --silent check-licences -- \
		$(patsubst %/node_modules,$(CURDIR)/%/package-lock.json,infra/node_modules $(NODE_OF_TESTS))

.PHONY: deny
deny: target/tools/bin/cargo-deny ## hold what the Rust programs are built from against deny.toml
	target/tools/bin/cargo-deny --locked check --hide-inclusion-graph bans licenses sources

.PHONY: advisories
advisories: target/tools/bin/cargo-deny ## look for known faults in what is built from; fetches RustSec's database and asks npm
	target/tools/bin/cargo-deny --locked check advisories
	for folder in infra $(patsubst %/node_modules,%,$(NODE_OF_TESTS)); do npm --prefix $$folder audit --package-lock-only || exit 1; done

.PHONY: sbom
sbom: target/tools/bin/cargo-cyclonedx ## list what the programs and npm packages are built from, as CycloneDX, in target/sbom
	rm -rf target/sbom && mkdir -p target/sbom
	@# It writes beside each program's Cargo.toml, and nowhere else.
	target/tools/bin/cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --describe binaries
	for bom in */*_bin.cdx.json; do mv $$bom target/sbom/$$(basename $$bom _bin.cdx.json).cdx.json || exit 1; done
	for folder in infra $(patsubst %/node_modules,%,$(NODE_OF_TESTS)); do \
		npm --prefix $$folder sbom --sbom-format cyclonedx --sbom-type application --package-lock-only \
			> target/sbom/npm-$$(echo $$folder | tr / -).cdx.json || exit 1; \
	done

.PHONY: lambdas
lambdas: infra/node_modules ## build the functions for Lambda; ARCH=arm64 for the other processors, CAMPAIGNS=DIR for your own
	@# Functions do not start with a campaign that is wrong. Events of one's own are no matter to them.
	cargo run --profile $(OPS_PROFILE) --locked --quiet --bin ops -- campaigns check --unknown-events
	BUILD_COMMIT=$(BUILD) RUSTFLAGS="$(if $(filter x86_64,$(ARCH)),$(LAMBDA_RUSTFLAGS))" $(LAMBDA_CROSS) \
		cargo build --locked --profile lambda --target-dir target/lambda \
		$(if $(LAMBDA_TARGET),--target $(LAMBDA_TARGET)) $(addprefix --package ,$(LAMBDAS))
	for program in $(LAMBDAS); do \
		folder=target/lambda-assets/$(ARCH)/$$program && rm -rf $$folder && mkdir -p $$folder/campaigns && \
		cp target/lambda/$(LAMBDA_TARGET)/lambda/$$program $$folder/bootstrap && \
		cp -RL "$$CAMPAIGNS"/*/ $$folder/campaigns && \
		{ [ ! -e "$$CAMPAIGNS"/brand.liquid ] || cp -L "$$CAMPAIGNS"/brand.liquid $$folder/campaigns; } && \
		rm -rf $$folder/campaigns/*/message.liquid $$folder/campaigns/*/subject.liquid \
			$$folder/campaigns/*/content_blocks $$folder/campaigns/*/events.jsonl && chmod -R a+rX $$folder || exit 1; \
	done
	npm --prefix infra run --silent check-glibc -- \
		$(foreach program,$(LAMBDAS),$(CURDIR)/target/lambda-assets/$(ARCH)/$(program)/bootstrap)

.PHONY: synth
synth: infra/node_modules ## write the CloudFormation template of STAGE=dev to infra/cdk.out
	$(CDK) synth --quiet $(CONTEXT)

.PHONY: bootstrap
bootstrap: infra/node_modules ## make an account and region ready for deployments, once
	$(CDK) bootstrap $(CONTEXT) $(ARGS)

.PHONY: deploy
deploy: lambdas ## build, and deploy STAGE=dev with the AWS credentials at hand
	$(CDK) deploy $(CONTEXT) --context built=true $(ARGS)

.PHONY: rollback
rollback: infra/node_modules ## let functions of STAGE=dev run the version before; ARGS="--dry-run | --forward | NAMES"
	npm --prefix infra run --silent rollback -- --stage $(STAGE) $(ARGS)

.PHONY: diff
diff: lambdas ## show what a deployment of STAGE=dev would change
	$(CDK) diff $(CONTEXT) --context built=true $(ARGS)

.PHONY: destroy
destroy: infra/node_modules ## remove STAGE=dev from AWS; buckets and their key stay
	$(CDK) destroy $(CONTEXT) $(ARGS)

.PHONY: emulator
emulator: target/ministack/ready ## run an emulated AWS to deploy to until Ctrl-C; PORT=n for another than 4566
	cargo build --profile local --locked --bin local
	@# Functions inherit the environment, and so find the stand-in for Bedrock. Ctrl-C ends all of
	@# them; the shell outlives it to wait for them.
	trap : INT; target/local/local bedrock --port $(BEDROCK_PORT) & trap "kill $$! 2>/dev/null; wait" EXIT; \
		AWS_ENDPOINT_URL=http://127.0.0.1:$(PORT) GATEWAY_PORT=$(PORT) BIND_HOST=127.0.0.1 \
		AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:$(BEDROCK_PORT) target/ministack/bin/ministack

.PHONY: generate
generate: ## write sample Currents files; ARGS="--events N --users M --seed S --codec C --out DIR"
	cargo run --profile local --locked --bin loadtest -- generate $(ARGS)

.PHONY: cost
cost: ## tell what a month costs; ARGS="--events N --users N --look-ups N", a day each; --help lists more
	$(MAKE) --no-print-directory ops ARGS='cost $(ARGS)'

.PHONY: replay
replay: ## upload Currents files at a schedule and follow users to their content; ARGS="DIR --rate N"
	cargo run --profile local --locked --bin loadtest -- replay $(ARGS)

.PHONY: soak
soak: ## put a mixed load on a running `make run ARGS="--faults --s3-port N"` under faults; ARGS="DIR --rate N"
	cargo run --profile local --locked --bin loadtest -- soak $(ARGS)

.PHONY: lookups
lookups: ## find the highest rate of look-ups that the api keeps; ARGS="--url URL --users FILE"
	cargo run --profile local --locked --bin loadtest -- lookups $(ARGS)

.PHONY: report
report: ## draw one measurement or compare two; ARGS="A.json B.json --out report.html"
	cargo run --profile local --locked --bin loadtest -- report $(ARGS)

.PHONY: clean
clean: ## remove everything that was built or installed
	cargo clean
	rm -rf infra/node_modules infra/cdk.out $(NODE_OF_TESTS)

# The packages of a folder, as its lock file has them.
%/node_modules: %/package-lock.json
	npm --prefix $* ci --no-audit --no-fund
	@touch $@

.PHONY: browser
# Its own package of the system is the one that gets repairs.
browser: ## install Chromium, which opens the page in tests, if there is none
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		if command -v $$name >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update --quiet=2 && \
		DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends chromium fonts-dejavu-core; \
	else \
		echo "the test of the page needs Chromium; on Debian: sudo apt-get install chromium" >&2; exit 1; \
	fi

target/tools/bin/cargo-fuzz:
	cargo install --locked --quiet --version 0.13.2 --root target/tools cargo-fuzz

target/tools/bin/cargo-deny:
	cargo install --locked --quiet --version 0.20.2 --root target/tools cargo-deny

target/tools/bin/cargo-cyclonedx:
	cargo install --locked --quiet --version 0.5.9 --root target/tools cargo-cyclonedx

# Python programs that this one is compared with, or checked by.
PYTHON_REQUIREMENTS := ingest/peers/requirements.txt api/peers/requirements.txt api/tests/requirements.txt \
	infra/requirements.txt

target/python/ready: $(PYTHON_REQUIREMENTS)
	python3 -m venv target/python
	target/python/bin/pip install --quiet --disable-pip-version-check $(PYTHON_REQUIREMENTS:%=--requirement %)
	@touch $@

# An AWS on this machine; its packages do not go with those above.
target/ministack/ready: infra/test/deployment/requirements.txt
	python3 -m venv target/ministack
	target/ministack/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
