#!/usr/bin/env bash
# A batch as a Slurm array: each job works on one shard, all on one folder.
# sbatch docs/slurm-example.sh TASKS OUT      from the program's own folder; TASKS and OUT on storage that all nodes share.
# The same command again starts what is missing: after a time limit, a lost node, or scancel.
#SBATCH --job-name=linguacodus
#SBATCH --array=1-8
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@900
#SBATCH --output=linguacodus-%A-%a.log
# --signal: 15 minutes before the time is over the batch begins no further task; what still runs then is killed at the
# end, and gone on with by the next call.
set -euo pipefail
tasks=${1:?name the folder of the tasks}
out=${2:?name the folder of the batch}
shard="$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"

# A node has more memory than its job: say what the job was given, less a fifth for the host's side of the runs.
workers=$((SLURM_CPUS_PER_TASK / 2))
memory=$((SLURM_MEM_PER_NODE * 8 / 10 / workers))

# exec: Slurm's signal then reaches the batch itself.
exec .venv/bin/python -m agents.batch "$tasks" --out "$out" --shard "$shard" \
  --workers "$workers" --task-memory-mb "$memory" --minutes 20 --quiet
