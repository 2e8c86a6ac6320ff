#!/usr/bin/env bash
# Builds the images that specs/ and the tests run: reconciler-demo/*, from deploy/images and packages of this machine's
# distribution. Nothing is pulled. Images that exist are built again from the engine's cache, in a second.
#   bash deploy/images.sh [base web api db nginx haproxy]...      (default: all of them)

set -euo pipefail
# shellcheck source=deploy/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

IMAGES=$ROOT/deploy/images

context() { # IMAGE : a build context in a temporary folder: the image's own files and what it shares with others
  local folder
  folder=$(mktemp -d "$CACHE/context.XXXXXX")
  cp -r "$IMAGES/$1/." "$folder"
  if [ "$1" = base ]; then cp -L "$BUSYBOX" "$folder/busybox"; else cp "$IMAGES/serve" "$folder/serve"; fi
  find "$folder" -exec touch -h -d @0 {} + # the same bytes give the same image, whenever they were checked out
  echo "$folder"
}

build() { # IMAGE TAG [OPTION...]
  local folder image=$1 tag=$2 log=$CACHE/build.log
  shift 2
  folder=$(context "$image")
  # the classic builder is in every engine, needs no plug-in, and is not subject to whichever builder the user has chosen
  DOCKER_BUILDKIT=0 docker build --quiet --force-rm --tag "reconciler-demo/$tag" "$@" "$folder" >"$log" 2>&1 ||
    { cat "$log" >&2; rm -rf "$folder"; die "could not build reconciler-demo/$tag"; }
  rm -rf "$folder"
}

unpack_libraries() { # BINARY PACKAGE : unpacks the libraries that this machine lacks, out of what the package depends on
  local package
  for package in $(apt-cache depends --recurse --no-pre-depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$2" | grep -o '^lib[^ ]*'); do
    ldd "$1" | grep -q 'not found' || return 0
    dpkg -s "$package" >/dev/null 2>&1 || ! unpack "$package" || LD_LIBRARY_PATH=$(find "$CACHE/packages/$package" -name '*.so.*' -printf '%h:' -quit)${LD_LIBRARY_PATH:-}
  done
}

program() { # NAME : the path of a server's binary, out of its package where it is not installed
  command -v "$1" && return
  unpack "$1" || die "no package $1: one of the images is made of it"
  find "$CACHE/packages/$1" -type f -path "*sbin/$1" | head -n 1
}

import_program() { # NAME COMMAND : an image out of a program: the binary and the libraries that ldd names
  local binary folder library place
  local -x LD_LIBRARY_PATH=
  binary=$(program "$1")
  unpack_libraries "$binary" "$1"
  ! ldd "$binary" | grep 'not found' >&2 || die "$1 lacks the libraries above: apt-get install them and run this again"
  folder=$(mktemp -d "$CACHE/$1.XXXXXX")
  mkdir -p "$folder"/{"etc/$1",tmp,usr/sbin,"var/log/$1","var/lib/$1"}
  chmod 1777 "$folder/tmp"
  cp "$binary" "$folder/usr/sbin/$1"
  for library in $(ldd "$binary" | grep -o '/[^ ]*'); do
    case $library in "$CACHE"/*) place=/usr/lib/${library##*/} ;; *) place=$library ;; esac
    mkdir -p "$folder$(dirname "$place")"
    cp -L "$library" "$folder$place"
  done
  tar -C "$folder" --owner=0 --group=0 --mtime=@0 --sort=name -c . |
    docker import --change "CMD $2" - "reconciler-demo/$1:1" >/dev/null
  rm -rf "$folder"
}

setup_program() { docker image inspect "reconciler-demo/$1:1" >/dev/null 2>&1 || import_program "$@"; }

make_image() {
  case $1 in
    base) build base base:1 ;;
    web) build web web:1.0 --build-arg VERSION=1.0 && build web web:1.1 --build-arg VERSION=1.1 ;;
    api | db) build "$1" "$1:1.0" ;;
    nginx) setup_program nginx '["/usr/sbin/nginx", "-e", "/dev/stderr", "-g", "daemon off;"]' ;;
    haproxy) setup_program haproxy '["/usr/sbin/haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg"]' ;;
    *) die "no such image: $1 (base, web, api, db, nginx or haproxy)" ;;
  esac
}

setup_images() { # [IMAGE...]
  local image
  setup_busybox
  [ $# -gt 0 ] || set -- base web api db nginx haproxy
  for image in "$@"; do make_image "$image"; done
  say "images: $(docker images --format '{{.Repository}}:{{.Tag}}' 'reconciler-demo/*' | sort | paste -sd' ')"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  setup_engine
  setup_images "$@"
fi
