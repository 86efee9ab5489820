//! Corrupt streams: truncated, with flipped bits, or with false sizes.

use crate::harness::{SplitMix64, TestDir};

/// Every program that reads a stream, with its options: `damaged.vae` in, `out` out.
const READERS: [&str; 7] = [
    "vae-encode -m model.bin damaged.vae -o out",
    "vae-decode -m model.bin damaged.vae -o out",
    "vae-cat damaged.vae -o out",
    "vae-cat --check damaged.vae -o out",
    "grid-png damaged.vae -o out",
    "vae-train --hidden 4 --latent 2 --epochs 1 damaged.vae -o out",
    "vae-plot latent damaged.vae -o out",
];

/// Whether the program reads latents instead of images.
fn takes_latents(reader: &str) -> bool {
    reader.starts_with("vae-decode") || reader.starts_with("vae-plot")
}

/// A folder with a stream of two frames for the program.
fn with_stream(reader: &str) -> TestDir {
    let dir = TestDir::with_model();
    let latents = if takes_latents(reader) { "| vae-encode -m model.bin" } else { "" };
    dir.run(&format!("mnist-dump --synthetic=3 --batch 2 {latents} > good.vae")).succeeds();
    dir.run(&format!("{} > log", reader.replace("damaged", "good"))).succeeds();
    dir.run("rm out log").succeeds();
    dir
}

/// Asserts that the program rejects `damaged` in one error line, and leaves no file.
fn refused(dir: &TestDir, reader: &str, damaged: &[u8], what: &str) {
    refused_within("unlimited", dir, reader, damaged, what);
}

/// The same in so many KiB of address space.
fn refused_within(memory: &str, dir: &TestDir, reader: &str, damaged: &[u8], what: &str) {
    dir.write("damaged.vae", damaged);
    let before = dir.files();
    let output = dir.run(&format!("ulimit -v {memory}; {reader}"));
    assert_eq!(output.codes, [65], "{what}\n{output}");
    assert!(output.stdout.is_empty(), "{what}\n{output}");
    let tool = reader.split(' ').next().expect("a program");
    output.reports(tool, &["damaged.vae"]);
    assert_eq!(dir.files(), before, "{what}: {reader} left something behind");
}

fn truncations_and_flips_are_refused(reader: &str) {
    let dir = with_stream(reader);
    let (good, mut random) = (dir.read("good.vae"), SplitMix64(2026));
    for _ in 0..100 {
        let length = random.below(good.len());
        refused(&dir, reader, &good[..length], &format!("cut after {length} bytes"));
        let (byte, bit) = (random.below(good.len()), random.below(8));
        let mut flipped = good.clone();
        flipped[byte] ^= 1 << bit;
        refused(&dir, reader, &flipped, &format!("bit {bit} of byte {byte} flipped"));
    }
}

#[test]
fn vae_encode_refuses_truncations_and_flipped_bits() {
    truncations_and_flips_are_refused(READERS[0]);
}

#[test]
fn vae_decode_refuses_truncations_and_flipped_bits() {
    truncations_and_flips_are_refused(READERS[1]);
}

#[test]
fn vae_cat_refuses_truncations_and_flipped_bits() {
    truncations_and_flips_are_refused(READERS[2]);
}

#[test]
fn vae_cat_check_refuses_truncations_and_flipped_bits() {
    truncations_and_flips_are_refused(READERS[3]);
}

#[test]
fn grid_png_refuses_truncations_and_flipped_bits() {
    truncations_and_flips_are_refused(READERS[4]);
}

#[test]
fn vae_train_refuses_truncations_and_flipped_bits() {
    truncations_and_flips_are_refused(READERS[5]);
}

#[test]
fn vae_plot_refuses_truncations_and_flipped_bits() {
    truncations_and_flips_are_refused(READERS[6]);
}

