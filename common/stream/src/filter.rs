//! The loop of a filter: one thread reads and verifies, workers compute, one thread writes.
//!
//! Frames go to the workers round robin, and come from them round robin, so that they keep their order. So do errors: an error
//! of the input, or of a worker, comes out after all results of the frames before it, and nothing comes after it.
//!
//! The channels between the threads hold a frame each, so that memory is a few frames for each worker, however long the
//! stream. No result waits for a later frame: what a live input sends leaves as soon as it is computed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Builder};

use crate::{BATCH, Data, Error, Failure, Frame, Reader, Result, Writer};

/// Frames that a channel holds.
const CAPACITY: usize = 1;

/// A message to a worker.
enum Event {
    /// A frame, and the number of items of the main group before it.
    Frame(Frame, usize),
    /// The end of the input: success, an error, or a panic.
    End(Result<Result<()>, Box<dyn Any + Send>>),
    /// The output takes no more, and the writer knows why. This may come while the input is silent.
    Stopped,
}

/// A result of a worker: a frame, or the end of all.
type Made<E> = Result<Option<Frame>, E>;

impl Writer {
    /// The loop of a filter. A worker turns a frame of the main group, and the number of items of that group before it, into
    /// another frame; all else passes through. A frame of more than [`BATCH`] items comes in parts, since its result may be
    /// many times larger.
    ///
    /// The first worker runs on the caller's thread, each other on one of its own. The result must not depend on which of
    /// them made it.
    ///
    /// After an error, a thread may go on waiting for input.
    ///
    /// # Errors
    /// Those of the input, of a worker and of the output, as [`run`](Writer::run) gives them; [`Error::Io`] where the system
    /// refuses a thread.
    ///
    /// # Panics
    /// Without workers, and with the panic of a worker or of the input.
    pub fn filter<W, E>(self, input: Reader, workers: impl IntoIterator<Item = W>) -> Result<(), E>
    where
        W: FnMut(Data, usize) -> Result<Data, E> + Send,
        E: Failure + Send,
    {
        thread::scope(|scope| {
            // Made in here, so that a panic drops the channels before the scope waits for the threads.
            let (mut inboxes, mut outboxes, mut running) = (vec![], vec![], vec![]);
            for compute in workers {
                let ((to_inbox, inbox), (outbox, made)) = (sync_channel(CAPACITY), sync_channel(CAPACITY));
                inboxes.push(to_inbox);
                outboxes.push(made);
                running.push(Worker { inbox, outbox, compute });
            }
            let mut workers = running.into_iter();
            let first = workers.next().expect("a filter has a worker");
            let stopped = inboxes.clone();
            let writer = Builder::new().spawn_scoped(scope, move || {
                let result = write(self, outboxes);
                // A worker that has ended has no inbox.
                stopped.iter().for_each(|inbox| drop(inbox.send(Event::Stopped)));
                result
            });
            let writer = writer.map_err(no_thread)?;
            let others: std::io::Result<Vec<_>> =
                workers.map(|worker| Builder::new().spawn_scoped(scope, move || worker.run())).collect();
            // Outside the scope, which must not wait for input that may never come.
            let started = others.and_then(|others| Builder::new().spawn(move || read(input, &inboxes)).map(|_| others));
            let others = match started {
                Ok(others) => {
                    first.run();
                    others
                }
                Err(e) => {
                    first.end(Err(no_thread(e).into()));
                    vec![]
                }
            };
            others.into_iter().for_each(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            writer.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

/// Reads to the end, or until a worker has ended.
fn read(mut input: Reader, inboxes: &[SyncSender<Event>]) {
    let mut inboxes = inboxes.iter().cycle();
    let mut next = || inboxes.next().expect("a filter has a worker");
    let mut items = 0;
    let mut send = |frame: Frame| {
        let before = items;
        items += match &frame {
            Frame::Data(data) if data.is_main() => data.items(),
            _ => 0,
        };
        next().send(Event::Frame(frame, before)).is_ok()
    };
    let mut all = || {
        while let Some(frame) = input.next_frame()? {
            let sent = match frame {
                Frame::Data(data) if data.is_main() && data.items() > BATCH => (0..data.items())
                    .step_by(BATCH)
                    .all(|first| send(data.slice(first..data.items().min(first + BATCH)).into())),
                other => send(other),
            };
            if !sent {
                break;
            }
        }
        Ok(())
    };
    let end = catch_unwind(AssertUnwindSafe(&mut all));
    let _ = next().send(Event::End(end)); // a filter that has ended has no inboxes
}

/// A worker and its channels.
struct Worker<W, E> {
    inbox: Receiver<Event>,
    outbox: SyncSender<Made<E>>,
    compute: W,
}

impl<W: FnMut(Data, usize) -> Result<Data, E>, E: Failure> Worker<W, E> {
    /// Computes until the inbox is closed, or the outbox.
    fn run(mut self) {
        while let Ok(event) = self.inbox.recv() {
            let frame = match event {
                Event::Frame(Frame::Data(data), before) if data.is_main() => {
                    (self.compute)(data, before).map(Frame::from)
                }
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

    /// Sends the end of all.
    fn end(self, end: Result<(), E>) {
        let _ = self.outbox.send(end.map(|()| None)); // a writer that has stopped has an error of its own
    }
}

/// Writes the results, of each worker in turn, to the end or the first error.
fn write<E: Failure>(writer: Writer, outboxes: Vec<Receiver<Made<E>>>) -> Result<(), E> {
    writer.run(move |output| {
        for made in outboxes.iter().cycle() {
            match made.recv() {
                Ok(Ok(Some(frame))) => output.write(frame)?,
                Ok(Ok(None)) => break,
                Ok(Err(e)) => return Err(e),
                Err(_) => return Err(Error::Panicked.into()),
            }
        }
        Ok(())
    })
}

fn no_thread(source: std::io::Error) -> Error {
    Error::io("cannot start a thread; allow more processes (ulimit -u)", source)
}
