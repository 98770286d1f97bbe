#!/usr/bin/env bash
# Trains on all GPUs of this machine, one process a GPU:
#   bash scripts/run_distribute_train_gpu.sh CONTENT_PATH STYLE_PATH CKPT_PATH [--option value ...]
# DEVICE_NUM=4 before the command takes the first four. Needs a MindSpore with a GPU plug-in (docs/differences.md).
# Everything after goes to train.py. Checkpoints, train.log and rank_logs/: output/train, or --output_dir.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

check_arguments "CONTENT_PATH STYLE_PATH CKPT_PATH" "$@"
content=$(existing CONTENT_PATH "$1" -d)
style=$(existing STYLE_PATH "$2")
ckpt=$(existing CKPT_PATH "$3")
shift 3
if [ -z "${DEVICE_NUM:-}" ]; then
    DEVICE_NUM=$(nvidia-smi -L 2> /dev/null | grep -c '^GPU' || true)
    [ "$DEVICE_NUM" -gt 0 ] || die "'nvidia-smi -L' lists no GPU here; DEVICE_NUM=N before the command sets their number"
fi
train_on_ranks GPU "$content" "$style" "$ckpt" --ranks "$DEVICE_NUM" -- "$@"
