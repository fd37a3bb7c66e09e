#!/usr/bin/env bash
# What the compose files need before the first start, made once and never made anew: the network jts-network, and in
# .jts/containers passwords, the play account's keys and the certificates of the services. Nothing of it belongs in git.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=.jts/containers
network=jts-network
# Names under which a service is called, and by which it asks itself whether it is well.
services=(risk-management portfolio-tracker order-execution binance-service strategy-engine market-data-collector notification-service api-gateway)
days=3650

fail() {
  echo "prepare-containers: $*" >&2
  exit 1
}
for program in docker openssl; do
  command -v "$program" >/dev/null || fail "expected $program on PATH, found none"
done
docker info >/dev/null 2>&1 || fail 'expected a Docker engine that this user may use, found none: start it, or join the group docker'

# Others on this machine cannot enter; inside, files are readable, since a container's user has another number than ours.
umask 022
mkdir -p "$folder/tls" "$folder/recordings"
chmod 700 "$folder"

secret() { openssl rand -hex 24; }
# Of the length that the venue expects of a key.
key() { openssl rand -hex 32; }

# write FILE: standard input, whole or not at all.
write() {
  cat >"$1.new"
  chmod "${2:-600}" "$1.new"
  mv "$1.new" "$1"
}

if [[ ! -e $folder/services.env ]]; then
  # Servers that exist already keep the password they were made with.
  [[ ! -e $folder/postgres.env ]] || fail "expected $folder/services.env beside postgres.env, found none: restore it, or remove both and the volume of postgres"
  postgres=$(secret) redis=$(secret)
  write "$folder/postgres.env" <<END
POSTGRES_USER=jts
POSTGRES_DB=jts
POSTGRES_PASSWORD=$postgres
END
  write "$folder/redis.conf" 644 <<END
requirepass $redis
appendonly yes
END
  write "$folder/services.env" <<END
KAFKA_BROKERS=kafka:9092
DATABASE_URL=postgres://jts:$postgres@postgres:5432/jts
REDIS_URL=redis://:$redis@redis:6379
END
fi

# Play money: docker-compose.yml alone reads this.
if [[ ! -e $folder/venue.env ]]; then
  write "$folder/venue.env" <<END
JTS_VENUE_HOST=binance-venue
JTS_BINANCE_API_KEY=$(key)
JTS_BINANCE_API_SECRET=$(key)
END
fi

# Real accounts: docker-compose.linux.yml alone reads this, and nobody but its owner writes it.
if [[ ! -e $folder/accounts.env ]]; then
  write "$folder/accounts.env" <<END
# The keys of your accounts under the names that jts.yaml gives them, such as:
# JTS_BINANCE_API_KEY=
# JTS_BINANCE_API_SECRET=
END
fi

if [[ ! -e $folder/tls/cert.pem ]]; then
  names=$(printf 'DNS:%s,' "${services[@]}" localhost)IP:127.0.0.1
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" -subj '/CN=JTS services' \
      -keyout "$work/ca-key.pem" -out "$work/ca.pem"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=jts' \
      -keyout "$work/key.pem" -out "$work/request.pem"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$names" >"$work/extensions"
    openssl x509 -req -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca-key.pem" -CAcreateserial -days "$days" \
      -extfile "$work/extensions" -out "$work/cert.pem"
  } 2>"$work/openssl.log" || fail "openssl made no certificates: $(tail -n 3 "$work/openssl.log")"
  # The authority signs once: without its key nobody, and we neither, can sign another.
  for file in ca key cert; do write "$folder/tls/$file.pem" 644 <"$work/$file.pem"; done
fi

if ! docker network inspect "$network" >/dev/null 2>&1; then
  docker network create "$network" >/dev/null || fail "expected to create the network $network; docker says why above"
fi
echo "prepared: $network, $folder"
