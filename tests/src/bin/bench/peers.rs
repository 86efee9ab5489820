//! The programs that vae-train is measured beside: the scripts in `tests/peers`, and the Python that runs them.

use crate::place::Place;

pub struct Peer {
    /// `JAX 0.10.2`.
    pub version: String,
    /// The command that trains, without its options.
    pub command: String,
}

impl Peer {
    /// Those that `$PYTHON` can run; says which it cannot.
    pub fn all(place: &Place) -> Vec<Peer> {
        let Some(python) = std::env::var("PYTHON").ok().filter(|python| !python.is_empty()) else { return vec![] };
        let peers = [("JAX", "jax", "jax, optax, numpy"), ("PyTorch", "torch", "torch, numpy")];
        let find = |(name, module, needs): (&'static str, &str, &str)| {
            let version =
                place.sh(&format!("'{python}' -c 'import {needs}; print({module}.__version__)' 2>/dev/null || true"));
            let version = version.ok().filter(|text| !text.is_empty());
            if version.is_none() {
                println!("{python} has no {name}: measuring without it (it needs {needs})");
            }
            let script = place.repo.join(format!("tests/peers/{module}_vae.py"));
            Some(Peer {
                version: format!("{name} {}", version?.trim()),
                command: format!("'{python}' '{}' train.npy test.npy", script.display()),
            })
        };
        peers.into_iter().filter_map(find).collect()
    }
}
