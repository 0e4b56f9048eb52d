#!/bin/sh
# Tests against real systems; nothing may be skipped: the driver in every shell it must run in, SSH hosts, containers.
# Debian, root. It installs what is missing, brings machines up (rig/README.md) and takes them down again, whatever happens.
#   DROVER_ENGINE_REPORT=FILE      where the JSON report goes
#   DROVER_RIG_INSTANCES='P S'     rig instances (0 to 9) with private homes and with a shared one; default 8 9
#   arguments                      passed on to vitest: names of test files
set -eu
cd "$(dirname "$0")/../.."
rig=$PWD/test/engines/rig
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
"$rig/install.sh" ssh docker postgres

if ! /usr/bin/python3 -c 'import ensurepip' > /dev/null 2>&1; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv
fi
DROVER_PYTHON_ENV=$(test/engines/python-env.sh)
export DROVER_PYTHON_ENV

instances=${DROVER_RIG_INSTANCES:-8 9}
private=${instances%% *} shared=${instances##* }
export DROVER_RIG_PRIVATE="/var/tmp/drover-rig-$private" DROVER_RIG_SHARED="/var/tmp/drover-rig-$shared"
# shellcheck disable=SC2317 # called by the traps
down() {
  trap - EXIT INT TERM HUP
  "$rig/cluster.sh" down --dir "$DROVER_RIG_PRIVATE" --instance "$private" --purge || true
  "$rig/cluster.sh" down --dir "$DROVER_RIG_SHARED" --instance "$shared" --purge || true
}
trap down EXIT
trap 'down; exit 130' INT
trap 'down; exit 143' TERM HUP
"$rig/cluster.sh" up --ssh-only --dir "$DROVER_RIG_PRIVATE" --instance "$private" --home private
"$rig/cluster.sh" up --ssh-only --dir "$DROVER_RIG_SHARED" --instance "$shared" --home shared

report=${DROVER_ENGINE_REPORT:-$(mktemp)}
parts=$(mktemp -d)
status=0
if [ $# = 0 ]; then
  DROVER_ENGINES=1 npx vitest run driver --reporter=default --reporter=json --outputFile.json="$parts/driver.json" || status=1
fi
DROVER_ENGINES=1 npx vitest run --config vitest.engines.config.ts "$@" --reporter=default --reporter=json --outputFile.json="$parts/engines.json" || status=1
# shellcheck disable=SC2016 # JavaScript's own dollar signs
node -e '
  const { existsSync, readFileSync, writeFileSync } = require("node:fs")
  const [target, ...files] = process.argv.slice(1)
  const reports = files.filter(existsSync).map((file) => JSON.parse(readFileSync(file, "utf8")))
  const merged = reports.reduce((all, one) => {
    for (const [key, value] of Object.entries(one)) {
      if (key !== "startTime" && typeof value === "number") all[key] = (all[key] ?? 0) + value
      else if (Array.isArray(value)) all[key] = [...(all[key] ?? []), ...value]
      else if (key === "success") all[key] = (all[key] ?? true) && value
      else all[key] ??= value
    }
    return all
  }, {})
  writeFileSync(target, JSON.stringify(merged))
  const skipped = (merged.testResults ?? []).flatMap((file) => file.assertionResults.filter((test) => test.status !== "passed").map((test) => test.fullName))
  if (!merged.numPassedTests) { console.error("no test ran"); process.exit(1) }
  if (skipped.length > 0) { console.error(`not run or not passed:\n${skipped.join("\n")}`); process.exit(1) }
' "$report" "$parts/driver.json" "$parts/engines.json" || status=1
rm -rf "$parts"
exit $status
