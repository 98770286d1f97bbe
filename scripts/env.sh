# shellcheck shell=bash
# The environment of quickstart.sh and run_tests.sh: .venv with pinned requirements. Sourced after common.sh.

# Prints the first Python that MindSpore has wheels for and that can make an environment. A name on PATH is not enough:
# pyenv's shims exist for versions that are not active, Debian's python3 comes without venv, so each is run.
choose_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.10 python3 python}; do
        if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
            > /dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    local found
    found=$("${PYTHON:-python3}" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null || echo none)
    die "no Python 3.10, 3.11 or 3.12 with the venv module found (${PYTHON:-python3} here: $found), and MindSpore has" \
        "wheels for these only. Install one ('apt-get install python3.11 python3.11-venv', 'brew install python@3.11'," \
        "'conda create -n style python=3.11'), or name one: PYTHON=/path/to/python3.11 bash scripts/$(basename "$0")"
}

# make_environment NAME REQUIREMENTS...: sets PYTHON to an environment that has them, installing what changed.
# STYLE_TRANSFER_VENV names an environment to use as it is.
make_environment() {
    local name="$1" venv="$ROOT/.venv" base file arguments=()
    shift
    if [ -n "${STYLE_TRANSFER_VENV:-}" ]; then
        PYTHON="$STYLE_TRANSFER_VENV/bin/python"
        has_mindspore "$PYTHON" || die "STYLE_TRANSFER_VENV=$STYLE_TRANSFER_VENV: no Python with MindSpore in it"
        return
    fi
    if ! "$venv/bin/python" -c 'import pip' > /dev/null 2>&1; then
        base=$(choose_python)
        echo "making $venv with $("$base" --version)"
        "$base" -m venv --clear "$venv" || die "cannot make $venv: see above"
    fi
    PYTHON="$venv/bin/python"
    for file in "$@"; do
        arguments+=(-r "$ROOT/$file")
    done
    local stamp="$venv/installed-$name" wanted
    wanted=$(cd "$ROOT" && cat "$@")
    if [ "$(cat "$stamp" 2> /dev/null)" != "$wanted" ]; then
        echo "installing $* into $venv (MindSpore is about 500 MB: this takes minutes)"
        "$PYTHON" -m pip install --disable-pip-version-check "${arguments[@]}" ||
            die "pip could not install the requirements: see above; run this again to go on"
        echo "$wanted" > "$stamp"
    fi
}
