#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --signal=B:USR2@70
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --time=4
trap : USR2
. /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# name: job name "train"
# run: run.sh
# timeout: 200 s by the node runner; --time=4 for Slurm
# grace: 10 s from TERM to KILL
# options: --time=4 : USR1 for the script 30 s before the time limit : run again when the script ends with 75, at most 10 times
