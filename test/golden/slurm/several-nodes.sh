#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=4
#SBATCH --ntasks=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --partition=gpu
#SBATCH --gres=gpu:h100:8
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# starts each phase: _d_in_group srun '--nodes=4' '--ntasks=4' '--ntasks-per-node=1' --overlap '--cpu-bind=none' '--export=ALL' '--kill-on-bad-exit=1' '--wait=0' '--input=none' sh "$_d_dir/node.sh" @ "$1" - - "$_d_restart" "$_d_task"
# name: job name "train"
# run: run.sh
# num_nodes: --nodes=4, one driver task on each
# setup: setup.sh on every node, before run on any
# resources: --cpus-per-task=8 --gres=gpu:h100:8
# options: --partition=gpu --gres=gpu:h100:8
