#!/usr/bin/env bash
# Trains, evaluates and exports a tiny model with each of several MindSpore versions, in an environment of its own.
#
#   bash scripts/smoke.sh [VERSION ...]            2.7.1, 2.8.0 and 2.10.0 unless versions are named
#
# PYTHON chooses the Python (3.10 to 3.12), SMOKE_DIR where the environments go (2 GB each); they are kept, so that a
# second run is quick. The last line of each version says "ok"; the status is that of the first version that failed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
folder=${SMOKE_DIR:-${TMPDIR:-/tmp}/style_transfer_smoke}
versions=("$@")
if ((${#versions[@]} == 0)); then
    versions=(2.7.1 2.8.0 2.10.0)
fi

prepare() {  # VERSION: an environment with it and the other requirements
    local env="$folder/$1"
    if [[ ! -e "$env/ready" ]]; then
        "$python" -m venv "$env"
        "$env/bin/python" -m pip install --quiet "mindspore==$1"
        # after mindspore, because MindSpore 2.10 installs NumPy 2, with which its tensor arithmetic fails
        "$env/bin/python" -m pip install --quiet -r <(grep -v '^mindspore' "$root/requirements.txt")
        touch "$env/ready"
    fi
}

check() {  # VERSION: the three programs
    local python="$folder/$1/bin/python" run="$folder/$1/run"
    rm -rf "$run"
    "$python" "$root/benchmarks/tiny.py" "$run"
    "$python" "$root/train.py" --content_path "$run/content" --style_path "$run/style" --ckpt_path "$run/weights" \
        --output_dir "$run/train" --predictor compact --width 0.25 --loss_network distilled_vgg19 \
        --content_taps relu3_1=1 --style_taps relu1_1=1 --image_size 32 --min_side 32 --batch_size 2 --steps 4
    local checkpoint="$run/train/checkpoints/step_00000004.ckpt"
    "$python" "$root/eval.py" --content_path "$run/content/0/00000.png" --style_path "$run/style" \
        --ckpt_path "$checkpoint" --output_path "$run/eval" --image_size 32
    "$python" "$root/export.py" --ckpt_path "$checkpoint" --file_format MINDIR --file_name "$run/style" --height 32 --width 32
}

status=0
for version in "${versions[@]}"; do
    # not as a condition, inside which set -e has no effect
    set +e
    (
        set -e
        prepare "$version"
        check "$version"
    )
    code=$?
    set -e
    if ((code)); then
        echo "MindSpore $version: failed with status $code"
        status=$((status ? status : code))
    else
        echo "MindSpore $version: ok"
    fi
done
exit "$status"
