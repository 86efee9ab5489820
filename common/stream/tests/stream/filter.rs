//! The loop of a filter: order, faults of each of its stages, and live input.

use std::io::{self, Cursor, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use vae_stream::{BATCH, Data, Dtype, Error, Frame, Head, Memory, Pipe, Reader, Result, Tensor, Writer};

use crate::{images, read_some, write};

/// More frames than lie ready between the threads.
const FRAMES: u8 = 40;

fn first_label(data: &Data) -> u8 {
    data.u8("y").unwrap()[0]
}

fn stream() -> Vec<u8> {
    write(&Head::of(&images(0)), (0..FRAMES).map(|k| images(k).into()))
}

fn reader(input: impl Read + Send + 'static) -> Reader {
    Reader::new(input, "test", "x").unwrap()
}

/// Numbers of workers of which everything holds.
const WORKERS: [usize; 3] = [1, 2, 3];

/// Runs a filter over an input, with so many workers of a kind; what comes out, and how it ended.
fn filter<W>(input: impl Read + Send + 'static, workers: usize, work: W) -> (Vec<u8>, Result<()>)
where
    W: FnMut(Data, usize) -> Result<Data> + Send + Clone,
{
    let memory = Memory::default();
    let writer = Writer::framed(memory.clone(), &Head::of(&images(0))).unwrap();
    let result = writer.filter(reader(input), vec![work; workers]);
    (memory.bytes(), result)
}

/// A worker that passes on what it is given.
fn pass(data: Data, _: usize) -> Result<Data> {
    Ok(data)
}

/// The first labels of the frames that came out, and the error after them.
fn labels(output: &[u8]) -> (Vec<u8>, Option<Error>) {
    let (_, frames, error) = read_some(output);
    let label = |frame: &Frame| match frame {
        Frame::Data(data) => first_label(data),
        Frame::Json(_) => panic!("expected no records"),
    };
    (frames.iter().map(label).collect(), error)
}

#[test]
fn frames_keep_their_order() {
    for workers in WORKERS {
        let (output, result) = filter(Cursor::new(stream()), workers, |data: Data, _| {
            sleep(Duration::from_micros(100 * (first_label(&data) % 4) as u64)); // now the one stage waits, now the other
            Ok::<_, Error>(data)
        });
        result.unwrap();
        assert!(output == stream(), "{workers} workers");
    }
}

#[test]
fn frames_keep_their_order_though_one_worker_is_slow() {
    const NAMES: [usize; 3] = [1, 2, 3];
    for slow in NAMES {
        let memory = Memory::default();
        let writer = Writer::framed(memory.clone(), &Head::of(&images(0))).unwrap();
        let worker = |number| {
            move |data: Data, _| {
                sleep(Duration::from_millis(if number == slow { 3 } else { 0 }));
                Ok::<_, Error>(data)
            }
        };
        writer.filter(reader(Cursor::new(stream())), NAMES.map(worker)).unwrap();
        assert!(memory.bytes() == stream(), "worker {slow} is slow");
    }
}

#[test]
fn workers_work_at_the_same_time() {
    let begun = AtomicUsize::new(0);
    let deadline = Instant::now() + Duration::from_secs(20);
    let (output, result) = filter(Cursor::new(stream()), 2, |data: Data, _| {
        // Neither goes on without the other.
        let pair = (begun.fetch_add(1, Ordering::SeqCst) / 2 + 1) * 2;
        while begun.load(Ordering::SeqCst) < pair {
            if Instant::now() > deadline {
                return Err(Error::Panicked);
            }
            sleep(Duration::from_millis(1));
        }
        Ok::<_, Error>(data)
    });
    result.unwrap();
    assert!(output == stream());
}

#[test]
fn a_worker_is_told_how_many_items_come_before_a_frame() {
    for workers in WORKERS {
        let mut aside = Data::new([("more", Tensor::from_bytes(Dtype::U8, &[5], &[0; 5]))]);
        aside.group = Some("aside".to_owned());
        let large = Data::concat((0..200).map(images).collect()).unwrap();
        let head = Head::of(&large);
        let input = write(&head, [images(0).into(), aside.into(), images(1).into(), large.into(), images(3).into()]);
        let frames = Mutex::new(vec![]);
        let memory = Memory::default();
        let writer = Writer::framed(memory, &head).unwrap();
        let work = |data: Data, first| {
            frames.lock().unwrap().push((first, data.items()));
            Ok::<_, Error>(data)
        };
        writer.filter(reader(Cursor::new(input)), vec![work; workers]).unwrap();
        let mut frames = frames.into_inner().unwrap();
        frames.sort();
        let each = images(0).items();
        let (before, whole) = (2 * each, 200 * each);
        let mut expected = vec![(0, each), (each, each)];
        expected.extend((0..whole).step_by(BATCH).map(|first| (before + first, BATCH.min(whole - first))));
        expected.push((before + whole, each));
        assert_eq!(frames, expected, "{workers} workers");
    }
}

#[test]
fn a_large_frame_comes_in_parts_and_loses_nothing() {
    let items = 1000;
    let x: Vec<u8> = (0..items * 6).map(|i| (i % 251) as u8).collect();
    let y: Vec<u8> = (0..items).map(|i| (i % 241) as u8).collect();
    let large = Data::new([
        ("x", Tensor::from_bytes(Dtype::U8, &[items, 2, 3], &x)),
        ("y", Tensor::from_bytes(Dtype::U8, &[items], &y)),
    ]);
    let mut sizes = vec![];
    let memory = Memory::default();
    let writer = Writer::framed(memory.clone(), &Head::of(&large)).unwrap();
    let work = |data: Data, _| {
        sizes.push(data.items());
        Ok::<_, Error>(data)
    };
    writer.filter(reader(Cursor::new(write(&Head::of(&large), [large.clone().into()]))), [work]).unwrap();
    let output = memory.bytes();
    assert_eq!(sizes, [256, 256, 256, 232]);
    let (_, frames, error) = read_some(&output);
    assert!(error.is_none());
    let parts = frames.into_iter().map(|frame| match frame {
        Frame::Data(data) => data,
        Frame::Json(_) => panic!("expected no records"),
    });
    assert_eq!(Data::concat(parts.collect()).unwrap(), large);
}

#[test]
fn a_fault_of_the_input_comes_out_after_all_frames_before_it() {
    let mut bytes = stream();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    let good = read_some(&bytes).1.len();
    assert!((5..FRAMES as usize - 5).contains(&good), "{good} frames before the fault");
    for workers in WORKERS {
        let (output, result) = filter(Cursor::new(bytes.clone()), workers, pass);
        let message = result.expect_err("the input was cut").to_string();
        assert!(message.contains(&format!("stops at byte {middle}")), "{message}");
        let (labels, error) = labels(&output);
        assert_eq!(labels, (0..good as u8).collect::<Vec<_>>(), "{workers} workers");
        assert!(matches!(error, Some(Error::Upstream { message: said, .. }) if said == message));
    }
}

#[test]
fn a_fault_of_the_work_comes_out_after_all_frames_before_it() {
    for workers in WORKERS {
        let (output, result) = filter(Cursor::new(stream()), workers, |data: Data, _| match first_label(&data) {
            20 => {
                sleep(Duration::from_millis(5)); // the others fail first
                Err(Error::Undeclared { name: "z".to_owned() })
            }
            21.. => Err(Error::NoTensors), // too late
            _ => Ok(data),
        });
        assert_eq!(result.expect_err("the work failed").to_string(), "tensor z is not in the head");
        let (labels, error) = labels(&output);
        assert_eq!(labels, (0..20).collect::<Vec<_>>(), "{workers} workers");
        assert!(matches!(error, Some(Error::Upstream { message, .. }) if message == "tensor z is not in the head"));
    }
}

/// Takes some bytes, and then no more.
struct Full(usize, io::ErrorKind);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(self.1)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a filter of so many workers whose output takes half of the stream.
fn filter_into_full(input: impl Read + Send + 'static, workers: usize, kind: io::ErrorKind) -> Error {
    let output = Pipe(Full(stream().len() / 2, kind));
    let writer = Writer::framed(output, &Head::of(&images(0))).unwrap();
    writer.filter(reader(input), vec![pass; workers]).expect_err("the output is full")
}

#[test]
fn a_fault_of_the_output_ends_the_filter() {
    for workers in WORKERS {
        let error = filter_into_full(Cursor::new(stream()), workers, io::ErrorKind::StorageFull);
        assert!(matches!(error, Error::Io { .. }), "{error}");
        let error = filter_into_full(Cursor::new(stream()), workers, io::ErrorKind::BrokenPipe);
        assert!(matches!(error, Error::Closed), "{error}");
    }
}

/// Gives what is sent, and waits for it.
struct Live(Receiver<Vec<u8>>, Cursor<Vec<u8>>);

impl Live {
    fn new() -> (Sender<Vec<u8>>, Live) {
        let (sender, receiver) = channel();
        (sender, Live(receiver, Cursor::default()))
    }
}

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.position() == self.1.get_ref().len() as u64 {
            self.1 = Cursor::new(self.0.recv().unwrap_or_default());
        }
        self.1.read(buffer)
    }
}

