//! Errors of input, exit codes 65 and 66, and of usage, exit code 2.

use ndarray::{Array1, Array2, Array3};

use crate::harness::{MODEL, TOOLS, TestDir};

/// The programs that take images, each with its options, by the name of their input.
fn image_readers(input: &str) -> [String; 2] {
    [format!("vae-encode -m model.bin {input} -o out"), format!("vae-train {MODEL} {input} -o out")]
}

/// Asserts exit code 65 of every command line, one error line with these words, and no new file.
fn refused(dir: &TestDir, lines: impl IntoIterator<Item = String>, words: &[&str]) {
    let before = dir.files();
    for line in lines {
        let tool = line.split(' ').next().expect("a program");
        dir.run(&line).fails(65, tool, words);
        assert_eq!(dir.files(), before, "{line}");
    }
}

fn grey(value: f32) -> Array3<f32> {
    let mut images = Array3::from_elem((4, 28, 28), 0.5);
    images[[2, 3, 5]] = value;
    images
}

#[test]
fn images_outside_0_to_1_are_refused_and_the_pixel_named() {
    let dir = TestDir::with_model();
    for (value, shown) in [(1.5, "1.5"), (-0.1, "-0.1"), (255.0, "255"), (f32::INFINITY, "inf")] {
        dir.write_npy("images.npy", &grey(value));
        refused(&dir, image_readers("images.npy"), &["pixel [3, 5] of image 2 is", shown, "expected [0, 1]", "uint8"]);
    }
}

#[test]
fn pixels_that_are_not_numbers_are_refused() {
    let dir = TestDir::with_model();
    dir.write_npy("images.npy", &grey(f32::NAN));
    refused(&dir, image_readers("images.npy"), &["NaN"]);
    refused(&dir, ["grid-png images.npy -o out".to_owned()], &["NaN"]);
}

#[test]
fn whole_numbers_that_are_no_bytes_are_refused() {
    let dir = TestDir::with_model();
    for value in [256, -1] {
        let mut images = Array3::<i64>::zeros((4, 28, 28));
        images[[2, 3, 5]] = value;
        dir.write_npy("images.npy", &images);
        refused(&dir, image_readers("images.npy"), &["whole numbers from 0 to 255", &value.to_string()]);
    }
}

#[test]
fn images_of_another_size_than_the_models_are_refused() {
    let dir = TestDir::with_model();
    dir.write_npy("images.npy", &Array3::<u8>::zeros((4, 20, 16)));
    refused(&dir, ["vae-encode -m model.bin images.npy -o out".to_owned()], &["28", "20", "16"]);
    dir.run("mnist-dump --synthetic=4 -o digits.vae").succeeds();
    let test = format!("vae-train {MODEL} digits.vae --test images.npy -o out");
    refused(&dir, [test], &["test images", "[20, 16]", "[28, 28]"]);
}

#[test]
fn latents_of_another_width_than_the_models_are_refused() {
    let dir = TestDir::with_model();
    dir.write_npy("z.npy", &Array2::<f32>::zeros((3, 5)));
    refused(&dir, ["vae-decode -m model.bin z.npy -o out".to_owned()], &["z has 5 dimensions", "expected 4"]);
    dir.write_npy("z.npy", &Array1::<f32>::zeros(3));
    refused(&dir, ["vae-decode -m model.bin z.npy -o out".to_owned()], &["expected latents [N, Z]"]);
}

#[test]
fn latents_that_are_not_finite_are_refused() {
    let dir = TestDir::with_model();
    for (value, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let mut z = Array2::<f32>::zeros((3, 4));
        z[[1, 2]] = value;
        dir.write_npy("z.npy", &z);
        refused(&dir, ["vae-decode -m model.bin z.npy -o out".to_owned()], &["item 1", shown]);
    }
}

#[test]
fn a_stream_without_images_or_latents_names_what_there_is() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=4 -o digits.vae; vae-encode -m model.bin digits.vae -o z.vae").succeeds();
    refused(&dir, image_readers("z.vae"), &["no tensor x", "y, i, z"]);
    refused(&dir, ["vae-decode digits.vae -o out".to_owned()], &["no tensor z", "x, y, i"]);
    refused(&dir, ["grid-png z.vae -o out".to_owned()], &["no images", "vae-decode"]);
    refused(&dir, ["vae-plot latent digits.vae -o out".to_owned()], &["no tensor z", "x, y, i"]);
    refused(&dir, ["vae-plot loss digits.vae -o out".to_owned()], &["digits.vae", "no epochs", "vae-train"]);
}

