#!/usr/bin/env bash
# Checks the dependencies against deny.toml: licences, bans, sources and, where their list is at hand, advisories.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
command -v cargo-deny > /dev/null || {
    echo 'SKIPPED deny: there is no cargo-deny: cargo install cargo-deny --locked' >&2
    exit 0
}
$cargo deny --log-level error check --hide-inclusion-graph licenses bans sources
# The list is a repository on GitHub.
if ! why=$(timeout 60 $cargo deny fetch db 2>&1); then
    echo "SKIPPED deny: advisories cannot be fetched: $(tail -n 1 <<< "$why")" >&2
    exit 0
fi
$cargo deny --log-level error check --disable-fetch --hide-inclusion-graph advisories
