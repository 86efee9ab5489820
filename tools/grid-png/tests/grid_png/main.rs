//! The program from outside: bytes in, a picture or one line of complaint out.

mod classes;
mod colours;
mod errors;
mod headline;
mod images;
mod previews;
mod terminal;
mod titles;
mod torchvision;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use image::GrayImage;
use ndarray::Array;
use vae_stream::{Data, Frame, Head, Memory, Tensor, Writer};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_grid-png"))
}

/// Runs `grid-png` in `folder` with `arguments`, separated by spaces, and `input`.
fn run_in(folder: &Path, arguments: &str, input: Vec<u8>) -> Output {
    run_with(folder, &arguments.split_whitespace().collect::<Vec<_>>(), input)
}

/// The same with arguments that may have spaces in them.
fn run_with(folder: &Path, arguments: &[&str], input: Vec<u8>) -> Output {
    let mut child = program()
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = thread::spawn(move || drop(stdin.write_all(&input))); // it may stop reading early
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

/// The picture that a run writes.
fn picture(arguments: &str, input: Vec<u8>) -> GrayImage {
    let output = run_in(Path::new("."), arguments, input);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr, b"", "{arguments}");
    decode(&output.stdout)
}

/// The picture that a run writes, and what it says.
fn picture_and_words(arguments: &str, input: Vec<u8>) -> (GrayImage, String) {
    let output = run_in(Path::new("."), arguments, input);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments}: {said}");
    (decode(&output.stdout), said)
}

fn decode(png: &[u8]) -> GrayImage {
    let picture = image::load_from_memory(png).unwrap();
    assert_eq!(picture.color(), image::ColorType::L8);
    picture.into_luma8()
}

/// What a run that must fail with `code` says, after the program's name.
fn complaint(arguments: &str, input: Vec<u8>, code: i32) -> String {
    let output = run_in(Path::new("."), arguments, input);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments}: {message}");
    assert_eq!(output.stdout, b"", "{arguments}: a picture in spite of: {message}");
    assert_eq!(message.lines().count(), 1, "{arguments}: {message}");
    message.strip_prefix("grid-png: ").expect("the program's name").trim_end().to_owned()
}

/// A stream of frames; the first main one tells the head.
fn stream(frames: &[Frame]) -> Vec<u8> {
    let main = frames.iter().find_map(|frame| match frame {
        Frame::Data(data) if data.is_main() => Some(Head::of(data)),
        _ => None,
    });
    let memory = Memory::default();
    let mut writer = Writer::framed(memory.clone(), &main.unwrap_or_else(Head::new)).unwrap();
    frames.iter().for_each(|frame| writer.write(frame.clone()).unwrap());
    writer.finish().unwrap();
    memory.bytes()
}

/// A frame of the main group.
fn main_frame(tensors: &[(&str, Tensor)]) -> Frame {
    Frame::Data(Data::new(tensors.iter().cloned()))
}

/// A frame of a preview.
fn preview(group: &str, epoch: u64, tensors: &[(&str, Tensor)]) -> Frame {
    Frame::Data(Data { group: Some(group.into()), epoch: Some(epoch), ..Data::new(tensors.iter().cloned()) })
}

/// One image of 1 x 1 for each level.
fn dots(levels: &[u8]) -> Tensor {
    Tensor::from_array(&Array::from_shape_vec((levels.len(), 1, 1), levels.to_vec()).unwrap())
}

/// The same as f32 from 0 to 1.
fn dots_f32(levels: &[u8]) -> Tensor {
    Tensor::from_array(
        &Array::from_iter(levels.iter().map(|&v| f32::from(v) / 255.0)).to_shape((levels.len(), 1, 1)).unwrap(),
    )
}

/// A picture's levels, row by row.
fn rows(picture: &GrayImage) -> Vec<Vec<u8>> {
    picture.rows().map(|row| row.map(|pixel| pixel.0[0]).collect()).collect()
}

/// One number for each item.
fn numbers(values: &[i64]) -> Tensor {
    Tensor::from_array(&ndarray::arr1(values))
}
