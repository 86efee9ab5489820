//! The loop of a filter, on three threads: one reads and verifies, the caller's works, one writes.
//!
//! Between them lie a frame or two, so that memory is that of a few frames, however long the stream. Frames keep their
//! order, and so do faults: one of the input comes out after all that was made of the frames before it. Nothing waits for
//! a frame that is still to come: what a live input sends leaves as soon as it is worked on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Builder};

use super::{BATCH, Data, Frame, Reader, Writer};
use crate::{Error, Result};

/// Frames that lie ready between two threads.
const READY: usize = 1;

/// What the working thread waits for.
enum Event {
    Frame(Frame),
    /// The input has ended, well, badly, or in a panic.
    End(Result<Result<()>, Box<dyn Any + Send>>),
    /// The output takes no more, and its thread knows why. It may say so while the input is silent.
    Stopped,
}

impl Writer {
    /// The whole loop of a filter: `each` turns a frame of the main group into another, all else passes through. A frame of
    /// more than [`BATCH`] items comes to it in parts: what it makes of them may be many times larger.
    ///
    /// A thread may go on waiting for the input after this has returned an error.
    ///
    /// # Errors
    /// Those of the input, of `each` and of the output, as [`run`](Writer::run) gives them; [`Error::Io`] where the system has
    /// no thread.
    pub fn filter(self, input: Reader, mut each: impl FnMut(Data) -> Result<Data>) -> Result<()> {
        thread::scope(|scope| {
            // In here, so that a panic closes them, which the scope waits for.
            let (events, inbox) = sync_channel(READY);
            let (outbox, made) = sync_channel(READY);
            let stopped = events.clone();
            let writing = Builder::new().spawn_scoped(scope, move || {
                let result = write(self, made);
                let _ = stopped.send(Event::Stopped); // nobody listens when all went well
                result
            });
            let writing = writing.map_err(no_thread)?;
            // Not of this scope: it may be waiting for input that never comes, when there is nothing more to do with it.
            let end = match Builder::new().spawn(move || read(input, &events)) {
                Ok(_) => work(&inbox, &outbox, &mut each),
                Err(e) => Err(no_thread(e)),
            };
            let _ = outbox.send(end.map(|()| None)); // a writer that has stopped has an error of its own
            drop(inbox);
            writing.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

/// Reads to the end, or until nobody takes the frames.
fn read(mut input: Reader, events: &SyncSender<Event>) {
    let send = |frame| events.send(Event::Frame(frame)).is_ok();
    let mut all = || {
        while let Some(frame) = input.next_frame()? {
            let taken = match frame {
                Frame::Data(data) if data.is_main() && data.items() > BATCH => (0..data.items())
                    .step_by(BATCH)
                    .all(|first| send(data.slice(first..data.items().min(first + BATCH)).into())),
                other => send(other),
            };
            if !taken {
                break;
            }
        }
        Ok(())
    };
    let end = catch_unwind(AssertUnwindSafe(&mut all));
    let _ = events.send(Event::End(end)); // nobody listens when the filter has ended
}

/// Works on what is read until there is no more of it, or no place to put it.
fn work(
    inbox: &Receiver<Event>,
    outbox: &SyncSender<Result<Option<Frame>>>,
    each: &mut impl FnMut(Data) -> Result<Data>,
) -> Result<()> {
    while let Ok(event) = inbox.recv() {
        let frame = match event {
            Event::Frame(Frame::Data(data)) if data.is_main() => each(data)?.into(),
            Event::Frame(other) => other,
            Event::End(Ok(end)) => return end,
            Event::End(Err(panic)) => resume_unwind(panic),
            Event::Stopped => break,
        };
        if outbox.send(Ok(Some(frame))).is_err() {
            break;
        }
    }
    Ok(())
}

/// Writes what is made, to its end or its error.
fn write(writer: Writer, made: Receiver<Result<Option<Frame>>>) -> Result<()> {
    writer.run(move |output| {
        loop {
            match made.recv() {
                Ok(Ok(Some(frame))) => output.write(frame)?,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(e)) => return Err(e),
                Err(_) => return Err(Error::Failed("it met a bug; see its message".to_owned())), // a panic of the work
            }
        }
    })
}

fn no_thread(source: std::io::Error) -> Error {
    Error::io("cannot start a thread; allow more processes (ulimit -u)", source)
}
