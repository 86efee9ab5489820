//! The pictures that paths name: files, those of folders, and those of tar archives, in the order of their paths.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind, IsTerminal, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use tar::EntryType;
use vae_cli::{Error, Result};
use walkdir::WalkDir;

use crate::cifar;
use crate::place::{Archive, Place, Places, Span};

/// Bytes of a block of tar; the magic number of the first is at [`MAGIC_AT`].
const BLOCK: u64 = 512;
const MAGIC_AT: usize = 257;

/// Lists the pictures of all paths. Names are relative to the one folder or archive, or are the paths that were given.
pub(crate) fn list(paths: &[PathBuf]) -> Result<Places> {
    let mut places = Places::default();
    for path in paths {
        let prefix = if paths.len() == 1 { Path::new("") } else { path };
        if path.as_os_str() == "-" {
            stdin(&mut places)?;
            continue;
        }
        let metadata = fs::metadata(path).map_err(|e| cannot_read(path, e))?;
        if metadata.is_dir() {
            if paths.len() == 1 {
                places.root.clone_from(path);
                places.is_tree = true;
            }
            folder(path, prefix, &mut places)?;
        } else if !metadata.is_file() {
            return Err(Error::Usage(format!("{}: expected a folder, a file or - for standard input", path.display())));
        } else if let Some(file) = archive(path)? {
            tar(Archive::File(file), path, prefix, &mut places)?;
        } else {
            places.push(path, Place::File);
        }
    }
    cifar::expand(&mut places)?;
    if places.pictures.is_empty() {
        let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Error::NoInput(format!("{}: expected pictures, got none; name another folder", names.join(" "))));
    }
    Ok(places)
}

/// The error of a path that cannot be read.
pub(crate) fn cannot_read(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NoInput(format!("{}: no such file or folder", path.display())),
        _ => Error::io(format!("cannot read {}", path.display()), error),
    }
}

/// Whether a name, or a folder in it, is hidden: it begins with a dot.
fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

/// Lists a folder and those below it, links followed, without what is hidden.
fn folder(path: &Path, prefix: &Path, places: &mut Places) -> Result<()> {
    let entries = WalkDir::new(path).min_depth(1).follow_links(true).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name())) {
        let entry = entry.map_err(|e| {
            let place = e.path().unwrap_or(path).to_owned();
            match e.loop_ancestor().map(Path::to_owned) {
                Some(folder) => Error::Data(format!("{}: a link back to {}", place.display(), folder.display())),
                None => cannot_read(&place, e.into_io_error().unwrap_or(ErrorKind::Other.into())),
            }
        })?;
        let name = prefix.join(entry.path().strip_prefix(path).unwrap_or(entry.path()));
        let kind = entry.file_type();
        match (kind.is_dir(), kind.is_file()) {
            (true, _) => places.folders.push(name),
            (_, true) => places.push(name, Place::File),
            _ => places.push(name, Place::NoFile("a FIFO, a socket or a device")),
        }
    }
    Ok(())
}

/// Reads standard input whole: a tar archive, or one picture.
fn stdin(places: &mut Places) -> Result<()> {
    if io::stdin().is_terminal() {
        return Err(Error::Usage("standard input is a terminal: expected a tar archive or a picture".into()));
    }
    let (mut input, name) = vae_cli::input::open(None)?;
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes).map_err(|e| Error::io(format!("cannot read {name}"), e))?;
    if bytes.is_empty() {
        return Err(Error::Data(format!("{name}: nothing arrived; the stage before has said why")));
    }
    let path = Path::new("-");
    if is_tar(&bytes) {
        return tar(Archive::Memory(bytes), Path::new(&name), Path::new(""), places);
    }
    let span = Span { archive: places.archives.len(), start: 0, length: bytes.len() as u64 };
    places.archives.push(Archive::Memory(bytes));
    places.push(path, Place::Part(span));
    Ok(())
}

/// Opens a file that is a tar archive; none of another.
fn archive(path: &Path) -> Result<Option<File>> {
    let cannot = |e| cannot_read(path, e);
    let mut file = File::open(path).map_err(cannot)?;
    let mut start = Vec::new();
    file.by_ref().take(BLOCK).read_to_end(&mut start).map_err(cannot)?;
    file.rewind().map_err(cannot)?;
    Ok(is_tar(&start).then_some(file))
}

fn is_tar(start: &[u8]) -> bool {
    start.get(MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar"))
}

/// Lists a tar archive, in the order of its paths and not of the archive. Of one that is there twice the last counts.
fn tar(archive: Archive, path: &Path, prefix: &Path, places: &mut Places) -> Result<()> {
    let number = places.archives.len();
    let found = match &archive {
        Archive::File(file) => entries(file, number),
        Archive::Memory(bytes) => entries(Cursor::new(bytes), number),
    };
    let (found, end) = found.map_err(|e| match e.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other => {
            Error::Data(format!("{}: a damaged tar archive ({e}); copy it anew", path.display()))
        }
        _ => Error::io(format!("cannot read {}", path.display()), e),
    })?;
    let last = archive.read(end, BLOCK);
    if !last.is_ok_and(|block| block.iter().all(|byte| *byte == 0)) {
        return Err(Error::Data(format!("{}: the tar archive is cut off; copy it anew", path.display())));
    }
    places.archives.push(archive);
    places.is_tree |= prefix.as_os_str().is_empty();
    for (name, place) in found {
        match place {
            Some(place) => places.push(prefix.join(name), place),
            None => places.folders.push(prefix.join(name)),
        }
    }
    Ok(())
}

/// The files of an archive by path, and none for its folders; and the position behind the last.
fn entries(archive: impl Read + Seek, number: usize) -> io::Result<(BTreeMap<PathBuf, Option<Place>>, u64)> {
    let (mut found, mut end) = (BTreeMap::new(), 0);
    for entry in tar::Archive::new(archive).entries_with_seek()? {
        let entry = entry?;
        let (start, length) = (entry.raw_file_position(), entry.size());
        let padded = length.checked_next_multiple_of(BLOCK).and_then(|length| length.checked_add(start));
        end = padded.ok_or(ErrorKind::InvalidData)?;
        let path = entry.path()?;
        let parts = path.components().filter_map(|part| match part {
            Component::Normal(part) => Some(part),
            _ => None,
        });
        let name: PathBuf = parts.clone().collect();
        if name.as_os_str().is_empty() || parts.clone().any(is_hidden) {
            continue;
        }
        let place = match entry.header().entry_type() {
            EntryType::XGlobalHeader => continue, // the commit of git archive
            EntryType::Directory => None,
            EntryType::Regular | EntryType::Continuous => Some(Place::Part(Span { archive: number, start, length })),
            EntryType::Symlink | EntryType::Link => {
                Some(Place::NoFile("a link; archive files with tar --dereference --hard-dereference"))
            }
            _ => Some(Place::NoFile("a sparse file, a FIFO or a device")),
        };
        found.insert(name, place);
    }
    Ok((found, end))
}
