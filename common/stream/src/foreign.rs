//! The format of a file by its first bytes, for the message about a file that is not what was expected.

use std::fmt;

/// Bytes that tell any format; the magic number of tar comes last, at 257.
const PREFIX: usize = 512;
/// Bytes that a message shows of an unknown format.
const SHOWN: usize = 8;

/// The format of a file that is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// No bytes at all.
    Empty,
    /// A pointer of Git LFS, which a clone holds in place of a large file.
    LfsPointer,
    /// Text of two bytes for a character, as PowerShell writes it.
    Utf16,
    /// Bytes that a program has changed as if they were Latin-1 text.
    Recoded,
    /// HTML or XML, such as the error page of a download.
    WebPage,
    /// Compressed data.
    Packed {
        /// The name of the format.
        format: &'static str,
        /// The command that unpacks it to standard output.
        unpack: &'static str,
    },
    /// An archive of files.
    Archive {
        /// The name of the format.
        format: &'static str,
        /// The command that unpacks it.
        unpack: &'static str,
    },
    /// A zip archive: .npz, or a file of PyTorch.
    Zip,
    /// A picture, in this format.
    Picture(&'static str),
    /// A PDF.
    Pdf,
    /// IDX, the format of the MNIST files.
    Idx,
    /// HDF5, the format of Keras weights and of data sets.
    Hdf5,
    /// The network of another framework, in this format.
    Network(&'static str),
    /// A table.
    Table {
        /// The name of the format.
        format: &'static str,
        /// The function of Python that reads it.
        reader: &'static str,
    },
    /// A Python pickle.
    Pickle,
    /// A JSON list.
    JsonList,
    /// A JSON object.
    Json,
    /// A stream.
    Stream,
    /// A NumPy array.
    Npy,
    /// safetensors, the format of models.
    Safetensors,
    /// Another, with these first bytes.
    Other(Vec<u8>),
}

/// Magic numbers: offset, bytes, format.
const MAGIC: &[(usize, &[u8], Foreign)] = &[
    (0, crate::START, Foreign::Stream),
    (0, crate::npy::MAGIC, Foreign::Npy),
    (0, b"version https://git-lfs.github.com/spec/", Foreign::LfsPointer),
    (0, b"\x1f\x8b", Foreign::Packed { format: "gzip", unpack: "gzip -dc" }),
    (0, b"\x28\xb5\x2f\xfd", Foreign::Packed { format: "zstd", unpack: "zstd -dc" }),
    (0, b"\xfd7zXZ\0", Foreign::Packed { format: "xz", unpack: "xz -dc" }),
    (0, b"BZh", Foreign::Packed { format: "bzip2", unpack: "bzip2 -dc" }),
    (0, b"\x04\x22\x4d\x18", Foreign::Packed { format: "lz4", unpack: "lz4 -dc" }),
    (257, b"ustar", Foreign::Archive { format: "tar", unpack: "tar -xf" }),
    (0, b"7z\xbc\xaf\x27\x1c", Foreign::Archive { format: "7z", unpack: "7z x" }),
    (0, b"PK\x03\x04", Foreign::Zip),
    (0, b"PK\x05\x06", Foreign::Zip),
    (0, b"\x89PNG", Foreign::Picture("PNG")),
    (0, b"\xff\xd8\xff", Foreign::Picture("JPEG")),
    (0, b"GIF8", Foreign::Picture("GIF")),
    (0, b"II*\0", Foreign::Picture("TIFF")),
    (0, b"MM\0*", Foreign::Picture("TIFF")),
    (8, b"WEBP", Foreign::Picture("WebP")),
    (4, b"ftypheic", Foreign::Picture("HEIC")),
    (4, b"ftypheix", Foreign::Picture("HEIC")),
    (4, b"ftypheim", Foreign::Picture("HEIC")),
    (4, b"ftyphevc", Foreign::Picture("HEIC")),
    (4, b"ftypmif1", Foreign::Picture("HEIC")),
    (4, b"ftypmsf1", Foreign::Picture("HEIC")),
    (4, b"ftypavif", Foreign::Picture("AVIF")),
    (4, b"JXL \r\n\x87\n", Foreign::Picture("JPEG XL")),
    (0, b"%PDF", Foreign::Pdf),
    (0, b"\x89HDF", Foreign::Hdf5),
    (0, b"GGUF", Foreign::Network("GGUF")),
    (4, b"TFL3", Foreign::Network("TensorFlow Lite")),
    (0, b"\x08\x01\x12", Foreign::Network("TensorFlow")),
    (0, b"\xff\xfe", Foreign::Utf16),
    (0, b"\xfe\xff", Foreign::Utf16),
    (0, b"{\0", Foreign::Utf16),
    (0, b"\xc2\x93NUMPY", Foreign::Recoded),
    (0, b"MATLAB 5", Foreign::Table { format: "MATLAB", reader: "scipy.io.loadmat" }),
    (0, b"404: Not Found", Foreign::WebPage),
    (0, b"PAR1", Foreign::Table { format: "Parquet", reader: "pandas.read_parquet" }),
];

impl Foreign {
    /// The format of a file with these first bytes; 512 tell every one, and fewer most.
    pub fn of(start: &[u8]) -> Foreign {
        let start = &start[..start.len().min(PREFIX)];
        let has = |at: usize, magic: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(magic));
        if let Some((_, _, format)) = MAGIC.iter().find(|(at, magic, _)| has(*at, magic)) {
            return format.clone();
        }
        match start {
            [] => Foreign::Empty,
            _ if is_safetensors(start) => Foreign::Safetensors,
            [0, 0, 8..=14, 1..=4, ..] => Foreign::Idx,
            [0x80, 0..=5, ..] => Foreign::Pickle,
            // Protobuf: the version of the format, then the name of the program.
            [8, 3..=16, 0x12, _, b' '..=b'~', ..] => Foreign::Network("ONNX"),
            [b'P', b'1'..=b'7', b'\n' | b' ', ..] => Foreign::Picture("Netpbm"),
            [b'[', ..] => Foreign::JsonList,
            [b'{', ..] => Foreign::Json,
            _ if is_page(start) => Foreign::WebPage,
            _ if is_table(start) => Foreign::Table { format: "text", reader: "numpy.loadtxt" },
            _ => Foreign::Other(start[..start.len().min(SHOWN)].to_owned()),
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Foreign::Empty => "an empty file",
            Foreign::LfsPointer => "a Git LFS pointer in place of the file",
            Foreign::Utf16 => "UTF-16 text",
            Foreign::Recoded => "a NumPy array that was changed as if it were text",
            Foreign::WebPage => "a web page (HTML or XML)",
            Foreign::Packed { format, .. } => return write!(f, "{format} data"),
            Foreign::Archive { format, .. } => return write!(f, "a {format} archive"),
            Foreign::Zip => "a zip archive",
            Foreign::Picture(format) => {
                let article = if format.starts_with("AV") { "an" } else { "a" };
                return write!(f, "{article} {format} picture");
            }
            Foreign::Pdf => "a PDF",
            Foreign::Idx => "an IDX file",
            Foreign::Hdf5 => "an HDF5 file",
            Foreign::Network(format) => return write!(f, "a network in the format of {format}"),
            Foreign::Table { format, .. } => return write!(f, "a {format} table"),
            Foreign::Pickle => "a Python pickle",
            Foreign::JsonList => "a JSON list",
            Foreign::Json => "JSON",
            Foreign::Stream => "a stream",
            Foreign::Npy => "a NumPy array (.npy)",
            Foreign::Safetensors => "a model or another safetensors file",
            Foreign::Other(start) => return write!(f, "bytes that begin with \"{}\"", start.escape_ascii()),
        })
    }
}

