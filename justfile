# Each recipe is a step of scripts/check, which runs without `just` as well. `check` is what CI runs: all
# steps but `quick`, `advisories`, `histories`, `soak`, `fuzz` and `mutants`.

# Lists the recipes.
default:
    @just --list --unsorted

# Everything that CI checks.
check:
    ./scripts/check

# Is each step of scripts/check a recipe here?
recipes:
    ./scripts/check recipes

# Installs what the tests need (as root), or says what to install.
tools:
    ./scripts/check tools

# Is all formatted?
fmt:
    ./scripts/check fmt

# Lints, with all features.
clippy:
    ./scripts/check clippy

# Lints, with each feature by itself.
features:
    ./scripts/check features

# The documentation, without a warning.
doc:
    ./scripts/check doc

# The examples, with the default features.
examples:
    ./scripts/check examples

# Licences, sources and duplicates of the dependencies.
deny:
    ./scripts/check deny

# The README's first program, in a fresh application.
newcomer:
    ./scripts/check newcomer

# All tests, on servers and in a browser of their own.
test:
    ./scripts/check test

# The tests that need no server and no browser, in a minute once they are built.
quick:
    ./scripts/check quick

# Ten thousand recorded histories on each store, under faults.
histories:
    ./scripts/check histories

# Ten million requests on PostgreSQL and on Redis, under faults: does memory stay flat, and is anything left over?
soak:
    ./scripts/check soak

# Known weaknesses of the dependencies. Takes GitHub's list of them.
advisories:
    ./scripts/check advisories

# Random input for the readers, guided by what it reaches: a minute for each.
fuzz:
    ./scripts/check fuzz

# Alters the library a change at a time, and sees that a test fails: a night for all of them.
mutants:
    ./scripts/check mutants

# Has the library grown beyond benches/baseline.csv? That is the same compiler's.
bench-check:
    ./scripts/check bench-check
