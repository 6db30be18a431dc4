#!/bin/bash
#SBATCH --job-name=layerkit-batch
#SBATCH --array=1-4
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
#SBATCH --time=04:00:00
#SBATCH --output=layerkit-%A-%a.log
# One shard again: sbatch --array=3 slurm.sh. That is why the number of shards is said here, and not left to the array's.
set -euo pipefail
shards=4
layerkit batch images.txt --shard "$SLURM_ARRAY_TASK_ID/$shards" --failed "left-$SLURM_ARRAY_TASK_ID.txt" \
    > "results-$SLURM_ARRAY_TASK_ID.jsonl"
