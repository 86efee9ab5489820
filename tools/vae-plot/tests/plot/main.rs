//! The program from outside: metrics and latents in, a picture or one line of complaint out.

mod errors;
mod latent;
mod logs;
mod loss;
mod pictures;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ndarray::{Array1, Array2};
use tempfile::TempDir;
use vae_stream::{Data, Frame, Head, Memory, Tensor, Writer};

/// Runs `vae-plot` in `folder` with `arguments`, separated by spaces, and `input`.
fn run(folder: &Path, arguments: &str, input: &[u8]) -> Output {
    fs::write(folder.join("standard-input"), input).unwrap();
    Command::new(env!("CARGO_BIN_EXE_vae-plot"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(fs::File::open(folder.join("standard-input")).unwrap())
        .stdout(Stdio::piped())
        .output()
        .unwrap()
}

/// The SVG that a run writes with these files in its folder.
fn svg(arguments: &str, input: &[u8], files: &[(&str, &[u8])]) -> String {
    let (svg, message) = svg_and_message(arguments, input, files);
    assert_eq!(message, "", "{arguments}");
    svg
}

/// The SVG, and what the run says.
fn svg_and_message(arguments: &str, input: &[u8], files: &[(&str, &[u8])]) -> (String, String) {
    let folder = folder(files);
    let output = run(folder.path(), &format!("{arguments} -o out.svg"), input);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{arguments}: {message}");
    (fs::read_to_string(folder.path().join("out.svg")).unwrap(), message)
}

/// What a run that must fail with `code` says, after the program's name; it leaves no picture.
fn complaint(arguments: &str, input: &[u8], files: &[(&str, &[u8])], code: i32) -> String {
    let folder = folder(files);
    let output = run(folder.path(), &format!("{arguments} -o out.png"), input);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments}: {message}");
    assert!(output.stdout.is_empty() && !folder.path().join("out.png").exists(), "{arguments}: a picture");
    assert_eq!(message.lines().count(), 1, "{arguments}: {message}");
    message.strip_prefix("vae-plot: ").expect("the program's name").trim_end().to_owned()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).unwrap());
    folder
}

/// The texts of an SVG, in order.
fn texts(svg: &str) -> Vec<&str> {
    let texts = svg.split("<text ").skip(1);
    texts.map(|text| text.split_once('>').unwrap().1.split_once("</text>").unwrap().0).collect()
}

/// How often an SVG has an element that begins like this.
fn count(svg: &str, start: &str) -> usize {
    svg.matches(start).count()
}

/// The record of an epoch of a VAE.
fn epoch(number: usize, train: [f64; 2], test: Option<[f64; 2]>) -> String {
    let parts = |[recon, kl]: [f64; 2]| format!(r#"{{"loss":{},"recon":{recon},"kl":{kl}}}"#, recon + kl);
    let test = test.map_or(String::new(), |test| format!(r#","test":{}"#, parts(test)));
    format!(r#"{{"kind":"epoch","epoch":{number},"train":{}{test}}}"#, parts(train)) + "\n"
}

/// The log of a VAE that learns for so many epochs.
fn log(epochs: usize) -> String {
    let of = |n: usize| {
        let falls = 100.0 / n as f64;
        epoch(n, [90.0 + falls, 25.0 - falls / 9.0], Some([80.0 + falls, 26.0 - falls / 9.0]))
    };
    r#"{"kind":"run","objective":{"likelihood":"bernoulli"}}"#.to_owned()
        + "\n"
        + &(1..=epochs).map(of).collect::<String>()
}

/// A stream of these frames.
fn stream(frames: Vec<Frame>) -> Vec<u8> {
    let main = frames.iter().find_map(|frame| match frame {
        Frame::Data(data) if data.is_main() => Some(Head::of(data)),
        _ => None,
    });
    let memory = Memory::default();
    let mut writer = Writer::framed(memory.clone(), &main.unwrap_or_else(Head::new)).unwrap();
    frames.into_iter().for_each(|frame| writer.write(frame).unwrap());
    writer.finish().unwrap();
    memory.bytes()
}

/// The records of a log as the stream of vae-train --preview, with a picture after each.
fn preview(log: &str) -> Vec<u8> {
    let picture = || {
        let x_hat = Tensor::from_array(&Array2::<f32>::zeros((2, 4)));
        Frame::Data(Data { group: Some("sample".into()), epoch: Some(1), ..Data::new([("x_hat", x_hat)]) })
    };
    let record = |line: &str| Frame::Json(serde_json::from_str(line).unwrap());
    stream(log.lines().flat_map(|line| [picture(), record(line)]).collect())
}

/// Latents of `Z` dimensions with labels, in frames of 7.
fn latents(z: &Array2<f32>, y: Option<&[u8]>) -> Vec<u8> {
    let frames = (0..z.nrows()).step_by(7).map(|first| {
        let items = first..z.nrows().min(first + 7);
        let rows = z.slice(ndarray::s![items.clone(), ..]).to_owned();
        let mut data = Data::new([("z", Tensor::from_array(&rows))]);
        if let Some(y) = y {
            data.set("y", Tensor::from_array(&Array1::from(y[items].to_vec())));
        }
        Frame::Data(data)
    });
    stream(frames.collect())
}

/// Points that no two of coincide.
fn points(count: usize, dimensions: usize) -> Array2<f32> {
    Array2::from_shape_fn((count, dimensions), |(n, k)| ((n * 37 + k * 11) % 101) as f32 / (10 * (k + 1)) as f32)
}
