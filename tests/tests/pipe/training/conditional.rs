//! Conditional models: their labels, and errors of labels and options.

use ndarray::{Array1, Array3};

use crate::harness::TestDir;

const CONDITIONAL: &str = "--hidden 16 --latent 3 --classes 10 --prior 8";

fn with_conditional() -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=100 -o digits.vae").succeeds();
    dir.run(&format!("vae-train digits.vae {CONDITIONAL} --epochs 1 -o model.bin > r.jsonl")).succeeds();
    dir.run("vae-cat digits.vae --npy x > x.npy").succeeds();
    dir
}

#[test]
fn missing_labels_are_named_with_what_to_do() {
    let dir = with_conditional();
    let words = ["there are no labels", "expected a tensor y", "mnist-dump", "y=labels.npy"];
    dir.run(&format!("vae-train x.npy {CONDITIONAL} -o other.bin")).fails(65, "vae-train", &words);
    dir.run("vae-encode -m model.bin x.npy -o z.vae").fails(65, "vae-encode", &words);
    dir.run("vae-eval -m model.bin x.npy").fails(65, "vae-eval", &words);
    dir.run("echo '{\"z\":[0,0,0]}' | vae-decode -m model.bin -o out").fails(65, "vae-decode", &words);
    assert!(!dir.path("other.bin").exists() && !dir.path("z.vae").exists() && !dir.path("out").exists());
}

#[test]
fn labels_that_are_no_class_are_refused_and_named() {
    let dir = with_conditional();
    dir.write_npy("bad.npy", &Array1::from_iter((0..100).map(|i| if i == 57 { 10u8 } else { 3 })));
    dir.run("vae-cat x=x.npy y=bad.npy -o bad.vae").succeeds();
    let words = ["the label of item 57 is 10", "expected 0 to 9", "a model of vae-train --classes 11 or more has it"];
    dir.run(&format!("vae-train bad.vae {CONDITIONAL} -o other.bin")).fails(65, "vae-train", &words);
    dir.run("vae-encode -m model.bin bad.vae -o z.vae").fails(65, "vae-encode", &words);
    let line = "echo '{\"z\":[0,0,0],\"y\":10}' | vae-decode -m model.bin -o out";
    dir.run(line).fails(65, "vae-decode", &["the label of item 0 is 10", "expected 0 to 9"]);
    dir.write_npy("wide.npy", &Array3::<u8>::zeros((100, 2, 1)));
    dir.run("vae-cat x=x.npy y=wide.npy -o wide.vae").succeeds();
    dir.run("vae-encode -m model.bin wide.vae -o z.vae").fails(
        65,
        "vae-encode",
        &["tensor y: expected one number for each item, got items [2, 1]"],
    );
}

#[test]
fn any_number_of_classes_will_do() {
    let dir = with_conditional();
    dir.write_npy("y.npy", &Array1::from_iter((0..100).map(|i| (i % 37) as i64)));
    dir.run("vae-cat x=x.npy y=y.npy -o own.vae").succeeds();
    dir.run("vae-train own.vae --classes 37 --hidden 8 --epochs 1 -o own.bin > r.jsonl").succeeds();
    let line = "vae-encode -m own.bin own.vae | vae-decode | vae-cat --check";
    assert_eq!(dir.pipe(line).succeeds().json()["items"], 100);
}

#[test]
fn the_label_decides_what_is_decoded() {
    let dir = with_conditional();
    let decode = |y: u8| {
        let line = format!("echo '{{\"z\":[0.5,-1,0],\"y\":{y}}}' | vae-decode -m model.bin --npy x_hat > {y}.npy");
        dir.run(&line).succeeds();
    };
    (1..=2).for_each(decode);
    dir.assert_differ("1.npy", "2.npy");
}

#[test]
fn options_that_make_no_model_are_refused_before_any_data_is_read() {
    let dir = TestDir::new();
    for (options, words) in [
        ("--preset mlp-400-21", &["mlp-400-20", "similar"][..]),
        ("--hidden 10 --conv 10", &["--hidden", "--conv"]),
        ("--conv 0", &["--conv"]),
        ("--activation sin", &["relu, leaky-relu"]),
        ("--activation relu,relu,relu", &["--activation", "got 3"]),
        ("--activation leaky-relu:2", &["slope"]),
        ("--prior 100", &["--prior", "--classes"]),
        ("--classes 0", &["--classes is 0"]),
        ("--classes 300", &["--classes is 300", "256"]),
        ("--sigma 0.1", &["--sigma", "--likelihood gaussian"]),
        ("--likelihood gaussian --sigma 0", &["--sigma is 0"]),
        ("--likelihood gaussian --sigma wide", &["expected a number, or learned"]),
        ("--preset ae-20 --beta 1", &["no KL", "--beta"]),
        ("--autoencoder --samples 2", &["--samples"]),
        ("--kl-warmup=-1", &["--kl-warmup"]),
        ("--binarize maybe", &["threshold"]),
    ] {
        let line = format!("vae-train {options} -o model.bin < /dev/null");
        let output = dir.run(&line);
        assert_eq!(output.codes, [2], "{output}");
        assert!(output.stderr.starts_with("vae-train: "), "{output}");
        words.iter().for_each(|word| assert!(output.stderr.contains(word), "expected {word:?}\n{output}"));
        assert_eq!(dir.files(), [""; 0]);
    }
}

#[test]
fn what_a_code_that_is_a_point_has_not_is_refused() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=20 -o digits.vae").succeeds();
    dir.run("vae-train digits.vae --preset ae-20 --epochs 1 -o ae.bin > r.jsonl").succeeds();
    dir.run("vae-encode -m ae.bin digits.vae --sample -o z").fails(2, "vae-encode", &["is a point", "--sample"]);
    dir.run("vae-encode -m ae.bin digits.vae --emit z,logvar -o z").fails(2, "vae-encode", &["--emit logvar"]);
    dir.run("vae-sample -m ae.bin -o z").fails(2, "vae-sample", &["no prior"]);
}
