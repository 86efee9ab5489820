//! The programs that vae-train is measured beside: the scripts in `tests/peers`, and the Python that runs them.

use crate::setup::Setup;

/// A peer in one precision.
pub struct Peer {
    /// The column of the tables, without the precision: `torch.compile`.
    pub column: &'static str,
    pub precision: &'static str,
    /// `PyTorch 2.15.0`.
    pub version: String,
    /// The command that trains, without the options of a network.
    pub command: String,
    /// Whether it knows the presets.
    pub presets: bool,
}

/// How a peer is found, and run.
struct Kind {
    column: &'static str,
    module: &'static str,
    needs: &'static str,
    options: &'static str,
    presets: bool,
}

const LABELS: &str = "--labels {train}-y.npy test-y.npy";
const KINDS: [Kind; 3] = [
    Kind { column: "JAX", module: "jax", needs: "jax, optax, numpy", options: "", presets: false },
    Kind { column: "PyTorch", module: "torch", needs: "torch, numpy", options: LABELS, presets: true },
    Kind {
        column: "torch.compile",
        module: "torch",
        needs: "torch, numpy",
        options: "--labels {train}-y.npy test-y.npy --mode compile",
        presets: true,
    },
];
const PRECISIONS: [&str; 2] = ["fp32", "bf16"];
/// Fails unless torch.compile works here: it calls a C++ compiler, or finds in its cache what that once made.
const COMPILES: &str = "import torch; torch.compile(lambda x: 2 * x + 1)(torch.ones(8))";
const UNCACHED: &str = "TORCHINDUCTOR_FORCE_DISABLE_CACHES=1";

impl Peer {
    /// Those that `$PYTHON` can run; says which it cannot.
    pub fn all(setup: &Setup) -> Vec<Peer> {
        let Some(python) = std::env::var("PYTHON").ok().filter(|python| !python.is_empty()) else { return vec![] };
        let mut all = vec![];
        for Kind { column, module, needs, options, presets } in &KINDS {
            if !PRECISIONS.iter().any(|precision| setup.wants_program(&format!("{column} {precision}"))) {
                continue;
            }
            let line = format!("'{python}' -c 'import {needs}; print({module}.__version__)' 2>/dev/null || true");
            let Some(version) = setup.sh(&line).ok().filter(|text| !text.is_empty()) else {
                setup.note(&format!("{python} has no {column}: measuring without it (it needs {needs})"));
                continue;
            };
            if *column == "torch.compile" && !setup.succeeds(&format!("{UNCACHED} '{python}' -c '{COMPILES}'")) {
                setup.note("torch.compile does not work here: measuring without it (it needs a C++ compiler, as g++)");
                continue;
            }
            let name = if *module == "jax" { "JAX" } else { "PyTorch" };
            let script = setup.repo.join(format!("tests/peers/{module}_vae.py"));
            all.extend(PRECISIONS.map(|precision| Peer {
                column,
                precision,
                version: format!("{name} {}", version.trim()),
                // -B: nothing is written beside the scripts.
                command: format!(
                    "'{python}' -B '{}' {{train}}.npy test.npy {options} --precision {precision}",
                    script.display()
                ),
                presets: *presets,
            }));
        }
        all
    }

    /// `JAX fp32`: all that there can be.
    pub fn names() -> impl Iterator<Item = String> {
        KINDS.iter().flat_map(|kind| PRECISIONS.map(|precision| format!("{} {precision}", kind.column)))
    }
}
