//! The format of an output, and the extensions that promise another one.

use std::path::Path;
use std::sync::Once;

use crate::tell;

/// What a program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A stream.
    Stream,
    /// A NumPy array.
    Npy,
    /// NumPy arrays by name.
    Npz,
    /// JSON, or newline JSON.
    Json,
    /// Lines of text.
    Text,
    /// A page.
    Html,
    /// A picture of pixels.
    Png,
    /// A picture of lines.
    Svg,
    /// A model, or a state dict.
    Safetensors,
    /// Whatever the input is.
    Copy,
}

/// Extensions, and the format that they promise; none of these programs writes those without.
const EXTENSIONS: &[(&str, Option<Format>)] = &[
    ("vae", Some(Format::Stream)),
    ("npy", Some(Format::Npy)),
    ("npz", Some(Format::Npz)),
    ("json", Some(Format::Json)),
    ("jsonl", Some(Format::Json)),
    ("ndjson", Some(Format::Json)),
    ("html", Some(Format::Html)),
    ("htm", Some(Format::Html)),
    ("png", Some(Format::Png)),
    ("svg", Some(Format::Svg)),
    ("safetensors", Some(Format::Safetensors)),
    ("jpg", None),
    ("jpeg", None),
    ("gif", None),
    ("tif", None),
    ("tiff", None),
    ("bmp", None),
    ("webp", None),
    ("pdf", None),
    ("pt", None),
    ("pth", None),
    ("h5", None),
    ("hdf5", None),
    ("keras", None),
    ("onnx", None),
    ("pkl", None),
    ("mat", None),
    ("csv", None),
    ("tsv", None),
    ("parquet", None),
    ("gz", None),
    ("zst", None),
    ("xz", None),
    ("zip", None),
    ("tar", None),
];

impl Format {
    /// Whether a terminal can show it.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Format::Json | Format::Text | Format::Html)
    }

    fn name(self) -> &'static str {
        match self {
            Format::Stream => "a stream",
            Format::Npy => "a .npy",
            Format::Npz => "an .npz",
            Format::Json => "JSON",
            Format::Text => "text",
            Format::Html => "HTML",
            Format::Png => "a PNG",
            Format::Svg => "an SVG",
            Format::Safetensors => "safetensors",
            Format::Copy => "a copy of the input",
        }
    }

    /// Says once, of a file whose extension promises another format, what is written.
    pub(crate) fn tell_mismatch(self, path: &Path) {
        static TOLD: Once = Once::new();
        if let Some(message) = self.mismatch(path) {
            TOLD.call_once(|| tell(&message));
        }
    }

    fn mismatch(self, path: &Path) -> Option<String> {
        let extension = path.extension()?.to_ascii_lowercase();
        let (_, promised) = EXTENSIONS.iter().find(|(known, _)| *known == extension)?;
        let by_frames = matches!(self, Format::Stream | Format::Npy);
        let remedy = match promised {
            _ if self == Format::Copy || *promised == Some(self) => return None,
            Some(Format::Npy) if by_frames => "; a .npy is written with --npy NAME",
            Some(Format::Json) if by_frames => "; newline JSON is written with --jsonl",
            None if self == Format::Safetensors && (extension == "pt" || extension == "pth") => {
                "; in Python safetensors.torch.load_file reads it"
            }
            _ => "",
        };
        Some(format!("{} is written as {}, whatever its name says{remedy}", path.display(), self.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_of_another_format_is_told_with_the_option_that_writes_it() {
        for (format, path, message) in [
            (
                Format::Stream,
                "z.npy",
                "z.npy is written as a stream, whatever its name says; a .npy is written with --npy NAME",
            ),
            (
                Format::Stream,
                "o.JSONL",
                "o.JSONL is written as a stream, whatever its name says; newline JSON is written with --jsonl",
            ),
            (Format::Png, "a.jpg", "a.jpg is written as a PNG, whatever its name says"),
            (
                Format::Safetensors,
                "w.pt",
                "w.pt is written as safetensors, whatever its name says; in Python safetensors.torch.load_file reads it",
            ),
        ] {
            assert_eq!(format.mismatch(Path::new(path)).as_deref(), Some(message));
        }
    }

    #[test]
    fn nothing_is_told_of_the_own_extension_or_of_one_that_promises_nothing() {
        for (format, path) in [
            (Format::Stream, "z.vae"),
            (Format::Npy, "z.NPY"),
            (Format::Json, "report.json"),
            (Format::Safetensors, "model.bin"),
            (Format::Safetensors, "model.bin.ckpt"),
            (Format::Text, "log.txt"),
            (Format::Stream, "run.3"),
            (Format::Stream, ".npy"),
            (Format::Copy, "run.npy"),
        ] {
            assert_eq!(format.mismatch(Path::new(path)), None, "{path}");
        }
    }
}
