//! Running the program, reading what it wrote, and making what it reads.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use tempfile::TempDir;
use vae_stream::{Frame, Reader};

/// What came out of a run.
#[derive(Debug, PartialEq, Default)]
pub struct Dump {
    /// [H,W] or [H,W,3].
    pub shape: Vec<usize>,
    pub x: Vec<u8>,
    pub y: Option<Vec<i64>>,
    pub i: Vec<i64>,
    pub classes: Vec<String>,
}

/// A folder of its own.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Place {
        Place(TempDir::new().unwrap())
    }

    /// A folder with grey pictures of one pixel: the name of each, and its level.
    pub fn with(pictures: &[(&str, u8)]) -> Place {
        let place = Place::new();
        for (name, level) in pictures {
            place.write(name, &png(&grey(1, 1, *level)));
        }
        place
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: impl AsRef<Path>, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn run(&self, args: &str, input: &[u8]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_image-dump"));
        command.args(args.split_whitespace()).current_dir(self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// What it writes, if all goes well and nothing is said.
    pub fn dump(&self, args: &str) -> Dump {
        self.dump_of(args, &[])
    }

    pub fn dump_of(&self, args: &str, input: &[u8]) -> Dump {
        let output = self.run(args, input);
        assert!(output.status.success() && output.stderr.is_empty(), "image-dump {args}: {output:?}");
        parse(&output.stdout)
    }

    /// What it writes, and what it says, if all goes well.
    pub fn dump_and_messages(&self, args: &str) -> (Dump, String) {
        let output = self.run(args, &[]);
        assert!(output.status.success(), "image-dump {args}: {output:?}");
        (parse(&output.stdout), String::from_utf8(output.stderr).unwrap())
    }

    /// Expects a run to fail with this status and one line that holds these words, and to leave no file.
    pub fn refuses(&self, status: i32, args: &str, words: &[&str]) {
        let output = self.run(&format!("{args} -o out.vae --names names"), &[]);
        assert_eq!(output.status.code(), Some(status), "image-dump {args}: {output:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.starts_with("image-dump: ") && message.trim_end().lines().count() == 1, "{message}");
        for word in words {
            assert!(message.contains(word), "expected {word:?} in {message}");
        }
        let left = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(left.into_iter().all(|name| name != "out.vae" && name != "names"), "{message}");
    }
}

/// A whole stream.
pub fn parse(stream: &[u8]) -> Dump {
    let mut reader = Reader::new(Cursor::new(stream.to_vec()), "stream", "x").unwrap();
    let head = reader.head().clone();
    let mut dump = Dump { shape: head.tensor("x").unwrap().shape, classes: head.classes(), ..Dump::default() };
    dump.y = head.tensor("y").map(|_| Vec::new());
    while let Some(frame) = reader.next_frame().unwrap() {
        let Frame::Data(data) = frame else { panic!("{frame:?}") };
        dump.x.extend(data.need("x").unwrap().data());
        dump.i.extend(data.integers("i").unwrap());
        if let Some(y) = &mut dump.y {
            y.extend(data.integers("y").unwrap());
        }
    }
    dump
}

/// A picture of one level.
pub fn grey(height: u32, width: u32, level: u8) -> DynamicImage {
    GrayImage::from_pixel(width, height, Luma([level])).into()
}

/// A picture of one colour.
pub fn colour(height: u32, width: u32, colour: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb(colour)).into()
}

pub fn png(picture: &DynamicImage) -> Vec<u8> {
    encode(picture, ImageFormat::Png)
}

pub fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A tar archive of files.
pub fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &content[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

/// The checksum of a chunk of PNG.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
