#!/usr/bin/env bash
# Debian bookworm as a local base image, where no registry can be reached: what
# docker.io/library/debian:bookworm-slim is made from, under the same name. Needs root and
# `apt-get install debootstrap buildah`.
set -euo pipefail
NAME=${1:-docker.io/library/debian:bookworm-slim}
if buildah inspect --type image "$NAME" >/dev/null 2>&1; then
    exit
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase bookworm "$root" >&2
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/*
container=$(buildah from scratch)
buildah add --quiet "$container" "$root" / >/dev/null
buildah commit --quiet --rm "$container" "$NAME" >/dev/null
