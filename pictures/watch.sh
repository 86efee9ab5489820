#!/bin/sh
# A picture of the page of vae-watch, of a run on MNIST: watch.png in the current folder. Needs Chromium.
# usage: watch.sh   (the programs on PATH)
set -eu
command -v chromium > /dev/null || { echo 'watch.sh: no Chromium: apt-get install chromium; the picture stays' >&2; exit 0; }
mnist-dump --split test -n 1000 -o watch-test.vae
mnist-dump -n 20000 | vae-train --epochs 6 --lr 1e-3 --preview 8 --test watch-test.vae -o watched.bin > watched.vae
: > watch.log # what an earlier run has left there would name another page
vae-watch --stay --port 0 watched.vae -o /dev/null 2> watch.log &
server=$!
trap 'kill $server; rm -rf watch-profile' EXIT
until grep -q 'the stream has ended' watch.log; do
    kill -0 $server || { cat watch.log >&2; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/.*\(http:[^ ]*\).*/\1/p' watch.log | head -n 1)
# Virtual time ends only when the page has all that it was sent.
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-color-profile=srgb --user-data-dir=watch-profile \
    --window-size=1160,860 --virtual-time-budget=5000 --screenshot=watch.png "$url" 2> chromium.log || { cat chromium.log >&2; exit 1; }
