#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=3
#SBATCH --mem=10240M
#SBATCH --account=team
#SBATCH --qos=long
#SBATCH --time=91
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# name: job name "train"
# run: run.sh
# resources: --cpus-per-task=3 --mem=10240M
# timeout: 5400 s by the node runner; --time=91 for Slurm
# grace: 30 s from TERM to KILL
# options: --account=team --qos=long --time=91
