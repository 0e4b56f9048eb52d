// Adds up the vitest reports of a directory and the steps around them: node .ci/sum.mjs DIRECTORY PASSED FAILED
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [directory, stepsPassed, stepsFailed] = process.argv.slice(2)
let passed = Number(stepsPassed)
let failed = Number(stepsFailed)
for (const name of readdirSync(directory).filter((each) => each.endsWith('.json'))) {
  try {
    const report = JSON.parse(readFileSync(join(directory, name), 'utf8'))
    passed += report.numPassedTests
    failed += report.numFailedTests
    // A file that could not even be loaded has no tests to count.
    failed += report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length
  } catch (error) {
    console.log(`${name}: ${error.message}`)
    failed += 1
  }
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
