#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --partition=mixed
#SBATCH --gpus-per-node=nvidia_a100_80gb:4
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# name: job name "train"
# run: run.sh
# resources: --cpus-per-task=1 --gpus-per-node=nvidia_a100_80gb:4
# options: --partition=mixed --gpus-per-node=nvidia_a100_80gb:4
