//! Logs of training, as vae-plot and vae-watch read them.

use std::io::Cursor;

use serde_json::{Map, Value};
use vae_stream::record::Record;
use vae_stream::{Frame, Reader, Records};

use crate::check;
use crate::memory_file::MemoryFile;
use crate::pieces::Pieces;
use crate::streams::sealed;

/// A log is read alike in any pieces, its records are written as they were read, and it is plotted and watched.
pub fn logs(data: &[u8]) {
    let bytes = &sealed(data);
    let (records, _) = Pieces::read_alike(bytes, read);
    let page = crate::state::Shared::new();
    for json in &records {
        page.record(json);
        if let Ok(Some(record)) = Record::parse(json) {
            assert_eq!(Record::parse(&record.to_json()).expect("a record that was written"), Some(record));
        }
    }
    if let Ok(mut stream) = Reader::new(Cursor::new(bytes.clone()), "fuzz", "x") {
        while let Ok(Some(frame)) = stream.next_frame() {
            if let Frame::Data(data) = frame {
                page.preview(&data);
            }
        }
    }
    serde_json::from_str::<Value>(&crate::poll::changes(&page, 0)).expect("an answer in JSON");

    match crate::run::Run::read(Some(&MemoryFile::new(bytes).path())) {
        Ok(run) => run.names().for_each(|name| drop(run.curve(crate::run::Images::Test, name))),
        Err(e) => drop(check::bad_input(e)),
    }
}

/// The records, and the message of the error after them.
fn read(input: Pieces) -> (Vec<Map<String, Value>>, Option<String>) {
    let mut all = Vec::new();
    let mut records = match Records::new(input, "fuzz") {
        Ok(records) => records,
        Err(e) => return (all, Some(check::bad_start(e))),
    };
    loop {
        match records.next_record() {
            Ok(Some(record)) => all.push(record),
            Ok(None) => return (all, None),
            Err(e) => return (all, Some(check::bad_start(e))),
        }
    }
}
