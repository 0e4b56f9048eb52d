#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8192M
#SBATCH --account=team
#SBATCH hetjob
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --nodes=2
#SBATCH --ntasks=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --mem=65536M
#SBATCH --account=team
#SBATCH --partition=gpu
#SBATCH --constraint=nvlink
#SBATCH --gres=gpu:h100:8
DROVER_HET_GROUP_HOST_0=$(scontrol show hostnames "$SLURM_JOB_NODELIST_HET_GROUP_0" | head -n 1)
export DROVER_HET_GROUP_HOST_0
DROVER_HET_GROUP_HOST_1=$(scontrol show hostnames "$SLURM_JOB_NODELIST_HET_GROUP_1" | head -n 1)
export DROVER_HET_GROUP_HOST_1
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# starts each phase: _d_in_group srun '--het-group=0,1' --overlap '--cpu-bind=none' '--export=ALL' '--kill-on-bad-exit=1' '--wait=0' '--input=none' sh "$_d_dir/node.sh" @ "$1" - - "$_d_restart" "$_d_task"
# name: job name "train"
# run: run.sh
# num_nodes: --nodes=1 : --nodes=2, one driver task on each
# options: --account=team : --account=team --partition=gpu --constraint=nvlink --gres=gpu:h100:8
