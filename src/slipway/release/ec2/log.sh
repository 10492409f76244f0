# shellcheck shell=bash
# The prediction log of a service has a file system of its own: a file of fixed size, so that it cannot fill the box's disk.

least=1000000000   # bytes that stay free for images, as release/box/disk.py has it

log_folder() { printf '/var/lib/slipway/services/%s/log' "$1"; }   # SERVICE

log_settings() {   # SERVICE SIZE REMOTE: what the bootstrap was given, before it changes anything
  local free
  [[ $2 =~ ^([1-9][0-9]*(MiB|GiB))?$ ]] || die "LOG_SIZE is \"$2\", not a size like 2GiB."
  [ -z "$2" ] || [ "$(bytes "$2")" -ge 67108864 ] || die "LOG_SIZE is $2. Give the prediction log at least 64MiB."
  if [ -n "$2" ] && [ ! -e "$(log_folder "$1").img" ]; then
    free=$(df --block-size=1 --output=avail /var/lib | tail -n 1)
    [ $((free - least)) -ge "$(bytes "$2")" ] || no_room "$2"
  fi
  [[ $3 =~ ^(s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9._-]+)*)?$ ]] ||
    die "LOG_REMOTE is \"$3\", not s3://bucket/prefix, as remote in slipway.yaml."
}

no_room() { die "the disk has no room for $1. Give a smaller LOG_SIZE, or the box a larger disk."; }   # SIZE

bytes() { numfmt --from=iec-i "${1%B}"; }   # SIZE

log_disk() {   # SERVICE SIZE
  local folder image
  folder=$(log_folder "$1")
  image=$folder.img
  if [ -e "$image" ]; then   # whatever is in it, it is never formatted
    say "already there: $image"
    [ "$(stat -c %s "$image")" = "$(bytes "$2")" ] || say "$image keeps its size; docs/prediction-log.md says how to grow it"
  else
    make_image "$image" "$2"
  fi
  # Where it is not mounted, no release can write into the folder, and so to the disk of the box.
  mountpoint -q "$folder" || folder "$folder" 0700
  # - is / in the name of a unit. Before Docker: a release sees only what was mounted when it started.
  unit "var-lib-slipway-services-${1//-/\\x2d}-log.mount" <<END
[Unit]
Description=File system of the prediction log of $1
Before=docker.service

[Mount]
What=$image
Where=$folder
Type=ext4
Options=loop,nosuid,nodev,noexec

[Install]
WantedBy=multi-user.target
END
}

make_image() {   # IMAGE SIZE: under its name once it is whole
  rm -f "$1.new"
  (umask 077; fallocate --length "$(bytes "$2")" "$1.new") ||
    { rm -f "$1.new"; no_room "$2"; }
  mkfs.ext4 -q -m 0 -E root_owner=10001:10001 "$1.new"   # the user of releases
  sync "$1.new"
  mv -T "$1.new" "$1"
  say "made $1 of $2"
}
