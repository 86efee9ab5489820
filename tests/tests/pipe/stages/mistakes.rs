//! What people do by mistake: a name of another format, an output over an input, two runs with one name, images of other
//! units.

use ndarray::{Array1, Array2, Array3};

use crate::harness::{MODEL, TestDir};

fn with_digits() -> TestDir {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=20 -o digits.vae").succeeds();
    dir
}

#[test]
fn a_name_that_promises_another_format_is_told_with_the_option_that_writes_it() {
    let dir = with_digits();
    for (line, words) in [
        ("vae-encode -m model.bin digits.vae -o z.npy", &["z.npy is written as a stream", "--npy NAME"][..]),
        ("vae-cat digits.vae -o d.jsonl", &["d.jsonl is written as a stream", "--jsonl"]),
        ("vae-cat digits.vae --npy x -o x.csv", &["x.csv is written as a .npy"]),
        ("grid-png digits.vae -o grid.jpg", &["grid.jpg is written as a PNG"]),
        ("vae-model export model.bin -o w.pt", &["w.pt is written as safetensors", "safetensors.torch.load_file"]),
        ("vae-model page -m model.bin -o page.pdf", &["page.pdf is written as HTML"]),
    ] {
        dir.run(line).reports(line.split(' ').next().expect("a program"), words);
    }
    for line in [
        "vae-encode -m model.bin digits.vae --npy z -o z.npy",
        "vae-cat digits.vae --jsonl -o d.jsonl",
        "vae-model export model.bin -o w.npz",
        "vae-model info model.bin -o info.json",
        "vae-eval -m model.bin digits.vae -o eval.jsonl",
    ] {
        dir.run(line).succeeds();
    }
}

#[test]
fn a_model_is_written_neither_over_its_images_nor_over_another_input() {
    let dir = with_digits();
    dir.run("ln -s digits.vae link.vae; ln digits.vae hard.vae").succeeds();
    for line in [
        format!("vae-train {MODEL} digits.vae -o digits.vae"),
        format!("vae-train {MODEL} digits.vae -o hard.vae"),
        format!("vae-train {MODEL} link.vae -o digits.vae"),
        format!("vae-train {MODEL} -o digits.vae < digits.vae"),
        format!("vae-train {MODEL} model.bin --test digits.vae -o digits.vae"),
        format!("vae-train {MODEL} digits.vae --checkpoint digits.vae -o new.bin"),
        "vae-encode -m model.bin digits.vae -o model.bin".to_owned(),
        "vae-eval -m model.bin digits.vae -o model.bin".to_owned(),
        "vae-sample -m model.bin -n 4 -o model.bin".to_owned(),
        "vae-sample -m model.bin -n 4 | vae-decode -o model.bin".to_owned(),
        "vae-model export model.bin -o model.bin".to_owned(),
        "vae-model page -m model.bin -o model.bin".to_owned(),
        "vae-model info model.bin -o model.bin".to_owned(),
        "vae-model verify model.bin -o model.bin".to_owned(),
        "vae-model import model.bin -o model.bin".to_owned(),
    ] {
        let (model, digits) = (dir.read("model.bin"), dir.read("digits.vae"));
        let output = dir.run(&line);
        assert!(output.codes == [2] && output.stderr.contains("is an input too"), "{output}");
        assert!(dir.read("model.bin") == model && dir.read("digits.vae") == digits, "{line}");
    }
    dir.run("vae-cat digits.vae -o digits.vae").succeeds();
}

#[test]
fn a_checkpoint_has_as_many_digits_as_its_name_says_and_other_braces_are_refused() {
    let dir = with_digits();
    let train = format!("vae-train {MODEL} digits.vae -o new.bin");
    dir.run(&format!("{train} --epochs 2 --checkpoint 'c-{{epoch:03}}.ckpt' > losses.jsonl")).succeeds();
    assert!(dir.path("c-001.ckpt").exists() && dir.path("c-002.ckpt").exists());
    dir.run(&format!("{train} --epochs 3 --checkpoint 'c-{{epoch:03}}.ckpt' --resume > losses.jsonl")).succeeds();
    assert!(dir.path("c-003.ckpt").exists());
    for name in ["c{}.ckpt", "c{epoch:02d}.ckpt", "c{step}.ckpt", "c{epoch}{epoch}.ckpt", "c{epoch", "c}"] {
        let output = dir.run(&format!("{train} --checkpoint '{name}'"));
        output.fails(2, "vae-train", &["expected {epoch} or {epoch:03} between braces, once"]);
    }
    dir.run(&format!("vae-train {MODEL} digits.vae -o 'm{{epoch}}.bin'")).fails(2, "vae-train", &["--checkpoint"]);
}

#[test]
fn an_empty_file_is_no_checkpoint_of_an_earlier_run() {
    let dir = with_digits();
    let train = format!("vae-train {MODEL} --epochs 1 digits.vae -o new.bin --checkpoint made.ckpt > losses.jsonl");
    dir.run(&format!(": > made.ckpt; {train}")).succeeds();
    dir.run(&train).reports("vae-train", &["made.ckpt is of an earlier run and will be replaced"]);
}

#[test]
fn two_runs_with_one_output_are_told() {
    let dir = with_digits();
    // The FIFO opens once vae-train has looked at its outputs.
    for name in ["new.bin", "new.bin.ckpt"] {
        let other = format!("(exec 3> images; cp model.bin {name}; cat digits.vae >&3) &");
        let train = format!("vae-train {MODEL} --epochs 2 images -o new.bin > losses.jsonl");
        let output = dir.run(&format!("rm -f new.bin images; mkfifo images; {other} {train}"));
        assert_eq!(output.codes, [0], "{output}");
        output.reports("vae-train", &[name, "was written by another program since this one began"]);
    }
}

