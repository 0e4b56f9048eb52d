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
# starts each phase: _d_in_group srun '--nodes=1' '--ntasks=1' '--ntasks-per-node=1' --overlap '--cpu-bind=none' '--export=ALL' '--kill-on-bad-exit=1' '--wait=0' '--input=none' '--container-image=/images/torch.sqsh' '--container-name=d-k3v9x2m7qd-1' '--container-mounts=/home/me/.drover:/home/me/.drover' '--container-workdir=/home/me/.drover/jobs/k3v9x2m7qd/work/0' --no-container-mount-home --container-remap-root --container-writable --container-entrypoint sh "$_d_dir/node.sh" @ "$1" - - "$_d_restart" "$_d_task"
# name: job name "train"
# run: run.sh
# container: by pyxis: srun '--container-image=/images/torch.sqsh' '--container-name=d-k3v9x2m7qd-1' '--container-mounts=/home/me/.drover:/home/me/.drover' '--container-workdir=/home/me/.drover/jobs/k3v9x2m7qd/work/0' --no-container-mount-home --container-remap-root --container-writable --container-entrypoint