#[test]
fn a_stream_without_items_is_good_but_neither_trains_nor_shows_anything() {
    let dir = TestDir::with_model();
    let line = "mnist-dump --synthetic=100 -n 0 | vae-encode -m model.bin --keep x | vae-decode | tee empty.vae | vae-cat --check";
    assert_eq!(dir.pipe(line).succeeds().json()["items"], 0);
    refused(&dir, [format!("vae-train {MODEL} empty.vae -o out")], &["no images"]);
    refused(&dir, ["grid-png empty.vae -o out".to_owned()], &["no images", "no items at all"]);
}

#[test]
fn files_of_other_kinds_are_told_by_their_first_bytes() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=4 -o digits.vae; grid-png digits.vae -o a.png; gzip -c digits.vae > a.gz")
        .succeeds();
    dir.write("a.idx", [0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 28, 0, 0, 0, 28]);
    dir.write("a.zip", b"PK\x03\x04abcdefgh");
    dir.write("a.pkl", b"\x80\x04\x95abcdefgh");
    dir.write("a.txt", "some text\n");
    for (name, words) in [
        ("a.png", ["PNG", "image-dump"]),
        ("a.gz", ["gzip", "gzip -dc"]),
        ("a.idx", ["IDX", "mnist-dump --data"]),
        ("a.zip", ["zip", "numpy.save"]),
        ("a.pkl", ["pickle", "numpy.save"]),
        ("a.txt", ["some te", "expected a stream, .npy or newline JSON"]),
        ("model.bin", ["model", "-m"]),
    ] {
        refused(&dir, image_readers(name), &[name, words[0], words[1]]);
        refused(
            &dir,
            ["vae-cat", "grid-png", "vae-plot latent"].map(|tool| format!("{tool} {name} -o out")),
            &[name, words[0], words[1]],
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_66() {
    let dir = TestDir::with_model();
    for line in [
        "vae-encode -m model.bin no.vae",
        "vae-decode no.vae",
        "vae-cat no.vae",
        "grid-png no.vae",
        "vae-plot loss no.vae",
        "vae-plot latent no.vae",
        "vae-train -o m no.vae",
    ] {
        let tool = line.split(' ').next().expect("a program");
        dir.run(line).fails(66, tool, &["no.vae", "no such file"]);
    }
}

#[test]
fn without_data_mnist_dump_names_the_three_ways_to_get_some() {
    let dir = TestDir::new();
    dir.run("mnist-dump").fails(66, "mnist-dump", &["--data", "MNIST_DIR", "--download", "--synthetic"]);
}

#[test]
fn flags_that_are_not_known_are_2() {
    let dir = TestDir::with_model();
    for tool in TOOLS {
        let output = dir.run(&format!("{tool} --no-such-flag < /dev/null"));
        assert_eq!(output.codes, [2], "{output}");
        assert!(
            output.stderr.starts_with(&format!("{tool}: ")) && output.stderr.contains("--no-such-flag"),
            "{output}"
        );
        assert!(output.stdout.is_empty(), "{output}");
    }
}

#[test]
fn values_that_make_no_sense_are_2() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=4 -o digits.vae").succeeds();
    for line in [
        "mnist-dump --synthetic --batch 0",
        "mnist-dump --synthetic --shard 3/2",
        "mnist-dump --synthetic --npy z",
        "vae-train digits.vae",
        "vae-train digits.vae -o m --preset no-such-preset",
        "vae-train digits.vae -o m --hidden 0",
        "vae-train digits.vae -o m --lr -1",
        "vae-train digits.vae -o m --batch 0",
        "vae-train digits.vae -o m --samples 0",
        "vae-train digits.vae -o m --every 0",
        "vae-train digits.vae -o m --checkpoint m",
        "vae-train digits.vae -o -",
        "vae-train digits.vae -o m --checkpoint -",
        "vae-encode digits.vae",
        "vae-encode -m model.bin --emit nothing digits.vae",
        "vae-encode -m model.bin --npy nothing digits.vae",
        "vae-sample -m model.bin --batch 0",
        "vae-cat --batch 0 digits.vae",
        "vae-cat x=digits.vae digits.vae",
        "grid-png --nrow 0 digits.vae",
        "grid-png -o {epoch}.png digits.vae",
        "vae-plot digits.vae",
        "vae-plot latent --dims 1 digits.vae",
        "vae-plot loss --size 9x9 digits.vae",
        "vae-plot loss -o losses.pdf digits.vae",
    ] {
        let output = dir.run(line);
        assert_eq!(output.codes, [2], "{output}");
        let tool = line.split(' ').next().expect("a program");
        assert!(output.stderr.starts_with(&format!("{tool}: ")), "{output}");
        assert!(output.stdout.is_empty(), "{output}");
    }
    assert_eq!(dir.files(), ["digits.vae", "model.bin"]);
}

#[test]
fn every_program_tells_its_version_and_what_it_is_for() {
    let dir = TestDir::new();
    for tool in TOOLS {
        assert_eq!(dir.run(&format!("{tool} --version")).succeeds().text(), format!("{tool} 0.1.0\n"));
        let help = dir.run(&format!("{tool} --help")).succeeds();
        for part in ["Usage: ", tool, "--output", "emory", "ead"] {
            assert!(help.text().contains(part), "expected {part:?}\n{help}");
        }
    }
}

#[test]
fn weights_that_are_not_finite_at_the_end_are_no_model() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=100 -o d.vae").succeeds();
    dir.run("vae-train --hidden 8 --latent 2 --batch 100 --epochs 1 --lr 1e38 d.vae -o m.bin > losses.jsonl").fails(
        1,
        "vae-train",
        &["not finite at step 1", "try a smaller --lr"],
    );
    assert!(!dir.path("m.bin").exists());
}

