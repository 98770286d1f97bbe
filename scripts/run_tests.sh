#!/usr/bin/env bash
# Ruff and pytest in the environment of quickstart.sh, on all cores but no more than four.
#
#   bash scripts/run_tests.sh                 everything
#   bash scripts/run_tests.sh --quick         without the tests marked slow
#   bash scripts/run_tests.sh -k config       options go to pytest
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$ROOT/scripts/env.sh"

chosen=()
if [ "${1:-}" = "--quick" ]; then
    shift
    chosen=(-m "not slow")
fi
make_environment tests requirements.txt requirements-onnx.txt requirements-test.txt
cd "$ROOT"
"$PYTHON" -m ruff check .
# worksteal: files stay together in one process until a process without work takes tests from the others
exec "$PYTHON" -m pytest -q -n logical --maxprocesses 4 --dist worksteal ${chosen[@]+"${chosen[@]}"} "$@"
