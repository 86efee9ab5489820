//! Streams of tensors through pipes: JSON lines with .npy files between them, every byte covered by a checksum.
//!
//! A [`Reader`] gives only what is verified, and reads bare .npy and newline JSON too. A [`Writer`] writes a stream, one .npy
//! or newline JSON into any [`Sink`]. A filter reads a stream, changes a tensor, and passes on all else:
//!
//! ```
//! use vae_stream::{Data, Dtype, Error, Frame, Head, Memory, Reader, Tensor, TensorSpec, Writer};
//!
//! # fn main() -> Result<(), Error> {
//! // A stream of two images, [2, 2, 3], with labels.
//! let x = Tensor::from_bytes(Dtype::U8, &[2, 2, 3], &[0, 51, 102, 153, 204, 255, 255, 204, 153, 102, 51, 0]);
//! let y = Tensor::from_bytes(Dtype::U8, &[2], &[7, 1]);
//! let data = Data::new([("x", x), ("y", y)]);
//! let stream = Memory::default(); // stdout is Pipe(std::io::stdout())
//! Writer::framed(stream.clone(), &Head::of(&data))?.run(|out| out.write(data))?;
//!
//! // The filter: black becomes white. Its head declares x as f32.
//! let input = Reader::new(std::io::Cursor::new(stream.bytes()), "the stream", "x")?;
//! let mut head = input.head().clone();
//! let image = head.need("x")?.shape;
//! head.set_tensor("x", TensorSpec::new(Dtype::F32, &image));
//! let invert = |mut data: Data, _| {
//!     let x = data.f32("x")?;
//!     data.set("x", Tensor::from_array(&x.mapv(|v| 1.0 - v / 255.0)));
//!     Ok(data)
//! };
//! let inverted = Memory::default();
//! Writer::framed(inverted.clone(), &head)?.filter::<_, Error>(input, [invert])?;
//!
//! // The result, with the labels as they were.
//! let mut output = Reader::new(std::io::Cursor::new(inverted.bytes()), "the output", "x")?;
//! let Some(Frame::Data(data)) = output.next_frame()? else { panic!("expected a frame") };
//! assert_eq!(data.f32("x")?.as_slice().unwrap()[..3], [1.0, 0.8, 0.6]);
//! assert_eq!(data.u8("y")?.as_slice().unwrap(), [7, 1]);
//! assert!(output.next_frame()?.is_none(), "the end is verified");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! Both are on by default. `npy`: [`Writer::npy`], which needs temporary files. `sha256`: [`Reader::embedded_model`] and
//! [`sha256`].
//!
#![doc = include_str!("../../FORMAT.md")]
#![warn(clippy::missing_errors_doc)]

mod checksum;
mod convert;
mod dtype;
mod error;
mod filter;
mod foreign;
mod frame;
mod head;
mod history;
pub mod images;
mod npy;
mod reader;
pub mod record;
mod records;
#[cfg(feature = "sha256")]
mod sha256;
mod sink;
mod source;
mod tensor;
mod writer;

pub use dtype::Dtype;
pub use error::{Error, Failure, Result};
pub use foreign::Foreign;
pub use frame::{Data, Frame};
pub use head::{Head, ModelRef, TensorSpec};
pub use reader::Reader;
pub use records::Records;
#[cfg(feature = "sha256")]
pub use sha256::{hex, sha256};
pub use sink::{Memory, Pipe, Sink};
pub use tensor::{Element, Tensor};
pub use writer::Writer;

/// The version of the format.
pub const VERSION: u64 = 1;
/// The usual number of items in a frame.
pub const BATCH: usize = 256;
/// Bytes of a line of a stream at most, its newline included.
pub const MAX_LINE: usize = 1 << 20;
/// Bytes of a line of newline JSON at most, its newline included.
pub const MAX_JSON_LINE: usize = 1 << 26;
/// Bytes of a frame's tensors at most.
pub const MAX_FRAME: usize = 1 << 30;
/// The first bytes of every stream.
pub const START: &[u8] = b"{\"vae\":";
/// The key of the head that names the classes of the labels `y`, from 0.
pub const CLASSES: &str = "classes";
/// Characters of a message at most.
const MAX_MESSAGE: usize = 4096;
/// Length of the name of a tensor or a group at most.
const MAX_NAME: usize = 64;

/// Checks the name of a tensor or a group, which becomes part of file names and options.
fn check_name(name: &str) -> Result<()> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if plain && name.len() <= MAX_NAME && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Error::Name { name: name.to_owned() })
}

/// `text`, which may come from anyone's stream, as one line that a terminal prints as it is. What is not
/// [printable](is_printable) is escaped, and a text of more than 4096 characters is cut.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_MESSAGE));
    let mut chars = text.chars();
    for c in chars.by_ref().take(MAX_MESSAGE) {
        match c {
            '\n' | '\t' => line.push(' '),
            c if is_printable(c) => line.push(c),
            c => line.extend(c.escape_default()),
        }
    }
    if chars.next().is_some() {
        line.push_str("...");
    }
    line
}

/// Whether a character is a space, or has a glyph, or is part of one: no control character, no line separator, none
/// that changes the direction of text, and no other that is invisible.
pub fn is_printable(c: char) -> bool {
    let is_space = c.is_whitespace() && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
    // The table is that of `escape_debug`, which escapes a combining character only where no letter is before it.
    c.is_ascii_graphic() || is_space || format!("a{c}").escape_debug().eq(['a', c])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_line_without_characters_that_steer_a_terminal() {
        assert_eq!(one_line("a\nb\tc \"d\" 'e' \\"), "a b c \"d\" 'e' \\");
        assert_eq!(one_line("\r\x1b[2J\u{9b}1m\x7f"), "\\r\\u{1b}[2J\\u{9b}1m\\u{7f}");
        for c in "\u{ad}\u{61c}\u{200b}\u{200e}\u{202a}\u{202e}\u{2028}\u{2066}\u{2069}\u{feff}\u{e0041}".chars() {
            assert_eq!(one_line(&format!("gnp{c}.exe")), format!("gnp\\u{{{:x}}}.exe", u32::from(c)));
        }
        // A letter and its accent, as macOS writes file names, and letters of other scripts.
        let names = "Zu\u{308}rich żółć Ελλάς ראשון 画像\u{3000}🐟";
        assert_eq!(one_line(names), names);
    }

    #[test]
    fn a_text_of_any_length_is_a_line_of_bounded_length() {
        assert_eq!(one_line(&"x".repeat(MAX_MESSAGE)), "x".repeat(MAX_MESSAGE));
        assert_eq!(one_line(&"x".repeat(1 << 20)), "x".repeat(MAX_MESSAGE) + "...");
    }
}
