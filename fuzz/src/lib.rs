//! Fuzz targets: functions of any bytes, each of which panics where a reader breaks its promise.
//!
//! `run.sh` feeds them with libFuzzer, `tests/corpus.rs` with what is in `corpus` and `attacks`. README.md says what they hold.

mod check;
mod image_files;
mod logs;
mod memory_file;
mod models;
mod numpy;
mod pictures;
mod pieces;
mod streams;
mod templates;

pub use image_files::{amat, idx};
pub use logs::logs;
pub use models::{import, model};
pub use numpy::numpy;
pub use pictures::pictures;
pub use streams::{jsonl, npy, round_trip, stream};
pub use templates::templates;

/// A function of any bytes.
pub type Target = fn(&[u8]);

/// Every target by name, the name of its folder in `corpus`.
pub const TARGETS: [(&str, Target); 12] = [
    ("stream", stream),
    ("npy", npy),
    ("numpy", numpy),
    ("jsonl", jsonl),
    ("round_trip", round_trip),
    ("model", model),
    ("import", import),
    ("idx", idx),
    ("amat", amat),
    ("logs", logs),
    ("pictures", pictures),
    ("templates", templates),
];

/// Parts of programs that are no libraries, where their `crate::` finds them.
macro_rules! parts {
    ($($path:literal $name:ident)*) => {
        $(
            #[path = $path]
            #[allow(dead_code, missing_docs)]
            mod $name;
        )*
    };
}
parts! {
    "../../tools/grid-png/src/filename.rs" filename
    "../../tools/grid-png/src/template.rs" template
    "../../tools/image-dump/src/cifar.rs" cifar
    "../../tools/image-dump/src/decode.rs" decode
    "../../tools/image-dump/src/jpeg.rs" jpeg
    "../../tools/image-dump/src/listing.rs" listing
    "../../tools/image-dump/src/place.rs" place
    "../../tools/mnist-dump/src/text.rs" text
    "../../tools/mnist-dump/src/npz.rs" npz
    "../../tools/mnist-dump/src/files.rs" files
    "../../tools/mnist-dump/src/idx.rs" idx
    "../../tools/mnist-dump/src/transposed.rs" transposed
    "../../tools/vae-model/src/import/mod.rs" import
    "../../tools/vae-model/src/loaded.rs" loaded
    "../../tools/vae-model/src/naming.rs" naming
    "../../tools/vae-plot/src/run.rs" run
    "../../tools/vae-watch/src/curves.rs" curves
    "../../tools/vae-watch/src/history.rs" history
    "../../tools/vae-watch/src/poll.rs" poll
    "../../tools/vae-watch/src/preview.rs" preview
    "../../tools/vae-watch/src/state.rs" state
}
