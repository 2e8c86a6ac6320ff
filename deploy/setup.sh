#!/usr/bin/env bash
# Makes a bare Debian or Ubuntu machine ready; a second run finds everything done and returns within a second.
# demo.sh and tests/run.sh source it and call what they need; run by itself it sets up what a user needs.
#
#   setup_python [--dev]   .venv from uv.lock
#   setup_engine           the Docker CLI, and an engine where none answers
#   setup_busybox          a static busybox for the demo images; sets BUSYBOX
#   setup_registry         docker-registry for the tests that pull
#   setup_sshd             sshd for the tests that follow a repository
#
# Nothing that is installed is upgraded, and nothing is fetched but from the machine's own package sources.
# Everything that is only used by the demo and the tests is unpacked below .cache, not installed.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=$ROOT/.cache
mkdir -p "$CACHE/bin"
export PATH=$CACHE/bin:$PATH:/usr/sbin:/sbin
ENTRY=("$(realpath "$0")" "$@") # what the user called

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this needs root: $* (run it as root, or install sudo)"
  fi
}

become_root() { # the whole script again, for an engine that speaks to root only
  command -v sudo >/dev/null || die "the engine answers root but not you: run this as root, or add yourself to the group docker"
  say "the engine answers root but not you (you are not in the group docker): going on with sudo"
  exec sudo -E bash "${ENTRY[@]}"
}

# --- packages ---------------------------------------------------------------------------------------------------------

apt_refresh() {
  [ -z "${APT_REFRESHED:-}" ] || return 0
  command -v apt-get >/dev/null || die "no apt-get here: this script knows Debian and Ubuntu; install $1 yourself and run it again"
  say "apt-get update"
  as_root apt-get update -qq
  APT_REFRESHED=1
}

apt_has() { [ -n "$(apt-cache show "$1" 2>/dev/null | head -1)" ]; }

apt_install() { # PACKAGE... : installs what is missing, upgrades nothing
  apt_refresh "$1"
  say "apt-get install $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-upgrade --no-remove "$@" >"$CACHE/apt.log" 2>&1 ||
    { tail -n 15 "$CACHE/apt.log" >&2; die "apt-get could not install $* (the whole of its output is in $CACHE/apt.log)"; }
}

