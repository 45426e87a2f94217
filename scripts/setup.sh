#!/usr/bin/env bash
# Makes .venv with dbmask and what its tests need, from the pinned versions. Usage: scripts/setup.sh [demo|dev]
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-dev}
stamp=.venv/.${what}-$(cat pyproject.toml constraints.txt | sha256sum | cut -c1-16)
[ -e "$stamp" ] && exit 0

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "dbmask needs Python 3.11 or later; $("$python" --version) was found. Name another with PYTHON=..." >&2; exit 1; }

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing python3-venv ..." >&2
    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3-venv >/dev/null
  else
    echo "Python's venv module is missing. Install it first, for example: sudo apt-get install python3-venv" >&2; exit 1
  fi
fi

[ -x .venv/bin/python ] || "$python" -m venv .venv
extras=""
[ "$what" = dev ] && extras="[all,dev]"
echo "Installing dbmask$extras into .venv ..." >&2
.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".$extras"
touch "$stamp"
[ "$what" = dev ] && touch ".venv/.demo-${stamp##*-}"
exit 0
