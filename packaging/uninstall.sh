#!/bin/sh
# Removes what install.sh brought below a prefix, and the folders that it made unless there is something else in them now:
#   packaging/uninstall.sh PREFIX
set -eu
prefix=$1
list=share/vae-pipes/files
cd "$prefix" 2> /dev/null && [ -f "$list" ] || {
    echo "make uninstall: there is no $prefix/$list: expected the PREFIX and DESTDIR of make install" >&2
    exit 1
}
files=$(cat "$list")
# The list goes last, so that what stops half way can go on; folders from the inside outwards.
echo "$files" | while read -r name; do
    case $name in
    */ | "$list") ;;
    *) rm -f "./$name" ;;
    esac
done
rm "$list"
echo "$files" | LC_ALL=C sort -r | while read -r name; do
    case $name in
    */) rmdir "./$name" 2> /dev/null || true ;;
    esac
done
echo "$prefix: nothing of vae-pipes is left"
