#!/usr/bin/env bash
# The main job on a shipped spec, start to end: plan, converge, status, change the spec, rolling replace, a second run that
# changes nothing, clean up. Sets up what is missing first. Exits non-zero if anything is not as promised.
#   bash deploy/demo.sh          KEEP=1 leaves the shop running to look at
# Uses the engine that answers (DOCKER_HOST, DOCKER_CONTEXT, else the default socket) and touches only what carries its own
# project's name, reconciler-demo.

set -euo pipefail
# shellcheck source=deploy/images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"

PROJECT=reconciler-demo
LABEL=label=io.reconciler.project=$PROJECT

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then BOLD=$'\033[1m' DIM=$'\033[2m' GREEN=$'\033[32m' PLAIN=$'\033[0m'; else BOLD='' DIM='' GREEN='' PLAIN=''; fi

chapter() { printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN"; }
promise() { printf '%s   kept: %s%s\n' "$GREEN" "$*" "$PLAIN"; }
broken() { die "promise broken: $*"; }

show() { # COMMAND... : prints it as a user would type it, then runs it
  printf '%s$ %s%s\n' "$DIM" "$*" "$PLAIN"
  "$@"
}

expect() { # CODE COMMAND... : as show, and its exit code must be CODE
  local want=$1 got=0
  shift
  show "$@" || got=$?
  [ "$got" = "$want" ] || broken "exit code $got instead of $want from: $*"
}

reconcile() { "$ROOT/.venv/bin/reconcile" "$@"; }

ids() { docker ps --all --quiet --no-trunc --filter "$LABEL" "$@" | sort; }
web_ids() { ids --filter label=io.reconciler.service=web --filter status=running; }
pages() { # what each replica of the web says
  local id
  for id in $(web_ids); do docker exec "$id" wget -q -O- http://127.0.0.1:8080/; done
}

remove_everything() { # what this demo made and nothing else: by its project's label, and its one volume by name
  local id
  for id in $(ids); do docker rm --force --volumes "$id" >/dev/null; done
  for id in $(docker network ls --quiet --filter "$LABEL"); do docker network rm "$id" >/dev/null; done
  docker volume rm --force "${PROJECT}_data" >/dev/null
}

leftovers() { { ids; docker network ls --quiet --filter "$LABEL"; docker volume ls --quiet --filter "name=^${PROJECT}_"; } | wc -l; }

finish() {
  local code=$?
  if [ -n "${KEEP:-}" ]; then say "KEEP is set: the shop goes on running; to end it: docker rm -fv \$(docker ps -aqf $LABEL)"; else remove_everything; fi
  rm -rf "$WORK"
  exit "$code"
}

edit() { # FROM TO : changes the spec, and shows what changed
  cp "$SPEC" "$WORK/before.yaml"
  sed -i "s|$1|$2|" "$SPEC"
  ! diff "$WORK/before.yaml" "$SPEC" || broken "the spec has no '$1' to change"
}

demo() {
  local before after old
  chapter "1. What would happen? A plan writes nothing: no container, no network, no lock."
  expect 2 reconcile -f shop -p $PROJECT --dry-run --exit-code
  [ "$(leftovers)" = 0 ] || broken "a dry-run made something"
  promise "the plan says that changes are pending (exit 2), and nothing was made"

  chapter "2. Make it so: networks, volume, the database, the migration, then api and web."
  expect 0 reconcile -f shop -p $PROJECT
  [ "$(web_ids | wc -l)" = 3 ] || broken "web does not run three times"
  pages
  promise "three replicas answer, through the api, from the migrated database"

  chapter "3. How is it?"
  expect 0 reconcile status -f shop -p $PROJECT
  show docker ps --filter "$LABEL" --format 'table {{.Names}}\t{{.Image}}\t{{.Status}}'

  chapter "4. Change the spec: a new image tag, another greeting."
  edit reconciler-demo/web:1.0 reconciler-demo/web:1.1
  edit 'Welcome to the shop' 'The shop is open'

  chapter "5. What would that change, and which line says so?"
  before=$(ids)
  old=$(web_ids)
  expect 2 reconcile -f shop -p $PROJECT --dry-run --exit-code | tee "$WORK/plan"
  grep -q 'compose.yaml:[0-9]' "$WORK/plan" || broken "the plan names no file:line"
  grep -q 'GREETING' "$WORK/plan" || broken "the plan does not name the field that changed"
  [ "$(ids)" = "$before" ] || broken "a dry-run changed containers"
  promise "field, old and new value, file and line; nothing was touched"

  chapter "6. Roll it out: one new replica up and healthy before an old one goes."
  expect 0 reconcile -f shop -p $PROJECT
  after=$(web_ids)
  [ "$(wc -l <<<"$after")" = 3 ] || broken "web does not run three times"
  [ -z "$(comm -12 <(echo "$old") <(echo "$after"))" ] || broken "an old replica still runs"
  [ "$(comm -23 <(echo "$before") <(echo "$old"))" = "$(comm -23 <(ids) <(echo "$after"))" ] || broken "db, api or the finished migration was replaced too"
  pages
  [ "$(pages | grep -c 'The shop is open from .*, version 1.1')" = 3 ] || broken "not every replica shows the new page"
  promise "all three replicas are new, db and api are the ones from before"

  chapter "7. Once more: there is nothing to do, and nothing is done."
  before=$(ids)
  expect 0 reconcile -f shop -p $PROJECT
  expect 0 reconcile -f shop -p $PROJECT --dry-run --exit-code
  [ "$(ids)" = "$before" ] || broken "a run without changes changed containers"
  promise "the same containers as before"
}

setup_python
setup_engine
setup_images base web api db

WORK=$(mktemp -d)
[ -n "${KEEP:-}" ] || export RECONCILER_STATE_DIR=$WORK/state # the next demo starts from nothing, and so does its history
SPEC=$WORK/shop/compose.yaml
trap finish EXIT
remove_everything # of a demo that was interrupted
cp -r "$ROOT/specs/shop" "$WORK/shop"
cd "$WORK"

demo
if [ -z "${KEEP:-}" ]; then
  chapter "8. Clean up."
  remove_everything
  [ "$(leftovers)" = 0 ] || broken "something was left behind"
  promise "nothing is left of it but the images reconciler-demo/*"
fi
printf '\n%sDone.%s Next: read specs/, edit one, and run  .venv/bin/reconcile -f specs/NAME --dry-run\n' "$BOLD" "$PLAIN"
