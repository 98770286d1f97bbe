#!/usr/bin/env bash
# Trains on one device:
#   bash scripts/run_standalone_train.sh PLATFORM DEVICE_ID CONTENT_PATH STYLE_PATH CKPT_PATH [--option value ...]
# PLATFORM: Ascend, GPU or CPU. CKPT_PATH: folder with vgg16.ckpt and inceptionv3.ckpt, or one checkpoint to start from.
# Everything after goes to train.py. Checkpoints and train.log: output/train, or --output_dir.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

check_arguments "PLATFORM DEVICE_ID CONTENT_PATH STYLE_PATH CKPT_PATH" "$@"
platform="$1"
device_id="$2"
content=$(existing CONTENT_PATH "$3" -d)
style=$(existing STYLE_PATH "$4")
ckpt=$(existing CKPT_PATH "$5")
shift 5
output=$(output_folder output_dir "$ROOT/output/train" "$@")
find_python
# with a rank table in the environment, this process would wait for other ranks
unset RANK_TABLE_FILE RANK_ID RANK_SIZE

run_logged --output_dir "$output/train.log" "$PYTHON" "$ROOT/train.py" \
    --device_target "$platform" --device_id "$device_id" --content_path "$content" --style_path "$style" \
    --ckpt_path "$ckpt" --output_dir "$output" "$@"
