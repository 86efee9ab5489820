#!/bin/sh
# Runs every Markdown code block marked `sh run`, in order, in the current folder. A block marked `sh run NEEDS..` is
# skipped, with a message, if one of the programs that it needs is missing; `numpy` means a Python with NumPy.
# usage: run_page.sh PAGE.md   (the programs on PATH, model.bin in the current folder; PYTHON, default python3)
set -eu
examples=$(cd "$(dirname "$0")" && pwd)
cat > pipelines.sh <<'END'
set -eu
python3() { command "${PYTHON:-python3}" "$@"; }
here() {
    for need; do
        case $need in
            python3) python3 -c '' 2> /dev/null ;;
            numpy) python3 -c 'import numpy' 2> /dev/null ;;
            *) command -v "$need" > /dev/null ;;
        esac || { echo "SKIPPED a block: no $need"; return 1; }
    done
}
set -x
END
awk '/^```sh run/ { on = 1; needs = substr($0, 10); if (needs) print "if here" needs "; then"; next }
    /^```$/ { if (on && needs) print "fi"; on = 0 }
    on' "$1" >> pipelines.sh
PYTHONPATH=$examples PYTHONDONTWRITEBYTECODE=1 sh pipelines.sh
