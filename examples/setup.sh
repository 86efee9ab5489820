# Read by every example: puts the programs on PATH, chooses the digits, and goes into the folder for the pictures,
# the first argument or out/NAME. What may be set before:
#   DATA     what mnist-dump reads, say --synthetic=1000; else MNIST if it is there, else the built-in digits
#   EPOCHS   how often training goes over them; else as often as the preset says
name=$(basename "$0" .sh)
examples=$(cd "$(dirname "$0")" && pwd)
pretrained=$examples/mlp-400-20.bin
PATH=$examples/../target/release:$PATH
command -v mnist-dump > /dev/null || { echo "$name: no programs here: run \`make build\` first" >&2; exit 69; }

# We leave this folder, so a name that counts from here must be made whole.
[ -z "${MNIST_DIR:-}" ] || MNIST_DIR=$(cd "$MNIST_DIR" && pwd)
if [ -z "${DATA:-}${MNIST_DIR:-}" ] && ! mnist-dump -n 1 > /dev/null 2>&1; then
    echo "$name: no MNIST here: these are synthetic digits (mnist-dump --help tells of other ways)"
    DATA=--synthetic
fi
digits() { mnist-dump ${DATA:-} "$@"; }
train() { vae-train -v ${EPOCHS:+--epochs "$EPOCHS"} "$@"; }

needs_numpy() {
    export PYTHONPATH="$examples" PYTHONDONTWRITEBYTECODE=1
    python=${PYTHON:-python3}
    "$python" -c 'import numpy' 2> /dev/null || { echo "SKIPPED $name: no python3 with numpy"; exit 0; }
}

# Names what was made. A picture that is not there is an error.
look() {
    ls "$@" > /dev/null
    printf "$out/%s\n" "$@"
}

out=${1:-out/$name}
mkdir -p "$out"
cd "$out"