#[test]
fn a_stream_cut_between_its_frames_is_refused_though_each_part_of_it_is_good() {
    for reader in READERS {
        let dir = with_stream(reader);
        let good = dir.read("good.vae");
        let lines = good.windows(8).enumerate().filter(|(_, w)| w.starts_with(b"{\"type\":"));
        for (at, _) in lines {
            refused(&dir, reader, &good[..at], &format!("cut before the line at byte {at}"));
        }
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    for reader in READERS {
        let dir = with_stream(reader);
        for tail in [&b"\n"[..], b"x", b"{}", b"{\"vae\":"] {
            refused(&dir, reader, &[&dir.read("good.vae"), tail].concat(), &format!("{tail:?} at the end"));
        }
    }
}

#[test]
fn an_empty_stream_is_refused() {
    let dir = TestDir::with_model();
    let before = dir.files();
    for reader in READERS {
        let tool = reader.split(' ').next().expect("a program");
        let words = ["standard input", "nothing arrived", "see the message of the stage before"];
        dir.run(&reader.replace("damaged.vae", "- < /dev/null")).fails(65, tool, &words);
        dir.run(&reader.replace("damaged.vae", "<&-")).fails(65, tool, &words);
        assert_eq!(dir.files(), before);
    }
}

/// A stream of one frame whose line claims this of a tensor, and whose payload starts like this. All is sealed as it
/// should be.
fn claim(name: &str, shape: &str, nbytes: u64, payload: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut line = |text: String| {
        stream.extend(text.as_bytes());
        stream.extend(format!(",\"crc32\":\"{:08x}\"}}\n", crc32fast::hash(&stream)).as_bytes());
    };
    line(format!(r#"{{"vae":1,"type":"head","tensors":{{"{name}":{{"dtype":"|u1","shape":[{shape}]}}}}"#));
    line(format!(
        r#"{{"type":"data","tensors":[{{"name":"{name}","dtype":"|u1","shape":[1,{shape}],"nbytes":{nbytes}}}]"#
    ));
    [&stream[..], payload].concat()
}

/// The start of a .npy with this shape.
fn npy(shape: &str) -> Vec<u8> {
    header("False", shape)
}

fn fortran(shape: &str) -> Vec<u8> {
    header("True", shape)
}

fn header(order: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': ({shape}), }}");
    let text = format!("{text:<117}\n");
    [b"\x93NUMPY\x01\x00\x76\x00", text.as_bytes()].concat()
}

#[test]
fn a_claim_of_2_to_the_60_elements_is_refused_in_64_mib_of_address_space() {
    const HUGE: u64 = 1 << 60;
    let dir = TestDir::with_model();
    for reader in READERS {
        let name = if takes_latents(reader) { "z" } else { "x" };
        let claim = |shape: &str, nbytes, payload: &[u8]| claim(name, shape, nbytes, payload);
        for (what, bytes) in [
            ("a line that claims 2^60 bytes", claim("28,41175768021673105", HUGE, &npy("28, 28"))),
            ("a line that claims all memory", claim("2147483648,2147483648", HUGE, b"")),
            ("a line that claims the largest frame", claim("1024,1048575", 1073740928, &npy("1, 1024, 1048575"))),
            ("a payload that claims more than its line", claim("28,28", 912, &npy(&format!("1, 28, {HUGE}")))),
            ("a .npy of 2^60 items", npy(&format!("{HUGE}, 28, 28"))),
            ("a .npy of one item of 2^60 numbers", npy("1, 1073741824, 1073741824")),
            ("a .npy in Fortran order", fortran(&format!("{HUGE}, 4"))),
        ] {
            refused_within("65536", &dir, reader, &bytes, what);
        }
    }
}

#[test]
fn a_model_that_claims_2_to_the_60_weights_is_refused_in_64_mib_of_address_space() {
    let dir = TestDir::new();
    let header = format!(r#"{{"w":{{"dtype":"F32","shape":[{}],"data_offsets":[0,{}]}}}}"#, 1u64 << 60, 1u64 << 62);
    dir.write("model.bin", [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat());
    dir.run("ulimit -v 65536; vae-sample -m model.bin").fails(65, "vae-sample", &["model.bin"]);
    dir.write("model.bin", (1u64 << 60).to_le_bytes());
    dir.run("ulimit -v 65536; vae-sample -m model.bin").fails(65, "vae-sample", &["model.bin"]);
}
