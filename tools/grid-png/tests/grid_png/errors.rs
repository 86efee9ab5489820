//! One test per complaint: exit code, a line that says what is there and what to do, and no file.

use std::fs;
use std::process::{Command, Stdio};

use ndarray::{Array2, Array3};
use vae_stream::{Data, Tensor};

use super::{complaint, dots, main_frame, preview, run_in, stream};

fn latents() -> Tensor {
    Tensor::from_array(&Array2::<f32>::zeros((3, 20)))
}

#[test]
fn no_images_in_the_stream() {
    let message = complaint("", stream(&[main_frame(&[("z", latents()), ("y", dots(&[1, 2, 3]))])]), 65);
    assert!(message.contains("expected x_hat or x, got main with z y; "), "{message}");
    assert!(message.contains("vae-decode"), "{message}");
}

#[test]
fn a_tensor_that_is_not_there() {
    let message = complaint("--tensor x --tensor mu", stream(&[main_frame(&[("x", dots(&[3]))])]), 65);
    assert!(message.contains("expected x with mu, got main with x; "), "{message}");
}

#[test]
fn a_group_that_is_not_there() {
    let input = [preview("recon", 1, &[("x", dots(&[3]))]), preview("sample", 1, &[("x_hat", dots(&[1]))])];
    let message = complaint("--group main", stream(&input), 65);
    assert!(message.contains("x_hat or x in group main, got recon with x, sample with x_hat;"), "{message}");
}

#[test]
fn no_items_at_all() {
    assert!(complaint("", stream(&[]), 65).contains("got no items at all"));
    let npy = Tensor::from_array(&Array3::<u8>::zeros((0, 28, 28))).bytes().to_vec();
    assert!(complaint("", npy, 65).contains("got no items at all"));
}

#[test]
fn no_input_at_all() {
    assert!(complaint("", Vec::new(), 65).contains("nothing arrived"));
    assert!(complaint("missing.npy", Vec::new(), 66).contains("missing.npy"));
}

#[test]
fn latents_are_not_images() {
    let message = complaint("--tensor z", stream(&[main_frame(&[("z", latents())])]), 65);
    assert!(message.contains("z") && message.contains("[20]"), "{message}");
}

#[test]
fn nan_is_not_a_pixel() {
    let mut images = Array3::<f32>::zeros((2, 3, 3));
    images[(1, 2, 2)] = f32::NAN;
    assert!(complaint("", stream(&[main_frame(&[("x_hat", Tensor::from_array(&images))])]), 65).contains("NaN"));
}

#[test]
fn infinite_pixels_have_no_range_to_normalize() {
    let images = Tensor::from_array(&Array3::from_elem((2, 1, 1), f32::INFINITY));
    let input = stream(&[main_frame(&[("x_hat", images)])]);
    assert!(complaint("--normalize", input.clone(), 65).contains("--range"));
    assert!(complaint("--normalize --scale-each", input.clone(), 65).contains("--range"));
    super::picture("--normalize --range 0,1", input);
}

#[test]
fn images_of_two_sizes() {
    let large = Tensor::from_array(&Array3::<u8>::zeros((1, 2, 3)));
    let input = stream(&[main_frame(&[("x", dots(&[3])), ("x_hat", large.clone())])]);
    let message = complaint("--tensor x --tensor x_hat", input, 65);
    assert!(message.contains("tensor x_hat: images of another size: expected 1 x 1 as before, got 2 x 3"), "{message}");
    let input = stream(&[preview("a", 1, &[("x", dots(&[3]))]), preview("a", 1, &[("x", large)])]);
    complaint("", input, 65);
}

#[test]
fn a_group_whose_tensors_change() {
    let both = [("x", dots(&[3])), ("x_hat", dots(&[1]))];
    let input = stream(&[preview("a", 1, &both), preview("a", 1, &both[..1])]);
    assert!(complaint("", input, 65).contains("group a changes: expected tensors x x_hat as before, got x;"));
}

#[test]
fn a_picture_that_is_too_large_is_refused_before_it_is_made() {
    let input = dots(&[1, 2]).bytes().to_vec();
    for arguments in
        ["--scale 4294967295", "--padding 4294967295", "--padding 3000 --scale 2", "--nrow 1 --scale 10000"]
    {
        let message = complaint(arguments, input.clone(), 2);
        assert!(message.contains("expected at most 67108864 pixels") && message.contains("--scale"), "{message}");
    }
    let large = Tensor::from_array(&Array3::<u8>::zeros((5, 4000, 4000))).bytes().to_vec();
    assert!(complaint("", large.clone(), 2).contains("--max"));
    assert_eq!(super::picture("--max 1", large).dimensions(), (4000, 4000));
}

