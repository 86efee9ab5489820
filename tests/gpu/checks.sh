# Read by run.sh: the parts that check what the GPU computes.

# What all parts start from: the images, and a GPU that works. Gives 1 where one is missing.
machine() {
    begin 120 || return 1
    if [ -z "${MNIST_DIR:-}" ] && [ -d "$here/mnist" ]; then export MNIST_DIR="$here/mnist"; fi
    source=
    mnist-dump -n 1 > /dev/null 2>&1 || source=--synthetic
    if ! { dump train "${IMAGES:-}" && dump test "${TEST_IMAGES:-}" && try vae-cat --check "$work/train.vae"; }; then
        row images "NOT ok" "$why"
        return 1
    fi
    images=$(sed -n 's/.*"items":\([0-9]*\).*/\1/p' "$work/said")
    # Whether these are runs of which others report the losses.
    known=yes
    [ -z "$source${IMAGES:-}${TEST_IMAGES:-}${EPOCHS:-}${SEEDS:-}" ] || known=
    describe > "$work/heading"
    cat "$work/heading"
    mnist-dump --synthetic=100 -o "$work/few.vae"
    begun=$(date +%s%N)
    if ! try vae-train --device cuda --epochs 1 "$work/few.vae" -o "$work/few.bin"; then
        row "a GPU" "NOT ok" "$why"
        return 1
    fi
    row "a GPU" ok "one step of 100 images, from start to end in $(calculate "($(date +%s%N) - $begun) / 1e9" %.1f) s"
}

# dump SPLIT [N]
dump() { try mnist-dump $source --split "$1" ${2:+-n "$2"} -o "$work/$1.vae"; }

describe() {
    gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2> /dev/null | head -n 1) || gpu=
    cuda=$(nvidia-smi 2> /dev/null | sed -n 's/.*CUDA Version: *\([0-9.]*\).*/\1/p') || cuda=
    cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
    if [ -n "$source" ]; then kind="synthetic digits"; else kind="MNIST's training images"; fi
    echo "- GPU, driver, memory: ${gpu:-not told: nvidia-smi does not answer}; CUDA ${cuda:-not told}"
    echo "- CPU: ${cpu:-not told}; cores: $(nproc)"
    echo "- date: $(date -u +%Y-%m-%d); commit of the programs: $(cat "$here/commit" 2> /dev/null || echo unknown)"
    echo "- images: $images, $kind"
}

parity() {
    begin 240 || return 0
    if ! try env VAE_CUDA_TEST=device RUST_TEST_THREADS=1 "$bin/cuda-parity"; then
        failing=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$work/said")
        row parity "NOT ok" "${failing:-$why}"
        return 0
    fi
    passed=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$work/said")
    if [ "${passed:-0}" -gt 0 ]; then row parity ok "$passed tests"; else row parity "NOT ok" "no test ran"; fi
}

memcheck() { sanitize memcheck 'ERROR SUMMARY: 0 errors'; }
racecheck() { sanitize racecheck 'RACECHECK SUMMARY: 0 hazards'; }
initcheck() { sanitize initcheck 'ERROR SUMMARY: 0 errors'; }
synccheck() { sanitize synccheck 'ERROR SUMMARY: 0 errors'; }

# Every kernel: GEMMs in the tiles of kernels/tile.h, small, medium (convolutions of 33 images) and large (of 64, and the
# gradient of a wide layer); the ops of each kind of model.
every_kernel() {
    for precision in fp32 tf32 bf16; do
        echo "70 --hidden 33 --latent 5 --batch 31 --precision $precision"
        echo "33 --preset conv-20 --batch 33 --precision $precision"
        echo "64 --preset conv-20 --batch 64 --precision $precision"
        echo "9 --hidden 1792 --latent 3 --batch 5 --precision $precision"
    done
    echo "20 --preset cvae-prior --batch 9"
    echo "20 --preset ae-20 --batch 9"
    echo "20 --conv 4,8 --classes 10 --prior 16 --latent 3 --samples 2 --batch 9"
    echo "20 --hidden 17 --likelihood gaussian --sigma learned --binarize dynamic --samples 2 --activation tanh,softplus --batch 9"
}

