# shellcheck shell=bash
# A box of an earlier version had one service, in the place of all: /etc/slipway/release.toml, /var/lib/slipway/sockets and
# the user `runner`. The bootstrap makes it a service; nothing that serves is moved.

migratable() {   # whether this run is for the service that is there
  local before
  [ -e /etc/slipway/release.toml ] || return 0
  before=$(sed -n 's/^repository *= *"\([^"]*\)".*/\1/p' /etc/slipway/release.toml)
  [ "$before" = "$REPOSITORY" ] ||
    die "an earlier version set up this box for $before. Run this once with REPOSITORY=$before, then again for $REPOSITORY."
}

migrate() {   # SERVICE
  local service=$1
  local old=/var/lib/slipway state=/var/lib/slipway/services/$service settings=/etc/slipway/services/$service name domain
  [ -e /etc/slipway/release.toml ] || return 0
  say "the service of this box becomes $service"
  folder /etc/slipway/services 0700
  folder "$settings" 0700
  folder "$old/services" 0711
  folder "$state" 0750 root:www-data
  exec 8>>"$old/lock"
  flock 8   # no release, no drain meanwhile
  # Running containers have their folders mounted from there, and mount them again after a reboot.
  [ -e "$state/sockets" ] || ln -s ../../sockets "$state/sockets"
  for name in releases history.jsonl draining restarted; do
    [ ! -e "$old/$name" ] || mv -T "$old/$name" "$state/$name"
  done
  domain=$(sed -n 's/^ *server_name \([^_;]*\);$/\1/p' /etc/nginx/conf.d/slipway.{public,domain}.conf 2>/dev/null | head -n 1 || true)
  [ -z "$domain" ] || grep -q '^host ' /etc/slipway/release.toml || printf 'host = "%s"\n' "$domain" >>/etc/slipway/release.toml
  rename_user "$service"
  [ ! -e /etc/slipway/service.env ] || mv -T /etc/slipway/service.env "$settings/service.env"
  mv -T /etc/slipway/release.toml "$settings/release.toml"   # last: a run that was killed before starts over
  exec 8>&-
}

rename_user() {   # SERVICE: its runner keeps its registration, its files and its number
  local service=$1
  if id runner >/dev/null 2>&1 && ! id "runner-$service" >/dev/null 2>&1; then
    ! running || systemctl disable --quiet --now slipway-runner.service 2>/dev/null || true   # it ends its job first
    usermod --login "runner-$service" --home "/home/runner-$service" --move-home runner
    groupmod --new-name "runner-$service" runner
    say "user runner is now runner-$service"
  fi
  rm -f /etc/systemd/system/slipway-runner.service
  [ -d /opt/actions-runner ] || return 0
  chmod 0700 /opt/actions-runner
  # Its own updates left links with this path inside, so it stays.
  ln -sfTn actions-runner "/opt/actions-runner-$service"
}
