#!/usr/bin/env bash
# Deploys both sides: builds the Linux images, builds the Windows one or tells how to set it up, brings Linux up, and asks
# the Creon service whether it can work. Every step that fails ends it, with the reason.
#   CREON_API_HOST=192.168.1.100 npm run deploy:hybrid
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

port=${CREON_API_PORT:-8001}

step() { echo "deploy-hybrid: $*" >&2; }
fail() {
  echo "deploy-hybrid: FAILED: $*" >&2
  exit 1
}

[[ -n ${CREON_API_HOST-} ]] || fail 'expected CREON_API_HOST, the address of the Windows machine, found none'
export CREON_API_HOST CREON_API_PORT=$port
for program in docker npm; do
  command -v "$program" >/dev/null || fail "expected $program on PATH, found none"
done
engine=$(docker version --format '{{.Server.Os}}' 2>/dev/null) ||
  fail 'expected a Docker engine that this user may use, found none: start it, or join the group docker'
if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  fail 'expected docker compose, found neither the plug-in nor docker-compose'
fi

if [[ $engine == windows ]]; then
  step 'this engine runs Windows containers: building the image of creon-service'
  npm run --silent docker:windows || fail 'the image of creon-service was not built, for the reason above'
  step 'built. Switch the engine to Linux containers and start this again for the Linux side.'
  exit 0
fi

# Docker would make a folder of a file that is not there.
[[ -f jts.yaml ]] || fail 'expected jts.yaml, which says accounts, strategies and risk limits, found none: copy jts.example.yaml'

step '1 of 5: the Linux images'
npm run --silent docker:linux || fail 'an image was not built, for the reason above; nothing was started'

step '2 of 5: the Windows side is set up on its own machine'
cat >&2 <<END
  On $CREON_API_HOST (Windows, with CREON Plus installed), in a clone of this repository:
    docs/guides/creon.md, «Setting up the Windows machine», says each step:
    1. CREON Plus, 32-bit Python, and keys.json: CREON_API_KEY of here is its id, CREON_API_SECRET its secret
    2. install-creon-service.ps1 -Port $port -ListenAddress ITS_ADDRESS -AllowFrom ADDRESS_OF_THIS_MACHINE [-Live]
       Without -ListenAddress nobody reaches it; -AllowFrom opens TCP port $port to this machine alone; without -Live it sends no order.
END

step '3 of 5: network, passwords, certificates'
scripts/prepare-containers.sh >&2 || fail 'they were not made, for the reason above; nothing was started'

step '4 of 5: Linux up'
"${compose[@]}" -f docker-compose.linux.yml up -d || fail "the services did not come up: ${compose[*]} -f docker-compose.linux.yml logs"

step '5 of 5: is the Creon service there?'
scripts/check-connectivity "http://$CREON_API_HOST:$port" ||
  fail "Linux runs, but the Creon service cannot work yet, for the reason above. Nothing was rolled back: the other brokers trade. Mend it, then: scripts/check-connectivity http://$CREON_API_HOST:$port"
step 'done: http://127.0.0.1:8700'
