//! vae-cat as a program in a shell.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use ndarray::{Array1, Array3};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a shell command did.
struct Ran {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    /// The output of a command that must have gone well, silently.
    fn good(self) -> Vec<u8> {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
        self.stdout
    }

    fn text(self) -> String {
        String::from_utf8(self.good()).unwrap()
    }

    fn json(self) -> Value {
        serde_json::from_slice(&self.good()).unwrap()
    }

    /// The message of a command that must have failed with this code and one line.
    fn bad(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stderr.starts_with("vae-cat: ") && self.stderr.lines().count() == 1, "{:?}", self.stderr);
        self.stderr
    }
}

/// A folder with images `x.npy` [600,2,3], labels `y.npy` [600], latents `z.jsonl`, and `x.vae` of the first two.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let x = Array3::from_shape_fn((600, 2, 3), |(n, h, w)| (n + 3 * h + w) as u8);
        folder.npy("x.npy", &x);
        folder.npy("y.npy", &Array1::from_shape_fn(600, |n| (n % 10) as i64));
        fs::write(folder.path().join("z.jsonl"), "{\"z\":[0.5,-1.0],\"y\":3}\n{\"z\":[2.0,1.0],\"y\":4}\n").unwrap();
        folder.sh("vae-cat x=x.npy y=y.npy -o x.vae").good();
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn npy(&self, name: &str, array: &impl WriteNpyExt) {
        array.write_npy(fs::File::create(self.path().join(name)).unwrap()).unwrap();
    }

    /// Runs a shell command in the folder.
    fn sh(&self, command: &str) -> Ran {
        let bin = Path::new(env!("CARGO_BIN_EXE_vae-cat")).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let shell = Command::new("bash")
            .args(["-c", command])
            .current_dir(self.path())
            .env("PATH", path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8(shell.stderr).unwrap();
        Ran { code: shell.status.code(), stdout: shell.stdout, stderr }
    }
}

#[test]
fn arrays_with_labels_become_a_stream_with_numbered_items() {
    let folder = Folder::new();
    let head = folder.sh("vae-cat --head x.vae").json();
    assert_eq!(
        head["tensors"],
        json!({
            "x": {"dtype": "|u1", "shape": [2, 3]},
            "y": {"dtype": "<i8", "shape": []},
            "i": {"dtype": "<i8", "shape": []},
        })
    );
    assert_eq!(head["history"][0]["args"], json!(["x=x.npy", "y=y.npy", "-o", "x.vae"]));
    let last = folder.sh("vae-cat --skip 599 --jsonl x.vae").text();
    assert_eq!(last, "{\"x\":[[87,88,89],[90,91,92]],\"y\":9,\"i\":599}\n");
}

#[test]
fn what_numbers_its_items_itself_is_not_numbered_again() {
    let folder = Folder::new();
    folder.npy("i.npy", &Array1::from_iter((0..600i64).rev()));
    let first = folder.sh("vae-cat x=x.npy i=i.npy | vae-cat --take 1 --jsonl").text();
    assert!(first.ends_with("\"i\":599}\n"), "{first}");
}

#[test]
fn arrays_of_different_lengths_do_not_fit_together() {
    let folder = Folder::new();
    for (items, expected) in [(599, "got 599"), (601, "got more"), (1, "got 1"), (256, "got 256"), (0, "got 0")] {
        folder.npy("other.npy", &Array1::from_elem(items, 1u8));
        let line = folder.sh("vae-cat x=x.npy y=other.npy -o out.vae").bad(65);
        assert!(line.contains("other.npy: expected ") && line.contains(expected), "{line}");
        assert!(!folder.path().join("out.vae").exists());
    }
}

#[test]
fn a_tensor_can_be_taken_from_a_stream() {
    let folder = Folder::new();
    folder.sh("vae-cat --batch 7 x.vae -o seven.vae").good();
    let pair = folder.sh("vae-cat y=seven.vae x=x.npy | vae-cat --check").json();
    assert_eq!((&pair["items"], &pair["frames"]), (&json!(600), &json!(86)));
    assert!(folder.sh("vae-cat z=x.vae").bad(65).contains("x.vae: expected a tensor z in it, got x, y, i"));
}