#[test]
fn nearly_black_bytes_are_told_with_what_makes_them_brighter() {
    let dir = with_digits();
    dir.write_npy("masks.npy", &Array3::<u8>::from_shape_fn((4, 28, 28), |(n, y, x)| ((n + y + x) % 6) as u8));
    let words = ["the brightest byte is 5, and white is 255"];
    dir.run("grid-png masks.npy > a.png").reports("grid-png", &[&words[..], &["--normalize --range 0,5"]].concat());
    dir.run("grid-png --normalize --range 0,5 masks.npy > a.png").succeeds();
    let train = format!("vae-train {MODEL} --epochs 1 masks.npy -o new.bin > losses.jsonl");
    dir.run(&train).reports("vae-train", &[&words[..], &["multiply them by 51"]].concat());
    dir.write_npy("black.npy", &Array3::<u8>::zeros((4, 28, 28)));
    dir.run("grid-png black.npy > a.png").succeeds();
}

#[test]
fn a_pixel_that_cannot_be_is_named_with_its_remedy() {
    let dir = TestDir::with_model();
    let floats = |name: &str, at: [usize; 3], value: f32, rest: f32| {
        let mut images = Array3::<f32>::from_elem((300, 28, 28), rest);
        images[at] = value;
        dir.write_npy(name, &images);
    };
    floats("nan.npy", [270, 4, 5], f32::NAN, 0.5);
    floats("signed.npy", [0, 0, 1], -1.0, 0.5);
    floats("near.npy", [0, 0, 1], 1.0005, 0.5);
    floats("bytes.npy", [0, 0, 1], 255.0, 0.5);
    let mut deep = Array3::<u16>::zeros((300, 28, 28));
    deep[[280, 3, 2]] = 65535;
    dir.write_npy("deep.npy", &deep);
    for (name, words) in [
        ("nan", &["pixel [4, 5] of image 270 is NaN", "numpy.nan_to_num"][..]),
        ("deep", &["pixel [3, 2] of image 280 is 65535", "(x // 257).astype('u1')", "x / 65535"]),
        ("signed", &["pixel [0, 1] of image 0 is -1", "(x + 1) / 2"]),
        ("near", &["pixel [0, 1] of image 0 is 1.0005", "numpy.clip(x, 0, 1)"]),
        ("bytes", &["pixel [0, 1] of image 0 is 255", "divide them by 255"]),
    ] {
        dir.run(&format!("vae-eval -m model.bin {name}.npy")).fails(65, "vae-eval", words);
    }
    for name in ["nan", "deep"] {
        dir.run(&format!("grid-png --max 0 {name}.npy > a.png")).fails(65, "grid-png", &["of image 2"]);
    }
}

#[test]
fn an_array_of_one_latent_is_one_item() {
    let dir = TestDir::with_model();
    let z = Array1::<f32>::from_vec(vec![0.5, -1.0, 0.25, 2.0]);
    dir.write_npy("one.npy", &z);
    dir.write_npy("rows.npy", &Array2::from_shape_vec((1, 4), z.to_vec()).expect("a row"));
    dir.run("vae-decode -m model.bin one.npy --npy x_hat > a; vae-decode -m model.bin rows.npy --npy x_hat > b")
        .succeeds();
    dir.assert_same("a", "b");
}

#[test]
fn labels_of_another_name_are_named() {
    let dir = with_digits();
    dir.run(
        "vae-encode -m model.bin digits.vae -o z.vae; vae-cat z.vae --npy z > z.npy; vae-cat z.vae --npy y > y.npy",
    )
    .succeeds();
    let words = ["no labels y, but target", "--by target"];
    dir.pipe("vae-cat z=z.npy target=y.npy | vae-plot latent -o a.png").reports("vae-plot", &words);
    dir.pipe("vae-cat z=z.npy target=y.npy | vae-plot latent --by target -o a.png").succeeds();
    dir.run("vae-plot latent z.npy -o a.png").succeeds();
}

#[test]
fn text_of_other_programs_is_named() {
    let dir = with_digits();
    dir.run("sed 's/$/\\r/' digits.vae > crlf; (cat digits.vae | vae-cat --npy x; echo) > newline.npy").succeeds();
    dir.run("printf '\\377\\376{\\0\"\\0' > utf16; mkdir folder").succeeds();
    for (file, words) in [
        ("crlf", &["the stream is damaged", "binary mode"][..]),
        ("newline.npy", &["bytes after the array that begin with \"\\n\""]),
        ("utf16", &["UTF-16 text", "PowerShell"]),
    ] {
        dir.run(&format!("vae-cat --check {file}")).fails(65, "vae-cat", words);
    }
    dir.run("vae-cat --check folder").fails(66, "vae-cat", &["folder: expected a file, got a folder"]);
    dir.run(r#"printf '\036{"z":[1,2]}\n\036{"z":[3,4]}\n' | vae-cat --npy z > z.npy"#).succeeds();
    assert_eq!(dir.npy::<f32>("z.npy").len(), 4);
}

#[test]
fn an_option_whose_value_follows_an_equals_sign_is_told() {
    let dir = TestDir::new();
    let output = dir.run("mnist-dump --synthetic 100");
    assert!(output.codes == [2] && output.stderr.contains("--synthetic=100"), "{output}");
    dir.run("vae-cat x=").fails(2, "vae-cat", &["no file after x=: expected x=FILE"]);
}
