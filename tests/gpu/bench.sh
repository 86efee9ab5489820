# Read by run.sh: the parts that measure, side by side.

# Networks are told as HIDDEN LATENT BATCH.
small() {
    # Seeds differ by less than 1.5 nats in what they lead to.
    compare "${EPOCHS:-6}" 1.5 ${SMALL:-400 20 128}
}
wide() {
    # After few steps, losses differ much between seeds.
    compare "${EPOCHS:-11}" "" ${WIDE:-4096 20 8192}
}

# compare EPOCHS APART HIDDEN LATENT BATCH: rows of vae-train and of PyTorch, whose losses may be as far apart, if known.
compare() {
    begin 300 || return 0
    count=$1 apart=${known:+$2} name="N = $5, 784-$3-$4"
    set -- --hidden "$3" --latent "$4" --batch "$5"
    rm -f "$work"/ours-*
    for precision in fp32 tf32 bf16; do
        command="vae-train $precision"
        if run vae-train --device cuda --precision "$precision" "$@" "$work/train.vae" --test "$work/test.vae" \
            -o "$work/bench.bin"; then
            echo "$seconds $loss" > "$work/ours-$precision"
            row "$name: $command" ok "$told"
        fi
    done
    # The graph before compile, which is what takes long before it starts.
    pytorch || return 0
    for precision in fp32 tf32; do
        tf32=
        [ "$precision" = fp32 ] || tf32=--tf32
        for mode in eager graph compile; do
            command="PyTorch $torch $mode $precision"
            if [ "$mode" = graph ] && [ "$device" = cpu ]; then
                row "$name: $command" skipped "a graph needs a GPU"
                continue
            fi
            if run "$python" -B "$here/peers/torch_vae.py" "$work/train.npy" "$work/test.npy" --device "$device" \
                --mode "$mode" $tf32 "$@"; then
                beside "$work/ours-$precision"
            fi
        done
    done
}

# run COMMAND...: trains for $count epochs. Gives the median seconds of an epoch and the last test loss in $seconds, $loss and
# $told; or makes a row of what went wrong.
run() {
    if ! try "$@" --lr 1e-3 --epochs "$count"; then
        row "$name: $command" "NOT ok" "$why"
        return 1
    fi
    record "$name" "$command"
    epochs "$work/said" > "$work/epochs"
    # The first epoch has to start everything.
    seconds=$(awk '$1 > 1 { print $2 }' "$work/epochs" | median)
    first=$(awk 'NR == 1 { print $3 }' "$work/epochs")
    loss=$(awk 'END { print $3 }' "$work/epochs")
    if ! holds "\"$loss\" != \"\" && \"$seconds\" != \"\" && ${loss:-0} < ${first:-0}"; then
        row "$name: $command" "NOT ok" "the test loss does not fall: ${first:-none}, then ${loss:-none}"
        return 1
    fi
    told="$(calculate "$seconds" %.4f) s per epoch; test loss $(calculate "$loss" %.1f) after $count"
}

# beside OURS: the row of a peer.
beside() {
    if [ ! -s "$1" ]; then
        row "$name: $command" ok "$told"
        return 0
    fi
    read -r our_seconds our_loss < "$1"
    told="$told; $(calculate "$seconds / $our_seconds" %.2f) x as long as vae-train $precision"
    if [ -n "$apart" ] && ! holds "($loss - $our_loss) ^ 2 < $apart ^ 2"; then
        row "$name: $command" "NOT ok" "$told; the losses are more than $apart apart"
    else
        row "$name: $command" ok "$told"
    fi
}

# Whether there is PyTorch that sees the GPU: its version is then in $torch; else a row tells what is missing.
pytorch() {
    python=${PYTHON:-python3} device=${DEVICE_OF_TORCH:-cuda} torch=
    ask="import numpy, sys, torch
print(torch.__version__)
sys.exit(sys.argv[1] == 'cuda' and not torch.cuda.is_available())"
    try "$python" -c "$ask" "$device" || { row "$name: PyTorch" skipped "$python has no torch and numpy that see a GPU"; return 1; }
    torch=$(tail -n 1 "$work/said")
    for split in train test; do
        [ -e "$work/$split.npy" ] || vae-cat "$work/$split.vae" --npy x > "$work/$split.npy"
    done
}

pipes() {
    begin 120 || return 0
    try vae-cat "$work/train.vae" --take 1 -o "$work/one.vae" || :
    for device in cuda cpu; do
        pipe "$device" one 1 || continue
        start=$seconds
        pipe "$device" train "$images" || continue
        rate=$(calculate "$images / $seconds" %.0f)
        told="$images images in $(calculate "$seconds" %.2f) s: $rate images/s; one image takes $(calculate "$start" %.2f) s"
        row "vae-encode | vae-decode | vae-cat --check, $device" ok "$told"
    done
}

# pipe DEVICE DATA ITEMS: the median of its seconds in $seconds.
pipe() {
    line="vae-encode --device $1 -m '$work/few.bin' '$work/$2.vae' | vae-decode --device $1 | vae-cat --check"
    : > "$work/times"
    for _ in $(seq "${ROUNDS:-3}"); do
        begun=$(date +%s%N)
        if ! try sh -c "$line" || ! grep -q "\"items\":$3," "$work/said"; then
            row "vae-encode | vae-decode | vae-cat --check, $1" "NOT ok" "${why:-not all images came through}"
            return 1
        fi
        calculate "($(date +%s%N) - $begun) / 1e9" '%.6f\n' >> "$work/times"
    done
    seconds=$(median < "$work/times")
}
