#!/bin/sh
# The Python of `make bench`, with the peers that vae-train is measured beside: prints its path, or nothing where there is
# none. $PYTHON is taken as it is; PEERS=no asks for none, and so does an $ONLY without peers; else the virtual environment
# $1 is made or completed.
venv=$1
say() { echo "make bench: $*" >&2; }
has() { "$venv/bin/python" -c "import $1" 2>/dev/null; }
install() { "$venv/bin/pip" install -q --retries 1 --timeout 20 --disable-pip-version-check "$@" >&2; }

case ",$ONLY," in
    ,, | *,training,* | *,models,* | *,neighbour,*) ;;
    *) PEERS=no ;;
esac
if [ "$PEERS" = no ]; then
    exit
elif [ -n "$PYTHON" ]; then
    echo "$PYTHON"
    exit
elif ! has "jax, optax, numpy, torch"; then
    say "vae-train is measured beside JAX and PyTorch, which go into $venv (1.5 GB on disk):"
    say "  JAX, Optax and NumPy from PyPI, a download of about 160 MB"
    say "  PyTorch for the CPU from download.pytorch.org, about 200 MB"
    say "\`make bench PEERS=no\` does without; \`make bench PYTHON=python3\` takes the Python you name"
    python3 -m venv "$venv" || say "python3 makes no virtual environment (Debian: apt install python3-venv)"
fi
if [ -x "$venv/bin/python" ]; then
    has "jax, optax, numpy" || install jax optax numpy || say "JAX could not be installed; measuring without it"
    has torch || install torch --index-url https://download.pytorch.org/whl/cpu ||
        say "PyTorch could not be installed; measuring without it (\`$venv/bin/pip install torch\` takes it from PyPI, on" \
            "Linux with the libraries of CUDA, 6 GB on disk)"
fi
if has numpy; then
    echo "$venv/bin/python"
else
    say "no peers: our programs are measured alone"
fi
