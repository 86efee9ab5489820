//! Filters on a GPU, where two engines take alternate frames: their output is that of one engine, errors included. On
//! the GPU emulator (kernels/interpreter).

use crate::gpu::device::with_gpu;
use crate::harness::{MODEL, TestDir};

/// 150 images in one frame, and in ten, of which the last is short; a model.
fn with_frames() -> TestDir {
    let dir = with_gpu();
    dir.run("mnist-dump --synthetic=150 --batch 16 -o many.vae").succeeds();
    let train = format!("vae-train {MODEL} --batch 20 --epochs 1 digits.vae -o model.bin > log.jsonl");
    dir.run(&train).succeeds();
    dir
}

/// From `many.vae` to draws of latents and of pixels, whose noise is keyed by the number of the item, and its label.
const THERE_AND_BACK: &str = "vae-encode -m model.bin --device cuda --sample --keep y many.vae \
     | vae-decode --device cuda --bernoulli --u8 --keep z --jsonl";

#[test]
fn many_frames_come_out_as_one_does() {
    let dir = with_frames();
    let one = dir.pipe(&THERE_AND_BACK.replace("many.vae", "digits.vae")).succeeds();
    assert_eq!(one.text().lines().count(), 150);
    let many = dir.pipe(THERE_AND_BACK).succeeds();
    assert!(one.stdout == many.stdout, "what comes out depends on the frames");
    let means = |device: &str| {
        let line =
            format!("vae-encode -m model.bin --device {device} many.vae | vae-decode --device {device} --npy x_hat");
        dir.pipe(&format!("{line} > {device}.npy")).succeeds();
        dir.npy::<f32>(&format!("{device}.npy"))
    };
    let (cpu, cuda) = (means("cpu"), means("cuda"));
    assert!(cpu.shape() == [150, 28, 28] && cuda.shape() == cpu.shape());
    // Products of a few hundred terms, which add up in another order.
    assert!(cpu.iter().zip(&cuda).all(|(a, b)| (a - b).abs() < 1e-4));
    let frames = |device: &str| {
        let line = format!("vae-encode -m model.bin --device {device} many.vae | vae-cat --check");
        let told = dir.pipe(&line).succeeds().json();
        (told["frames"].clone(), told["items"].clone())
    };
    assert_eq!(frames("cuda"), frames("cpu"));
}

#[test]
fn copies_go_through_page_locked_memory_and_do_without_where_there_is_none() {
    let mut dir = with_frames();
    let expected = dir.pipe(THERE_AND_BACK).succeeds().stdout;
    // Of no engine, and of the second alone; and no copy is of other memory, else it would fail.
    for fail in ["pinned:1", "pinned:2", "pageable:1"] {
        dir.set("EMULATOR_FAIL", fail);
        assert!(dir.pipe(THERE_AND_BACK).succeeds().stdout == expected, "{fail}");
    }
}

#[test]
fn a_gpu_with_room_for_one_engine_has_one() {
    let mut dir = with_frames();
    let line = "vae-encode -m model.bin --device cuda many.vae --jsonl";
    let expected = dir.run(line).succeeds().stdout;
    let mut ends = vec![];
    for allocation in 1..40 {
        dir.set("EMULATOR_FAIL", format!("alloc:{allocation}"));
        let output = dir.run(line);
        ends.push(output.codes[0]);
        match output.codes[0] {
            0 => assert!(output.succeeds().stdout == expected, "{allocation}"),
            _ => drop(output.fails(69, "vae-encode", &["the GPU", "memory"])),
        }
    }
    // First those of the one engine, then those of the other, and at last what each makes when it begins to work.
    let first = ends.iter().position(|code| *code == 0).expect("one engine is enough");
    assert!(first > 5 && ends[first..].iter().take(first).all(|code| *code == 0), "{ends:?}");
}

#[test]
fn a_fault_in_the_middle_comes_after_all_frames_before_it() {
    let dir = with_frames();
    let bytes = dir.read("many.vae");
    dir.write("cut.vae", &bytes[..bytes.len() / 2]);
    let line = |device: &str| format!("vae-encode -m model.bin --device {device} cut.vae");
    let output = dir.run(&format!("{} --npy z", line("cuda"))).fails(65, "vae-encode", &["cut.vae", "stops at byte"]);
    assert!(output.stdout.is_empty());
    let items = |device: &str| {
        let output = dir.run(&format!("{} --jsonl", line(device))).fails(65, "vae-encode", &["stops at byte"]);
        output.text().lines().count()
    };
    assert_eq!(items("cuda"), items("cpu"));
    // An error in a worker names the item by its number in the whole stream.
    let latents = dir.run("vae-encode -m model.bin many.vae --npy z").succeeds().stdout;
    let width = (latents.len() - 128) / 4 / 150;
    let mut bad = latents.clone();
    bad[128 + 4 * width * 77..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    dir.write("bad.npy", bad);
    dir.run("vae-cat --batch 16 z=bad.npy -o bad.vae").succeeds();
    let output = dir.run("vae-decode -m model.bin --device cuda --jsonl bad.vae");
    let output = output.fails(65, "vae-decode", &["z of item 77 holds NaN"]);
    assert_eq!(output.text().lines().count(), 64, "{output}");
}

#[test]
fn a_reader_that_has_gone_ends_it_quietly() {
    let dir = with_frames();
    for bytes in [1, 2000] {
        let output = dir.pipe(&format!("vae-encode -m model.bin --device cuda --keep x many.vae | head -c {bytes}"));
        assert!(output.codes == [0, 0] && output.stderr.is_empty(), "{output}");
    }
}

#[test]
fn a_gpu_that_is_lost_leaves_whole_frames_and_its_fault() {
    let mut dir = with_frames();
    let line = "vae-encode -m model.bin --device cuda many.vae --jsonl";
    let expected = dir.run(line).succeeds().stdout;
    for launch in [1, 6, 12] {
        dir.set("EMULATOR_FAIL", format!("launch:{launch}"));
        let output = dir.run(line).fails(69, "vae-encode", &["the GPU failed to", "launch failure"]);
        let items = output.text().lines().count();
        assert!(
            items < 150 && items.is_multiple_of(16) && expected.starts_with(&output.stdout),
            "{launch}: {items} items"
        );
    }
}
