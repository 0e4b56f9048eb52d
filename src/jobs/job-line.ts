import { JobQueue, type WaitingJob } from './job-queue.ts'

/** The waiting half of `Slots`: the line itself, whatever decides who of it starts. */
export abstract class JobLine {
  protected readonly queue = new JobQueue()

  /** Whether the job holds slots. */
  protected abstract holds(jobId: string): boolean

  /** Jobs in line. */
  get waiting(): number {
    return this.queue.size
  }

  /** Puts a job in line, or in line anew. One that already holds slots is refused (false): it would run twice. */
  enqueue(job: WaitingJob): boolean {
    if (this.holds(job.id)) return false
    this.queue.add(job)
    return true
  }

  /** Takes a job out of line; what it holds it keeps. */
  dequeue(jobId: string): void {
    this.queue.remove(jobId)
  }
}
