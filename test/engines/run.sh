#!/bin/sh
# Tests against real systems; nothing may be left out: the driver in every shell it must run in, SSH hosts, containers, Slurm, Tierkreis.
# Debian, root. It installs what is missing, brings machines up (rig/README.md) and takes them down again, whatever happens.
#   DROVER_ENGINE_REPORT=FILE      where the JSON report goes
#   DROVER_RIG_INSTANCES='P S L'   rig instances (0 to 9) with private homes, with a shared one, and with Slurm; default 8 9 7
#   arguments                      passed on to vitest: names of test files
set -eu
cd "$(dirname "$0")/../.."
rig=$PWD/test/engines/rig
missing=
for tool in shellcheck dash bash openssl g++; do
  command -v "$tool" > /dev/null 2>&1 || missing="$missing $tool"
done
if [ -n "$missing" ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of package names
  apt-get install -y -qq --no-install-recommends $missing
fi
shellcheck --shell=sh test/engines/run.sh test/engines/tierkreis-env.sh
"$rig/install.sh" ssh docker postgres slurm

if ! /usr/bin/python3 -c 'import ensurepip' > /dev/null 2>&1; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv
fi
DROVER_PYTHON_ENV=$(test/engines/python-env.sh)
export DROVER_PYTHON_ENV
# Where there is no Python for it, that is said here, and its tests fail; the others run. Older releases are made by their tests.
DROVER_TIERKREIS_ENV=$(test/engines/tierkreis-env.sh) || DROVER_TIERKREIS_ENV=/var/tmp/tkr-2.1.1
export DROVER_TIERKREIS_ENV

read -r private shared slurm << END
${DROVER_RIG_INSTANCES:-8 9 7}
END
export DROVER_RIG_PRIVATE="/var/tmp/drover-rig-$private" DROVER_RIG_SHARED="/var/tmp/drover-rig-$shared" DROVER_RIG_SLURM="/var/tmp/drover-rig-$slurm"
beside=
# shellcheck disable=SC2317 # called by the traps
down() {
  trap - EXIT INT TERM HUP
  # shellcheck disable=SC2086 # a list of processes
  [ -z "$beside" ] || kill $beside 2> /dev/null || true
  "$rig/cluster.sh" down --dir "$DROVER_RIG_PRIVATE" --instance "$private" --purge || true
  "$rig/cluster.sh" down --dir "$DROVER_RIG_SHARED" --instance "$shared" --purge || true
  "$rig/cluster.sh" down --dir "$DROVER_RIG_SLURM" --instance "$slurm" --purge || true
}
trap down EXIT
trap 'down; exit 130' INT
trap 'down; exit 143' TERM HUP
"$rig/cluster.sh" up --ssh-only --dir "$DROVER_RIG_PRIVATE" --instance "$private" --home private
"$rig/cluster.sh" up --ssh-only --dir "$DROVER_RIG_SHARED" --instance "$shared" --home shared
# Arrays short enough to be split, and accounts that are checked.
"$rig/cluster.sh" up --dir "$DROVER_RIG_SLURM" --instance "$slurm" --conf MaxArraySize=40 --conf AccountingStorageEnforce=associations,limits,qos

report=${DROVER_ENGINE_REPORT:-$(mktemp)}
parts=$(mktemp -d)
status=0
node scripts/build.mjs
export DROVER_TEST_BUILT=1 DROVER_ENGINES=1
# uv trusts the certificates that this machine trusts, as pip and curl do; the second is the older name.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}" UV_NATIVE_TLS="${UV_NATIVE_TLS:-true}"
# engines NAME ARGUMENT...: a run of vitest with a report of its own. Tests of Slurm wait more than they work: many at one time.
engines() {
  name=$1
  shift
  nice -n "${nice:-0}" npx vitest run --config vitest.engines.config.ts "$@" --reporter=default --reporter=json --outputFile.json="$parts/$name.json"
}
if [ $# = 0 ]; then
  # Machines of their own: what one part breaks, the other does not see.
  engines slurm --maxConcurrency=16 test/engines/slurm- > "$parts/slurm.log" 2>&1 &
  on_slurm=$!
  # Python at work, and nothing of the rig: it takes what the others leave.
  nice=10 engines tierkreis --exclude 'test/engines/tierkreis-job.test.ts' test/engines/tierkreis- > "$parts/tierkreis.log" 2>&1 &
  on_tierkreis=$!
  beside="$on_slurm $on_tierkreis"
  npx vitest run driver --reporter=default --reporter=json --outputFile.json="$parts/driver.json" || status=1
  engines engines --exclude 'test/engines/slurm-*' --exclude 'test/engines/tierkreis-*' || status=1
  wait "$on_slurm" || status=1
  cat "$parts/slurm.log"
  wait "$on_tierkreis" || status=1
  beside=
  cat "$parts/tierkreis.log"
  # On machines of both parts, so after them.
  engines job test/engines/tierkreis-job || status=1
else
  engines engines --maxConcurrency=16 "$@" || status=1
fi
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
  const skipped = (merged.testResults ?? []).flatMap((file) => file.assertionResults.filter((test) => test.status !== "passed" && !(test.status === "skipped" && /^executor .* \(.+\)$/.test(test.fullName))).map((test) => test.fullName))
  // A case that an executor cannot run says so in its name, with the reason.
  if (!merged.numPassedTests) { console.error("no test ran"); process.exit(1) }
  if (skipped.length > 0) { console.error(`not run or not passed:\n${skipped.join("\n")}`); process.exit(1) }
' "$report" "$parts/driver.json" "$parts/engines.json" "$parts/slurm.json" "$parts/tierkreis.json" "$parts/job.json" || status=1
rm -rf "$parts"
exit $status
