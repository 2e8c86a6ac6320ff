#!/usr/bin/env bash
# Sets up what is missing and runs the test suites; exits non-zero if any of them failed, after running all of them.
#   bash tests/run.sh [SUITE...]     default: lint fast deploy contract engine demo
#
#   lint        ruff, format, mypy, layers, shell syntax          no engine needed
#   unit | scenarios | simulation                                 no engine needed
#   fast        these three, with branch coverage of the core     no engine needed
#   contract    one suite over the simulated and the real engine
#   engine      the real engine: the gallery, faults, safety
#   demo        deploy/demo.sh
#   fuzz        damaged compose files, and ignore files where an engine answers; FUZZ_SECONDS (60), FUZZ_SEED (a new one, printed) (not part of all)
#   bench       the figures, against raw API calls and docker compose; BENCH_ONLY=build, load or registry needs no engine, BENCH_ONLY=serving or reacting does (not part of all)
#   traffic     requests lost behind a proxy while versions roll out, against docker compose; 15 minutes (not part of all)
#   deploy      what deploy/ ships: compose file, unit, settings, CI jobs   no engine needed
#   image       the service's image on the real engine, as shut as its compose file (not part of all)
#   soak        the service under random events, on both engines at once; SOAK_SECONDS (600) (not part of all)
#   proof       kill -9 and bad images, on the real engine; ten minutes (not part of all)
#   all         lint fast deploy contract engine demo

# shellcheck disable=SC2317  # suites are called by their names
set -euo pipefail
# shellcheck source=deploy/images.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/images.sh"

BIN=$ROOT/.venv/bin
SUMMARY=()
FAILED=0

tests() { timeout --foreground 15m "$BIN/python" -m pytest -q "$@"; } # a test that hangs must not hang the run

suite_lint() {
  local failed=0 script
  "$BIN/ruff" check . || failed=1
  "$BIN/ruff" format --check . || failed=1
  "$BIN/mypy" || failed=1
  "$BIN/lint-imports" --no-logo || failed=1
  for script in deploy/*.sh tests/run.sh deploy/images/serve deploy/images/*/www/cgi-bin/*; do bash -n "$script" || failed=1; done
  return "$failed"
}

suite_unit() { tests -n 2 tests/unit; }
suite_scenarios() { tests -n 2 tests/scenarios; }
suite_simulation() { tests -n 2 --dist worksteal tests/simulation; } # neighbours share what a scenario begins with

suite_fast() { # the core's own tests under coverage; the rest without, as tracing slows down what reaches the core anyway
  local failed=0 folder core=() rest=()
  for folder in model planner policy spec lowering; do core+=("tests/unit/$folder") rest+=("--ignore=tests/unit/$folder"); done
  rm -rf .cache/coverage
  mkdir -p .cache/coverage
  timeout --foreground 15m "$BIN/coverage" run -m pytest -q -n 2 --dist worksteal "${core[@]}" tests/scenarios || failed=1
  tests -n 2 --dist worksteal tests/unit "${rest[@]}" tests/simulation || failed=1
  "$BIN/coverage" combine --quiet || failed=1
  "$BIN/coverage" report || failed=1 # also where a line or branch was missed
  return "$failed"
}

suite_contract() { tests tests/contract; }
suite_engine() { tests -n 4 --dist loadfile tests/engine; } # they wait more than they work
suite_demo() { bash deploy/demo.sh; }
suite_fuzz() { "$BIN/python" -m tests.fuzz; }
suite_bench() { "$BIN/python" -m tests.bench; }
suite_deploy() { tests tests/deploy; }
suite_image() { bash deploy/service_image.sh reconciler:local && tests tests/image; }
suite_soak() { "$BIN/python" -m tests.soak; }
suite_proof() { "$BIN/python" -m tests.proof; }
suite_traffic() { "$BIN/python" -m tests.traffic; }

needs_engine() {
  case $1 in
    bench) [[ ${BENCH_ONLY:-} != @(build|load|registry) ]] ;;
    contract | engine | demo | image | proof | soak | traffic) ;;
    *) return 1 ;;
  esac
}

run_suite() {
  local suite=$1 started=$SECONDS verdict=ok
  printf '\n##### %s\n' "$suite"
  "suite_$suite" || { verdict=FAILED; FAILED=1; }
  SUMMARY+=("$(printf '%-10s %-6s %4d s' "$suite" "$verdict" $((SECONDS - started)))")
}

set_up() { # SUITE... : ends the whole run if it cannot be done
  local suite wanted=''
  setup_python --dev
  for suite in "$@"; do ! needs_engine "$suite" || wanted=1; done
  [ -n "$wanted" ] || return 0
  setup_engine
  setup_images
  setup_registry
  setup_sshd
}

chosen() { # SUITE... with "all" spelled out; refuses what is none
  local suite
  for suite in "$@"; do
    case $suite in
      all) echo lint fast deploy contract engine demo ;;
      lint | unit | scenarios | simulation | fast | deploy | contract | engine | demo | fuzz | bench | image | proof | soak | traffic) echo "$suite" ;;
      *) die "no suite called $suite: lint, unit, scenarios, simulation, fast, deploy, contract, engine, demo, fuzz, bench, image, proof, soak, traffic or all" ;;
    esac
  done
}

cd "$ROOT" || exit 1
SUITES=$(chosen "${@:-all}") || exit 64
# shellcheck disable=SC2086
set_up $SUITES
set +e
for suite in $SUITES; do run_suite "$suite"; done

printf '\n##### summary\n'
printf '%s\n' "${SUMMARY[@]}"
exit "$FAILED"
