# Short targets; the work is done by scripts/, regress/, tests/ and bench/.
.PHONY: help setup build demo test unit regress isolation cluster compat versions lint fmt install bench

help:
	@echo "make demo [KEEP=0]     four shards and a coordinator, the walk-through on top"
	@echo "make test              everything; last line: N passed, N failed"
	@echo "make regress [TEST=x]  regression tests, or one of them (ACCEPT=1 takes the result over)"
	@echo "make isolation [TEST=x]"
	@echo "make cluster [TEST=x]  tests with several servers: faults, TLS, fail-over"
	@echo "make unit              tests that need no server"
	@echo "make install           into the PostgreSQL of PG_CONFIG (or PG_MAJOR, or the newest)"
	@echo "make bench             side by side with postgres_fdw"
	@echo "make compat            type-checks the other PostgreSQL versions"
	@echo "make versions          regress and isolation on PostgreSQL 18 and 17, each in a Debian of its own"
	@echo "make lint fmt setup build"

setup:
	@scripts/setup.sh
build: setup
	@scripts/build.sh release
demo: setup
	@scripts/demo.sh
test:
	@scripts/test.sh
unit: setup
	@scripts/unit.sh
regress: setup
	@regress/run.sh regress $(TEST)
isolation: setup
	@regress/run.sh isolation $(TEST)
cluster: setup
	@tests/run.sh $(TEST)
compat: setup
	@scripts/compat.sh
versions: setup
	@scripts/versions.sh
lint: setup
	@scripts/lint.sh
fmt: setup
	@cargo fmt
install: setup
	@scripts/install.sh
bench: setup
	@bench/run.sh $(TEST)
