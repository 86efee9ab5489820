//! Arguments that many programs take.

use std::fs::File;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use vae_stream::{Head, Reader, Writer};

use crate::output::{Kind, Output};
use crate::{Result, fd, input, tool_name};

/// The input of a filter.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct InputArgs {
    /// What to read: a stream, .npy or newline JSON; standard input if absent or -
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl InputArgs {
    /// Opens it as bytes, and gives what messages call it.
    ///
    /// # Errors
    /// As [`input::open`].
    pub fn open(&self) -> Result<(File, String)> {
        input::open(self.file.as_deref())
    }

    /// Opens it as frames. A bare .npy, which names nothing, is called `bare_name`.
    ///
    /// # Errors
    /// As [`input::open`], and [`Error::Data`](crate::Error::Data) for all that is no stream, .npy or newline JSON.
    pub fn reader(&self, bare_name: &str) -> Result<Reader> {
        let (file, name) = self.open()?;
        Ok(Reader::new(file, &name, bare_name)?)
    }
}

/// Whether standard input is a pipe, or a file with something in it: not a terminal, nor `/dev/null`.
pub fn stdin_holds_something() -> bool {
    let kind = fd::stdin().and_then(|stdin| stdin.metadata());
    kind.is_ok_and(|m| m.file_type().is_fifo() || m.len() > 0)
}

/// How many threads compute.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct ThreadArgs {
    /// Threads to compute with; the result is the same for any number [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl ThreadArgs {
    /// The number asked for, or one for each core.
    pub fn count(self) -> usize {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(cores).get()
    }
}

/// Parses a number of items in a frame, from 1 to 65536.
///
/// # Errors
/// What was expected, for anything else.
pub fn batch(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|n| (1..=1 << 16).contains(n)).ok_or_else(|| "expected 1 to 65536".to_owned())
}

/// The output of a filter, in one of three forms.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// Write to FILE, which appears only when all went well; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write one tensor of the stream as a single .npy, once the whole stream has proved good
    #[arg(long, value_name = "NAME", conflicts_with = "jsonl")]
    pub npy: Option<String>,
    /// Write newline JSON, one item per line
    #[arg(long)]
    pub jsonl: bool,
}

impl OutputArgs {
    /// Opens it for the frames that `head` describes, and signs the head's history.
    ///
    /// # Errors
    /// As [`Output::open`]; [`Error::Usage`](crate::Error::Usage) where the head has not the tensor of --npy.
    pub fn writer(&self, mut head: Head) -> Result<Writer> {
        let args: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
        head.sign(&format!("{} {}", tool_name(), env!("CARGO_PKG_VERSION")), &args);
        let kind = if self.jsonl { Kind::Text } else { Kind::Binary };
        let output = Output::open(self.output.as_deref(), kind)?;
        let writer = match &self.npy {
            Some(name) => Writer::npy(output, &head, name)?,
            None if self.jsonl => Writer::jsonl(output, &head),
            None => Writer::framed(output, &head)?,
        };
        Ok(writer.by(tool_name()))
    }
}
