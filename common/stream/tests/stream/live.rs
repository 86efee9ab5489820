//! A stream that is still being written.

use std::io::{self, Read};
use std::sync::mpsc;

use vae_stream::{Frame, Reader};

use crate::{frames, head, images, write};

/// Gives bytes in the portions that were sent; to ask for more is a failure, where a pipe would wait.
struct Portions(mpsc::Receiver<Vec<u8>>, Vec<u8>);

impl Read for Portions {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.try_recv().map_err(|_| io::Error::other("it would wait"))?;
        }
        let n = buffer.len().min(self.1.len());
        buffer[..n].copy_from_slice(&self.1[..n]);
        self.1.drain(..n);
        Ok(n)
    }
}

#[test]
fn a_frame_is_given_as_soon_as_the_next_line_is_here() {
    let bytes = write(&head(), frames());
    let (sender, receiver) = mpsc::channel();
    // One byte after the other, so that every wait shows.
    let send = |until: &str| {
        let end = bytes.windows(until.len()).position(|w| w == until.as_bytes()).unwrap();
        bytes[..end].to_vec()
    };
    let start = send(r#"{"type":"json""#);
    let json_line = bytes[start.len()..].iter().position(|b| *b == b'\n').unwrap() + 1;
    for byte in &bytes[..start.len() + json_line] {
        sender.send(vec![*byte]).unwrap();
    }
    let mut reader = Reader::new(Portions(receiver, Vec::new()), "test", "x").unwrap();
    for expected in &frames()[..3] {
        assert_eq!(reader.next_frame().unwrap().as_ref(), Some(expected));
    }
    assert!(reader.next_frame().is_err(), "nothing more was sent");
}

#[test]
fn an_item_of_newline_json_is_given_as_soon_as_its_line_is_here() {
    let (sender, receiver) = mpsc::channel();
    let mut reader = {
        sender.send(b"{\"y\":1}\n".to_vec()).unwrap();
        Reader::new(Portions(receiver, Vec::new()), "test", "x").unwrap()
    };
    let labels = |reader: &mut Reader| match reader.next_frame() {
        Ok(Some(Frame::Data(data))) => data.u8("y").unwrap().into_raw_vec_and_offset().0,
        other => panic!("expected labels, got {other:?}"),
    };
    assert_eq!(labels(&mut reader), [1]);
    sender.send(b"{\"y\":2}\n{\"y\":3}\n{\"y\":".to_vec()).unwrap();
    assert_eq!(labels(&mut reader), [2, 3], "what is here comes as one frame");
    sender.send(b"4}\n".to_vec()).unwrap();
    assert_eq!(labels(&mut reader), [4]);
}

#[test]
fn a_reader_may_move_to_another_thread() {
    let bytes = write(&head(), [images(1).into()]);
    let mut reader = Reader::new(io::Cursor::new(bytes), "test", "x").unwrap();
    let frame = std::thread::spawn(move || reader.next_frame().unwrap()).join().unwrap();
    assert_eq!(frame, Some(images(1).into()));
}
