//! `--dry-run`: the layers and parameter counts of the presets.

use safetensors::SafeTensors;

use crate::harness::TestDir;

/// Name, parameters, and a tensor that the model has.
const PRESETS: [(&str, usize, &str); 7] = [
    ("mlp-400-20", 652_824, "encoder.0.weight"),
    ("conv-20", 122_153, "encoder.0.weight"),
    ("mlp-512-256-2", 1_068_820, "encoder.0.weight"),
    ("cvae-prior", 665_964, "encoder.0.weight"),
    ("ae-20", 438_180, "encoder.0.weight"),
    ("vae-64-10", 437_540, "encoder.0.weight"),
    ("pca-20", 16_464, "components"),
];

#[test]
fn a_dry_run_shows_layers_and_parameters_and_writes_nothing() {
    let dir = TestDir::new();
    for (preset, parameters, tensor) in PRESETS {
        let line = format!("mnist-dump --synthetic=1 | vae-train --preset {preset} --dry-run");
        let output = dir.pipe(&line).succeeds();
        let total = output.text().lines().find(|line| line.starts_with("total")).expect("a total");
        assert_eq!(total.split_whitespace().last(), Some(parameters.to_string().as_str()), "{output}");
        assert!(output.text().contains(tensor), "{output}");
        assert_eq!(dir.files(), [""; 0]);
    }
}

#[test]
fn a_model_file_holds_the_parameters_of_its_preset() {
    let dir = TestDir::new();
    for (preset, parameters, tensor) in PRESETS {
        let epochs = if preset == "pca-20" { "" } else { "--epochs 1" };
        dir.pipe(&format!("mnist-dump --synthetic=20 | vae-train --preset {preset} {epochs} -o model.bin")).succeeds();
        let bytes = dir.read("model.bin");
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        assert!(file.names().contains(&tensor), "{preset}");
        let counts = file.tensors().into_iter().map(|(_, tensor)| tensor.shape().iter().product::<usize>());
        assert_eq!(counts.sum::<usize>(), parameters, "{preset}");
    }
}

#[test]
fn options_change_what_the_preset_says() {
    let dir = TestDir::new();
    let line = "mnist-dump --synthetic=1 | vae-train --dry-run --hidden 10,5 --latent 2 --batch 7 --lr 0.5 --epochs 3";
    let output = dir.pipe(line).succeeds();
    let parameters = (784 * 10 + 10) + (10 * 5 + 5) + 2 * (5 * 2 + 2) + (2 * 5 + 5) + (5 * 10 + 10) + (10 * 784 + 784);
    for part in [&parameters.to_string(), "lr 0.5", "batches of 7", "3 epochs"] {
        assert!(output.text().contains(part), "expected {part}\n{output}");
    }
}

#[test]
fn a_dry_run_shows_images_of_their_own_size() {
    let dir = TestDir::new();
    dir.write_npy("images.npy", &ndarray::Array3::<u8>::zeros((1, 20, 16)));
    let output = dir.run("vae-train --dry-run images.npy").succeeds();
    assert!(output.text().contains("images 20 x 16"), "{output}");
}
