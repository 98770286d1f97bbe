#!/usr/bin/env bash
# Ruff and pytest in the environment of quickstart.sh. Options go to pytest: bash scripts/run_tests.sh -k config
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$ROOT/scripts/env.sh"

make_environment tests requirements.txt requirements-onnx.txt requirements-test.txt
cd "$ROOT"
"$PYTHON" -m ruff check .
exec "$PYTHON" -m pytest -q "$@"
