#!/bin/sh
#SBATCH --job-name=d-k3v9x2m7qd-1
#SBATCH --output=/home/me/.drover/jobs/k3v9x2m7qd/1/logs/driver.log
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --ntasks-per-node=1
#SBATCH --partition=main,gpu
#SBATCH --account=a
#SBATCH --qos=q
#SBATCH --constraint="x&y|z"
#SBATCH --prefer=fast
#SBATCH --reservation=r
#SBATCH --nodelist=n[1-4]
#SBATCH --exclude=n9
#SBATCH --licenses=matlab:1
#SBATCH --comment=why
#SBATCH --begin=now+1hour
#SBATCH --deadline=2027-01-01T00:00:00
#SBATCH --time-min=1:00:00
#SBATCH --mail-type=END,FAIL
#SBATCH --mail-user=a@b.c
#SBATCH --network=sn_all
#SBATCH --switches=1@10
#SBATCH --wckey=k
#SBATCH --tmp=10G
#SBATCH --gpu-bind=closest
#SBATCH --gpu-freq=high
#SBATCH --hint=nomultithread
#SBATCH --distribution=block:cyclic
#SBATCH --bb=capacity=1G
#SBATCH --mem-per-cpu=2G
#SBATCH --threads-per-core=1
#SBATCH --ntasks-per-socket=1
#SBATCH --core-spec=0
#SBATCH --segment=2
#SBATCH --priority=5
#SBATCH --nice=-3
#SBATCH --contiguous
#SBATCH --overcommit
#SBATCH --oversubscribe
#SBATCH --spread-job
#SBATCH --use-min-nodes
#SBATCH --hold
#SBATCH --exclusive=user
#SBATCH --time=1-00:00:00
#SBATCH --gres=shard:2
#SBATCH --dependency=singleton
#SBATCH --kill-on-invalid-dep=yes
#SBATCH --delay-boot=5
#SBATCH --get-user-env
#SBATCH --acctg-freq=task=30
#SBATCH --acctg-freq=energy=60
exec sh /home/me/.drover/jobs/k3v9x2m7qd/1/driver.sh
# name: job name "train"
# run: run.sh
# options: --partition=main,gpu --account=a --qos=q --constraint=x&y|z --prefer=fast --reservation=r --nodelist=n[1-4] --exclude=n9 --licenses=matlab:1 --comment=why --begin=now+1hour --deadline=2027-01-01T00:00:00 --time-min=1:00:00 --mail-type=END,FAIL --mail-user=a@b.c --network=sn_all --switches=1@10 --wckey=k --tmp=10G --gpu-bind=closest --gpu-freq=high --hint=nomultithread --distribution=block:cyclic --bb=capacity=1G --mem-per-cpu=2G --threads-per-core=1 --ntasks-per-socket=1 --core-spec=0 --segment=2 --priority=5 --nice=-3 --contiguous --overcommit --oversubscribe --spread-job --use-min-nodes --hold --exclusive=user --time=1-00:00:00 --gres=shard:2 --dependency=singleton --kill-on-invalid-dep=yes --delay-boot=5 --get-user-env --acctg-freq=task=30 --acctg-freq=energy=60