#[test]
fn counts_are_one_line_of_json() {
    let folder = Folder::new();
    let bytes = fs::metadata(folder.path().join("x.vae")).unwrap().len();
    let counts = folder.sh("vae-cat --check < x.vae").text();
    let expected = json!({"frames": 3, "items": 600, "groups": {}, "records": 0, "bytes": bytes});
    assert_eq!(counts, format!("{expected}\n"));
}

#[test]
fn streams_join() {
    let folder = Folder::new();
    for command in
        ["vae-cat x.vae - x.vae < x.vae", "cat x.vae x.vae x.vae | vae-cat", "vae-cat x.vae <(cat x.vae x.vae)"]
    {
        let counts = folder.sh(&format!("{command} | vae-cat --check")).json();
        assert_eq!((&counts["items"], &counts["frames"]), (&json!(1800), &json!(9)), "{command}");
    }
}

#[test]
fn streams_that_differ_do_not_join() {
    let folder = Folder::new();
    let line = folder.sh("vae-cat x.vae z.jsonl -o out.vae").bad(65);
    assert!(line.contains("z.jsonl: joined streams differ"), "{line}");
    assert!(folder.sh("vae-cat x.vae none.vae > out.vae").bad(66).contains("none.vae: no such file"));
    assert!(folder.sh("vae-cat < out.vae > /dev/null").bad(65).contains("vae-cat failed: none.vae"));
    assert!(folder.sh("vae-cat x=x.npy x.vae").bad(2).contains("got x.vae too"));
    assert!(folder.sh("vae-cat x=x.npy x=x.npy").bad(2).contains("x= twice"));
}

#[test]
fn items_are_cut_at_either_end() {
    let folder = Folder::new();
    let items = |options: &str| {
        let lines = folder.sh(&format!("vae-cat {options} x.vae | vae-cat --jsonl")).text();
        let numbers: Vec<u64> =
            lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["i"].as_u64().unwrap()).collect();
        numbers
    };
    assert_eq!(items("--take 3"), [0, 1, 2]);
    assert_eq!(items("--skip 254 --take 4"), [254, 255, 256, 257]);
    assert_eq!(items("--skip 597 --take 9"), [597, 598, 599]);
    assert_eq!(items("--skip 256 --take 256"), (256..512).collect::<Vec<u64>>());
    assert_eq!(items("--skip 600"), [0; 0]);
    assert_eq!(items("--take 0"), [0; 0]);
    assert_eq!(items("--skip 5 --take 301 --batch 100"), (5..306).collect::<Vec<u64>>());
}

#[test]
fn frames_have_the_size_asked_for() {
    let folder = Folder::new();
    for (batch, frames) in [(1, 600), (100, 6), (256, 3), (599, 2), (600, 1), (1000, 1)] {
        let counts = folder.sh(&format!("vae-cat --batch {batch} x.vae | vae-cat --check")).json();
        assert_eq!((&counts["frames"], &counts["items"]), (&json!(frames), &json!(600)));
    }
    folder
        .sh("vae-cat --batch 100 x.vae | vae-cat --npy x > hundred.npy; vae-cat --npy x x.vae | cmp - hundred.npy")
        .good();
    folder.sh("vae-cat --batch 0 x.vae 2>&1 >/dev/null | grep -q 'expected 1 to 65536'").good();
}

#[test]
fn a_stage_that_has_enough_stops_those_before_it_quietly() {
    let folder = Folder::new();
    let command = "yes '{\"z\":[1,2]}' | vae-cat | vae-cat | vae-cat --take 3 --jsonl; echo ${PIPESTATUS[@]}";
    let line = "{\"z\":[1.0,2.0]}\n".repeat(3);
    let expected = [format!("{line}141 0 0 0\n"), format!("{line}1 0 0 0\n")];
    assert!(expected.contains(&folder.sh(command).text()));
}

#[test]
fn latents_go_through_jq_like_hands() {
    let folder = Folder::new();
    let text = fs::read_to_string(folder.path().join("z.jsonl")).unwrap();
    assert_eq!(folder.sh("vae-cat z.jsonl | vae-cat --jsonl").text(), text);
}

