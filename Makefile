# The menu. Every dish is a line or two that calls CMake or a script; read them to learn how.
.DEFAULT_GOAL := help
.PHONY: help run test check sim fuzz bench bench-peers format clean

SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
SECONDS ?= 60

help: ## shows this menu
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-11s %s\n", $$1, $$2 }'

run: ## installs what is missing, builds, and opens the clinic
	@scripts/setup run && cmake --preset release >/dev/null && cmake --build --preset release --target programs
	@exec examples/clinic/run

test: ## installs what is missing, builds, and runs all tests: units, crash, browser
	@scripts/setup test && scripts/check tests crash browser

check: ## format, purity, wasm, both compilers, sanitizers, a little fuzzing; one: scripts/check asan
	@scripts/setup test && scripts/check all

sim: ## runs the simulated tests under a random seed; repeat one with SEED=7
	@echo "SEED=$(SEED)" && cmake --preset debug >/dev/null && cmake --build --preset debug
	@HY_SEED=$(SEED) ctest --preset debug -R '(sim|fault|chaos|sweep|storm)'

fuzz: ## fuzzes every parser; how long each: SECONDS=60
	@scripts/setup test && HY_FUZZ_SECONDS=$(SECONDS) scripts/check fuzz

bench: ## builds for speed and runs the benchmarks
	@scripts/setup run && scripts/bench

bench-peers: ## actors beside Erlang, Go, CAF and ractor: build/peers/actor.md and actor.svg
	@scripts/bench-peers actor

format: ## formats all C files
	@find include src cmd examples bench test tools -name '*.[ch]' | xargs clang-format -i

clean: ## removes everything that was built
	@rm -rf build
