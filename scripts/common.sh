# shellcheck shell=bash
# What the run_*.sh scripts share. Sourced, never run. Works with the bash 3.2 of macOS.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

die() {
    echo "error: $*" >&2
    exit 2
}

# check_arguments "NAME NAME ..." "$@": one value a name, and after them only options (--name value).
check_arguments() {
    local names="$1" count
    shift
    count=$(wc -w <<< "$names")
    count=$((count))
    if [ "$#" -lt "$count" ]; then
        echo "Usage: bash scripts/$(basename "$0") $names [--option value ...]" >&2
        die "found $# arguments, expected at least $count"
    fi
    shift "$count"
    case "${1:---}" in
        --*) ;;
        *) die "found '$1' after $names, expected an option such as --steps 100; quote paths that hold spaces or *" ;;
    esac
}

# existing NAME PATH [-d|-f]: the path made absolute; an error that names the argument when it is not there.
existing() {
    local kind="${3:--e}" path
    path=$(at_home "$2")
    case "$path" in
        /*) ;;
        *) path="$PWD/$path" ;;
    esac
    if ! test "$kind" "$path"; then
        case "$kind" in
            -d) die "$1: no such folder: $2" ;;
            -f) die "$1: no such file: $2" ;;
            *) die "$1: no such file or folder: $2" ;;
        esac
    fi
    echo "$path"
}

# output_folder NAME DEFAULT "$@": the last value that the options give to --NAME, or to its other name, --output (which
# before the name of an activation is the last one of the network: train.py --output tanh).
output_folder() {
    local name="--$1" folder="$2" value
    shift 2
    while [ "$#" -gt 0 ]; do
        value=""
        case "$1" in
            "$name") folder="${2:-}" ;;
            "$name="*) folder="${1#*=}" ;;
            --output) value="${2:-}" ;;
            --output=*) value="${1#*=}" ;;
        esac
        case "$value" in
            "" | sigmoid | tanh | linear) ;;
            *) folder="$value" ;;
        esac
        shift
    done
    at_home "$folder"
}

# at_home PATH: the path, "~" at its beginning replaced by the home folder; the shell leaves it in quotes and after "=".
at_home() {
    case "$1" in
        "~" | "~/"*) echo "$HOME${1#"~"}" ;;
        *) echo "$1" ;;
    esac
}

has_mindspore() {
    "$1" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("mindspore") is None)' > /dev/null 2>&1
}

# Sets PYTHON: the one that PYTHON or STYLE_TRANSFER_VENV names, else the first that has MindSpore of python and python3
# on PATH (an activated environment) and the .venv of quickstart.sh.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        return
    fi
    if [ -n "${STYLE_TRANSFER_VENV:-}" ]; then
        PYTHON="$STYLE_TRANSFER_VENV/bin/python"
        return
    fi
    for PYTHON in python python3 "$ROOT/.venv/bin/python"; do
        if has_mindspore "$PYTHON"; then
            return
        fi
    done
    die "no Python with MindSpore found: activate its environment, set PYTHON=/path/to/python," \
        "or run 'bash scripts/quickstart.sh' once, which makes .venv"
}

# run_logged OPTION LOG COMMAND...: runs in the foreground, shows the output and adds it to LOG, whose folder OPTION
# names; returns the command's status.
run_logged() {
    local option="$1" log="$2"
    shift 2
    mkdir -p "$(dirname "$log")" || die "cannot make the folder $(dirname "$log"); choose another with $option"
    { printf '\n# %s\n#' "$(date '+%Y-%m-%d %H:%M:%S')" && printf ' %q' "$@" && echo; } >> "$log" ||
        die "cannot write $log; choose another folder with $option"
    echo "log: $log"
    # after Ctrl-C, or when the terminal is lost, tee still reads the output of the command, which saves before it ends
    PYTHONUNBUFFERED=1 "$@" 2>&1 | (trap '' INT HUP && exec tee -a "$log")
}

# train_on_ranks PLATFORM CONTENT STYLE CKPT LAUNCH_OPTION... -- TRAIN_OPTION...: train.py, one process a device.
train_on_ranks() {
    local platform="$1" content="$2" style="$3" ckpt="$4" output
    shift 4
    find_python
    local launch=("$PYTHON" "$ROOT/scripts/launch.py" --platform "$platform")
    while [ "$1" != "--" ]; do
        launch+=("$1")
        shift
    done
    shift
    output=$(output_folder output_dir "$ROOT/output/train" "$@")
    run_logged --output_dir "$output/train.log" "${launch[@]}" --log_dir "$output/rank_logs" "$ROOT/train.py" \
        --device_target "$platform" --distributed true --content_path "$content" --style_path "$style" \
        --ckpt_path "$ckpt" --output_dir "$output" "$@"
}
