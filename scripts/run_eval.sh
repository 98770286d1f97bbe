#!/usr/bin/env bash
# Stylises every content image with every style image:
#   bash scripts/run_eval.sh PLATFORM DEVICE_ID CONTENT_PATH STYLE_PATH INCEPTION_CKPT CKPT_PATH [--option value ...]
# INCEPTION_CKPT: inceptionv3.ckpt for a published checkpoint; "" takes the one inside CKPT_PATH (or needs none).
# Everything after goes to eval.py. Pictures and eval.log: output/eval, or --output_path.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

check_arguments "PLATFORM DEVICE_ID CONTENT_PATH STYLE_PATH INCEPTION_CKPT CKPT_PATH" "$@"
platform="$1"
device_id="$2"
content=$(existing CONTENT_PATH "$3")
style=$(existing STYLE_PATH "$4")
inception=""
if [ -n "$5" ]; then
    inception=$(existing INCEPTION_CKPT "$5" -f)
fi
ckpt=$(existing CKPT_PATH "$6" -f)
shift 6
output=$(output_folder output_path "$ROOT/output/eval" "$@")
find_python

run_logged --output_path "$output/eval.log" "$PYTHON" "$ROOT/eval.py" \
    --device_target "$platform" --device_id "$device_id" --content_path "$content" --style_path "$style" \
    --inception_ckpt "$inception" --ckpt_path "$ckpt" --output_path "$output" "$@"
