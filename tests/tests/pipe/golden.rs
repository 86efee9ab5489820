//! A stored model, stored images, and what PyTorch made of them: see `golden/make.sh`, which made all three.

use crate::Place;
use crate::place::repository;

/// How far two ways of adding up float32 products may lie apart, in means of pixels from 0 to 1.
const TOLERANCE: f32 = 1e-5;

#[test]
fn the_pipe_makes_of_a_stored_model_what_pytorch_makes_of_it() {
    let mut place = Place::new();
    place.set("GOLDEN", repository().join("tests/golden"));
    place.run("cp $GOLDEN/*.npy $GOLDEN/model.bin .").succeeds();
    place.pipe("vae-encode -m model.bin images.npy | vae-decode --npy x_hat > ours.npy").succeeds();
    place.assert_near("ours.npy", "x_hat.npy", TOLERANCE);
    let (images, x_hat) = (place.npy::<u8>("images.npy").mapv(f32::from) / 255.0, place.npy::<f32>("x_hat.npy"));
    let error = (&images - &x_hat).mapv(f32::abs).mean().expect("pixels");
    assert!(error < 0.15, "the stored reconstructions are {error} per pixel off: no pictures of the digits");
}
