//! The source of images: pictures read, decoded and converted on all cores.

use std::io::{ErrorKind, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;
use vae_cli::indices::Indices;
use vae_cli::output::Output;
use vae_cli::source::Source;
use vae_cli::{Error, Result, tell};
use vae_stream::images::ImageShape;

use crate::classes::is_held_out;
use crate::convert::{ConvertArgs, Image};
use crate::decode::{Decoded, MAX_BYTES, decode, planes};
use crate::place::{Picture, Place, Places};

/// How pictures become images.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) convert: ConvertArgs,
    /// Whether each picture comes twice, as it is and mirrored.
    pub(crate) flip: bool,
    /// Whether files that cannot be read are left out.
    pub(crate) skip_bad: bool,
    /// The fraction of the pictures that is held out, and whether it is that part which is wanted.
    pub(crate) held_out: Option<(f64, bool)>,
    pub(crate) threads: usize,
}

/// The pictures of some places as images of one shape.
pub(crate) struct Pictures {
    places: Places,
    options: Options,
    shape: ImageShape,
    /// The name of the picture that decided the shape.
    first: usize,
    /// Where the names of the images go.
    names: Option<Output>,
    left_out: usize,
}

/// Why there is no image.
enum Fault {
    /// The file is bad.
    File(Error),
    /// The conversion is not possible as it was asked for.
    Conversion(Error),
}

impl Pictures {
    /// Reads the first picture, which decides the shape of all.
    pub(crate) fn open(places: Places, options: Options, names: Option<Output>) -> Result<Pictures> {
        let shape = ImageShape::grey(0, 0);
        let mut pictures = Pictures { places, options, shape, first: 0, names, left_out: 0 };
        loop {
            match pictures.image(pictures.first) {
                Ok(image) => pictures.shape = image.shape,
                Err(Fault::File(_)) if pictures.options.skip_bad => {
                    pictures.first += 1;
                    if pictures.first == pictures.places.pictures.len() {
                        let message = format!("expected pictures, got {} files that cannot be read", pictures.first);
                        return Err(Error::NoInput(message + "; leave out --skip-bad to see why"));
                    }
                    continue;
                }
                Err(Fault::File(e) | Fault::Conversion(e)) => return Err(e),
            }
            return Ok(pictures);
        }
    }

    /// Says how many were left out, and completes the file of names.
    pub(crate) fn finish(self) -> Result<()> {
        if self.left_out > 0 {
            tell(&format!("{} of the files were left out", self.left_out));
        }
        self.names.map_or(Ok(()), Output::commit)
    }

    /// Images of each picture.
    fn copies(&self) -> usize {
        1 + usize::from(self.options.flip)
    }

    /// The picture of an image.
    fn picture(&self, i: usize) -> &Picture {
        &self.places.pictures[i / self.copies()]
    }

