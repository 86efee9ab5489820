//! The bytes of an input: buffered, counted, and read no further than needed.

use std::io::{self, Read};

use crate::{Error, Result};

const BUFFER: usize = 64 << 10;
/// The byte before each text of a JSON sequence (RFC 7464).
pub(crate) const SEPARATOR: u8 = 0x1e;
/// Bytes that are allocated before any of a payload has arrived.
const RESERVE: usize = 1 << 20;

/// A buffered reader with lookahead.
pub(crate) struct Source {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    /// Bytes consumed so far.
    offset: u64,
    /// Those since the last [`forget`](Source::forget), once [`keep`](Source::keep) was called.
    kept: Option<Vec<u8>>,
}

impl Source {
    pub(crate) fn new(input: impl Read + Send + 'static) -> Source {
        Source { input: Box::new(input), buffer: vec![0; BUFFER], at: 0, filled: 0, offset: 0, kept: None }
    }

    /// Bytes consumed so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next `n` bytes (at most a few) without consuming them; fewer at the end of the input.
    pub(crate) fn peek(&mut self, n: usize) -> Result<&[u8]> {
        self.buffer.copy_within(self.at..self.filled, 0);
        (self.filled, self.at) = (self.filled - self.at, 0);
        while self.filled < n {
            match read(&mut self.input, &mut self.buffer[self.filled..])? {
                0 => break,
                more => self.filled += more,
            }
        }
        Ok(&self.buffer[..self.filled.min(n)])
    }

    /// What has arrived and is not consumed, without waiting for more.
    pub(crate) fn arrived(&self) -> &[u8] {
        &self.buffer[self.at..self.filled]
    }

    /// Consumes white space and the byte order mark of UTF-8, as long as nothing else comes.
    pub(crate) fn skip_blank(&mut self) -> Result<()> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        loop {
            let skipped = match self.peek(MARK.len())? {
                MARK => MARK.len(),
                _ => self.arrived().iter().take_while(|b| b.is_ascii_whitespace() || **b == SEPARATOR).count(),
            };
            if skipped == 0 {
                return Ok(());
            }
            self.at += skipped;
            self.offset += skipped as u64;
        }
    }

    /// The next line with its newline, which the last line may lack; none at the end of the input. It has `most` bytes at
    /// most.
    pub(crate) fn line(&mut self, most: usize) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        loop {
            if self.at == self.filled {
                (self.at, self.filled) = (0, read(&mut self.input, &mut self.buffer)?);
                if self.filled == 0 {
                    return Ok((!line.is_empty()).then_some(line));
                }
            }
            let arrived = &self.buffer[self.at..self.filled];
            let newline = arrived.iter().position(|&b| b == b'\n');
            let part = newline.map_or(arrived, |at| &arrived[..=at]);
            if line.len() + part.len() > most {
                return Err(Error::LineTooLong { most });
            }
            line.extend_from_slice(part);
            self.kept.iter_mut().for_each(|kept| kept.extend_from_slice(part));
            self.at += part.len();
            self.offset += part.len() as u64;
            if newline.is_some() {
                return Ok(Some(line));
            }
        }
    }

    /// Consumes the rest of a line.
    pub(crate) fn skip_line(&mut self) -> Result<()> {
        loop {
            let arrived = self.arrived();
            let newline = arrived.iter().position(|&b| b == b'\n');
            let part = newline.map_or(arrived.len(), |at| at + 1);
            self.at += part;
            self.offset += part as u64;
            if newline.is_some() || self.peek(1)?.is_empty() {
                return Ok(());
            }
        }
    }

    /// Whether a whole line is buffered, so that [`line`](Source::line) would not wait.
    pub(crate) fn has_line(&self) -> bool {
        self.arrived().contains(&b'\n')
    }

    /// Appends the next `n` bytes to `bytes`. Memory grows with what arrives, not with what a header claims.
    pub(crate) fn read_into(&mut self, bytes: &mut Vec<u8>, n: usize) -> Result<()> {
        let buffered = n.min(self.filled - self.at);
        bytes.reserve_exact(n.min(RESERVE));
        bytes.extend_from_slice(&self.buffer[self.at..self.at + buffered]);
        self.at += buffered;
        let (missing, before) = (n - buffered, bytes.len() - buffered);
        let got = (&mut self.input).take(missing as u64).read_to_end(bytes).map_err(cannot_read)?;
        self.offset += (buffered + got) as u64;
        self.kept.iter_mut().for_each(|kept| kept.extend_from_slice(&bytes[before..]));
        match got == missing {
            true => Ok(()),
            false => Err(self.truncated(format!("{} bytes more", missing - got))),
        }
    }

    /// Keeps what is consumed from now on.
    pub(crate) fn keep(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// Forgets what was kept.
    pub(crate) fn forget(&mut self) {
        self.kept.iter_mut().for_each(Vec::clear);
    }

    /// Goes back to the first place of these bytes in what was kept; false where there is none.
    pub(crate) fn back_to(&mut self, bytes: &[u8]) -> bool {
        let kept = self.kept.as_mut().map(std::mem::take).unwrap_or_default();
        let Some(at) = kept.windows(bytes.len()).position(|window| window == bytes) else { return false };
        let mut buffer = [&kept[at..], &self.buffer[self.at..self.filled]].concat();
        (self.at, self.filled) = (0, buffer.len());
        self.offset -= (kept.len() - at) as u64;
        buffer.resize(buffer.len().max(BUFFER), 0);
        self.buffer = buffer;
        true
    }

    /// The error of an input that ends too early.
    pub(crate) fn truncated(&self, expected: String) -> Error {
        Error::Truncated { offset: self.offset, expected }
    }
}

fn cannot_read(source: io::Error) -> Error {
    Error::Io { what: "cannot read".to_owned(), source }
}

fn read(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match input.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(cannot_read),
        }
    }
}
