#!/usr/bin/env bash
# Builds deploy/Dockerfile where no image can be pulled: its base is made of this machine's distribution, with Python out
# of its packages and the machine's certificate authorities.
#   bash deploy/service_image.sh [TAG]      default: reconciler:local

set -euo pipefail
# shellcheck source=deploy/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

BASE=reconciler-demo/python:1
BUNDLE=/etc/ssl/certs/ca-certificates.crt

make_system() { # FILE : a tar file of a small Debian with Python
  local suite tool=$CACHE/packages/mmdebstrap/usr/bin
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  unpack mmdebstrap || die "no package mmdebstrap: the base image is made by it"
  # shellcheck disable=SC2016  # $1 is the hook's
  as_root env PATH="$tool:$PATH" mmdebstrap --quiet --mode=root --variant=minbase --include=python3,python3-venv,ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' \
    --customize-hook="copy-in $BUNDLE ${BUNDLE%/*}" "$suite" "$1"
}

setup_base() {
  local made
  ! docker image inspect "$BASE" >/dev/null 2>&1 || return 0
  say "making $BASE"
  made=$(mktemp "$CACHE/python.XXXXXX.tar")
  make_system "$made" || { rm -f "$made"; die "could not make $BASE"; }
  docker import --change "ENV SSL_CERT_FILE=$BUNDLE PIP_CERT=$BUNDLE" "$made" "$BASE" >/dev/null
  rm -f "$made"
}

build_service() { # TAG
  local version
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$ROOT/pyproject.toml")
  # the classic builder is in every engine, needs no plug-in, and is not subject to whichever builder the user has chosen
  DOCKER_BUILDKIT=0 docker build --quiet --force-rm -f "$ROOT/deploy/Dockerfile" --build-arg "PYTHON_IMAGE=$BASE" \
    --build-arg "VERSION=$version" --tag "$1" "$ROOT" >"$CACHE/build.log" 2>&1 || { cat "$CACHE/build.log" >&2; die "could not build $1"; }
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  setup_engine
  setup_base
  build_service "${1:-reconciler:local}"
  docker image inspect --format '{{index .RepoTags 0}}: {{.Size}} bytes, user {{.Config.User}}' "${1:-reconciler:local}"
fi