unpack() { # PACKAGE : its files below .cache/packages/PACKAGE, without installing it (no service starts, no conflict arises)
  local package=$1 target=$CACHE/packages/$1
  [ ! -e "$target/.complete" ] || return 0
  apt_has "$package" || apt_refresh "$package"
  apt_has "$package" || return 1
  say "unpacking $package into ${target#"$ROOT"/}"
  rm -rf "$target"
  mkdir -p "$target"
  (cd "$target" && { apt-get download -qq "$package" || { apt_refresh "$package" && apt-get download -qq "$package"; }; }) >"$CACHE/apt.log" 2>&1 ||
    { tail -n 15 "$CACHE/apt.log" >&2; return 1; }
  dpkg-deb -x "$target"/*.deb "$target" || return 1
  rm "$target"/*.deb
  touch "$target/.complete"
}

# --- Python -----------------------------------------------------------------------------------------------------------

python_candidates() { printf '%s\n' python3 python3.14 python3.13 python3.12 python3.11; }

find_python() {
  local name
  for name in $(python_candidates); do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then command -v "$name"; return; fi
  done
  die "no Python 3.11 or later found (looked for $(python_candidates | paste -sd' ')): install one, for example apt-get install python3"
}

UV_NEEDED=0.13 # older ones cannot read the lock file's settings

find_uv() {
  local found
  if [ -x "$CACHE/uv/bin/uv" ]; then echo "$CACHE/uv/bin/uv"; return; fi
  found=$(command -v uv) || return 0
  if printf 'uv %s\n%s\n' "$UV_NEEDED" "$("$found" --version)" | sort -V -C; then echo "$found"; fi
}

install_uv() { # PYTHON : uv in a virtual environment of its own, so that nothing of the system changes
  local version
  if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    apt_refresh python3-venv
    if apt_has "python$version-venv"; then apt_install "python$version-venv"; else apt_install python3-venv; fi
  fi
  say "installing uv into .cache/uv"
  "$1" -m venv --clear "$CACHE/uv"
  "$CACHE/uv/bin/python" -m pip install --quiet --disable-pip-version-check "uv>=$UV_NEEDED,<1" ||
    die "pip could not install uv (is the package index reachable?)"
}

setup_python() { # [--dev] : .venv exactly as uv.lock says; without --dev what developers added to it stays
  local uv python groups=(--no-dev --inexact)
  [ "${1:-}" != --dev ] || groups=(--dev)
  uv=$(find_uv)
  if [ -z "$uv" ]; then
    python=$(find_python)
    install_uv "$python"
    uv=$CACHE/uv/bin/uv
  fi
  [ -x "$ROOT/.venv/bin/python" ] || export UV_PYTHON=${UV_PYTHON:-$(find_python)}
  UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy "$uv" sync --quiet --frozen --project "$ROOT" "${groups[@]}" ||
    die "uv could not make $ROOT/.venv from uv.lock"
  "$ROOT/.venv/bin/python" -m compileall -q "$ROOT/reconciler" # an editable install is not compiled by uv
}

# --- Docker -----------------------------------------------------------------------------------------------------------

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

engine_named() { # whether the user points at an engine of their choice
  [ -n "${DOCKER_HOST:-}${DOCKER_CONTEXT:-}" ] || { [ "$(docker context inspect --format '{{.Name}}' 2>/dev/null || echo default)" != default ]; }
}

setup_cli() { # the docker command; never the engine, which may well be elsewhere
  command -v docker >/dev/null && return
  apt_has docker.io || apt_refresh docker.io
  local package=docker.io
  ! apt_has docker-cli || package=docker-cli
  unpack "$package" || die "no package $package: install the docker command and run this again"
  ln -sf "$CACHE/packages/$package/usr/bin/docker" "$CACHE/bin/docker"
}

socket_exists() { [ -S /var/run/docker.sock ] || [ -S /run/docker.sock ]; }

explain_silence() { # why the engine that should answer does not, in the CLI's own words
  docker version 2>&1 >/dev/null | tail -n 3 >&2 || true
}

install_engine() {
  local packages=(docker.io)
  ! apt_has docker-cli || packages+=(docker-cli)
  ! apt_has iptables || packages+=(iptables)
  apt_install "${packages[@]}"
  hash -r
}

start_engine() {
  local pid
  if [ -d /run/systemd/system ]; then
    say "starting the engine: systemctl start docker"
    as_root systemctl start docker || true
    wait_for_engine 30 || die "docker.service did not come up: see journalctl -u docker"
    return
  fi
  say "starting the engine: dockerd (no service manager runs here), log in .cache/dockerd.log"
  as_root setsid nohup dockerd >"$CACHE/dockerd.log" 2>&1 </dev/null &
  wait_for_engine 60 $! || { tail -n 15 "$CACHE/dockerd.log" >&2; die "dockerd did not come up; its last words are above, all of them in $CACHE/dockerd.log"; }
  pid=$(cat /var/run/docker.pid 2>/dev/null || echo '?')
  say "the engine was started by this script and goes on running as process $pid; to stop it: kill $pid"
}

wait_for_engine() { # SECONDS [PID] ; asked as root: whether you may speak to it too is another question
  local tries=$(($1 * 5))
  while [ "$tries" -gt 0 ]; do
    ! as_root docker version >/dev/null 2>&1 || return 0
    [ -z "${2:-}" ] || kill -0 "$2" 2>/dev/null || return 1
    tries=$((tries - 1))
    sleep 0.2
  done
  return 1
}

setup_engine() {
  if command -v docker >/dev/null && engine_answers; then return; fi
  if command -v dockerd >/dev/null || engine_named || socket_exists; then setup_cli; fi
  if command -v docker >/dev/null; then
    ! engine_answers || return 0
    if engine_named; then explain_silence; die "the engine that DOCKER_HOST or the Docker context names does not answer"; fi
    if [ "$(id -u)" != 0 ] && socket_exists && as_root docker version >/dev/null 2>&1; then become_root; fi
  fi
  command -v dockerd >/dev/null || { apt_refresh docker.io; install_engine; }
  engine_answers || start_engine
  engine_answers || become_root
}

# --- what the demo images and the tests are made of -------------------------------------------------------------------

is_static() { [ -x "$1" ] && ! ldd "$1" 2>/dev/null | grep -q '=>'; }

setup_busybox() { # also on PATH: the tests make images of their own
  BUSYBOX=$(command -v busybox || true)
  if [ -z "$BUSYBOX" ] || ! is_static "$BUSYBOX"; then
    unpack busybox-static || die "no package busybox-static: the demo images are made of it"
    BUSYBOX=$CACHE/bin/busybox
    ln -sf "$(find "$CACHE/packages/busybox-static" -type f -path '*bin/busybox' | head -n 1)" "$BUSYBOX"
  fi
  export BUSYBOX
}

setup_registry() { # the tests that need it skip themselves, saying so, where no such package exists
  command -v docker-registry >/dev/null && return
  if unpack docker-registry; then
    ln -sf "$CACHE/packages/docker-registry/usr/bin/docker-registry" "$CACHE/bin/docker-registry"
  else
    say "no package docker-registry here: the tests that pull are skipped"
  fi
}

setup_sshd() { # as with the registry: without one the tests that follow a repository over ssh are skipped
  ! PATH=$PATH:/usr/sbin command -v sshd >/dev/null || return 0
  if unpack openssh-server && unpack libwrap0; then
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' \
      "$(dirname "$(find "$CACHE/packages/libwrap0" -name 'libwrap.so.0')")" "$CACHE/packages/openssh-server/usr/sbin/sshd" >"$CACHE/bin/sshd"
    chmod +x "$CACHE/bin/sshd"
  else
    say "no package openssh-server here: the tests that need an sshd are skipped"
  fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  setup_python "$@"
  setup_engine
  say "ready: $ROOT/.venv/bin/reconcile"
fi
