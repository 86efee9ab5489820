#!/bin/sh
# The ten test images with the largest loss, above their reconstructions, titled with the loss in nats.
set -eu
. "$(dirname "$0")/setup.sh"

digits --split test -o test.vae
vae-eval -m "$pretrained" --per-image test.vae -o judged.jsonl
sed -n 's/{"kind":"image","i":\([0-9]*\),.*"loss":\([0-9]*\.[0-9]\).*/\2 \1/p' judged.jsonl | sort -rn | head -n 10 > worst.txt
cut -d ' ' -f 1 worst.txt > losses.txt

while read -r _ i; do
    vae-cat --skip "$i" --take 1 test.vae
done < worst.txt | vae-encode -m "$pretrained" --keep x | vae-decode |
    grid-png --tensor x --tensor x_hat --nrow 10 --titles losses.txt -o worst.png

look worst.png