    /// Reads, decodes and converts a picture.
    fn image(&self, number: usize) -> Result<Image, Fault> {
        let picture = &self.places.pictures[number];
        let name = || self.places.path(&picture.name).display().to_string();
        let remedy = if self.options.skip_bad { "" } else { "; or leave such files out: --skip-bad" };
        let bad = |message: String| Fault::File(Error::Data(format!("{}: {message}{remedy}", name())));
        let bytes = self.places.read(picture).map_err(|e| match e.kind() {
            ErrorKind::Other | ErrorKind::UnexpectedEof => bad(e.to_string()),
            _ => Fault::File(Error::io(format!("cannot read {}", name()), e)),
        })?;
        let Decoded { image, has_profile } = match picture.place {
            Place::Planes(_) => planes(&bytes),
            _ => decode(&bytes, MAX_BYTES).map_err(bad)?,
        };
        if has_profile {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| tell("colour profiles (ICC) are ignored: pixels are taken as they are stored"));
        }
        self.options.convert.convert(image).map_err(|e| Fault::Conversion(Error::Data(format!("{}: {e}", name()))))
    }

    /// The same, of the shape of the first.
    fn image_like_first(&self, number: usize) -> Result<Image, Fault> {
        let image = self.image(number)?;
        let (expected, got) = (self.shape, image.shape);
        if got == expected {
            return Ok(image);
        }
        let [name, first] = [number, self.first].map(|k| self.places.path(&self.places.pictures[k].name));
        let (name, first) = (name.display(), first.display());
        let colours = |shape: ImageShape| if shape.channels == 1 { "grey" } else { "colour" };
        Err(Fault::Conversion(Error::Data(if got.channels != expected.channels {
            let (expected, got) = (colours(expected), colours(got));
            format!("{name}: expected {expected} as in {first}, got {got}; make all the same with --grey or --rgb")
        } else {
            let [expected, got] = [expected, got].map(|shape| ImageShape { channels: 1, ..shape });
            format!("{name}: expected {expected} pixels as in {first}, got {got}; give all one size: --size HxW")
        })))
    }

    fn write_name(&mut self, i: usize) -> Result<()> {
        let (picture, is_mirrored) = (self.picture(i), i % self.copies() == 1);
        let Some(path) = picture.name.to_str() else {
            let name = picture.name.display();
            return Err(Error::Data(format!("{name}: --names: expected a name in UTF-8, got other bytes; rename it")));
        };
        let mut line = json!({"i": i, "path": path});
        if is_mirrored {
            line["flip"] = true.into();
        }
        let Some(names) = &mut self.names else { return Ok(()) };
        writeln!(names, "{line}").map_err(|e| names.error(e))
    }
}

impl Source for Pictures {
    fn count(&self) -> usize {
        self.places.pictures.len() * self.copies()
    }

    fn indices(&self) -> Indices {
        let Some((fraction, wanted)) = self.options.held_out else { return Indices::Range(0..self.count()) };
        let is_wanted = |i: &usize| is_held_out(&self.picture(*i).name, fraction) == wanted;
        Indices::List((0..self.count()).filter(is_wanted).collect())
    }

    fn shape(&self) -> Vec<usize> {
        self.shape.dims()
    }

    fn has_labels(&self) -> bool {
        self.places.has_labels
    }

    fn label(&self, i: usize) -> u16 {
        self.picture(i).label
    }

    fn classes(&self) -> &[String] {
        &self.places.classes
    }

    fn random_access(self: Box<Self>) -> Result<Box<dyn Source>> {
        Ok(self)
    }

    fn read(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        self.read_frame(vec![i], pixels).map(|_| ())
    }

    fn read_frame(&mut self, indices: Vec<usize>, pixels: &mut Vec<u8>) -> Result<Vec<usize>> {
        let copies = self.copies();
        // Both images of a picture that stand together are decoded once.
        let groups: Vec<&[usize]> = indices.chunk_by(|a, b| a / copies == b / copies).collect();
        let images = parallel(self.options.threads, &groups, |group| self.image_like_first(group[0] / copies));
        let mut read = Vec::with_capacity(indices.len());
        for (group, image) in groups.into_iter().zip(images) {
            match image {
                Ok(image) => {
                    for i in group {
                        match i % copies {
                            0 => pixels.extend_from_slice(&image.pixels),
                            _ => pixels.extend(image.mirrored()),
                        }
                        read.push(*i);
                    }
                }
                Err(Fault::File(e)) if self.options.skip_bad => {
                    self.left_out += 1;
                    tell(&format!("left out: {e}"));
                }
                Err(Fault::File(e) | Fault::Conversion(e)) => return Err(e),
            }
        }
        if self.names.is_some() {
            read.iter().try_for_each(|i| self.write_name(*i))?;
        }
        Ok(read)
    }
}

/// The results of `f` for all items, in their order, computed by some threads.
fn parallel<T: Sync, R: Send>(threads: usize, items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut results = Vec::new();
        loop {
            let k = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(k) else { return results };
            results.push((k, f(item)));
        }
    };
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len())).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_unstable_by_key(|(k, _)| *k);
    results.into_iter().map(|(_, result)| result).collect()
}
