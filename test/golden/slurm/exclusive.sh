#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=2
#SBATCH --ntasks=2
#SBATCH --ntasks-per-node=1
#SBATCH --mem=0
#SBATCH --exclusive
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# starts each phase: _d_in_group srun '--mpi=pmix' '--nodes=2' '--ntasks=2' '--ntasks-per-node=1' --overlap '--cpu-bind=none' '--export=ALL' '--kill-on-bad-exit=1' '--wait=0' '--input=none' sh "$_d_dir/node.sh" @ "$1" - - "$_d_restart" "$_d_task"
# name: job name "train"
# run: run.sh
# num_nodes: --nodes=2, one driver task on each
# options: --exclusive