#[test]
fn options_that_make_no_sense() {
    for arguments in
        ["--nrow 0", "--scale 0", "--range 0,1", "--scale-each", "--normalize --range 1,0", "--normalize --range 1"]
    {
        let output = run_in(".".as_ref(), arguments, Vec::new());
        assert_eq!(output.status.code(), Some(2), "{arguments}");
    }
}

#[test]
fn an_unknown_hole_in_the_name() {
    let message = complaint("-o out/{step}.png", Vec::new(), 2);
    assert!(message.contains("{group}, {epoch} or {epoch:03}") && message.contains("{step}"), "{message}");
}

#[test]
fn an_epoch_in_the_name_of_images_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = run_in(folder.path(), "-o {epoch}.png", dots(&[3]).bytes().to_vec());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("leave {epoch} out of -o"));
}

#[test]
fn a_group_that_would_lead_out_of_the_folder() {
    fn line(bytes: &mut Vec<u8>, text: &str, payload: &[u8]) {
        bytes.extend(text.bytes());
        bytes.extend(format!(",\"crc32\":\"{:08x}\"}}\n", crc32fast::hash(bytes)).bytes());
        bytes.extend(payload);
    }
    let npy = dots(&[1]).bytes().to_vec();
    let tensor = format!(r#"{{"name":"x","dtype":"|u1","shape":[1,1,1],"nbytes":{}}}"#, npy.len());
    for (group, code) in [("harmless", 0), ("../evil", 65), ("..", 65), ("", 65), ("/evil", 65)] {
        // By hand, since our own writer refuses such a name.
        let mut bytes = Vec::new();
        line(&mut bytes, r#"{"vae":1,"type":"head","tensors":{}"#, &[]);
        line(&mut bytes, &format!(r#"{{"type":"data","group":"{group}","epoch":1,"tensors":[{tensor}]"#), &npy);
        line(&mut bytes, r#"{"type":"end","frames":1,"items":0"#, &[]);
        let folder = tempfile::tempdir().unwrap();
        let output = run_in(folder.path(), "-o in/{group}.png", bytes);
        assert_eq!(output.status.code(), Some(code), "{group}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), usize::from(code == 0), "{group}");
    }
}

#[test]
fn a_stage_before_that_failed() {
    let whole = stream(&[main_frame(&[("x", dots(&[1, 2]))])]);
    let folder = tempfile::tempdir().unwrap();
    for cut in 0..whole.len() {
        let output = run_in(folder.path(), "-o out.png", whole[..cut].to_vec());
        assert_eq!(output.status.code(), Some(65), "cut at {cut}");
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1, "cut at {cut}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a file is left, cut at {cut}");
    }
}

#[test]
fn every_flipped_bit() {
    let whole = stream(&[main_frame(&[("x", dots(&[1, 2]))])]);
    for bit in (0..whole.len() * 8).step_by(61) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        complaint("", flipped, 65);
    }
}

#[test]
fn an_error_frame_is_told_by_its_origin() {
    use vae_stream::{Head, Memory, Writer};
    let memory = Memory::default();
    let data = Data::new([("x", dots(&[3]))]);
    let mut writer = Writer::framed(memory.clone(), &Head::of(&data)).unwrap();
    writer.write(data).unwrap();
    let origin = "vae-decode".to_owned();
    writer.fail(vae_cli::Error::Upstream { origin, message: "out of luck".into() });
    let message = complaint("", memory.bytes(), 65);
    assert!(message.contains("vae-decode") && message.contains("out of luck"), "{message}");
}

#[test]
fn a_full_disk_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.npy"), dots(&[1, 2]).bytes()).unwrap();
    // A limit on the size of files is a full disk that needs no root; 25 is SIGXFSZ.
    let script = format!("trap '' 25; ulimit -f 0; exec {} -o out.png in.npy", env!("CARGO_BIN_EXE_grid-png"));
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{message}");
    assert!(message.contains("out.png"), "{message}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the input is left");
}

#[test]
fn a_device_without_room_and_a_closed_output() {
    let npy = dots(&[3]).bytes().to_vec();
    assert!(complaint("-o /dev/full", npy.clone(), 74).contains("/dev/full"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.npy"), npy).unwrap();
    let sh = |script: &str| {
        let script = script.replace("grid-png", env!("CARGO_BIN_EXE_grid-png"));
        Command::new("sh").args(["-c", &script]).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap()
    };
    assert_eq!(sh("grid-png in.npy > /dev/full").status.code(), Some(74));
    assert_eq!(sh("grid-png in.npy >&-").status.code(), Some(74));
    assert_eq!(sh("grid-png -o nowhere/out.png in.npy").status.code(), Some(74));
    let closed = sh("{ grid-png in.npy; echo $? >&2; } | true");
    assert_eq!(String::from_utf8_lossy(&closed.stderr).trim(), "0");
}
