"""A HyperQueue server with one worker; reads "array N" and "chain N" lines, answers with seconds."""
import os
import sys
import tempfile
import time

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

os.environ["RUST_LOG"] = "error"
base = tempfile.mkdtemp(prefix="drover-bench-hq-")
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
os.dup2(1, 2)
with LocalCluster(worker_config=WorkerConfig(cores=os.cpu_count())) as cluster:
    client = cluster.client()
    answers.write("ready\n")
    for number, line in enumerate(sys.stdin):
        kind, count = line.split()
        job = Job()
        previous = []
        every = []
        directory = os.path.join(base, str(number))
        os.mkdir(directory)
        for index in range(int(count)):
            out = os.path.join(directory, str(index))
            task = job.program(["/bin/true"], stdout=out + ".out", stderr=out + ".err", deps=previous)
            if kind == "chain":
                previous = [task]
            every.append(task)
        # wait_for_jobs looks once a second; a file that a last task makes is seen at once.
        done = os.path.join(directory, "done")
        job.program(["touch", done], stdout=done + ".out", stderr=done + ".err", deps=previous or every)
        start = time.monotonic()
        submitted = client.submit(job)
        while not os.path.exists(done):
            time.sleep(0.002)
        answers.write(f"{time.monotonic() - start}\n")
        client.wait_for_jobs([submitted])
