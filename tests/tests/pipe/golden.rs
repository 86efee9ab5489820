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
    let (ours, theirs) = (place.npy::<f32>("ours.npy"), place.npy::<f32>("x_hat.npy"));
    assert_eq!(ours.shape(), [16, 8, 8]);
    let largest = (&ours - &theirs).iter().fold(0f32, |most, d| most.max(d.abs()));
    assert!(largest < TOLERANCE, "reconstructions differ from PyTorch's by {largest}");
    let spread = theirs.iter().fold(0f32, |most, p| most.max((p - 0.5).abs()));
    assert!(spread > 0.3, "the stored reconstructions are pictures, not grey");
}
