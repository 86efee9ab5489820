#!/bin/sh
# Copies programs with their man pages and completions, the pretrained model and the documents below a prefix:
#   packaging/install.sh FOLDER-OF-PROGRAMS PREFIX PROGRAM...
# PREFIX/share/vae-pipes/files then names every file, and every folder that was not there before, for uninstall.sh.
set -eu
umask 022
fail() { echo "make install: $*" >&2; exit 1; }

programs=$1 prefix=$2
shift 2
for program; do
    [ -x "$programs/$program" ] || fail "there is no $programs/$program: expected every program; type make build first"
done
programs=$(cd "$programs" && pwd)
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
cd "$(dirname "$0")/.."
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
documents=$stage/share/doc/vae-pipes
mkdir -p "$stage/bin" "$stage/share/vae-pipes" "$documents/pictures" "$documents/examples"
for program; do
    cp "$programs/$program" "$stage/bin"
    VAE_WRITE_MANUAL=$stage "$stage/bin/$program" < /dev/null
done
cp examples/mlp-400-20.bin "$stage/share/vae-pipes"
cp LICENSE CONTRIBUTING.md common/FORMAT.md "$documents"
cp -R docs "$documents"
cp examples/*.sh examples/*.py examples/Makefile "$documents/examples"
# Installed, FORMAT.md is next to the README.
for page in README.md CHANGELOG.md docs/*.md; do
    sed 's|common/FORMAT.md|FORMAT.md|g' "$page" > "$documents/$page"
done
cp pictures/*.png "$documents/pictures"
chmod -R u=rwX,go=rX "$stage"

list=share/vae-pipes/files
files=$(cd "$stage" && find . -type f | cut -c 3-)
made=$(cd "$stage" && find . -mindepth 1 -type d | cut -c 3- | while read -r folder; do
    [ -d "$prefix/$folder" ] || echo "$folder/"
done)
# What an earlier version brought is still ours to remove.
before=$(cat "$prefix/$list" 2> /dev/null || true)
mkdir -p "$prefix/share/vae-pipes"
# The list goes first: what stops half way can be uninstalled.
printf '%s\n' "$files" "$made" "$before" "$list" | sed '/^$/d' | LC_ALL=C sort -u > "$stage/files"
install -m 644 "$stage/files" "$prefix/$list"
echo "$files" | while read -r file; do
    mode=644
    case $file in bin/*) mode=755 ;; esac
    install -D -m "$mode" "$stage/$file" "$prefix/$file"
done
echo "$prefix: $# programs in bin, man pages and completions, and a pretrained model, share/vae-pipes/mlp-400-20.bin"
