#!/usr/bin/env bash
# Trains on several devices of this machine, one process a device:
#   bash scripts/run_distribute_train_ascend.sh RANK_TABLE_FILE PLATFORM CONTENT_PATH STYLE_PATH CKPT_PATH [--option value ...]
# RANK_TABLE_FILE: the HCCL table with this machine's devices, or just how many devices (then the processes find each
# other as msrun's do, without a table). PLATFORM: Ascend; CPU trains in that many processes on the CPU.
# Everything after goes to train.py. Checkpoints, train.log and rank_logs/: output/train, or --output_dir.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

check_arguments "RANK_TABLE_FILE PLATFORM CONTENT_PATH STYLE_PATH CKPT_PATH" "$@"
case "$1" in
    *[!0-9]* | "")
        table=$(existing RANK_TABLE_FILE "$1" -f)
        ranks=(--rank_table "$table")
        ;;
    *) ranks=(--ranks "$1") ;;
esac
platform="$2"
content=$(existing CONTENT_PATH "$3" -d)
style=$(existing STYLE_PATH "$4")
ckpt=$(existing CKPT_PATH "$5")
shift 5
train_on_ranks "$platform" "$content" "$style" "$ckpt" "${ranks[@]}" -- "$@"
