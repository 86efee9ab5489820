//! Streams: lazy queues, whose work runs when the host synchronizes and no earlier.
//!
//! A missing synchronization (a result read too early, a buffer overwritten before its copy) gives wrong bytes here
//! always, and on a GPU now and then. Where NVIDIA's documentation leaves open when a call accesses memory ("API
//! synchronization behavior"), it is here as late as allowed. There is no legacy default stream.

use super::{Code, Launch, Work, has_context};
use std::collections::{BTreeMap, VecDeque};
use std::thread::ThreadId;

/// Modes of a capture: who may not make "potentially unsafe" calls meanwhile.
const GLOBAL: i32 = 0;
const RELAXED: i32 = 2;

struct Capture {
    mode: i32,
    thread: ThreadId,
    graph: Vec<Launch>,
}

#[derive(Default)]
struct Stream {
    destroyed: bool,
    /// With numbers in the order of issue over all streams.
    queue: VecDeque<(u64, Work)>,
    capture: Option<Capture>,
}

#[derive(Default)]
pub(super) struct Queues {
    streams: BTreeMap<usize, Stream>,
    /// The number of the work that was queued last.
    pub(super) issued: u64,
    /// Frees of device memory: each for after all work issued before it.
    pub(super) frees: VecDeque<(u64, u64)>,
}

impl Queues {
    pub(super) fn create(&mut self, handle: usize) {
        self.streams.insert(handle, Stream::default());
    }
    /// The stream of a handle, on a thread with a context.
    pub(super) fn find(&self, handle: usize) -> Result<(), Code> {
        self.streams
            .get(&handle)
            .filter(|stream| has_context() && !stream.destroyed)
            .map(drop)
            .ok_or(Code::InvalidHandle)
    }
    fn stream(&mut self, handle: usize) -> Result<&mut Stream, Code> {
        self.find(handle)?;
        self.streams.get_mut(&handle).ok_or(Code::InvalidHandle)
    }
    /// Queued work still runs.
    pub(super) fn destroy(&mut self, handle: usize) -> Result<(), Code> {
        let stream = self.stream(handle)?;
        (stream.destroyed, stream.capture) = (true, None);
        Ok(())
    }
    pub(super) fn push(&mut self, handle: usize, work: Work) -> Result<(), Code> {
        let number = self.issued + 1;
        self.stream(handle)?.queue.push_back((number, work));
        self.issued = number;
        Ok(())
    }
    /// The next work of this stream, or of a destroyed one.
    pub(super) fn pop(&mut self, handle: usize) -> Option<Work> {
        let next = self.streams.iter_mut().filter(|(other, stream)| **other == handle || stream.destroyed);
        let found = next.map(|(_, stream)| stream).find_map(|stream| stream.queue.pop_front());
        if found.is_none() {
            self.streams.retain(|_, stream| !stream.destroyed);
        }
        found.map(|(_, work)| work)
    }
    /// The number of the oldest work that has not run.
    pub(super) fn oldest(&self) -> u64 {
        let first = self.streams.values().filter_map(|stream| stream.queue.front());
        first.map(|(number, _)| *number).min().unwrap_or(self.issued + 1)
    }

    /// Whether a "potentially unsafe" call (cuThreadExchangeStreamCaptureMode) may be made.
    pub(super) fn safe_call(&self, thread: ThreadId) -> Result<(), Code> {
        if !has_context() {
            return Err(Code::InvalidContext);
        }
        let captures = self.streams.values().filter_map(|stream| stream.capture.as_ref());
        let mut unsafe_now =
            captures.filter(|capture| capture.mode == GLOBAL || (capture.mode != RELAXED && capture.thread == thread));
        unsafe_now.next().map_or(Ok(()), |_| Err(Code::CaptureUnsupported))
    }
    pub(super) fn is_capturing(&self, handle: usize) -> bool {
        self.streams.get(&handle).is_some_and(|stream| stream.capture.is_some())
    }
    /// The launches that a stream has captured, if it is capturing.
    pub(super) fn graph(&mut self, handle: usize) -> Option<&mut Vec<Launch>> {
        Some(&mut self.streams.get_mut(&handle)?.capture.as_mut()?.graph)
    }
    pub(super) fn begin_capture(&mut self, handle: usize, mode: i32, thread: ThreadId) -> Result<(), Code> {
        let stream = self.stream(handle)?;
        if stream.capture.is_some() {
            return Err(Code::InvalidHandle);
        }
        stream.capture = Some(Capture { mode, thread, graph: vec![] });
        Ok(())
    }
    pub(super) fn end_capture(&mut self, handle: usize, thread: ThreadId) -> Result<Vec<Launch>, Code> {
        let stream = self.stream(handle).map_err(|_| Code::InvalidValue)?;
        match &stream.capture {
            None => Err(Code::InvalidValue),
            Some(capture) if capture.mode != RELAXED && capture.thread != thread => Err(Code::CaptureWrongThread),
            Some(_) => Ok(stream.capture.take().map_or(vec![], |capture| capture.graph)),
        }
    }
}
