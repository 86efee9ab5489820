# Sourced by every example: puts the programs on PATH, selects the data set, and enters the output folder, the first
# argument or out/NAME. Environment variables:
#   DATA     options of mnist-dump, say --synthetic=1000 [default: MNIST if it is installed, else --synthetic]
#   EPOCHS   number of epochs [default: the preset's]
name=$(basename "$0" .sh)
examples=$(cd "$(dirname "$0")" && pwd)
pretrained=$examples/mlp-400-20.bin
PATH=$examples/../target/release:$PATH
command -v mnist-dump > /dev/null || { echo "$name: no programs here: run \`make build\` first" >&2; exit 69; }

# The script changes folder, so a relative MNIST_DIR is made absolute.
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

# Prints the paths of the outputs; fails if one is missing.
look() {
    ls "$@" > /dev/null
    printf "$out/%s\n" "$@"
}

out=${1:-out/$name}
mkdir -p "$out"
cd "$out"
