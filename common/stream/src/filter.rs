//! The loop of a filter: one thread reads and verifies, one or several work, one writes.
//!
//! Frames are dealt to the workers in turn, and taken from them in turn, so that they keep their order, and so do faults: one
//! of the input, or of a worker, comes out after all that was made of the frames before it, and nothing comes after it.
//!
//! Between a worker and its neighbours lie a frame or two, so that memory is that of a few frames for each worker, however
//! long the stream. Nothing waits for a frame that is still to come: what a live input sends leaves as soon as it is worked
//! on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Builder};

use crate::{BATCH, Data, Error, Failure, Frame, Reader, Result, Writer};

/// Frames that lie ready between two threads.
const READY: usize = 1;

/// What a worker waits for.
enum Event {
    /// A frame, and how many items of the main group come before it.
    Frame(Frame, usize),
    /// The input has ended, well, badly, or in a panic.
    End(Result<Result<()>, Box<dyn Any + Send>>),
    /// The output takes no more, and its thread knows why. It may say so while the input is silent.
    Stopped,
}

/// What a worker has made: a frame, or the end of all.
type Made<E> = Result<Option<Frame>, E>;

impl Writer {
    /// The whole loop of a filter: a worker turns a frame of the main group into another, and is told how many items of that
    /// group come before it; all else passes through. A frame of more than [`BATCH`] items comes in parts: what is made of
    /// them may be many times larger.
    ///
    /// The first worker is on the caller's thread, each other on one of its own. What comes out must not depend on which of
    /// them made it.
    ///
    /// A thread may go on waiting for the input after this has returned an error.
    ///
    /// # Errors
    /// Those of the input, of a worker and of the output, as [`run`](Writer::run) gives them; [`Error::Io`] where the system
    /// has no thread.
    ///
    /// # Panics
    /// Where there is no worker.
    pub fn filter<W, E>(self, input: Reader, workers: impl IntoIterator<Item = W>) -> Result<(), E>
    where
        W: FnMut(Data, usize) -> Result<Data, E> + Send,
        E: Failure + Send,
    {
        thread::scope(|scope| {
            // In here, so that a panic closes the channels, which the scope waits for.
            let (mut inboxes, mut made, mut desks) = (vec![], vec![], vec![]);
            for work in workers {
                let ((inbox, events), (outbox, ready)) = (sync_channel(READY), sync_channel(READY));
                inboxes.push(inbox);
                made.push(ready);
                desks.push(Desk { events, outbox, work });
            }
            let mut desks = desks.into_iter();
            let first = desks.next().expect("a filter has a worker");
            let stopped = inboxes.clone();
            let writing = Builder::new().spawn_scoped(scope, move || {
                let result = write(self, made);
                // Nobody listens who has ended already.
                stopped.iter().for_each(|inbox| drop(inbox.send(Event::Stopped)));
                result
            });
            let writing = writing.map_err(no_thread)?;
            let others: std::io::Result<Vec<_>> =
                desks.map(|desk| Builder::new().spawn_scoped(scope, move || desk.work())).collect();
            // Not of this scope: it may be waiting for input that never comes, when there is nothing more to do with it.
            let started = others.and_then(|others| Builder::new().spawn(move || read(input, &inboxes)).map(|_| others));
            let others = match started {
                Ok(others) => {
                    first.work();
                    others
                }
                Err(e) => {
                    first.end(Err(no_thread(e).into()));
                    vec![]
                }
            };
            others.into_iter().for_each(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            writing.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

/// Reads to the end, or until nobody takes the frames.
fn read(mut input: Reader, inboxes: &[SyncSender<Event>]) {
    let mut turns = inboxes.iter().cycle();
    let mut turn = || turns.next().expect("a filter has a worker");
    let mut seen = 0;
    let mut send = |frame: Frame| {
        let items = match &frame {
            Frame::Data(data) if data.is_main() => data.items(),
            _ => 0,
        };
        seen += items;
        turn().send(Event::Frame(frame, seen - items)).is_ok()
    };
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
    let _ = turn().send(Event::End(end)); // nobody listens when the filter has ended
}

/// A worker, and where its frames come from and go to.
struct Desk<W, E> {
    events: Receiver<Event>,
    outbox: SyncSender<Made<E>>,
    work: W,
}

impl<W: FnMut(Data, usize) -> Result<Data, E>, E: Failure> Desk<W, E> {
    /// Works on what comes until there is no more of it, or no place to put it.
    fn work(mut self) {
        while let Ok(event) = self.events.recv() {
            let frame = match event {
                Event::Frame(Frame::Data(data), first) if data.is_main() => (self.work)(data, first).map(Frame::from),
                Event::Frame(other, _) => Ok(other),
                Event::End(Ok(end)) => return self.end(end.map_err(E::from)),
                Event::End(Err(panic)) => resume_unwind(panic),
                Event::Stopped => return,
            };
            match frame {
                Ok(frame) => {
                    if self.outbox.send(Ok(Some(frame))).is_err() {
                        return;
                    }
                }
                Err(e) => return self.end(Err(e)),
            }
        }
    }
    /// The end of all, which comes out when it is this worker's turn.
    fn end(self, end: Result<(), E>) {
        let _ = self.outbox.send(end.map(|()| None)); // a writer that has stopped has an error of its own
    }
}

/// Writes what is made, by each worker in turn, to its end or its error.
fn write<E: Failure>(writer: Writer, made: Vec<Receiver<Made<E>>>) -> Result<(), E> {
    writer.run(move |output| {
        for made in made.iter().cycle() {
            match made.recv() {
                Ok(Ok(Some(frame))) => output.write(frame)?,
                Ok(Ok(None)) => break,
                Ok(Err(e)) => return Err(e),
                Err(_) => return Err(Error::Failed("it met a bug; see its message".to_owned()).into()), // a panic of the work
            }
        }
        Ok(())
    })
}

fn no_thread(source: std::io::Error) -> Error {
    Error::io("cannot start a thread; allow more processes (ulimit -u)", source)
}
