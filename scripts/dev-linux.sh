#!/usr/bin/env bash
# Development on Linux: serves every service but those of Windows, as .env.linux says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v node >/dev/null || {
  echo 'dev-linux: expected Node.js 20 or newer on PATH (https://nodejs.org), found none' >&2
  exit 69
}
exec node scripts/node.js scripts/dev.ts .env.linux
