# shellcheck shell=bash
# How the bootstrap and its parts change a machine: only where something differs, and saying so.

say() { printf '%s: %s\n' "${0##*/}" "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

changes=()
changed() {   # whether this run wrote PATH
  local path
  for path in ${changes[@]+"${changes[@]}"}; do [ "$path" != "$1" ] || return 0; done
  return 1
}

running() { [ -d /run/systemd/system ]; }

restart() {
  ! running || systemctl restart "$1"
}

folder() {   # PATH MODE [OWNER:GROUP]
  local wanted="${2#0} ${3:-root:root}"
  if [ -d "$1" ] && [ "$(stat -c '%a %U:%G' "$1")" = "$wanted" ]; then say "already there: $1"; return; fi
  wanted=${wanted#* }
  install -d -m "$2" -o "${wanted%:*}" -g "${wanted#*:}" "$1"
  say "made $1"
}

put() {   # PATH MODE <content; whole or not at all
  local new
  new=$(mktemp)
  cat >"$new"
  if cmp -s "$new" "$1" && [ "$(stat -c '%a %U:%G' "$1")" = "${2#0} root:root" ]; then
    say "already there: $1"
  else
    install -m "$2" -o root -g root "$new" "$1.new"
    mv -f "$1.new" "$1"
    changes+=("$1")
    say "wrote $1"
  fi
  rm "$new"
}

keep() {   # PATH MODE <content, for a file that is a person's to edit: only where there is none
  if [ -e "$1" ]; then cat >/dev/null; say "already there: $1"; return; fi
  put "$1" "$2"
}

unit() {   # NAME <content: a unit or a drop-in of one, which runs now and at every boot if it can
  put "/etc/systemd/system/$1" 0644
  running || return 0
  ! changed "/etc/systemd/system/$1" || systemctl daemon-reload
  ! grep -q '^\[Install\]' "/etc/systemd/system/$1" || systemctl enable --quiet --now "$1"
}
