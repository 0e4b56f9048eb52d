{
  "kind": "foreign",
  "path": "~/it is/job.sh",
  "args": [
    "a b",
    "$x"
  ],
  "nativeName": "d-k3v9x2m7qd-1",
  "options": [
    "--partition=gpu",
    "--comment=q\"q's \\ # % $HOME `id` ünï日 --x=1 ;|&<>",
    "--time=11"
  ]
}
# name: job name "train"
# remote_script: submitted as it is; its end is what Slurm says
# args: its arguments
# timeout: --time=11 for Slurm
# options: --partition=gpu --comment=q"q's \ # % $HOME `id` ünï日 --x=1 ;|&<> --time=11
