//! The forms of output, and the files they go to.

use std::io::{self, Write};

use ndarray::{Array2, Array3};
use ndarray_npy::ReadNpyExt;
use vae_stream::{Data, Dtype, Error, Head, Memory, Pipe, Tensor, Writer};

use crate::{frames, head, images, read};

/// What `--npy x` writes for some frames.
fn npy(frames: impl IntoIterator<Item = Data>) -> Vec<u8> {
    let memory = Memory::default();
    let writer = Writer::npy(memory.clone(), &head(), "x").unwrap();
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
    let writer = Writer::npy(memory.clone(), &head(), "y").unwrap();
    writer.run(|out| frames().into_iter().try_for_each(|f| out.write(f))).unwrap();
    let labels = ndarray::Array1::<u8>::read_npy(&memory.bytes()[..]).unwrap();
    assert_eq!(labels.to_vec(), [1, 7, 40]);
}

#[test]
fn one_npy_larger_than_memory_allows_goes_through_a_file() {
    let tensor = Tensor::from_bytes(Dtype::F32, &[1, 1 << 22], &vec![7; 4 << 22]);
    let data = Data::new([("big", tensor)]);
    let memory = Memory::default();
    let writer = Writer::npy(memory.clone(), &Head::of(&data), "big").unwrap();
    writer.run(|out| (0..5).try_for_each(|_| out.write(data.clone()))).unwrap();
    let array = Array2::<f32>::read_npy(&memory.bytes()[..]).unwrap();
    assert_eq!(array.shape(), [5, 1 << 22]);
    assert!(array.iter().all(|v| v.to_le_bytes() == [7; 4]));
}

#[test]
fn one_npy_of_a_missing_tensor_is_an_error() {
    let error = Writer::npy(Memory::default(), &head(), "z").unwrap_err();
    assert_eq!(error.to_string(), "no tensor z in the stream: expected it among x, y");
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
    let error = Writer::framed(Pipe(Left), &head()).unwrap_err();
    assert!(matches!(error, Error::Closed));
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
    let writer = Writer::framed(Pipe(Small(memory.clone(), 0)), &head()).unwrap();
    writer.run(|out| frames().into_iter().try_for_each(|f| out.write(f))).unwrap();
    assert_eq!(read(&memory.bytes()).unwrap().1, frames());
}
