//! Pictures, and the tar archives and batches of CIFAR that hold some.

use vae_cli::Error;

use crate::memory_file::MemoryFile;
use crate::{check, decode, listing};

/// Bytes of an unpacked picture at most: large ones take time, and find nothing that small ones do not.
const MAX_BYTES: u64 = 1 << 20;

/// Any bytes are a picture, or an error in one line; and a picture for image-dump, an archive of some, or an error.
pub fn pictures(data: &[u8]) {
    if let Err(message) = decode::decode(data, MAX_BYTES) {
        assert!(!message.trim().is_empty());
    }
    for name in ["a.bin", "a.tar"] {
        let file = MemoryFile::new(data);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::os::unix::fs::symlink(file.path(), &path).expect("a link");
        match listing::list(&[path]) {
            Ok(places) => places.pictures.iter().for_each(|picture| drop(places.read(picture))),
            Err(Error::NoInput(message)) => assert!(message.contains("got none"), "{message}"),
            Err(e) => drop(check::bad_input(e)),
        }
    }
}
