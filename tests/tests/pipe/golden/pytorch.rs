//! A model, images and PyTorch's reconstructions of them, made by `tests/golden/pytorch/make.sh`.

use crate::harness::{TestDir, repository};

/// Pixels from 0 to 1 differ by less where float32 products are added up in another order.
const TOLERANCE: f32 = 1e-5;

#[test]
fn the_pipe_makes_of_a_stored_model_what_pytorch_makes_of_it() {
    let mut dir = TestDir::new();
    dir.set("GOLDEN", repository().join("tests/golden/pytorch"));
    dir.run("cp $GOLDEN/*.npy $GOLDEN/model.bin .").succeeds();
    dir.pipe("vae-encode -m model.bin images.npy | vae-decode --npy x_hat > ours.npy").succeeds();
    dir.assert_near("ours.npy", "x_hat.npy", TOLERANCE);
    let (images, x_hat) = (dir.npy::<u8>("images.npy").mapv(f32::from) / 255.0, dir.npy::<f32>("x_hat.npy"));
    let error = (&images - &x_hat).mapv(f32::abs).mean().expect("pixels");
    assert!(error < 0.15, "the stored reconstructions are {error} per pixel off: no pictures of the digits");
}
