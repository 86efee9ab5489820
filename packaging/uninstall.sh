#!/bin/sh
# Removes what install.sh installed under a prefix, and the folders that it created if they are empty:
#   packaging/uninstall.sh PREFIX
set -eu
prefix=$1
manifest=share/vae-pipes/files
cd "$prefix" 2> /dev/null && [ -f "$manifest" ] || {
    echo "make uninstall: there is no $prefix/$manifest: expected the PREFIX and DESTDIR of make install" >&2
    exit 1
}
entries=$(cat "$manifest")
# The manifest is removed after the files, so that an interrupted uninstall can be repeated; nested folders first.
echo "$entries" | while read -r name; do
    case $name in
    */ | "$manifest") ;;
    *) rm -f "./$name" ;;
    esac
done
rm "$manifest"
echo "$entries" | LC_ALL=C sort -r | while read -r name; do
    case $name in
    */) rmdir "./$name" 2> /dev/null || true ;;
    esac
done
echo "$prefix: vae-pipes is uninstalled"
