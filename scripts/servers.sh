#!/usr/bin/env bash
# The PostgreSQL and MariaDB binaries that the tests start their own private servers from, the browser for reports, and Java.
set -euo pipefail
missing=()
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server)
# The proxy is tested by PostgreSQL's JDBC driver as well.
command -v java >/dev/null || missing+=(default-jdk-headless)
[ -e /usr/share/java/postgresql.jar ] || missing+=(libpostgresql-jdbc-java)
# The reports are looked at in a browser.
command -v chromium >/dev/null || missing+=(chromium)
# What the caller wants besides: rivals of benchmarks.
for extra in "$@"; do command -v "$extra" >/dev/null || [ -x "/usr/sbin/$extra" ] || missing+=("$extra"); done
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing ${missing[*]} ..." >&2
  apt-get update -q >/dev/null
  # The tests run servers of their own; the packages' services need not start.
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d.dbmask && chmod +x /usr/sbin/policy-rc.d.dbmask
  [ -e /usr/sbin/policy-rc.d ] || { cp /usr/sbin/policy-rc.d.dbmask /usr/sbin/policy-rc.d; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
  rm -f /usr/sbin/policy-rc.d.dbmask
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}" >/dev/null
else
  echo "The tests need these programs: ${missing[*]}. Install them first, for example:" >&2
  echo "  sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
