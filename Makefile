# What a newcomer and a build machine run; `make` alone lists it.
# Written for GNU make 3.81, which macOS ships, and for a POSIX shell.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help build demo test unit bench parity fuzz models lint clean-demo need-tools need-protoc own-cache

# Outside the clone, so that a second clone builds in seconds.
CARGO_TARGET_DIR ?= $(HOME)/.cache/rag/target
export CARGO_TARGET_DIR

RAG := $(CARGO_TARGET_DIR)/debug/rag
DEMO := "$(RAG)" --kb demo

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

build: need-tools need-protoc own-cache ## build the binary rag
	cargo build --workspace --locked
	@echo "built $(RAG)"

models: build ## fetch the starter models, an embedder and a small generator
	"$(RAG)" models pull starter

demo: models ## ingest the small knowledge base in fixtures/kb and ask it something
	@show() { \
	  line='$$ rag'; \
	  for word in "$$@"; do \
	    case $$word in (*' '*|*？*) line="$$line \"$$word\"";; (*) line="$$line $$word";; esac; \
	  done; \
	  printf '\n%s\n' "$$line"; \
	  "$(RAG)" "$$@"; \
	}; \
	set -e; \
	show --kb demo ingest fixtures/kb; \
	show --kb demo ask 'What was the net profit of Skerry Line in 2025?'; \
	show --kb demo ask 'Who is the supplier of shore power at Port Aldren?'; \
	show --kb demo search --limit 2 '每个夜班的夜班津贴是多少？'; \
	show --kb demo ask '每个夜班的夜班津贴是多少？' || test $$? -eq 1; \
	echo; \
	echo "Go on asking: $(RAG) --kb demo ask \"…\""

# clippy-driver compiles the workspace's own crates for real while it lints them. `cargo clippy` would
# build every dependency a second time, in check mode.
LINTED = if clippy-driver --version >/dev/null 2>&1; then \
	  RUSTC_WORKSPACE_WRAPPER=clippy-driver; CLIPPY_ARGS=-Dwarnings; \
	  export RUSTC_WORKSPACE_WRAPPER CLIPPY_ARGS; \
	else \
	  echo "clippy is not installed: going on without lints (rustup component add clippy)"; \
	fi

FORMATTED = if cargo fmt --version >/dev/null 2>&1; then \
	  cargo fmt --check; \
	else \
	  echo "rustfmt is not installed: the format is not checked (rustup component add rustfmt)"; \
	fi

lint: need-tools need-protoc own-cache ## check format and lints
	@$(FORMATTED)
	@$(LINTED); set -x; cargo build --workspace --all-targets --locked

test: lint ## lint, fetch the starter models, run every test
	"$(RAG)" models pull starter
	@set -e; \
	model=$$("$(RAG)" models path all-minilm-l6-v2); \
	RAG_TEST_MODELS=$$(dirname "$$model"); \
	export RAG_TEST_MODELS; \
	$(LINTED); set -x; cargo test --workspace --locked

# Always with the whole workspace: `cargo test -p` picks other features for what the crates share, and
# builds it again.
unit: need-tools need-protoc own-cache ## unit tests alone, for quick turns: make unit ONLY=fold
	cargo test --workspace --lib --locked -- $(ONLY)

bench: models ## measure splitting and the models on this machine
	cargo bench --profile dev --bench pure --locked
	"$(RAG)" bench --json

parity: need-tools need-protoc own-cache ## hold each family of language models against llama.cpp's scores
	RAG_PARITY_TABLE="$(CURDIR)/benches/results/parity.md" cargo test --workspace --lib --locked -- decoder::parity

# Hostile bytes for FUZZ_SECONDS, beginning with the fixtures. What libFuzzer needs of the compiler is what
# cargo-fuzz passes; the sanitizers, which need a nightly one, are left out: no unsafe code is ours.
FUZZ_SECONDS ?= 600
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1
FUZZ := $(CARGO_TARGET_DIR)/fuzz
# Named, although it is this machine: else the flags would go into build scripts as well.
HOST = $$(rustc -vV | sed -n 's/^host: //p')

