//! CIFAR's binary batches: for each image its label, in CIFAR-100 behind that of its superclass, and [3, 32, 32] bytes.

use std::ffi::OsStr;
use std::path::Path;

use vae_cli::Result;

use crate::listing::cannot_read;
use crate::place::{Archive, Picture, Place, Places, Span};

/// Height and width of an image.
pub(crate) const SIDE: u32 = 32;
/// Bytes of an image.
const PIXELS: u64 = 3 * SIDE as u64 * SIDE as u64;

/// A format: the labels before each image, of which the last counts, each below a number; and the file that names them.
struct Format {
    labels: &'static [u8],
    names: &'static str,
}

const FORMATS: [Format; 2] =
    [Format { labels: &[10], names: "batches.meta.txt" }, Format { labels: &[20, 100], names: "fine_label_names.txt" }];

/// Replaces each batch by its images, whose names are numbers below that of the batch. Of the other files that are beside
/// a batch, the names of its classes are read, and the rest is left out.
pub(crate) fn expand(places: &mut Places) -> Result<()> {
    let mut batches = Vec::new();
    for (at, picture) in places.pictures.iter().enumerate() {
        if picture.name.extension() == Some(OsStr::new("bin"))
            && let Some(batch) = Batch::open(places, picture).map_err(|e| cannot_read(&picture.name, e))?
        {
            batches.push((at, batch));
        }
    }
    let Some((_, Batch { format, .. })) = batches.first() else { return Ok(()) };
    let named = |picture: &&Picture| picture.name.file_name() == Some(OsStr::new(format.names));
    let names = places.pictures.iter().find(named).map(|picture| places.read(picture)).transpose();
    let names = names.map_err(|e| cannot_read(Path::new(format.names), e))?;
    if let Some(names) = names {
        let lines = String::from_utf8_lossy(&names);
        places.classes = lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    }
    let folders: Vec<_> =
        batches.iter().map(|(at, _)| places.pictures[*at].name.parent().map(Path::to_owned)).collect();
    let mut batches = batches.into_iter().peekable();
    for (at, picture) in std::mem::take(&mut places.pictures).into_iter().enumerate() {
        match batches.next_if(|(batch, _)| *batch == at) {
            Some((_, batch)) => batch.append(&picture.name, places),
            None if folders.contains(&picture.name.parent().map(Path::to_owned)) => {}
            None => places.pictures.push(picture),
        }
    }
    places.has_labels = places.pictures.iter().all(|picture| matches!(picture.place, Place::Planes(_)));
    Ok(())
}

/// A batch.
struct Batch {
    format: &'static Format,
    /// The label of each image.
    labels: Vec<u8>,
    /// The archive that it is part of, and its place there.
    archive: Option<(usize, u64)>,
    /// Itself, if it is a file.
    file: Option<Archive>,
}

impl Batch {
    /// Opens a file that is a batch: its length and its labels are those of one.
    fn open(places: &Places, picture: &Picture) -> std::io::Result<Option<Batch>> {
        let (archive, file) = match picture.place {
            Place::Part(span) => (Some((span.archive, span.start)), None),
            Place::File => (None, Some(Archive::File(std::fs::File::open(places.path(&picture.name))?))),
            _ => return Ok(None),
        };
        let (start, length) = match picture.place {
            Place::Part(span) => (span.start, span.length),
            _ => (0, file.as_ref().map_or(Ok(0), Archive::length)?),
        };
        let bytes = file.as_ref().unwrap_or_else(|| &places.archives[archive.map_or(0, |(number, _)| number)]);
        for format in &FORMATS {
            let before = format.labels.len() as u64;
            if length == 0 || length % (before + PIXELS) != 0 {
                continue;
            }
            let mut labels = Vec::new();
            for record in 0..length / (before + PIXELS) {
                let read = bytes.read(start + record * (before + PIXELS), before)?;
                if read.iter().zip(format.labels).any(|(label, below)| label >= below) {
                    break;
                }
                labels.extend(read.last());
            }
            if labels.len() as u64 * (before + PIXELS) == length {
                return Ok(Some(Batch { format, labels, archive, file }));
            }
        }
        Ok(None)
    }

    /// Appends its images.
    fn append(self, name: &Path, places: &mut Places) {
        let (archive, start) = self.archive.unwrap_or((places.archives.len(), 0));
        places.archives.extend(self.file);
        let before = self.format.labels.len() as u64;
        for (record, label) in self.labels.iter().enumerate() {
            let start = start + record as u64 * (before + PIXELS) + before;
            let place = Place::Planes(Span { archive, start, length: PIXELS });
            let name = name.join(format!("{record:05}"));
            places.pictures.push(Picture { name, place, label: u16::from(*label) });
        }
    }
}
