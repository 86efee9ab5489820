//! Images with rows and columns exchanged.

use vae_cli::Result;
use vae_cli::source::Source;
use vae_stream::Dtype;

/// The images of a source, transposed.
pub(crate) struct Transposed {
    source: Box<dyn Source>,
    /// The image that was read last, as it is in the source.
    image: Vec<u8>,
}

impl Transposed {
    pub(crate) fn new(source: Box<dyn Source>) -> Transposed {
        Transposed { source, image: Vec::new() }
    }
}

impl Source for Transposed {
    fn count(&self) -> usize {
        self.source.count()
    }

    fn shape(&self) -> Vec<usize> {
        self.source.shape().into_iter().rev().collect()
    }

    fn dtype(&self) -> Dtype {
        self.source.dtype()
    }

    fn has_labels(&self) -> bool {
        self.source.has_labels()
    }

    fn label(&self, i: usize) -> u16 {
        self.source.label(i)
    }

    fn random_access(self: Box<Self>) -> Result<Box<dyn Source>> {
        Ok(Box::new(Transposed::new(self.source.random_access()?)))
    }

    fn read(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        self.image.clear();
        self.source.read(i, &mut self.image)?;
        let size = self.dtype().size();
        let row = self.source.shape()[1] * size;
        for column in (0..row).step_by(size) {
            for row in self.image.chunks_exact(row) {
                pixels.extend_from_slice(&row[column..column + size]);
            }
        }
        Ok(())
    }
}
