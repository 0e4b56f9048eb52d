#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# name: job name "train"
# run: run.sh
