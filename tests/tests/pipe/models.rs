//! How a decoder finds the model of its latents, and what it says when it cannot.

use crate::given::Draws;
use crate::{MODEL, Place};

/// Latents that name `model.bin`, and a second model.
fn with_latents() -> Place {
    let place = Place::with_model();
    place.run("mnist-dump --synthetic=20 -o digits.vae; vae-encode -m model.bin digits.vae -o z.vae").succeeds();
    place.run(&format!("vae-train {MODEL} --epochs 1 --seed 9 digits.vae -o other.bin > losses.jsonl")).succeeds();
    place
}

#[test]
fn a_model_embedded_in_the_stream_needs_no_file() {
    let place = with_latents();
    place.run("vae-decode z.vae --npy x_hat > expected.npy").succeeds();
    place.run("vae-encode -m model.bin --embed-model digits.vae -o embedded.vae").succeeds();
    place.run("vae-sample -m model.bin --embed-model -n 3 -o samples.vae").succeeds();
    place.run("vae-sample -m model.bin -n 3 | vae-decode --npy x_hat > samples.npy; rm model.bin").succeeds();
    place.pipe("cat embedded.vae | vae-decode --npy x_hat > got.npy").succeeds();
    place.assert_same("expected.npy", "got.npy");
    place.run("vae-decode samples.vae --npy x_hat > got.npy").succeeds();
    place.assert_same("samples.npy", "got.npy");
}

#[test]
fn an_embedded_model_passes_through_and_joins() {
    let place = with_latents();
    place.run("vae-encode -m model.bin --embed-model digits.vae -o embedded.vae; rm model.bin").succeeds();
    let line = "cat embedded.vae embedded.vae | vae-cat --batch 3 | vae-decode | vae-cat --check";
    assert_eq!(place.pipe(line).succeeds().json()["items"], 40);
}

#[test]
fn a_model_from_a_pipe_is_sent_in_the_stream() {
    let place = with_latents();
    place.run("vae-decode z.vae --npy x_hat > expected.npy").succeeds();
    let line = "vae-encode -m <(cat model.bin) digits.vae | vae-decode --npy x_hat > got.npy";
    place.pipe(line).succeeds();
    place.assert_same("expected.npy", "got.npy");
    place.pipe("vae-sample -m <(cat model.bin) | vae-decode | grid-png -o out.png").succeeds();
}

#[test]
fn a_model_that_moved_with_its_latents_is_found_beside_them() {
    let place = with_latents();
    place.run("mkdir new && mv model.bin z.vae new && cd new && vae-decode z.vae | grid-png -o out.png").succeeds();
    assert_eq!(place.png("new/out.png"), [242, 92]);
}

#[test]
fn a_model_that_is_gone_is_66_and_names_what_was_tried() {
    let place = with_latents();
    place.run("rm model.bin && mkdir empty").succeeds();
    let tried = format!("{} is not there", place.path("model.bin").display());
    let words = [tried.as_str(), "model.bin is not there", "-m MODEL", "--embed-model"];
    place.run("cd empty && vae-decode ../z.vae -o x_hat.vae").fails(66, "vae-decode", &words);
    assert!(!place.path("empty/x_hat.vae").exists());
}

#[test]
fn a_model_rewritten_between_the_stages_is_66_and_told_as_such() {
    let place = with_latents();
    place.run("cp other.bin model.bin").succeeds();
    place.run("vae-decode z.vae").fails(66, "vae-decode", &["model.bin has changed since the latents were made"]);
}

#[test]
fn another_model_than_the_latents_is_65_and_names_both_hashes() {
    let place = with_latents();
    let hash = |name: &str| place.run(&format!("sha256sum < {name} | cut -c 1-64")).succeeds().text().trim().to_owned();
    let (model, other) = (hash("model.bin"), hash("other.bin"));
    let words = ["other.bin is not the model that made these latents", &model, &other];
    place.run("vae-decode -m other.bin z.vae").fails(65, "vae-decode", &words);
    place.run("vae-decode -m model.bin z.vae | grid-png -o right.png").succeeds();
}

#[test]
fn a_model_that_is_not_there_is_66() {
    let place = with_latents();
    for line in ["vae-encode -m no.bin digits.vae", "vae-sample -m no.bin", "vae-decode -m no.bin z.vae"] {
        let tool = line.split(' ').next().expect("a tool");
        place.run(&format!("{line} -o out.vae")).fails(66, tool, &["no.bin", "no such model", "vae-train -o no.bin"]);
        assert!(!place.path("out.vae").exists());
    }
}

#[test]
fn latents_without_a_model_ask_for_one() {
    let place = with_latents();
    place.run("vae-cat z.vae --npy z > z.npy").succeeds();
    place.run("vae-decode z.npy").fails(2, "vae-decode", &["names no model", "-m MODEL"]);
}

#[test]
fn what_is_no_model_is_65() {
    let place = with_latents();
    place.write("text.bin", "a text\n");
    place.write("empty.bin", "");
    place.run("grid-png digits.vae -o picture.png; head -c 100000 model.bin > cut.bin").succeeds();
    place.run("(cat model.bin; echo) > long.bin").succeeds();
    for name in ["text.bin", "empty.bin", "picture.png", "cut.bin", "long.bin", "digits.vae"] {
        let words = [name];
        place.run(&format!("vae-encode -m {name} digits.vae -o out.vae")).fails(65, "vae-encode", &words);
        place.run(&format!("vae-sample -m {name} -o out.vae")).fails(65, "vae-sample", &words);
        place.run(&format!("vae-decode -m {name} z.vae -o out.vae")).fails(65, "vae-decode", &words);
        assert!(!place.path("out.vae").exists(), "{name}");
    }
}

#[test]
fn a_bit_flipped_in_a_model_is_65() {
    let place = with_latents();
    let (good, mut draws) = (place.read("model.bin"), Draws(1));
    // Half of them in the header, which is the smaller part by far.
    for most in [good.len(), 2000].repeat(50) {
        let (byte, bit) = (draws.below(most), draws.below(8));
        let mut bad = good.clone();
        bad[byte] ^= 1 << bit;
        place.write("bad.bin", bad);
        let ran = place.run("vae-sample -m bad.bin -o out.vae");
        assert_eq!(ran.codes, [65], "bit {bit} of byte {byte} flipped\n{ran}");
        ran.complains("vae-sample", &["bad.bin"]);
        assert!(!place.path("out.vae").exists());
    }
}

#[test]
fn a_checkpoint_is_a_model_too() {
    let place = with_latents();
    let options = "--epochs 2 --checkpoint 'at-{epoch}.ckpt' -o m.bin";
    place.run(&format!("vae-train {MODEL} digits.vae {options} > losses.jsonl")).succeeds();
    for name in ["at-1.ckpt", "at-2.ckpt"] {
        let line = format!("vae-encode -m {name} digits.vae | vae-decode | grid-png -o {name}.png");
        place.pipe(&line).succeeds();
    }
    let latents = |name: &str| place.run(&format!("vae-encode -m {name} digits.vae --npy z")).succeeds().stdout;
    assert_eq!(latents("at-2.ckpt"), latents("m.bin"));
    assert_ne!(latents("at-1.ckpt"), latents("m.bin"));
}
