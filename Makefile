# Every command of the project. `make` alone lists them.


.DEFAULT_GOAL := help

# Every x86 processor of Lambda has AVX2; the checksums of stream records use it.
LAMBDA_RUSTFLAGS := $(if $(filter x86_64,$(shell uname -m)),-C target-cpu=x86-64-v3)

.PHONY: help
help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

.PHONY: run
run: ## run the whole system on this machine; ARGS="--help" lists what it takes
	cargo run --release --locked --package local -- $(ARGS)

.PHONY: test
test: test-infra test-rust ## run every test that needs no AWS account

.PHONY: test-rust
test-rust: target/python/ready api/tests/render/node_modules ## run the Rust tests
	cargo test --workspace --locked --quiet

.PHONY: test-infra
test-infra: infra/node_modules ## run the tests of the AWS stack
	npm --prefix infra test

.PHONY: bench
bench: target/python/ready ## measure; writes ingest, processor, quota, shard and api .json to target/bench
	RUSTFLAGS="$(LAMBDA_RUSTFLAGS)" cargo bench --locked --profile lambda --target-dir target/lambda \
		--package ingest --no-default-features --bench decode
	RUSTFLAGS="$(LAMBDA_RUSTFLAGS)" cargo bench --locked --profile lambda --target-dir target/lambda \
		--package processor --bench batch
	@# In virtual time, so that the profile of the tests does.
	cargo bench --locked --profile dev --workspace --bench quota
	cargo build --release --locked --workspace --bin processor
	cargo bench --locked --workspace --bench shard --bench processes
	$(MAKE) bench-api

.PHONY: tables
tables: ## write the tables of README and docs from what `make bench` measured
	python3 processor/benches/quota/table.py

.PHONY: bench-api
bench-api: target/python/ready ## measure the api alone; writes target/bench/api.json
	RUSTFLAGS="$(LAMBDA_RUSTFLAGS)" cargo build --locked --profile lambda --target-dir target/lambda --package api
	cargo bench --locked --package api --bench lookup

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
check: infra/node_modules ## format, lint, documentation and types
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --locked --quiet
	npm --prefix infra run check

.PHONY: synth
synth: infra/node_modules ## write the CloudFormation template to infra/cdk.out
	npm --prefix infra run synth

.PHONY: generate
generate: ## write sample Currents files; ARGS="--events N --users M --seed S --codec C --out DIR"
	cargo run --release --locked --package loadtest -- generate $(ARGS)

.PHONY: clean
clean: ## remove everything that was built or installed
	cargo clean
	rm -rf infra/node_modules infra/cdk.out api/tests/render/node_modules

# The packages of a folder, as its lock file has them.
%/node_modules: %/package-lock.json
	npm --prefix $* ci --no-audit --no-fund
	@touch $@

target/tools/bin/cargo-fuzz:
	cargo install --locked --quiet --version 0.13.2 --root target/tools cargo-fuzz

# Python programs that this one is compared with, or checked by.
PYTHON_REQUIREMENTS := ingest/peers/requirements.txt api/peers/requirements.txt api/tests/requirements.txt

target/python/ready: $(PYTHON_REQUIREMENTS)
	python3 -m venv target/python
	target/python/bin/pip install --quiet --disable-pip-version-check $(PYTHON_REQUIREMENTS:%=--requirement %)
	@touch $@