# sanitize TOOL CLEAN: trains each of these under that tool of compute-sanitizer, which says CLEAN where all was well.
sanitize() {
    tool=$1 summary=$2
    begin 200 || return 0
    sanitizer=${SANITIZER:-$here/sanitizer/compute-sanitizer}
    command -v "$sanitizer" > /dev/null || sanitizer=compute-sanitizer
    command -v "$sanitizer" > /dev/null || sanitizer=/usr/local/cuda/bin/compute-sanitizer
    if ! command -v "$sanitizer" > /dev/null; then
        row "$tool" skipped "no compute-sanitizer here"
        return 0
    fi
    echo "${NETWORKS:-$(every_kernel)}" > "$work/networks"
    clean=0
    while read -r number options; do
        mnist-dump --synthetic="$number" -o "$work/few-images.vae"
        try "$sanitizer" --tool "$tool" --error-exitcode 9 "$bin/vae-train" --device cuda --epochs 1 $options \
            --test "$work/few-images.vae" "$work/few-images.vae" -o "$work/few-images.bin" || :
        if grep -qi 'device not supported' "$work/said" "$work/complained"; then
            row "$tool" skipped "compute-sanitizer does not work with this device"
            return 0
        elif [ "$status" != 0 ] || ! grep -q "$summary" "$work/said" "$work/complained"; then
            # It begins with its own name; what it found comes next.
            found=$(sed -n 's/^=========  *//p' "$work/said" "$work/complained" | sed -n '/^COMPUTE-SANITIZER/!{p;q;}')
            row "$tool" "NOT ok" "$options: ${found:-${why:-nothing was checked}}"
            return 0
        fi
        clean=$((clean + 1))
    done < "$work/networks"
    row "$tool" ok "$clean networks"
}

losses() {
    begin 240 || return 0
    # What tests/tests/pipe/training/known_losses.rs knows, mean over so many seeds, as EPOCH:LOSS:WITHIN.
    seeds=${SEEDS:-3}
    set -- --preset mlp-400-20 --lr 1e-3 --epochs "${EPOCHS:-10}"
    ends "784-400-20, fp32" "1:127.3:1.0 2:115.7:1.0 3:112.0:1.0 10:105.6:0.6" cuda "$@"
    # Products of fewer bits cost less than seeds differ.
    if [ -n "$last" ]; then
        exact=$last
        for precision in tf32 bf16; do
            expected "784-400-20, $precision" "$exact:0.2" cuda --precision "$precision" "$@"
        done
    fi
    seeds=${SEEDS:-5}
    ends "784-512-256-2, fp32" "1:164.1:1.0 2:156.6:1.0" cuda --preset mlp-512-256-2 --epochs "${EPOCHS:-2}"
}

# ends NAME KNOWN cuda OPTIONS...: trains, and compares with what is known; or else with the CPU.
ends() {
    name=$1 checks=$2
    shift 3
    last=
    if [ -z "$known" ]; then
        if ! train cpu "$@"; then
            row "losses: $name" "NOT ok" "on the CPU: $why"
            return 0
        fi
        checks=$last:1.0
    fi
    expected "$name" "$checks" cuda "$@"
}

# expected NAME CHECKS DEVICE OPTIONS...: a row, and the loss of the last epoch in $last, as EPOCH:LOSS.
expected() {
    name=$1 checks=$2
    shift 2
    if ! train "$@"; then
        row "losses: $name" "NOT ok" "$why"
        return 0
    fi
    result=ok told=
    for check in $checks; do
        epoch=${check%%:*} rest=${check#*:}
        loss=$(sed -n "s/^$epoch //p" "$work/means")
        told="$told${told:+; }epoch $epoch: ${loss:-none} (expected ${rest%:*} +- ${rest#*:})"
        holds "\"$loss\" != \"\" && (${loss:-0} - ${rest%:*}) ^ 2 < ${rest#*:} ^ 2" || result="NOT ok"
    done
    row "losses: $name" "$result" "$told, mean over seeds: $seeds"
}

# train DEVICE OPTIONS...: with each seed; the mean of test losses by epoch is then in $work/means.
train() {
    device=$1
    shift
    : > "$work/losses"
    last=
    for seed in $(seq 0 $((seeds - 1))); do
        try vae-train --device "$device" "$@" --seed "$seed" --test "$work/test.vae" "$work/train.vae" -o "$work/model.bin" ||
            return 1
        record "losses, $device, seed $seed"
        epochs "$work/said" >> "$work/losses"
    done
    awk '{ n[$1]++; sum[$1] += $3 } END { for (e in n) printf "%d %.2f\n", e, sum[e] / n[e] }' "$work/losses" |
        sort -n > "$work/means"
    last=$(tail -n 1 "$work/means" | tr ' ' :)
}
