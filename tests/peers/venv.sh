#!/bin/sh
# The Python of `make bench`, with the peers that vae-train is measured beside: prints its path, or nothing where there is
# none. $PYTHON is taken as it is; PEERS=no asks for none, and so do an $ONLY and a $PROGRAMS without peers; else the virtual
# environment $1 is made or completed.
venv=$1
say() { echo "make bench: $*" >&2; }
has() { "$venv/bin/python" -c "import $1" 2>/dev/null; }
install() { "$venv/bin/pip" install -q --retries 1 --timeout 20 --disable-pip-version-check "$@" >&2; }

case ",$ONLY," in
    ,, | *,training,* | *,models,* | *,neighbour,*) ;;
    *) PEERS=no ;;
esac
if [ "$PROGRAMS" = vae-train ]; then
    PEERS=no
fi
if [ "$PEERS" = no ]; then
    exit
elif [ -n "$PYTHON" ]; then
    echo "$PYTHON"
    exit
elif ! has "jax, optax, numpy, torch"; then
    say "vae-train is measured beside JAX and PyTorch, which go into $venv:"
    say "  JAX, Optax and NumPy from PyPI, a download of about 160 MB"
    say "  PyTorch for the CPU from download.pytorch.org, about 200 MB; where that cannot be reached, PyTorch from PyPI,"
    say "  on Linux with the libraries of CUDA, about 3 GB and 6 GB on disk"
    say "\`make bench PEERS=no\` does without; \`make bench PYTHON=python3\` takes the Python you name"
    python3 -m venv "$venv" || say "python3 makes no virtual environment (Debian: apt install python3-venv)"
fi
if [ -x "$venv/bin/python" ]; then
    has "jax, optax, numpy" || install jax optax numpy || say "JAX could not be installed; measuring without it"
    has torch || install torch --index-url https://download.pytorch.org/whl/cpu ||
        { say "download.pytorch.org cannot be reached; taking PyTorch from PyPI" && install torch; } ||
        say "PyTorch could not be installed; measuring without it"
fi
if has numpy; then
    echo "$venv/bin/python"
else
    say "no peers: our programs are measured alone"
fi
