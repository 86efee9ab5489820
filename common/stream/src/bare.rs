//! Reading bare .npy files, one after the other, as a stream of one tensor.

use crate::npy::{self, Header};
use crate::source::Source;
use crate::{BATCH, Data, Error, Frame, Head, MAX_FRAME, Result, Spec, Tensor};

/// Bytes of a frame, if an item alone is not more.
const FRAME: usize = 16 << 20;

/// The arrays of a bare .npy input.
pub(crate) struct Bare {
    source: Source,
    name: String,
    spec: Spec,
    head: Head,
    pending: Pending,
}

/// What is left of the current array.
enum Pending {
    /// Items that are still to be read; they lie one after the other.
    Rows { header: Header, left: usize },
    /// All items at once, since Fortran order spreads each over the whole array; and how many of them were given.
    Whole { tensor: Tensor, given: usize },
}

impl Bare {
    pub(crate) fn open(mut source: Source, name: &str) -> Result<Bare> {
        crate::check_name(name)?;
        let pending = Pending::open(&mut source, name)?;
        let spec = pending.spec();
        let mut head = Head::new();
        head.set_tensor(name, spec.clone());
        Ok(Bare { source, name: name.to_owned(), spec, head, pending })
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.source.offset()
    }

    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(tensor) = self.pending.next(&mut self.source)? {
                return Ok(Some(Frame::Data(Data::new([(self.name.as_str(), tensor)]))));
            }
            if self.source.peek(1)?.is_empty() {
                return Ok(None);
            }
            self.pending = Pending::open(&mut self.source, &self.name)?;
            let spec = self.pending.spec();
            if spec != self.spec {
                return Err(Error::Data(format!(
                    "the next .npy differs: expected items of {} as in the first, got {spec}",
                    self.spec
                )));
            }
        }
    }
}

impl Pending {
    fn open(source: &mut Source, name: &str) -> Result<Pending> {
        let mut bytes = Vec::new();
        let prefix = source.peek(Header::PREFIX)?;
        let len = Header::whole_len(prefix)?;
        source.read_into(&mut bytes, len)?;
        let mut header = Header::parse(&bytes)?;
        header.shape = items_first(&header, name)?;
        if header.shape[1..].contains(&0) {
            return Err(Error::Data(format!(
                "bad .npy: expected items that hold numbers, got shape {:?}",
                header.shape
            )));
        }
        if !header.fortran {
            let left = header.shape[0];
            return Ok(Pending::Rows { header, left });
        }
        if header.data_len() > MAX_FRAME {
            return Err(Error::Data(format!(
                "bad .npy: expected at most {MAX_FRAME} bytes in Fortran order, got {}; save it in C order",
                header.data_len()
            )));
        }
        let mut data = Vec::new();
        source.read_into(&mut data, header.data_len())?;
        Ok(Pending::Whole { tensor: Tensor::normalised(&header, &data)?, given: 0 })
    }

    fn spec(&self) -> Spec {
        match self {
            Pending::Rows { header, .. } => Spec::new(header.dtype, &header.shape[1..]),
            Pending::Whole { tensor, .. } => Spec::of(tensor),
        }
    }

    fn next(&mut self, source: &mut Source) -> Result<Option<Tensor>> {
        match self {
            Pending::Rows { left: 0, .. } => Ok(None),
            Pending::Rows { header, left } => {
                let item = npy::data_len(header.dtype, &header.shape[1..]).unwrap_or(usize::MAX);
                if item > MAX_FRAME {
                    return Err(Error::Data(format!(
                        "bad .npy: expected items of at most {MAX_FRAME} bytes, got {item}"
                    )));
                }
                let mut rows = header.clone();
                rows.shape[0] = BATCH.min(FRAME / item).clamp(1, *left);
                let mut data = Vec::new();
                source.read_into(&mut data, rows.data_len())?;
                *left -= rows.shape[0];
                Tensor::normalised(&rows, &data).map(Some)
            }
            Pending::Whole { tensor, given } => {
                let end = tensor.items().min(*given + BATCH);
                let next = (*given < end).then(|| tensor.slice(*given..end));
                *given = end;
                Ok(next)
            }
        }
    }
}

/// The array's shape with the dimension of the items first: a single picture [H,W] is one item.
///
/// A plain matrix called `x` could be a picture or flat pictures, one per row. Rows are taken for pictures if they could
/// be square ones.
fn items_first(header: &Header, name: &str) -> Result<Vec<usize>> {
    let square = |n: usize| n.isqrt().pow(2) == n;
    match header.shape[..] {
        [] => Err(Error::Data("bad .npy: expected an array, got a single number".to_owned())),
        [h, w] if name == "x" && !square(w) => Ok(vec![1, h, w]),
        _ => Ok(header.shape.clone()),
    }
}
