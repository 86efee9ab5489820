//! The records of a log: newline JSON of any shape, or the `json` frames of a stream.

use std::fmt;
use std::io::Read;

use serde_json::{Map, Value};

use crate::foreign::{Foreign, is_safetensors};
use crate::reader::{Frames, PREFIX, locate};
use crate::source::Source;
use crate::{Error, Frame, Result, START};

/// The records of a log, one by one. Memory is one record, or one frame of a stream.
///
/// A log may be unfinished: a last line without its newline that is no JSON yet, a truncated stream, and an error frame are
/// its end. Every record of a stream is verified before it is given.
pub struct Records {
    log: Log,
    name: String,
}

enum Log {
    Lines { source: Source, line: u64 },
    Stream(Box<Frames>),
}

impl Records {
    /// Reads newline JSON or a stream; `name` is the log's name in messages.
    ///
    /// # Errors
    /// [`Error::Format`] for any other format, the error of a bad beginning, and [`Error::Io`].
    pub fn new(input: impl Read + Send + 'static, name: &str) -> Result<Records> {
        let log = Log::open(Source::new(input)).map_err(|e| locate(e, name))?;
        Ok(Records { log, name: name.to_owned() })
    }

    /// The log's name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next record; none at the end of what there is.
    ///
    /// # Errors
    /// [`Error::JsonLine`] for a line that is no record, those of a stream that is damaged, but not [`Error::Truncated`], and
    /// [`Error::Io`].
    pub fn next_record(&mut self) -> Result<Option<Map<String, Value>>> {
        let next = match &mut self.log {
            Log::Lines { source, line } => next_line(source, line),
            Log::Stream(frames) => next_frame(frames),
        };
        next.map_err(|e| locate(e, &self.name))
    }
}

impl Log {
    fn open(mut source: Source) -> Result<Log> {
        let start = source.peek(PREFIX)?;
        if start.is_empty() {
            Err(Error::Empty)
        } else if start.starts_with(START) {
            Frames::open(source).map(|frames| Log::Stream(Box::new(frames)))
        } else if start.starts_with(b"{") && !is_safetensors(start) {
            Ok(Log::Lines { source, line: 0 })
        } else {
            Err(Error::Format { expected: "newline JSON or a stream", got: Foreign::of(source.arrived()) })
        }
    }
}

fn next_line(source: &mut Source, number: &mut u64) -> Result<Option<Map<String, Value>>> {
    while let Some(line) = source.line()? {
        *number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        return match serde_json::from_slice(&line) {
            Ok(record) => Ok(Some(record)),
            Err(_) if !line.ends_with(b"\n") => Ok(None),
            Err(e) => Err(Error::JsonLine(e).within(format_args!("line {number}"))),
        };
    }
    Ok(None)
}

fn next_frame(frames: &mut Frames) -> Result<Option<Map<String, Value>>> {
    loop {
        match frames.next() {
            Ok(Some(Frame::Json(record))) => return Ok(Some(record)),
            Ok(Some(Frame::Data(_))) => {}
            Ok(None) => return Ok(None),
            Err(e) if matches!(e.cause(), Error::Upstream { .. } | Error::Truncated { .. }) => return Ok(None),
            Err(e) => return Err(e),
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Records({})", self.name)
    }
}
