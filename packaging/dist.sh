#!/bin/sh
# Makes a reproducible archive of everything that make install installs:
#   packaging/dist.sh PROGRAM-FOLDER OUTPUT-FOLDER PROGRAM...
set -eu
fail() { echo "make dist: $*" >&2; exit 1; }
oldest=${GLIBC:-2.36} # Debian 12

programs=$(cd "$1" && pwd)
mkdir -p "$2"
folder=$(cd "$2" && pwd)
shift 2
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=vae-pipes-$version-$(uname -m)-$(uname -s | tr '[:upper:]' '[:lower:]')
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || true)}
[ -n "$time" ] || fail "no modification time for the files: expected a git checkout, or SOURCE_DATE_EPOCH"

for program; do
    needs=$(objdump -p "$programs/$program") || fail "cannot read $programs/$program with objdump: expected binutils"
    newest=$(echo "$needs" | sed -n 's/.*GLIBC_\([0-9.]*\)$/\1/p' | sort -V | tail -n 1)
    [ "$(printf '%s\n' "$newest" "$oldest" | sort -V | tail -n 1)" = "$oldest" ] ||
        fail "$program: expected to need glibc $oldest at most, got $newest; build on an older system, or set GLIBC=$newest"
    other=$(echo "$needs" | sed -n 's/^ *NEEDED *//p' | grep -Ev '^(libc|libm|libgcc_s|ld-linux-[a-z0-9-]+)\.so' || true)
    [ -z "$other" ] || fail "$program: expected to need libc, libm and libgcc_s only, got" $other
done

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
packaging/install.sh "$programs" "$stage/$name" "$@" > /dev/null
# mv last, so that the archive appears whole or not at all.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$time" --format=gnu -C "$stage" -cf "$stage/tar" "$name"
gzip -n -9 "$stage/tar"
mv "$stage/tar.gz" "$folder/$name.tar.gz"
size=$(wc -c < "$folder/$name.tar.gz")
sha256=$(sha256sum "$folder/$name.tar.gz" | cut -d ' ' -f 1)
echo "$folder/$name.tar.gz: $size bytes, sha256 $sha256"
