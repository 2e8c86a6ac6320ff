#!/usr/bin/env bash
# Builds the images that specs/ and the tests run: reconciler-demo/*, from deploy/images and packages of this machine's
# distribution. Nothing is pulled. Images that exist are built again from the engine's cache, in a second.
#   bash deploy/images.sh [base web api db nginx]...      (default: all of them)

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

nginx_binary() {
  local found
  found=$(command -v nginx) && { echo "$found"; return; }
  unpack nginx || die "no package nginx: the gallery's edge is made of it"
  find "$CACHE/packages/nginx" -type f -path '*sbin/nginx' | head -n 1
}

import_nginx() { # an image out of a program: the binary and the libraries that ldd names, as the engine's import takes them
  local binary folder library
  binary=$(nginx_binary)
  ! ldd "$binary" | grep 'not found' >&2 || die "nginx lacks the libraries above: apt-get install them and run this again"
  folder=$(mktemp -d "$CACHE/nginx.XXXXXX")
  mkdir -p "$folder"/{etc/nginx,tmp,usr/sbin,var/log/nginx,var/lib/nginx}
  chmod 1777 "$folder/tmp"
  cp "$binary" "$folder/usr/sbin/nginx"
  for library in $(ldd "$binary" | grep -o '/[^ ]*'); do
    mkdir -p "$folder$(dirname "$library")"
    cp -L "$library" "$folder$library"
  done
  tar -C "$folder" --owner=0 --group=0 --mtime=@0 --sort=name -c . |
    docker import --change 'CMD ["/usr/sbin/nginx", "-e", "/dev/stderr", "-g", "daemon off;"]' - reconciler-demo/nginx:1 >/dev/null
  rm -rf "$folder"
}

setup_nginx() { docker image inspect reconciler-demo/nginx:1 >/dev/null 2>&1 || import_nginx; }

make_image() {
  case $1 in
    base) build base base:1 ;;
    web) build web web:1.0 --build-arg VERSION=1.0 && build web web:1.1 --build-arg VERSION=1.1 ;;
    api | db) build "$1" "$1:1.0" ;;
    nginx) setup_nginx ;;
    *) die "no such image: $1 (base, web, api, db or nginx)" ;;
  esac
}

setup_images() { # [IMAGE...]
  local image
  setup_busybox
  [ $# -gt 0 ] || set -- base web api db nginx
  for image in "$@"; do make_image "$image"; done
  say "images: $(docker images --format '{{.Repository}}:{{.Tag}}' 'reconciler-demo/*' | sort | paste -sd' ')"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  setup_engine
  setup_images "$@"
fi
