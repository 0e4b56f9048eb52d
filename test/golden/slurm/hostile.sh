#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --account="a b"
#SBATCH --comment="q\"q's \\ # % $HOME `id` ünï日 --x=1 ;|&<>"
#SBATCH --mcs-label="a \"b\" \\c"
#SBATCH --wckey="#no comment"
#SBATCH --extra-node-info=2:4:1
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# name: job name "train"
# run: run.sh
# options: --account=a b --comment=q"q's \ # % $HOME `id` ünï日 --x=1 ;|&<> --mcs-label=a "b" \c --wckey=#no comment --extra-node-info=2:4:1