#[test]
fn a_closed_output_ends_the_filter_while_the_input_is_silent() {
    for workers in WORKERS {
        let (sender, input) = Live::new();
        let bytes = stream();
        let end = bytes.len() - 60; // all frames, but not the end
        sender.send(bytes[..end].to_vec()).unwrap();
        assert!(matches!(filter_into_full(input, workers, io::ErrorKind::BrokenPipe), Error::Closed));
        drop(sender); // until now, the input could have gone on
    }
}

#[test]
fn what_a_live_input_sends_leaves_before_the_next_is_sent() {
    WORKERS.into_iter().for_each(live);
}

fn live(workers: usize) {
    let (sender, input) = Live::new();
    let memory = Memory::default();
    let output = memory.clone();
    let filter = std::thread::spawn(move || {
        let input = reader(input);
        let writer = Writer::jsonl(output, input.head());
        writer.filter(input, vec![pass; workers])
    });
    let mut sent = Vec::new();
    for k in 0..20 {
        let line = format!("{{\"y\":{k}}}\n").into_bytes();
        sent.extend_from_slice(&line);
        sender.send(line).unwrap();
        let begun = Instant::now();
        while memory.bytes() != sent {
            assert!(begun.elapsed() < Duration::from_secs(20), "item {k} waits for the next");
            sleep(Duration::from_micros(100));
        }
    }
    drop(sender);
    filter.join().unwrap().unwrap();
}