/// Whether the first 8 bytes are the length of a JSON header. The length of some begins with `{`.
pub(crate) fn is_safetensors(start: &[u8]) -> bool {
    let is_length = |&len: &[u8; 8]| (2..100 << 20).contains(&u64::from_le_bytes(len));
    start.first_chunk().is_some_and(is_length) && start.get(8).is_none_or(|first| *first == b'{')
}

/// HTML or XML, behind a byte order mark or white space.
fn is_page(start: &[u8]) -> bool {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let begins = |tag: &&[u8]| text.get(..tag.len()).is_some_and(|b| b.eq_ignore_ascii_case(tag));
    [&b"<!doctype"[..], b"<html", b"<head", b"<?xml", b"<!--"].iter().any(begins)
}

/// A first line of numbers, or of three or more names with commas between them. Behind `start` it may go on.
fn is_table(start: &[u8]) -> bool {
    let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
    let Ok(text) = std::str::from_utf8(line) else { return false };
    let mut cells: Vec<&str> = text.split([',', ';', '\t', ' ', '\r']).filter(|cell| !cell.is_empty()).collect();
    if line.len() == start.len() {
        cells.pop(); // perhaps half a number, such as `1e`
    }
    let is_number = |cell: &&str| cell.parse::<f64>().is_ok();
    let is_name = |cell: &str| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_graphic());
    cells.len() > 1
        && (cells.iter().all(is_number)
            || text.split(',').count() > 2 && cells.into_iter().all(is_name) && !text.contains(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_first_bytes() {
        let tar = [&[b'x'; 257][..], b"ustar\x0000"].concat();
        for (start, name) in [
            (&b""[..], "an empty file"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
                "a Git LFS pointer in place of the file",
            ),
            (b"<!DOCTYPE html>\n<html>", "a web page (HTML or XML)"),
            (b"\xef\xbb\xbf \n<Html lang=\"en\">", "a web page (HTML or XML)"),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied", "a web page (HTML or XML)"),
            (b"\x28\xb5\x2f\xfd\x04", "zstd data"),
            (b"\xfd7zXZ\0\0\x04", "xz data"),
            (b"BZh91AY&SY", "bzip2 data"),
            (&tar, "a tar archive"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG picture"),
            (b"GIF89a", "a GIF picture"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP picture"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "an AVIF picture"),
            (b"P5\n28 28\n255\n", "a Netpbm picture"),
            (b"%PDF-1.7", "a PDF"),
            (b"\xff\xfe{\0\"\0", "UTF-16 text"),
            (b"{\0\"\0z\0", "UTF-16 text"),
            (b"\xc2\x93NUMPY\x01", "a NumPy array that was changed as if it were text"),
            (b"404: Not Found", "a web page (HTML or XML)"),
            (b"MATLAB 5.0 MAT-file", "a MATLAB table"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"GGUF\x03\0\0\0\x0c\0", "a network in the format of GGUF"),
            (b"\x1c\0\0\0TFL3\x14\0", "a network in the format of TensorFlow Lite"),
            (b"\x08\x01\x12\xa5\x10\x0a", "a network in the format of TensorFlow"),
            (b"\x08\x07\x12\x07pytorch\x1a", "a network in the format of ONNX"),
            (b"PAR1\x15\x04", "a Parquet table"),
            (b"label,1x1,1x2,1x3\n5,0,0,0\n", "a text table"),
            (b"5,0,0,0,12\n", "a text table"),
            (b"0.0 1.5e-3 0.25\n", "a text table"),
            (b"\x80\x02\x8a\n", "a Python pickle"),
            (b"{\"message\": \"Not Found\"}", "JSON"),
            (b"{\"vae\":1,", "a stream"),
            (b"\x93NUMPY\x01\0", "a NumPy array (.npy)"),
            (b"hello, you and you\n", "bytes that begin with \"hello, y\""),
            (b"17 cats\n", "bytes that begin with \"17 cats\\n\""),
        ] {
            assert_eq!(Foreign::of(start).to_string(), name, "{}", start.escape_ascii());
        }
    }

    #[test]
    fn the_beginning_of_a_long_row_is_a_table() {
        let row = "0.125,".repeat(784);
        for length in 13..40 {
            assert!(matches!(Foreign::of(&row.as_bytes()[..length]), Foreign::Table { .. }), "{length}");
        }
    }
}
