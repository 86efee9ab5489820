//! The records of a log: newline JSON of any shape, or the `json` frames of a stream.

use std::fmt;
use std::io::Read;

use serde_json::{Map, Value};

use crate::framed::Framed;
use crate::reader::{guess, is_safetensors, locate};
use crate::source::Source;
use crate::{Error, Frame, Result, START};

/// The records of a log, one by one. Memory is one record, or one frame of a stream.
///
/// A log may be unfinished: a last line without its newline that is no JSON yet, a stream that was cut off, and an `error`
/// frame are its end. Of a stream every record is verified before it is given.
pub struct Records {
    form: Form,
    name: String,
}

enum Form {
    Lines { source: Source, line: u64 },
    Framed(Box<Framed>),
}

impl Records {
    /// Reads from anything; `name` is what messages call it.
    ///
    /// # Errors
    /// [`Error::Data`] for what is neither newline JSON nor a stream, [`Error::Io`] where the system refuses.
    pub fn new(input: impl Read + Send + 'static, name: &str) -> Result<Records> {
        let form = Form::open(Source::new(input)).map_err(|e| locate(e, name))?;
        Ok(Records { form, name: name.to_owned() })
    }

    /// What messages call the log: its file as it was given, or standard input.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next record, or none at the end of what there is.
    ///
    /// # Errors
    /// [`Error::Data`] for a line that is no record and a stream that is damaged, but not for one that was cut short;
    /// [`Error::Io`] where the system refuses.
    pub fn next_record(&mut self) -> Result<Option<Map<String, Value>>> {
        let next = match &mut self.form {
            Form::Lines { source, line } => next_line(source, line),
            Form::Framed(frames) => next_frame(frames),
        };
        next.map_err(|e| locate(e, &self.name))
    }
}

impl Form {
    fn open(mut source: Source) -> Result<Form> {
        let start = source.peek(8)?;
        if start.is_empty() {
            Err(Error::Data("nothing arrived; see the message of the stage before".to_owned()))
        } else if start.starts_with(START) {
            Framed::open(source).map(|frames| Form::Framed(Box::new(frames)))
        } else if start.starts_with(b"{") && !is_safetensors(start) {
            Ok(Form::Lines { source, line: 0 })
        } else {
            Err(Error::Data(format!("expected newline JSON or a stream, got {}", guess(start))))
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
            Err(e) => Err(Error::Data(format!("line {number}: expected one JSON object per line: {e}"))),
        };
    }
    Ok(None)
}

fn next_frame(frames: &mut Framed) -> Result<Option<Map<String, Value>>> {
    loop {
        match frames.next() {
            Ok(Some(Frame::Json(record))) => return Ok(Some(record)),
            Ok(Some(Frame::Data(_))) => {}
            Ok(None) | Err(Error::Upstream { .. }) => return Ok(None),
            Err(Error::Data(_)) if frames.is_cut() => return Ok(None),
            Err(e) => return Err(e),
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Records({})", self.name)
    }
}
