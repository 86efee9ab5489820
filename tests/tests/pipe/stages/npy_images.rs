//! Images from .npy files: their dtypes, shapes and labels, and sizes other than MNIST's.

use ndarray::{Array, Array1, Array3};
use serde_json::json;

use crate::harness::{MODEL, TestDir};

/// Blobs at different places.
fn blobs(count: usize, height: usize, width: usize) -> Array3<u8> {
    Array::from_shape_fn((count, height, width), |(n, y, x)| {
        let (dy, dx) = (y as f32 - (n * 7 % height) as f32, x as f32 - (n * 5 % width) as f32);
        (255.0 * (-(dy * dy + dx * dx) / 8.0).exp()) as u8
    })
}

fn with_blobs() -> TestDir {
    let dir = TestDir::new();
    dir.write_npy("images.npy", &blobs(300, 20, 16));
    dir.write_npy("labels.npy", &Array1::from_shape_fn(300, |n| (n % 10) as i64));
    dir
}

#[test]
fn images_and_labels_from_numpy_train_a_model() {
    let dir = with_blobs();
    let train = format!("vae-cat x=images.npy y=labels.npy | vae-train {MODEL} --epochs 2 -o model.bin > losses.jsonl");
    dir.pipe(&train).succeeds();
    let losses = dir.run("cat losses.jsonl").succeeds().records();
    assert_eq!(losses[0]["network"]["image"], json!([20, 16]));
    assert_eq!(losses[0]["data"]["images"], 300);
}

#[test]
fn images_of_another_size_go_through_everything() {
    let dir = with_blobs();
    dir.run(&format!("vae-train {MODEL} --epochs 2 images.npy -o model.bin --preview 8 > run.vae")).succeeds();
    dir.run("grid-png run.vae -o recon.png").succeeds();
    assert_eq!(dir.png("recon.png"), [8 * 18 + 2, 2 * 22 + 2]);
    let line = "vae-cat x=images.npy y=labels.npy | vae-encode -m model.bin --keep x | vae-decode | \
                grid-png --tensor x --tensor x_hat -o compare.png";
    dir.pipe(line).succeeds();
    assert_eq!(dir.png("compare.png"), [8 * 18 + 2, 16 * 22 + 2]);
    dir.pipe("vae-sample -m model.bin -n 8 | vae-decode --npy x_hat > x_hat.npy").succeeds();
    assert_eq!(dir.npy::<f32>("x_hat.npy").shape(), [8, 20, 16]);
}

#[test]
fn images_of_another_size_come_from_idx_files() {
    let dir = with_blobs();
    let mut idx = vec![0, 0, 8, 3, 0, 0, 1, 44, 0, 0, 0, 20, 0, 0, 0, 16];
    idx.extend(blobs(300, 20, 16).iter());
    dir.write("blobs-idx3-ubyte", idx);
    dir.run("mnist-dump --data blobs-idx3-ubyte --npy x > x.npy; vae-cat images.npy --npy x > y.npy").succeeds();
    dir.assert_same("x.npy", "y.npy");
}

#[test]
fn the_form_in_which_images_come_makes_no_difference() {
    let dir = with_blobs();
    let images = blobs(300, 20, 16);
    dir.write_npy("wide.npy", &images.mapv(i64::from));
    dir.write_npy("channel.npy", &images.into_shape_with_order((300, 1, 20, 16)).expect("C order"));
    dir.run(&format!("vae-train {MODEL} --epochs 1 images.npy -o model.bin > losses.jsonl")).succeeds();
    dir.run("vae-encode -m model.bin images.npy --npy z > z.npy").succeeds();
    for name in ["wide", "channel"] {
        dir.run(&format!("vae-encode -m model.bin {name}.npy --npy z > {name}-z.npy")).succeeds();
        dir.assert_same("z.npy", &format!("{name}-z.npy"));
        dir.run(&format!("vae-train {MODEL} --epochs 1 {name}.npy -o {name}.bin > losses.jsonl")).succeeds();
        dir.assert_same("model.bin", &format!("{name}.bin"));
    }
}

#[test]
fn square_images_may_be_flat() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=50 --npy x > x.npy; vae-encode -m model.bin x.npy --npy z > z.npy").succeeds();
    dir.write_npy("flat.npy", &dir.npy::<u8>("x.npy").into_shape_with_order((50, 784)).expect("C order"));
    dir.run("vae-encode -m model.bin flat.npy --npy z > flat-z.npy").succeeds();
    dir.assert_same("z.npy", "flat-z.npy");
}

#[test]
fn grey_values_from_0_to_1_are_bytes_over_255() {
    let dir = with_blobs();
    dir.write_npy("grey.npy", &blobs(300, 20, 16).mapv(|p| f32::from(p) / 255.0));
    dir.run(&format!("vae-train {MODEL} --epochs 1 images.npy -o model.bin > losses.jsonl")).succeeds();
    dir.run("vae-encode -m model.bin images.npy --npy z > a.npy").succeeds();
    dir.run("vae-encode -m model.bin grey.npy --npy z > b.npy").succeeds();
    dir.assert_same("a.npy", "b.npy");
}
