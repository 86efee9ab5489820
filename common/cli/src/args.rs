//! Arguments that several programs share.

use std::io::Read;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use vae_stream::{Head, Reader, Writer};

use crate::output::{Format, Output};
use crate::{Error, Result, fd, input, tool_name};

/// The input of a filter.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct InputArgs {
    /// The input: a stream, .npy or newline JSON; standard input if absent or -
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl InputArgs {
    /// Opens it as bytes; gives its name in messages too.
    ///
    /// # Errors
    /// As [`input::open`].
    pub fn open(&self) -> Result<(impl Read + Send + use<>, String)> {
        input::open(self.file.as_deref())
    }

    /// Opens it as frames. `bare_name` is the name of the tensor of a bare .npy.
    ///
    /// # Errors
    /// As [`input::open`], and [`Error::Stream`] for any other format and a bad beginning.
    pub fn reader(&self, bare_name: &str) -> Result<Reader> {
        let (file, name) = self.open()?;
        Ok(Reader::new(file, &name, bare_name)?)
    }
}

/// Whether standard input is a pipe or a file that is not empty; a terminal and `/dev/null` are not.
pub fn stdin_holds_something() -> bool {
    let kind = fd::stdin().and_then(|stdin| stdin.metadata());
    kind.is_ok_and(|m| m.file_type().is_fifo() || m.len() > 0)
}

/// The number of threads.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct ThreadArgs {
    /// Threads to compute with; the result is the same for any number [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl ThreadArgs {
    /// The number of threads: --threads, or one for each core.
    pub fn count(self) -> usize {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(cores).get()
    }
}

/// Parses the number of items in a frame, 1 to 65536.
///
/// # Errors
/// For anything else, with what was expected.
pub fn batch(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|n| (1..=1 << 16).contains(n)).ok_or_else(|| "expected 1 to 65536".to_owned())
}

/// The output of a filter, in one of three formats.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// Write to FILE, which appears only on success; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write one tensor of the stream as a single .npy, once the whole stream is verified
    #[arg(long, value_name = "NAME", conflicts_with = "jsonl")]
    pub npy: Option<String>,
    /// Write newline JSON, one item per line
    #[arg(long)]
    pub jsonl: bool,
}

impl OutputArgs {
    /// Opens it for the frames that `head` describes, and adds the program to the head's history.
    ///
    /// # Errors
    /// As [`Output::open`]; [`Error::Usage`] where the head lacks the tensor of --npy.
    pub fn writer(&self, mut head: Head) -> Result<Writer> {
        let args: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
        head.sign(&format!("{} {}", tool_name(), env!("CARGO_PKG_VERSION")), &args);
        let format = match (&self.npy, self.jsonl) {
            (Some(_), _) => Format::Npy,
            (None, true) => Format::Json,
            (None, false) => Format::Stream,
        };
        let output = Output::open(self.output.as_deref(), format)?;
        let writer = match &self.npy {
            Some(name) => Writer::npy(output, &head, name).map_err(|e| Error::Usage(format!("--npy: {e}")))?,
            None if self.jsonl => Writer::jsonl(output, &head),
            None => Writer::framed(output, &head)?,
        };
        Ok(writer.by(tool_name()))
    }
}