#[test]
fn a_panic_of_the_work_leaves_a_stream_without_its_end() {
    // In the first worker, and in the others.
    for (workers, bad) in WORKERS.into_iter().flat_map(|workers| [(workers, 20), (workers, 21), (workers, 22)]) {
        let memory = Memory::default();
        let writer = Writer::framed(memory.clone(), &Head::of(&images(0))).unwrap();
        let work = |data: Data, _| if first_label(&data) == bad { panic!("a bug") } else { Ok::<_, Error>(data) };
        let input = reader(Cursor::new(stream()));
        let panic = catch_unwind(AssertUnwindSafe(|| writer.filter(input, vec![work; workers])));
        assert_eq!(panic.expect_err("a panic").downcast_ref(), Some(&"a bug"));
        let (labels, error) = labels(&memory.bytes());
        assert_eq!(labels, (0..bad).collect::<Vec<_>>(), "{workers} workers");
        assert!(error.is_some(), "the stream looks whole");
    }
}

/// An input with a bug.
struct Panics(Cursor<Vec<u8>>);

impl Read for Panics {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => panic!("a bug"),
            n => Ok(n),
        }
    }
}

#[test]
fn a_panic_of_the_input_is_one_of_the_filter() {
    let mut bytes = stream();
    bytes.truncate(bytes.len() - 60);
    for workers in WORKERS {
        let panic = catch_unwind(|| filter(Panics(Cursor::new(bytes.clone())), workers, pass));
        assert_eq!(panic.expect_err("a panic").downcast_ref(), Some(&"a bug"));
    }
}
