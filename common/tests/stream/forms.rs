//! The forms of output, and the files they go to.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use common::cli::OutputArgs;
use common::output::{Kind, Memory, Output};
use common::stream::{Data, Dtype, Head, Reader, Tensor, Writer};
use common::{Error, Result};
use ndarray::{Array2, Array3};
use ndarray_npy::ReadNpyExt;

use crate::{frames, head, images, read};

/// What `--npy x` writes for some frames.
fn npy(frames: impl IntoIterator<Item = Data>) -> Vec<u8> {
    let memory = Memory::default();
    let writer = Writer::npy(Output::to(memory.clone()), &head(), "x").unwrap();
    writer.run(|out| frames.into_iter().try_for_each(|f| out.write(f))).unwrap();
    memory.bytes()
}

#[test]
fn one_npy_holds_the_tensor_of_all_frames() {
    let array = Array3::<u8>::read_npy(&npy([images(1), images(20)])[..]).unwrap();
    assert_eq!(array.shape(), [4, 2, 3]);
    assert_eq!(array.as_slice().unwrap(), (1..13).chain(20..32).collect::<Vec<u8>>());
}

#[test]
fn one_npy_of_no_frames_is_an_empty_array() {
    assert_eq!(Array3::<u8>::read_npy(&npy([])[..]).unwrap().shape(), [0, 2, 3]);
}

#[test]
fn one_npy_leaves_out_groups_and_records() {
    let memory = Memory::default();
    let writer = Writer::npy(Output::to(memory.clone()), &head(), "y").unwrap();
    writer.run(|out| frames().into_iter().try_for_each(|f| out.write(f))).unwrap();
    let labels = ndarray::Array1::<u8>::read_npy(&memory.bytes()[..]).unwrap();
    assert_eq!(labels.to_vec(), [1, 7, 40]);
}

#[test]
fn one_npy_larger_than_memory_allows_goes_through_a_file() {
    let tensor = Tensor::from_bytes(Dtype::F32, &[1, 1 << 22], &vec![7; 4 << 22]);
    let data = Data::new([("big", tensor)]);
    let memory = Memory::default();
    let writer = Writer::npy(Output::to(memory.clone()), &Head::of(&data), "big").unwrap();
    writer.run(|out| (0..5).try_for_each(|_| out.write(data.clone()))).unwrap();
    let array = Array2::<f32>::read_npy(&memory.bytes()[..]).unwrap();
    assert_eq!(array.shape(), [5, 1 << 22]);
    assert!(array.iter().all(|v| v.to_le_bytes() == [7; 4]));
}

#[test]
fn one_npy_of_a_tensor_that_is_not_there_is_a_usage_error() {
    let error = Writer::npy(Output::to(Memory::default()), &head(), "z").unwrap_err();
    assert_eq!(error.to_string(), "--npy z: expected a tensor of the stream: x, y");
    assert_eq!(error.exit_code(), 2);
}

/// A folder that goes with the test.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn to(path: PathBuf) -> OutputArgs {
    OutputArgs { output: Some(path), ..OutputArgs::default() }
}

#[test]
fn a_file_appears_once_the_stream_is_finished() {
    let folder = folder();
    let path = folder.path().join("out.vae");
    let mut writer = Writer::create(&to(path.clone()), head()).unwrap();
    writer.write(images(1)).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    writer.finish().unwrap();
    let mut reader = Reader::open_file(&path, "x").unwrap();
    assert_eq!(reader.next_frame().unwrap(), Some(images(1).into()));
    assert_eq!(reader.next_frame().unwrap(), None);
}

#[test]
fn a_program_signs_the_history() {
    let folder = folder();
    let path = folder.path().join("out.vae");
    for _ in 0..2 {
        let head = Reader::open_file(&path, "x").map_or_else(|_| head(), |r| r.head().clone());
        Writer::create(&to(path.clone()), head).unwrap().finish().unwrap();
    }
    let history = Reader::open_file(&path, "x").unwrap().head().get("history").unwrap().clone();
    assert_eq!(history.as_array().unwrap().len(), 2);
    let tool = history[1]["tool"].as_str().unwrap();
    assert!(tool.starts_with("stream-") && tool.ends_with(env!("CARGO_PKG_VERSION")), "{tool}");
    assert!(history[1]["args"].is_array());
}

#[test]
fn a_failure_leaves_the_file_as_it_was() {
    let folder = folder();
    let path = folder.path().join("out.vae");
    fs::write(&path, "before").unwrap();
    let fault = || Err(Error::Upstream { origin: "mnist-dump".into(), message: "no data".into() });
    let writer = Writer::create(&to(path.clone()), head()).unwrap();
    let result: Result<()> = writer.run(|out| out.write(images(1)).and_then(|()| fault()));
    assert!(matches!(result, Err(Error::Upstream { .. })), "nobody reads a file that never appears: {result:?}");
    drop(Writer::create(&to(path.clone()), head()).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"before");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_replaced() {
    let folder = folder();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "before").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let mut output = Output::open(Some(&link), Kind::Binary).unwrap();
    output.write_all(b"after").unwrap();
    output.commit().unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"after");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_file_in_no_folder_is_an_io_error_that_names_it() {
    let path = folder().path().join("nowhere/out.vae");
    let error = Writer::create(&to(path.clone()), head()).unwrap_err();
    assert_eq!(error.exit_code(), 74);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn a_full_disk_is_an_io_error() {
    let error = Writer::create(&to("/dev/full".into()), head()).unwrap_err();
    assert_eq!(error.exit_code(), 74, "{error}");
    assert!(error.to_string().contains("/dev/full"), "{error}");
}

#[test]
fn a_reader_that_left_is_a_quiet_success() {
    struct Left;
    impl Write for Left {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = Writer::framed(Output::to(Left), &head()).unwrap_err();
    assert!(matches!(error, Error::Closed));
    assert_eq!(error.exit_code(), 0);
}

#[test]
fn a_missing_file_is_no_input() {
    let error = Reader::open_file(&folder().path().join("none"), "x").unwrap_err();
    assert_eq!(error.exit_code(), 66);
}

#[test]
fn a_write_in_small_pieces_arrives_whole() {
    /// Takes at most 7 bytes at a time, and is interrupted now and then.
    struct Small(Memory, usize);
    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.write(&bytes[..bytes.len().min(7)])
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let memory = Memory::default();
    let writer = Writer::framed(Output::to(Small(memory.clone(), 0)), &head()).unwrap();
    writer.run(|out| frames().into_iter().try_for_each(|f| out.write(f))).unwrap();
    assert_eq!(read(&memory.bytes()).unwrap().1, frames());
}
