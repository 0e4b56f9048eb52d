#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/tasks/%x-%a.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --array=0-99%10
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
DROVER_NATIVE_TASK=$((SLURM_ARRAY_TASK_ID + 0))
export DROVER_NATIVE_TASK
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# name: job name "train"
# run: run.sh
# array: --array=0-99%10
