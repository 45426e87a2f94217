#!/bin/sh
# Fresh passwords and a masking key in docker/secrets, for compose.yaml. What is there already stays.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
word() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
for name in source replica analyst; do
    [ -s "secrets/$name.password" ] || word > "secrets/$name.password"
done
[ -s secrets/mask.key ] || word > secrets/mask.key
[ -e secrets/users ] || : > secrets/users
# URLs reach containers as variables of theirs, never as arguments that a process list shows.
cat > secrets/urls.env <<URLS
SOURCE_URL=postgresql://postgres:$(cat secrets/source.password)@source/shop
REPLICA_URL=postgresql://postgres:$(cat secrets/replica.password)@replica/shop_masked
PROXY_URL=postgresql://analyst:$(cat secrets/analyst.password)@source/shop
URLS
# The container's user reads them, and nobody else of this host who cannot enter the folder.
chmod 644 secrets/*
chmod 700 secrets
echo "docker/secrets is ready"
