//! How vae-decode locates the model of its latents, and its errors.

use crate::harness::{MODEL, SplitMix64, TestDir};

/// Latents that name `model.bin`, and a second model.
fn with_latents() -> TestDir {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=20 -o digits.vae; vae-encode -m model.bin digits.vae -o z.vae").succeeds();
    dir.run(&format!("vae-train {MODEL} --epochs 1 --seed 9 digits.vae -o other.bin > losses.jsonl")).succeeds();
    dir
}

#[test]
fn a_model_embedded_in_the_stream_needs_no_file() {
    let dir = with_latents();
    dir.run("vae-decode z.vae --npy x_hat > expected.npy").succeeds();
    dir.run("vae-encode -m model.bin --embed-model digits.vae -o embedded.vae").succeeds();
    dir.run("vae-sample -m model.bin --embed-model -n 3 -o samples.vae").succeeds();
    dir.run("vae-sample -m model.bin -n 3 | vae-decode --npy x_hat > samples.npy; rm model.bin").succeeds();
    dir.pipe("cat embedded.vae | vae-decode --npy x_hat > got.npy").succeeds();
    dir.assert_same("expected.npy", "got.npy");
    dir.run("vae-decode samples.vae --npy x_hat > got.npy").succeeds();
    dir.assert_same("samples.npy", "got.npy");
}

#[test]
fn an_embedded_model_passes_through_and_joins() {
    let dir = with_latents();
    dir.run("vae-encode -m model.bin --embed-model digits.vae -o embedded.vae; rm model.bin").succeeds();
    let line = "cat embedded.vae embedded.vae | vae-cat --batch 3 | vae-decode | vae-cat --check";
    assert_eq!(dir.pipe(line).succeeds().json()["items"], 40);
}

#[test]
fn a_model_from_a_pipe_is_sent_in_the_stream() {
    let dir = with_latents();
    dir.run("vae-decode z.vae --npy x_hat > expected.npy").succeeds();
    let line = "vae-encode -m <(cat model.bin) digits.vae | vae-decode --npy x_hat > got.npy";
    dir.pipe(line).succeeds();
    dir.assert_same("expected.npy", "got.npy");
    dir.pipe("vae-sample -m <(cat model.bin) | vae-decode | grid-png -o out.png").succeeds();
}

#[test]
fn a_model_that_moved_with_its_latents_is_found_beside_them() {
    let dir = with_latents();
    dir.run("mkdir new && mv model.bin z.vae new && cd new && vae-decode z.vae | grid-png -o out.png").succeeds();
    assert_eq!(dir.png("new/out.png"), [242, 92]);
}

#[test]
fn a_model_that_is_gone_is_66_and_names_what_was_tried() {
    let dir = with_latents();
    dir.run("rm model.bin && mkdir empty").succeeds();
    let tried = format!("{} is not there", dir.path("model.bin").display());
    let words = [tried.as_str(), "model.bin is not there", "-m MODEL", "--embed-model"];
    dir.run("cd empty && vae-decode ../z.vae -o x_hat.vae").fails(66, "vae-decode", &words);
    assert!(!dir.path("empty/x_hat.vae").exists());
}

#[test]
fn a_model_rewritten_between_the_stages_is_66_and_told_as_such() {
    let dir = with_latents();
    dir.run("cp other.bin model.bin").succeeds();
    dir.run("vae-decode z.vae").fails(66, "vae-decode", &["model.bin has changed since the latents were made"]);
}

#[test]
fn another_model_than_the_latents_is_65_and_names_both_hashes() {
    let dir = with_latents();
    let hash = |name: &str| dir.run(&format!("sha256sum < {name} | cut -c 1-64")).succeeds().text().trim().to_owned();
    let (model, other) = (hash("model.bin"), hash("other.bin"));
    let words = ["other.bin is not the model that made these latents", &model, &other];
    dir.run("vae-decode -m other.bin z.vae").fails(65, "vae-decode", &words);
    dir.run("vae-decode -m model.bin z.vae | grid-png -o right.png").succeeds();
}

#[test]
fn a_model_that_is_not_there_is_66() {
    let dir = with_latents();
    for line in ["vae-encode -m no.bin digits.vae", "vae-sample -m no.bin", "vae-decode -m no.bin z.vae"] {
        let tool = line.split(' ').next().expect("a tool");
        dir.run(&format!("{line} -o out.vae")).fails(66, tool, &["no.bin", "no such model", "vae-train -o no.bin"]);
        assert!(!dir.path("out.vae").exists());
    }
}

#[test]
fn latents_without_a_model_ask_for_one() {
    let dir = with_latents();
    dir.run("vae-cat z.vae --npy z > z.npy").succeeds();
    dir.run("vae-decode z.npy").fails(2, "vae-decode", &["names no model", "-m MODEL"]);
}

#[test]
fn what_is_no_model_is_65() {
    let dir = with_latents();
    dir.write("text.bin", "a text\n");
    dir.write("empty.bin", "");
    dir.run("grid-png digits.vae -o picture.png; head -c 100000 model.bin > cut.bin").succeeds();
    dir.run("(cat model.bin; echo) > long.bin").succeeds();
    for name in ["text.bin", "empty.bin", "picture.png", "cut.bin", "long.bin", "digits.vae"] {
        let words = [name];
        dir.run(&format!("vae-encode -m {name} digits.vae -o out.vae")).fails(65, "vae-encode", &words);
        dir.run(&format!("vae-sample -m {name} -o out.vae")).fails(65, "vae-sample", &words);
        dir.run(&format!("vae-decode -m {name} z.vae -o out.vae")).fails(65, "vae-decode", &words);
        assert!(!dir.path("out.vae").exists(), "{name}");
    }
}

#[test]
fn a_bit_flipped_in_a_model_is_65() {
    let dir = with_latents();
    let (good, mut random) = (dir.read("model.bin"), SplitMix64(1));
    // Half of the flips go to the header, by far the smaller part.
    for most in [good.len(), 2000].repeat(50) {
        let (byte, bit) = (random.below(most), random.below(8));
        let mut bad = good.clone();
        bad[byte] ^= 1 << bit;
        dir.write("bad.bin", bad);
        let output = dir.run("vae-sample -m bad.bin -o out.vae");
        assert_eq!(output.codes, [65], "bit {bit} of byte {byte} flipped\n{output}");
        output.reports("vae-sample", &["bad.bin"]);
        assert!(!dir.path("out.vae").exists());
    }
}

#[test]
fn a_checkpoint_is_a_model_too() {
    let dir = with_latents();
    let options = "--epochs 2 --checkpoint 'at-{epoch}.ckpt' -o m.bin";
    dir.run(&format!("vae-train {MODEL} digits.vae {options} > losses.jsonl")).succeeds();
    for name in ["at-1.ckpt", "at-2.ckpt"] {
        let line = format!("vae-encode -m {name} digits.vae | vae-decode | grid-png -o {name}.png");
        dir.pipe(&line).succeeds();
    }
    let latents = |name: &str| dir.run(&format!("vae-encode -m {name} digits.vae --npy z")).succeeds().stdout;
    assert_eq!(latents("at-2.ckpt"), latents("m.bin"));
    assert_ne!(latents("at-1.ckpt"), latents("m.bin"));
}
