#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=2
#SBATCH --ntasks=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --partition=gpu
#SBATCH --gres=gpu:h100:8
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# starts each phase: _d_in_group srun '--nodes=2' '--ntasks=2' '--ntasks-per-node=1' --overlap '--cpu-bind=none' '--export=ALL' '--kill-on-bad-exit=1' '--wait=0' '--input=none' '--container-image=nvcr.io#nvidia/pytorch:24.05-py3' '--container-name=d-k3v9x2m7qd-1' '--container-mounts=/home/me/.drover:/home/me/.drover,/data:/data:ro' '--container-workdir=/home/me/.drover/jobs/k3v9x2m7qd/work/0' --no-container-mount-home --no-container-remap-root --container-writable sh "$_d_dir/node.sh" @ "$1" - - "$_d_restart" "$_d_task"
# name: job name "train"
# run: run.sh
# num_nodes: --nodes=2, one driver task on each
# resources: --cpus-per-task=1 --gres=gpu:h100:8
# container: by pyxis: srun '--container-image=nvcr.io#nvidia/pytorch:24.05-py3' '--container-name=d-k3v9x2m7qd-1' '--container-mounts=/home/me/.drover:/home/me/.drover,/data:/data:ro' '--container-workdir=/home/me/.drover/jobs/k3v9x2m7qd/work/0' --no-container-mount-home --no-container-remap-root --container-writable
# options: --partition=gpu --gres=gpu:h100:8
