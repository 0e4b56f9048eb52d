#!/bin/sh
# The driver's tests against every shell it must run in; nothing may be skipped. Debian, root.
set -eu
cd "$(dirname "$0")/../.."
missing=
for tool in busybox shellcheck dash bash; do
  command -v "$tool" > /dev/null 2>&1 || missing="$missing $tool"
done
if [ -n "$missing" ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of package names
  apt-get install -y -qq --no-install-recommends $missing
fi
shellcheck --shell=sh test/engines/run.sh
report=${DROVER_ENGINE_REPORT:-$(mktemp)}
rm -f "$report"
DROVER_ENGINES=1 npx vitest run driver --reporter=default --reporter=json --outputFile.json="$report"
# shellcheck disable=SC2016 # JavaScript's own dollar signs
node -e '
  const report = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"))
  const skipped = report.testResults.flatMap((file) => file.assertionResults.filter((test) => test.status !== "passed").map((test) => test.fullName))
  if (report.numPassedTests === 0) { console.error("no driver test ran"); process.exit(1) }
  if (skipped.length > 0) { console.error(`not run:\n${skipped.join("\n")}`); process.exit(1) }
' "$report"