fuzz: need-tools ## read hostile bytes for ten minutes (FUZZ_SECONDS=600)
	cd crates/text/fuzz && RUSTFLAGS="$(FUZZ_FLAGS)" CARGO_TARGET_DIR="$(FUZZ)" cargo build --release --target "$(HOST)"
	@mkdir -p "$(FUZZ)/corpus" "$(FUZZ)/artifacts"; \
	find fixtures -type f | while IFS= read -r file; do \
	  name=$$(basename "$$file"); \
	  { printf '%s\n' "$$name"; cat "$$file"; } >"$(FUZZ)/corpus/seed-$$(echo "$$file" | cksum | tr ' ' -)"; \
	done
	cd "$(FUZZ)" && "$(HOST)/release/read" -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=4096 \
	  -max_len=65536 -print_final_stats=1 -artifact_prefix=artifacts/ corpus

clean-demo: build ## forget what `make demo` ingested
	$(DEMO) forget fixtures/kb

need-tools:
	@command -v cargo >/dev/null 2>&1 || { \
	  echo "cargo is missing. Install Rust from https://rustup.rs, open a new shell and try again." >&2; \
	  exit 2; \
	}
	@command -v cc >/dev/null 2>&1 || { \
	  echo "A C compiler is missing. Install one: apt-get install build-essential on Debian and" >&2; \
	  echo "Ubuntu, xcode-select --install on macOS; then try again." >&2; \
	  exit 2; \
	}

# Cargo tells clones that share a build cache apart by the age of their files alone: after another
# clone's turn, this one's files are made younger, so that its crates (and only they) are built again.
own-cache:
	@mkdir -p "$(CARGO_TARGET_DIR)"; \
	last="$(CARGO_TARGET_DIR)/last-clone"; \
	if test "$$(cat "$$last" 2>/dev/null)" != "$(CURDIR)"; then \
	  find src crates tests benches Cargo.toml -type f -exec touch {} +; \
	  echo "$(CURDIR)" >"$$last"; \
	fi

# A file that protoc can compile only with the well-known types beside it; Debian keeps these in a
# package of their own, and LanceDB's build needs them.
PROTOC_WORKS = dir=$$(mktemp -d); \
	echo 'syntax = "proto3"; import "google/protobuf/empty.proto"; message M { google.protobuf.Empty e = 1; }' >"$$dir/m.proto"; \
	"$${PROTOC:-protoc}" -I "$$dir" -o /dev/null "$$dir/m.proto" >/dev/null 2>&1; works=$$?; \
	rm -r "$$dir"; test $$works -eq 0

# LanceDB's build compiles .proto files. Nothing is installed, and no rights are needed, where it can.
need-protoc:
	@if $(PROTOC_WORKS); then exit 0; fi; \
	echo "protoc or its well-known types are missing; LanceDB needs them to build. Installing them:"; \
	if command -v brew >/dev/null 2>&1; then \
	  (set -x; brew install protobuf); \
	elif command -v apt-get >/dev/null 2>&1; then \
	  root=; \
	  if test "$$(id -u)" -ne 0; then root=sudo; fi; \
	  install="$$root apt-get install -y protobuf-compiler libprotobuf-dev"; \
	  (set -x; $$install) || (set -x; $$root apt-get update && $$install); \
	fi; \
	$(PROTOC_WORKS) || { \
	  echo "protoc could not be installed. Install it yourself (protobuf-compiler and libprotobuf-dev on" >&2; \
	  echo "Debian and Ubuntu, protobuf in Homebrew, or github.com/protocolbuffers/protobuf/releases) or" >&2; \
	  echo "set PROTOC to where it is; then try again." >&2; \
	  exit 2; \
	}
