//! Files of images: IDX, raw or gzip, .npz, .amat and .csv.

use vae_cli::indices::Indices;
use vae_cli::source::{self, Source};
use vae_cli::{Error, Result};
use vae_stream::{Memory, Writer};

use crate::check;
use crate::memory_file::MemoryFile;

/// An IDX file of images gives the same stream read in order and with random access; it is read as the labels of three
/// images, and as an .npz, too.
pub fn idx(data: &[u8]) {
    let file = MemoryFile::new(data);
    let open = || crate::files::Files::open(&file.path(), None);
    let in_order = open().and_then(|images| written(Box::new(images)));
    let at_random = open().and_then(|images| Box::new(images).random_access()).and_then(written);
    assert_eq!(outcome(in_order), outcome(at_random));

    let three = MemoryFile::new(&[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 7, 8, 9]);
    if let Err(e) = crate::files::Files::open(&three.path(), Some(&file.path())) {
        check::bad_input(e);
    }
    let _ = outcome(crate::npz::read(&file.path(), 0).and_then(|images| written(Box::new(images))));
}

/// Text, .amat or .csv, is images, or an error.
pub fn amat(data: &[u8]) {
    let file = MemoryFile::new(data);
    for is_csv in [false, true] {
        let _ = outcome(crate::text::read(&file.path(), is_csv).and_then(|images| written(Box::new(images))));
    }
}

fn written(mut source: Box<dyn Source>) -> Result<Vec<u8>> {
    let memory = Memory::default();
    let all = Indices::Range(0..source.count());
    Writer::framed(memory.clone(), &source::head(&*source))?
        .run(|output| source::write(&mut *source, &all, vae_stream::BATCH, output))?;
    Ok(memory.bytes())
}

/// The bytes; none after an error, which must be clear.
fn outcome(result: Result<Vec<u8>, Error>) -> Option<Vec<u8>> {
    result.map_err(check::bad_input).ok()
}
