//! The records of a log: newline JSON of any shape, or the `json` frames of a stream.

use std::fmt;
use std::io::Read;

use serde_json::{Map, Value};

use crate::foreign::{Foreign, is_safetensors};
use crate::reader::{Frames, PREFIX, locate};
use crate::source::Source;
use crate::{Error, Frame, MAX_LINE, Result, START};

/// The beginning of a record, as the programs write it.
const RECORD: &[u8] = b"{\"kind\":";
/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The records of a log, one by one. Memory is one record, or one frame of a stream.
///
/// A log may be unfinished: a last line without its newline that is no JSON yet, a truncated stream, and an error frame
/// are its end, unless another stream follows. In newline JSON, what is no record is [passed over](Records::passed_over): the messages of other
/// programs, a line that was cut off, NUL bytes after a crash. Every record of a stream is verified before it is given.
pub struct Records {
    log: Log,
    name: String,
}

enum Log {
    Lines(Box<Lines>),
    Stream {
        frames: Box<Frames>,
        /// Streams that were cut off, with another after them.
        torn: u64,
    },
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
    /// [`Error::Format`] and [`Error::JsonLine`] at the end of lines of which none is a record, the errors of a stream
    /// that is damaged, but not [`Error::Truncated`], and [`Error::Io`].
    pub fn next_record(&mut self) -> Result<Option<Map<String, Value>>> {
        let next = match &mut self.log {
            Log::Lines(lines) => lines.next(),
            Log::Stream { frames, torn } => next_frame(frames, torn),
        };
        next.map_err(|e| locate(e, &self.name))
    }

    /// A message about what was passed over: lines that are no records, or the ends of streams that were cut off.
    pub fn passed_over(&self) -> Option<String> {
        match &self.log {
            Log::Lines(log) => {
                let first = log.first_bad.as_ref()?;
                Some(format!("{}: {} of {} lines passed over: {first}", self.name, log.bad, log.lines))
            }
            Log::Stream { torn: 0, .. } => None,
            Log::Stream { torn, .. } => {
                Some(format!("{}: {torn} of the streams cut off before the last: what they had is read", self.name))
            }
        }
    }
}

impl Log {
    fn open(mut source: Source) -> Result<Log> {
        let start = source.peek(PREFIX)?;
        if start.is_empty() {
            return Err(Error::Empty);
        }
        if start.starts_with(START) {
            let mut frames = Box::new(Frames::open(source)?);
            frames.keep();
            return Ok(Log::Stream { frames, torn: 0 });
        }
        let (is_log, is_object) =
            (is_text(start) && !start.starts_with(b"{\0") && !is_safetensors(start), start.starts_with(b"{"));
        let otherwise = Error::Format { expected: "newline JSON or a stream", got: Foreign::of(source.arrived()) };
        if !is_log {
            return Err(otherwise);
        }
        let otherwise = (!is_object).then_some(otherwise);
        let lines = Lines { source, lines: 0, otherwise, has_records: false, bad: 0, first_bad: None };
        Ok(Log::Lines(Box::new(lines)))
    }
}

/// Whether these first bytes may be text, or NUL bytes in its place; the last character may be cut off.
fn is_text(start: &[u8]) -> bool {
    let is_utf8 = std::str::from_utf8(start).map_or_else(|e| e.error_len().is_none(), |_| true);
    is_utf8 && start.iter().all(|b| !b.is_ascii_control() || matches!(b, b'\0' | b'\t' | b'\n' | b'\r' | b'\x1b'))
}

/// A log of newline JSON.
struct Lines {
    source: Source,
    /// Lines read.
    lines: u64,
    /// The format of a text that does not begin with an object, in case that none of its lines is a record.
    otherwise: Option<Error>,
    has_records: bool,
    /// Lines that are no records, or only at their end.
    bad: u64,
    /// The error of the first of these.
    first_bad: Option<Error>,
}

impl Lines {
    fn next(&mut self) -> Result<Option<Map<String, Value>>> {
        loop {
            let line = match self.source.line(MAX_LINE) {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(e @ Error::LineTooLong { .. }) => {
                    self.source.skip_line()?;
                    self.lines += 1;
                    self.pass_over(e);
                    continue;
                }
                Err(e) => return Err(e),
            };
            self.lines += 1;
            let text = trim(&line);
            let record = match serde_json::from_slice(text) {
                _ if text.is_empty() => continue,
                Ok(record) => Some(record),
                Err(e) => {
                    let record = record_at_end(text);
                    if record.is_none() && !line.ends_with(b"\n") {
                        break;
                    }
                    self.pass_over(Error::JsonLine(e));
                    record
                }
            };
            if record.is_some() {
                self.has_records = true;
                return Ok(record);
            }
        }
        match self.has_records {
            true => Ok(None),
            false => self.otherwise.take().or_else(|| self.first_bad.take()).map_or(Ok(None), Err),
        }
    }

    fn pass_over(&mut self, error: Error) {
        self.bad += 1;
        self.first_bad.get_or_insert_with(|| error.within(format_args!("line {}", self.lines)));
    }
}

/// The line without white space, byte order mark and NUL bytes around it. File systems leave NUL bytes where a crash
/// came before the data.
fn trim(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    let start = line.iter().position(|b| *b != 0).unwrap_or(line.len());
    let end = line.iter().rposition(|b| *b != 0).map_or(start, |last| last + 1);
    let line = line[start..end].trim_ascii();
    line.strip_prefix(MARK).unwrap_or(line)
}

/// The record at the end of a line, behind one that was cut off, or behind other text without a newline.
fn record_at_end(line: &[u8]) -> Option<Map<String, Value>> {
    let starts = line.windows(RECORD.len()).enumerate().skip(1).filter(|(_, window)| *window == RECORD);
    starts.map(|(at, _)| &line[at..]).find_map(|end| serde_json::from_slice(end).ok())
}

fn next_frame(frames: &mut Frames, torn: &mut u64) -> Result<Option<Map<String, Value>>> {
    loop {
        match frames.next() {
            Ok(Some(Frame::Json(record))) => return Ok(Some(record)),
            Ok(Some(Frame::Data(_))) => {}
            Ok(None) => return Ok(None),
            Err(e @ Error::Io { .. }) => return Err(e),
            Err(e) => match (frames.recover()?, e.cause()) {
                (true, _) => *torn += 1,
                (false, Error::Upstream { .. } | Error::Truncated { .. }) => return Ok(None),
                (false, _) => return Err(e),
            },
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Records({})", self.name)
    }
}
