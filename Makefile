# Every target is safe to run again. `make rehearsal` and `make test` are all that a new machine needs.

SCRIPT ?= policies/ceremonies/first-keys.yaml
FAULT ?=
STACK ?= softhsm
CHART ?= target/pictures/two-years.svg
ROLLOVER ?= target/pictures/under-way.svg
SHEET ?= target/pictures/ksk.html
# The packages that the suite and its tests run with, by Debian's names.
PACKAGES = age asciinema bind9 bind9-dnsutils bind9-utils dbus-daemon gcc iproute2 knot knot-dnssecutils ldnsutils libc6-dev libclang-dev libsqlite3-dev libssl-dev libtpm2-pkcs11-1 libtss2-dev \
	libtss2-tcti-device0 libtss2-tcti-swtpm0 libtss2-tcti-tabrmd0 libxml2-utils opencryptoki opendnssec-common \
	opendnssec-enforcer-sqlite3 opensc openssh-client openssl pkg-config python3 python3-venv softhsm2 sqlite3 strace swtpm swtpm-tools \
	tpm-tools tpm2-abrmd tpm2-tools trousers
CARGO_DENY = 0.20.2
FUZZ_SECONDS ?= 600
FUZZ_TARGET ?=

.PHONY: help packages deps kryoptic build test rehearsal stacks bench fuzz check schema man screenshots chart-screenshots clean

screenshots: rehearsal chart-screenshots
	target/debug/keyrite-ceremony report target/rehearsal/site/ceremonies/first-keys
	target/debug/keyrite-ceremony print policies/ceremonies/first-keys.yaml --out target/rehearsal/script.html
	@./scripts/screenshots ceremony target/rehearsal/site/ceremonies/first-keys/report.html target/rehearsal/script.html

# Of plans that tests write by hand, or of what is named: CHART=plan.svg ROLLOVER=ksk.svg SHEET=plan.html
chart-screenshots:
	cargo run --locked --quiet --package keyrite-rollover --example sample-pictures -- target/pictures >/dev/null
	@./scripts/screenshots chart $(CHART) rollover-chart
	@./scripts/screenshots chart $(ROLLOVER) rollover-ksk
	@./scripts/screenshots sheet $(SHEET) rollover-sheet

help:
	@echo "make rehearsal   the first ceremony for practice, on a software TPM and SoftHSM, verified (SCRIPT=..., FAULT=power, jam, wrong-pin or absent)"
	@echo "make stacks      the main job without a ceremony: eight signed zones (STACK=softhsm, tpm or tpm2-pkcs11)"
	@echo "make test        every test, on real tokens"
	@echo "make check       format, lints, documentation, dependencies"
	@echo "make bench       figures, as ratios: to bare signatures and other signers (LARGEST=1000000), and of large sites and logs to small ones"
	@echo "make fuzz        each parser of a file of others for ten minutes (FUZZ_SECONDS=60, FUZZ_TARGET=knot)"
	@echo "make deps        install what is missing (Debian), and what the tests compare with (Python), into target/python"
	@echo "make man         man pages and completions, into target/man"
	@echo "make screenshots pictures of a rehearsal's report, its script on paper, and rollovers, into docs/ (make chart-screenshots CHART=plan.svg)"
	@echo "make schema      write the JSON Schemas of the site's files anew"

packages:
	@./scripts/deps $(PACKAGES)

deps: packages
	@./scripts/python

build: packages
	cargo build --locked --workspace --bins

rehearsal: build
	target/debug/keyrite-ceremony rehearse $(SCRIPT) --out target/rehearsal $(if $(FAULT),--fault $(FAULT))

stacks: build
	cargo run --locked --quiet --package keyrite-tests --bin stacks -- --stack $(STACK)

# A token that is no Debian package: the tests alone want it.
kryoptic: deps
	@./scripts/kryoptic

test: kryoptic
	cargo test --locked --workspace

bench: deps
	cargo build --locked --release --workspace --bins
	cargo bench --locked --package keyrite-tests --bench signer
	cargo bench --locked --package keyrite-tests --bench scale
	cargo bench --locked --package keyrite-tests --bench ceremony_log
	cargo bench --locked --package keyrite-tests --bench backup
	cargo bench --locked --package keyrite-tpm --bench sign
	cargo bench --locked --package keyrite-pkcs11 --bench wrap
	cargo bench --locked --package keyrite-rollover --bench prove

fuzz:
	FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --locked --profile fuzz --package keyrite-interchange --package keyrite-dnssec --package keyrite-rollover --package keyrite-zone --test fuzz -- --test-threads 2 --nocapture $(FUZZ_TARGET)

check: deps
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	@./scripts/no-unwrap
	@command -v cargo-deny >/dev/null || cargo install --locked --debug cargo-deny@$(CARGO_DENY)
	@./scripts/deny

schema:
	SCHEMAS=overwrite cargo test --locked --quiet --package keyrite-key-metadata schema
	SCHEMAS=overwrite cargo test --locked --quiet --package keyrite-ceremony --lib schema

man: build
	@for tool in tpm-init keyctl backup rollover signer ceremony; do target/debug/keyrite-$$tool man target/man; done
	@ls target/man

clean:
	cargo clean
