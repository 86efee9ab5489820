#!/bin/sh
# Four shards encoded in parallel and joined equal the whole, byte for byte: noise depends on the image index alone.
set -eu
. "$(dirname "$0")/setup.sh"

digits --split test | vae-encode -m "$pretrained" --sample --npy z -o whole.npy

if parallel --version 2> /dev/null | grep -q GNU; then
    parallel "mnist-dump ${DATA:-} --split test --shard {}/4 | vae-encode -m '$pretrained' --sample -o part-{}.vae" ::: 1 2 3 4
else
    for shard in 1 2 3 4; do
        digits --split test --shard $shard/4 | vae-encode -m "$pretrained" --sample -o part-$shard.vae &
    done
    wait # ignores exit codes, but a failed shard leaves no file
fi
vae-cat part-1.vae part-2.vae part-3.vae part-4.vae --npy z -o joined.npy

cmp whole.npy joined.npy
echo "$out/joined.npy and $out/whole.npy are the same"
