//! Pipes that end in grid-png, as the README has them.

use crate::harness::{TestDir, idx};

#[test]
fn the_pipe_typed_as_in_the_readme_gives_a_picture() {
    let mut dir = TestDir::with_model();
    dir.set("MNIST_DIR", idx());
    dir.pipe("mnist-dump | vae-encode -m model.bin | vae-decode | grid-png > out.png").succeeds();
    assert_eq!(dir.png("out.png"), [242, 242], "8 x 8 images of 28 pixels, with 2 between them");
}

#[test]
fn originals_stand_above_their_reconstructions() {
    let dir = TestDir::with_model();
    let line = "mnist-dump --synthetic=100 --split test | vae-encode -m model.bin --keep x | vae-decode | \
                grid-png --tensor x --tensor x_hat > compare.png";
    dir.pipe(line).succeeds();
    assert_eq!(dir.png("compare.png"), [242, 482]);
}

#[test]
fn draws_from_the_prior_become_a_picture() {
    let dir = TestDir::with_model();
    dir.pipe("vae-sample -m model.bin -n 20 | vae-decode | grid-png --nrow 10 > samples.png").succeeds();
    assert_eq!(dir.png("samples.png"), [302, 62]);
}

#[test]
fn a_picture_goes_to_a_file_as_to_standard_output() {
    let dir = TestDir::with_model();
    dir.run("vae-sample -m model.bin | vae-decode -o x_hat.vae").succeeds();
    dir.run("grid-png x_hat.vae > a.png; grid-png x_hat.vae -o b.png; grid-png -o c.png < x_hat.vae").succeeds();
    dir.assert_same("a.png", "b.png");
    dir.assert_same("a.png", "c.png");
}

#[test]
fn latents_can_be_typed() {
    let dir = TestDir::with_model();
    dir.pipe(r#"echo '{"z":[0.5,-1.0,0,2]}' | vae-decode -m model.bin | grid-png > one.png"#).succeeds();
    assert_eq!(dir.png("one.png"), [28, 28], "a lone image has no padding");
    let two =
        r#"printf '{"z":[0.5,-1,0,2],"y":3}\n{"z":[0,0,0,1e-3],"y":4}\n' | vae-decode -m model.bin | vae-cat --check"#;
    assert_eq!(dir.pipe(two).succeeds().json()["items"], 2);
}

#[test]
fn a_picture_stops_the_pipe_as_soon_as_it_is_full() {
    let dir = TestDir::with_model();
    // All would be 100 million images, and hours.
    let line = "mnist-dump --synthetic=100000000 | vae-encode -m model.bin | vae-decode | grid-png > out.png";
    dir.pipe(line).succeeds();
    assert_eq!(dir.png("out.png"), [242, 242]);
}

#[test]
fn the_synthetic_digits_need_no_data_and_labels_choose_among_them() {
    let dir = TestDir::new();
    dir.pipe("mnist-dump --synthetic=1000 --only 3,7 -n 16 | grid-png -o threes.png").succeeds();
    assert_eq!(dir.png("threes.png"), [242, 62]);
    let dump = dir.run("mnist-dump --synthetic=1000 --only 3,7 --npy y > y.npy").succeeds();
    assert!(dump.stdout.is_empty());
    let y = dir.npy::<u8>("y.npy");
    assert!(y.iter().all(|y| [3, 7].contains(y)) && y.len() > 100, "{y}");
}

#[test]
fn images_written_as_files_and_read_back_are_the_same_bytes() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=300 -o digits.vae; mkdir out").succeeds();
    dir.run("grid-png digits.vae --each 'out/{i:04}.png'; vae-cat digits.vae --npy x > x.npy").succeeds();
    dir.run("image-dump out --npy x > files.npy; tar -cf out.tar out").succeeds();
    dir.run("image-dump out.tar --npy x > tar.npy; image-dump - --npy x < out.tar > stdin.npy").succeeds();
    for name in ["files.npy", "tar.npy", "stdin.npy"] {
        dir.assert_same("x.npy", name);
    }
}