#[test]
fn an_index_that_is_not_one_number_for_each_item_is_refused() {
    let dir = TestDir::with_model();
    let z = r#"'{"z":[0,0,0,0],"i":[0,1]}'"#;
    dir.run(&format!("echo {z} | vae-decode -m model.bin --bernoulli > x.vae")).fails(65, "vae-decode", &["tensor i"]);
    let x = r#"'{"x":[[0,255],[255,0]],"i":[0,1]}'"#;
    dir.run(&format!("echo {x} | vae-train -o m.bin > losses.jsonl")).fails(65, "vae-train", &["tensor i"]);
}

#[test]
fn whole_numbers_of_0_and_1_alone_are_not_taken_for_almost_black() {
    let dir = TestDir::new();
    dir.write_npy("mask.npy", &ndarray::array![[[0u8, 1], [1, 0]]]);
    dir.run("vae-train mask.npy -o m.bin > losses.jsonl").fails(65, "vae-train", &["0 and 1 alone", "bool"]);
}

#[test]
fn options_are_judged_before_any_image_is_read() {
    let dir = TestDir::new();
    dir.run("mkfifo silent").succeeds();
    for (options, words) in [
        ("-o m.bin --lr=-1", "--lr is -1"),
        ("-o m.bin --latent 0", "--latent"),
        ("-o m.bin --test nowhere", "no such file"),
        ("-o m.bin --test -", "file or FIFO"),
    ] {
        // An input that neither sends a byte nor ends.
        let output = dir.run(&format!("timeout 60 vae-train {options} 0<> silent > losses.jsonl"));
        assert!(output.stderr.contains(words), "{options}: {}", output.stderr);
    }
    let output = dir.run("vae-train --preset mlp-400-2 -o m.bin < /dev/null");
    assert!(output.codes == [2] && output.stderr.contains("mlp-400-20"), "{}", output.stderr);
    let output = dir.run("vae-train --dry-run < /dev/null").succeeds();
    assert!(output.text().contains("652824"), "{}", output.text());
}

#[test]
fn a_name_to_keep_that_is_not_there_is_refused() {
    let dir = TestDir::with_model();
    let dump = "mnist-dump --synthetic=10";
    dir.run(&format!("{dump} | vae-encode -m model.bin --keep w > z.vae")).fails(65, "vae-encode", &["no tensor w"]);
}

#[test]
fn a_run_with_previews_that_fails_says_so_in_its_stream() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=100 -o d.vae").succeeds();
    let line = "vae-train --hidden 8 --latent 2 --batch 50 --lr 1e30 --preview 4 d.vae -o m.bin | vae-cat --check";
    let output = dir.run(line);
    assert!(output.codes == [65] && output.stderr.contains("vae-train failed: "), "{}", output.stderr);
}
