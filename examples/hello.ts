// node examples/hello.ts: a task as a library call.
import { defineTask, openDrover } from 'drover'

await using drover = await openDrover()
const job = await drover.run(defineTask({ name: 'hello', run: 'echo "hello from $DROVER_JOB_ID"' }))
for await (const chunk of job.logs({ follow: true })) process.stdout.write(chunk.bytes)
const ended = await job.result()
console.log(`${ended.name}: ${ended.state}, exit code ${ended.exit_code}`)