#[test]
fn one_tensor_becomes_an_npy() {
    let folder = Folder::new();
    let npy = folder.sh("vae-cat --npy y x.vae").good();
    assert_eq!(Array1::<i64>::read_npy(&npy[..]).unwrap(), Array1::from_shape_fn(600, |n| (n % 10) as i64));
    assert!(
        folder
            .sh("vae-cat --npy q x.vae")
            .bad(2)
            .contains("--npy: no tensor q in the stream: expected it among x, y, i")
    );
}

#[test]
fn one_npy_of_a_harmed_stream_is_not_written_at_all() {
    let folder = Folder::new();
    let ran = folder.sh("head -c -1 x.vae | vae-cat --npy x");
    assert!(ran.stdout.is_empty());
    assert!(ran.bad(65).contains("the input stops at byte"));
}

#[test]
fn another_group_becomes_the_main_one() {
    let folder = Folder::new();
    // Group frames as vae-train --preview makes them; the crc comes from the library.
    let group = |name: &str, first: u8| {
        let x = vae_stream::Tensor::from_bytes(vae_stream::Dtype::U8, &[2, 1], &[first, first + 1]);
        let mut data = vae_stream::Data::new([("x_hat", x)]);
        data.group = Some(name.to_owned());
        data.epoch = Some(u64::from(first));
        data
    };
    let memory = vae_stream::Memory::default();
    let frames = [group("recon", 1), group("sample", 5), group("recon", 11)];
    vae_stream::Writer::framed(memory.clone(), &vae_stream::Head::new())
        .unwrap()
        .run(|out| frames.into_iter().try_for_each(|f| out.write(f)))
        .unwrap();
    fs::write(folder.path().join("train.vae"), memory.bytes()).unwrap();
    let lines = folder.sh("vae-cat --group recon train.vae | vae-cat --jsonl").text();
    assert_eq!(lines, "{\"x_hat\":[1]}\n{\"x_hat\":[2]}\n{\"x_hat\":[11]}\n{\"x_hat\":[12]}\n");
    assert_eq!(folder.sh("vae-cat --check train.vae").json()["groups"], json!({"recon": 2, "sample": 1}));
    assert!(folder.sh("vae-cat --group none train.vae").bad(65).contains("got only recon, sample"));
}

#[test]
fn a_failure_is_said_once_in_the_middle_and_once_at_the_end() {
    let folder = Folder::new();
    let ran = folder.sh("head -c 5000 x.vae | vae-cat | vae-cat | vae-cat --check; echo ${PIPESTATUS[@]}");
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), "0 65 65 65\n");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|l| l.starts_with("vae-cat: standard input: the input stops at byte 5000")), "{lines:?}");
    assert!(lines.iter().any(|l| l.starts_with("vae-cat: vae-cat failed: standard input: ")), "{lines:?}");
}

#[test]
fn an_empty_stream_is_an_error() {
    let folder = Folder::new();
    assert!(folder.sh("true | vae-cat").bad(65).contains("nothing arrived"));
    assert!(folder.sh("vae-cat <&-").bad(65).contains("nothing arrived"));
}

#[test]
fn a_closed_output_is_an_error_before_any_work() {
    let folder = Folder::new();
    assert!(folder.sh("vae-cat x.vae >&-").bad(74).contains("standard output: it was closed at the start"));
    assert!(folder.sh("vae-cat --check x.vae >&-").bad(74).contains("standard output"));
    folder.sh("vae-cat x.vae -o out.vae >&-").good();
}

#[test]
fn a_full_disk_is_an_error() {
    let folder = Folder::new();
    for command in ["vae-cat x.vae > /dev/full", "vae-cat -o /dev/full x.vae", "vae-cat --npy x x.vae > /dev/full"] {
        assert!(folder.sh(command).bad(74).contains("No space left"), "{command}");
    }
    folder.sh("vae-cat --jsonl x.vae > /dev/full").bad(74);
    folder.sh("vae-cat --check x.vae > /dev/full").bad(74);
}

