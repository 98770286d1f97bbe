#!/usr/bin/env bash
# Trains on several devices of this machine, one process a device:
#   bash scripts/run_distribute_train_ascend.sh RANK_TABLE_FILE PLATFORM CONTENT_PATH STYLE_PATH CKPT_PATH [--option value ...]
# RANK_TABLE_FILE: the HCCL table with this machine's devices, or just how many devices (then the processes find each
# other as msrun's do, without a table). PLATFORM: Ascend; CPU trains in that many processes on the CPU.
# --bind_core, --hccl_connect_timeout SECONDS and --hccl_exec_timeout SECONDS among the options are for the ranks' start
# (scripts/launch.py); everything else goes to train.py. With a table of several servers, run this on each of them.
# A rank that fails is named, the others are ended, and its status is returned.
# Checkpoints, train.log and rank_logs/: output/train, or --output_dir.
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
options=()
while [ "$#" -gt 0 ]; do
    case "$1" in
        --bind_core | --hccl_connect_timeout=* | --hccl_exec_timeout=*) ranks+=("$1") ;;
        --hccl_connect_timeout | --hccl_exec_timeout)
            [ "$#" -gt 1 ] || die "option $1: expected seconds after it"
            ranks+=("$1" "$2")
            shift
            ;;
        *) options+=("$1") ;;
    esac
    shift
done
# bash 3.2 takes an empty array for an unset one
train_on_ranks "$platform" "$content" "$style" "$ckpt" "${ranks[@]}" -- ${options[@]+"${options[@]}"}
