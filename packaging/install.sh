#!/bin/sh
# Installs programs, man pages, completions, the pretrained model and the documents under a prefix:
#   packaging/install.sh PROGRAM-FOLDER PREFIX PROGRAM...
# PREFIX/share/vae-pipes/files is the manifest for uninstall.sh: every file, and every folder that did not exist before.
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
cp LICENSE common/FORMAT.md "$documents"
cp -R docs "$documents"
cp examples/*.sh examples/*.py examples/Makefile "$documents/examples"
# Installed, FORMAT.md is next to the README.
sed 's|common/FORMAT.md|FORMAT.md|g' README.md > "$documents/README.md"
cp pictures/*.png "$documents/pictures"
chmod -R u=rwX,go=rX "$stage"

manifest=share/vae-pipes/files
files=$(cd "$stage" && find . -type f | cut -c 3-)
folders=$(cd "$stage" && find . -mindepth 1 -type d | cut -c 3- | while read -r folder; do
    [ -d "$prefix/$folder" ] || echo "$folder/"
done)
# Files of an earlier version stay in the manifest.
previous=$(cat "$prefix/$manifest" 2> /dev/null || true)
mkdir -p "$prefix/share/vae-pipes"
# The manifest is written first, so that an interrupted install can be uninstalled.
printf '%s\n' "$files" "$folders" "$previous" "$manifest" | sed '/^$/d' | LC_ALL=C sort -u > "$stage/files"
install -m 644 "$stage/files" "$prefix/$manifest"
echo "$files" | while read -r file; do
    mode=644
    case $file in bin/*) mode=755 ;; esac
    install -D -m "$mode" "$stage/$file" "$prefix/$file"
done
echo "$prefix: $# programs in bin, man pages and completions, and a pretrained model, share/vae-pipes/mlp-400-20.bin"