#[test]
fn an_output_that_is_no_file_is_written_directly() {
    let folder = Folder::new();
    for path in ["/dev/stdout", "-", "/dev/fd/1"] {
        let counts = folder.sh(&format!("vae-cat x.vae -o {path} | vae-cat --check")).json();
        assert_eq!(counts["items"], json!(600));
    }
    let counts = folder.sh("mkfifo pipe && { vae-cat x.vae -o pipe & vae-cat --check pipe; }").json();
    assert_eq!(counts["items"], json!(600));
}

#[test]
fn a_terminal_is_neither_read_nor_given_binary() {
    let folder = Folder::new();
    if folder.sh("command -v script").code != Some(0) {
        println!("SKIPPED: no script(1) to make a terminal with");
        return;
    }
    let typed = |command: &str| folder.sh(&format!("script -qec '{command}' /dev/null < /dev/null")).stdout;
    let said = String::from_utf8_lossy(&typed("vae-cat")).into_owned();
    assert!(said.contains("standard input is a terminal: expected a stream"), "{said}");
    let said = String::from_utf8_lossy(&typed("vae-cat x.vae")).into_owned();
    assert!(said.contains("standard output is a terminal: expected a pipe or a file"), "{said}");
    let said = String::from_utf8_lossy(&typed("vae-cat --take 1 --jsonl x.vae")).into_owned();
    assert!(said.contains("\"i\":0}"), "{said}");
}

#[test]
fn memory_stays_small_however_long_the_stream() {
    let folder = Folder::new();
    // 300 MB of zeros that take no disk.
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (300000, 1000), }";
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend_from_slice(&118u16.to_le_bytes());
    npy.extend_from_slice(format!("{header:117}\n").as_bytes());
    fs::write(folder.path().join("big.npy"), &npy).unwrap();
    let file = fs::File::options().write(true).open(folder.path().join("big.npy")).unwrap();
    file.set_len(128 + 300_000_000).unwrap();
    let limited = "ulimit -v 65536; vae-cat z=big.npy | vae-cat | vae-cat --check";
    assert_eq!(folder.sh(limited).json()["items"], json!(300_000));
    let single = "vae-cat --name z big.npy | (ulimit -v 163840; vae-cat --npy z) | cmp - big.npy";
    folder.sh(single).good();
}

#[test]
fn a_claim_of_two_to_the_sixty_elements_takes_no_memory() {
    let folder = Folder::new();
    for (order, shape) in [("False", "(1152921504606846976,)"), ("True", "(1073741824,)"), ("False", "(1, 1073741824)")]
    {
        let header = format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': {shape}}}\n");
        let mut npy = b"\x93NUMPY\x01\x00".to_vec();
        npy.extend_from_slice(&(header.len() as u16).to_le_bytes());
        npy.extend_from_slice(header.as_bytes());
        npy.extend_from_slice(&[0; 1000]);
        fs::write(folder.path().join("claim.npy"), npy).unwrap();
        let line = folder.sh("ulimit -v 65536; vae-cat claim.npy > /dev/null").bad(65);
        assert!(line.contains("the input stops at byte"), "{line}");
    }
}

#[test]
fn a_mistyped_option_is_a_usage_error() {
    let folder = Folder::new();
    let ran = folder.sh("vae-cat --no-such-option");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.starts_with("vae-cat: unexpected argument '--no-such-option'"), "{}", ran.stderr);
    assert!(folder.sh("vae-cat --help").text().contains("Memory is one frame"));
}

#[test]
fn two_hundred_flipped_bits_each_leave_no_file() {
    let folder = Folder::new();
    folder.sh("vae-cat --take 20 --batch 10 x.vae -o small.vae").good();
    let small = fs::read(folder.path().join("small.vae")).unwrap();
    for n in 0..200 {
        let bit = n * 7919 % (8 * small.len());
        let mut bad = small.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        fs::write(folder.path().join("bad.vae"), &bad).unwrap();
        folder.sh("vae-cat bad.vae -o out.vae").bad(65);
        assert!(!folder.path().join("out.vae").exists(), "bit {bit}");
    }
}