#[test]
fn sub_folders_become_labels_whose_names_travel_to_the_end() {
    let dir = TestDir::new();
    let write = "mnist-dump --synthetic=60 | grid-png --each";
    dir.run(&format!("{write} 'digits/digit-{{y}}/{{i:02}}.png'; image-dump digits -o a.vae")).succeeds();
    let head = dir.run("vae-cat a.vae | vae-cat --head").succeeds().json();
    assert_eq!(head["classes"][3], "digit-3", "{head}");
    dir.run("vae-cat a.vae --npy x > x.npy; vae-cat a.vae --npy y > y.npy; vae-cat x=x.npy y=y.npy -o bare.vae")
        .succeeds();
    dir.run("grid-png a.vae --by y --titles y -o names.png; grid-png bare.vae --by y --titles y -o numbers.png")
        .succeeds();
    assert!(dir.png("names.png")[0] > dir.png("numbers.png")[0], "names are longer than numbers");
    dir.run("grid-png a.vae --each 'again/{y}/{i:02}.png'; image-dump again -o b.vae").succeeds();
    dir.run("vae-cat a.vae --npy y > a.npy; vae-cat b.vae --npy y > b.npy").succeeds();
    dir.assert_same("a.npy", "b.npy");
    dir.run("image-dump digits --only digit-3 --jsonl | grep -vc '\"y\":3' > other || true").succeeds();
    assert_eq!(dir.read("other"), b"0\n");
    dir.run("mv digits/digit-0 digits/none; image-dump digits -o c.vae; cat a.vae c.vae > joined.vae").succeeds();
    dir.run("vae-cat joined.vae -o out.vae").fails(65, "vae-cat", &["different classes", "digit-0", "none"]);
}

#[test]
fn a_file_for_each_image_needs_a_name_for_each() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=60 -o digits.vae").succeeds();
    dir.run("grid-png digits.vae --each '{y}.png'").fails(65, "grid-png", &["twice", "{i}"]);
    let output = dir.run("grid-png digits.vae --each all.png");
    assert!(output.codes == [2] && output.stderr.contains("{i}"), "{output}");
    dir.run("grid-png digits.vae --each 'few/{k}.png'").fails(2, "grid-png", &["{k}"]);
    dir.run("grid-png digits.vae --each 'few/{i}.png' --max 3; ls few | wc -l > count").succeeds();
    assert_eq!(dir.read("count"), b"3\n");
}

#[test]
fn colour_goes_through_the_pipe_to_a_picture_and_not_into_a_model_of_one_channel() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=60 | grid-png --each 'out/{i:02}.png' --colormap viridis").succeeds();
    let head = dir.run("image-dump out | vae-cat --head").succeeds().json();
    assert_eq!(head["tensors"]["x"]["shape"], serde_json::json!([28, 28, 3]), "{head}");
    dir.pipe("image-dump out | vae-cat | grid-png > colour.png").succeeds();
    assert_eq!(dir.png("colour.png"), [242, 242]);
    dir.run("image-dump out -o a.vae; grid-png a.vae --each 'again/{i:02}.png'; image-dump again -o b.vae").succeeds();
    dir.run("vae-cat a.vae --npy x > a.npy; vae-cat b.vae --npy x > b.npy").succeeds();
    dir.assert_same("a.npy", "b.npy");
    for line in [
        "vae-train a.vae -o m.bin > losses",
        "vae-encode -m model.bin a.vae > z.vae",
        "vae-eval -m model.bin a.vae > e",
    ] {
        let tool = line.split(' ').next().expect("a program");
        dir.run(line).fails(65, tool, &["a.vae", "[28, 28, 3]", "one channel"]);
    }
    assert!(!dir.path("m.bin").exists());
}
