//! The programs that vae-train is measured beside: the scripts in `tests/peers`, and the Python that runs them.

use crate::setup::Setup;

pub struct Peer {
    /// `JAX 0.10.2`.
    pub version: String,
    /// The command that trains, without its options.
    pub command: String,
    /// Whether it knows the presets.
    pub presets: bool,
}

impl Peer {
    /// Those that `$PYTHON` can run; says which it cannot.
    pub fn all(setup: &Setup) -> Vec<Peer> {
        let Some(python) = std::env::var("PYTHON").ok().filter(|python| !python.is_empty()) else { return vec![] };
        let find = |name: &str, module: &str, needs: &str, options: &str, presets: bool| {
            let version =
                setup.sh(&format!("'{python}' -c 'import {needs}; print({module}.__version__)' 2>/dev/null || true"));
            let version = version.ok().filter(|text| !text.is_empty());
            if version.is_none() {
                println!("{python} has no {name}: measuring without it (it needs {needs})");
            }
            let script = setup.repo.join(format!("tests/peers/{module}_vae.py"));
            // -B: nothing is written beside the scripts.
            let command = format!("'{python}' -B '{}' train.npy test.npy {options}", script.display());
            Some(Peer { version: format!("{name} {}", version?.trim()), command, presets })
        };
        let jax = find("JAX", "jax", "jax, optax, numpy", "", false);
        let torch = find("PyTorch", "torch", "torch, numpy", "--labels train-y.npy test-y.npy", true);
        jax.into_iter().chain(torch).collect()
    }
}
