#!/usr/bin/env bash
# The image without a daemon.
#   deploy/image.sh build [FLAGS of buildah bud, such as --build-arg DEVICE=cu130]
#   deploy/image.sh test  runs it as its own user on a read-only root: health, then a whole pipeline
# Needs root and `apt-get install buildah debootstrap`.
set -euo pipefail
cd "$(dirname "$0")/.."
IMAGE=${IMAGE:-localhost/mutualctr:latest}
SECRETS=()
[ -r /etc/pip.conf ] && SECRETS+=(--secret id=pip,src="${PIP_CONF:-/etc/pip.conf}")

build() {
    buildah bud --layers --isolation chroot --network host --format docker "${SECRETS[@]}" \
        --build-arg COMMIT="$(git rev-parse HEAD)" --tag "$IMAGE" "$@" .
}

# in_image COMMAND…: as 10001 on a root that nobody can write, with what the image says.
in_image() {
    unshare --mount --pid --fork bash -euo pipefail -s -- "$@" <<'INSIDE'
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro "$ROOT"
mount -t tmpfs tmpfs "$ROOT/tmp"
mount --bind "$VOLUME" "$ROOT/home/app"
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mapfile -t environment < "$ENVIRONMENT"
exec chroot --userspec=10001:10001 "$ROOT" env --ignore-environment --chdir=/home/app \
    "${environment[@]}" "$@" </dev/null
INSIDE
}

test_image() {
    container=$(buildah from --pull-never "$IMAGE")
    VOLUME=$(mktemp -d)
    ENVIRONMENT=$(mktemp)
    trap 'buildah rm "$container" >/dev/null; rm -rf "$VOLUME" "$ENVIRONMENT"' EXIT
    ROOT=$(buildah mount "$container")
    chown 10001:10001 "$VOLUME"
    buildah inspect --format '{{range .Docker.Config.Env}}{{println .}}{{end}}' "$container" |
        sed '/^$/d' > "$ENVIRONMENT"
    export ROOT VOLUME ENVIRONMENT

    say "size"
    du --summarize --si "$ROOT" | cut -f1
    du --summarize --si "$ROOT"/opt/venv/lib/python3*/site-packages/* | sort -rh | head -5 |
        sed "s#$ROOT##"

    say "user, health command"
    said=$(buildah inspect \
        --format '{{.Docker.Config.User}} {{.Docker.Config.Healthcheck.Test}}' "$container")
    echo "$said"
    [[ $said == "10001:10001 "*"mutualctr health"* ]]

    say "no compiler, no installer"
    for tool in gcc cc g++ c++ clang ld as make pip pip3; do
        if in_image sh -c "command -v $tool"; then
            echo "$tool is in the image"
            exit 1
        fi
    done
    echo none

    say "the root cannot be written"
    if in_image touch /app/x 2>&1; then exit 1; fi

    say "mutualctr health"
    in_image mutualctr health

    say "the whole pipeline, generated clicks"
    in_image mutualctr setup
    in_image sh -c 'mutualctr config /app/zenml_config.yaml --set data.generated.rows=5000 \
        --set network.hidden="[16]" --set pretraining.epochs=1 \
        --set peers="[{architecture: deepfm, seed: 1}, {architecture: dcn, seed: 2}]" > run.yaml'
    in_image zenml pipeline run dml_finetune -c run.yaml
    say "passed"
}

say() { printf '\n== %s\n' "$1"; }

case ${1:-} in
build) shift && build "$@" ;;
test) test_image ;;
*) sed -n '2,5s/^# //p' "$0" && exit 2 ;;
esac
