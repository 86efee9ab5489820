//! Streams, .npy and newline JSON.

use std::io::{Cursor, Read};

use vae_stream::{Data, Frame, Head, Memory, Reader, Tensor, Writer};

use crate::check;
use crate::pieces::Pieces;

/// The name of the tensor of a bare .npy, none of those with a meaning of their own.
const BARE: &str = "a";

/// A head, its frames, and the message of the error after them.
type Outcome = (Option<Head>, Vec<Frame>, Option<String>);

/// A stream is read alike in any pieces, and its checksums are made right, so that what lies behind them is reached.
pub fn stream(data: &[u8]) {
    for bytes in [data, &sealed(data)] {
        let bytes = &with_start(b"{\"vae\":", bytes);
        Pieces::read_alike(bytes, |input| read(input, BARE));
    }
}

/// A bare .npy is read alike in any pieces, and whole as [`Tensor::from_npy`] reads it.
pub fn npy(data: &[u8]) {
    let bytes = &with_start(b"\x93NUMPY", data);
    for name in [BARE, "x"] {
        let (_, frames, error) = Pieces::read_alike(bytes, |input| read(input, name));
        if let (BARE, Ok(whole)) = (name, Tensor::from_npy(bytes))
            && error.is_none()
            && !frames.is_empty()
        {
            assert_eq!(joined(frames).expect("items of one shape").get(BARE), Some(&whole));
        }
    }
}

/// Newline JSON is read alike in any pieces, though its frames follow what is there, and a stream holds whatever it gives.
pub fn jsonl(data: &[u8]) {
    let bytes = &with_start(b"{", data);
    Pieces::read_alike(bytes, |input| {
        let (head, frames, error) = read(input, BARE);
        // What has come before a bad line may or may not be given.
        (head, joined(frames).filter(|_| error.is_none()), error)
    });
    round_trip(bytes);
}

/// What a reader gives is written as a stream, as newline JSON and as .npy, and read back equal.
pub fn round_trip(data: &[u8]) {
    let bytes = sealed(data);
    let (Some(head), mut frames, None) = read(Cursor::new(bytes), BARE) else { return };
    let mut awaits_model = matches!(head.model(), Some(vae_stream::ModelRef::Embedded { .. }));
    // A writer leaves out models that the head does not announce, and repetitions.
    frames.retain(|frame| !matches!(frame, Frame::Data(data) if data.is_model()) || std::mem::take(&mut awaits_model));

    let stream = written(frames.clone(), |memory| Writer::framed(memory, &head).expect("a head that was read"));
    let same = (Some(head.clone()), frames.clone(), None);
    assert_eq!(read(Cursor::new(stream), BARE), same, "as a stream");

    let main = frames.into_iter().filter(|frame| matches!(frame, Frame::Data(data) if data.is_main())).collect();
    let Some(main) = joined(main) else { return };
    for (name, tensor) in &main.tensors {
        let npy = written(vec![main.clone().into()], |memory| Writer::npy(memory, &head, name).expect("a tensor"));
        assert_eq!(&Tensor::parse(npy).expect("a .npy"), tensor, "{name} as .npy");
    }
    let lines = written(vec![main.clone().into()], |memory| Writer::jsonl(memory, &head));
    if let (_, frames, None) = read(Cursor::new(lines), BARE) {
        let back = joined(frames).expect("items");
        for (name, tensor) in &main.tensors {
            assert_eq!(numbers(back.need(name).expect("the same tensors")), numbers(tensor), "{name} as newline JSON");
        }
    }
}

/// The numbers of a tensor, rounded to f32, by their bits, but NaN as one.
fn numbers(tensor: &Tensor) -> Vec<u32> {
    let values = match tensor.to_array::<f64>() {
        Ok(values) => values.mapv(|v| v as f32),
        Err(_) => tensor.to_f32().expect("no other type is wider"),
    };
    values.into_iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect()
}

fn written(frames: Vec<Frame>, writer: impl FnOnce(Memory) -> Writer) -> Vec<u8> {
    let memory = Memory::default();
    let body = |out: &mut Writer| frames.into_iter().try_for_each(|frame| out.write(frame));
    writer(memory.clone()).run(body).expect("what was read can be written");
    memory.bytes()
}

/// All frames as one, where they hold the same tensors.
fn joined(frames: Vec<Frame>) -> Option<Data> {
    let data = |frame| match frame {
        Frame::Data(data) => Some(data),
        Frame::Json(_) => None,
    };
    Data::concat(frames.into_iter().filter_map(data).collect()).ok().filter(|data| !data.tensors.is_empty())
}

/// All that a reader gives.
fn read(input: impl Read + Send + 'static, name: &str) -> Outcome {
    let mut frames = Vec::new();
    let mut reader = match Reader::new(input, "fuzz", name) {
        Ok(reader) => reader,
        Err(e) => return (None, frames, Some(check::bad_start(e))),
    };
    let error = loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => break None,
            Err(e) => break Some(check::bad_input(e)),
        }
    };
    (Some(reader.head().clone()), frames, error)
}

/// The bytes, with these first: they tell the format.
fn with_start(start: &[u8], bytes: &[u8]) -> Vec<u8> {
    if bytes.starts_with(start) { bytes.to_vec() } else { [start, bytes].concat() }
}

/// The bytes with the checksum of every line made right.
pub fn sealed(bytes: &[u8]) -> Vec<u8> {
    const KEY: &[u8] = b",\"crc32\":\"";
    const END: &[u8] = b"\"}\n";
    let (mut sealed, mut crc, mut done, mut at) = (bytes.to_vec(), crc32fast::Hasher::new(), 0, 0);
    while let Some(found) =
        bytes[at..].windows(KEY.len() + 8 + END.len()).position(|w| w.starts_with(KEY) && w.ends_with(END))
    {
        let key = at + found;
        let (digits, end) = (key + KEY.len(), key + KEY.len() + 8 + END.len());
        crc.update(&sealed[done..key]);
        let digest = format!("{:08x}", crc.clone().finalize());
        sealed[digits..digits + 8].copy_from_slice(digest.as_bytes());
        crc.update(&sealed[key..end]);
        (done, at) = (end, end);
        if bytes[end..].starts_with(vae_stream::START) {
            crc = crc32fast::Hasher::new();
        }
    }
    sealed
}
