//! Bare .npy files, one after the other, as a stream of one tensor.

use super::Input;
use crate::npy::{self, Header};
use crate::source::Source;
use crate::{BATCH, Data, Error, Frame, Head, MAX_FRAME, Result, Tensor, TensorSpec, check_name};

/// Bytes of a frame at most, unless a single item is larger.
const FRAME: usize = 16 << 20;

/// An input of bare .npy.
pub(crate) struct NpyInput {
    source: Source,
    name: String,
    item: TensorSpec,
    head: Head,
    pending: Pending,
    /// Whether each array is one item.
    is_single: bool,
}

/// The rest of the current array.
enum Pending {
    /// C order: items lie one after the other, and are read frame by frame.
    Rows { header: Header, left: usize },
    /// Fortran order: each item is spread over the whole array, which is read at once. `given` items were given.
    Whole { tensor: Tensor, given: usize },
}

impl NpyInput {
    pub(crate) fn open(mut source: Source, name: &str) -> Result<NpyInput> {
        check_name(name)?;
        let pending = Pending::open(&mut source)?;
        let item = pending.item();
        let mut head = Head::new();
        head.set_tensor(name, item.clone());
        Ok(NpyInput { source, name: name.to_owned(), item, head, pending, is_single: false })
    }
}

impl Input for NpyInput {
    fn head(&self) -> &Head {
        &self.head
    }

    fn bytes(&self) -> u64 {
        self.source.offset()
    }

    fn array(&self) -> Option<&[usize]> {
        Some(self.pending.shape())
    }

    fn join_items(&mut self) {
        self.pending.join_items();
        self.is_single = true;
        self.item = self.pending.item();
        self.head.set_tensor(&self.name, self.item.clone());
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(tensor) = self.pending.next(&mut self.source)? {
                return Ok(Some(Frame::Data(Data::new([(self.name.as_str(), tensor)]))));
            }
            match self.source.peek(npy::MAGIC.len())? {
                [] => return Ok(None),
                rest if !npy::MAGIC.starts_with(rest) => return Err(Error::AfterNpy { got: rest.to_vec() }),
                _ => {}
            }
            self.pending = Pending::open(&mut self.source)?;
            if self.is_single {
                self.pending.join_items();
            }
            let item = self.pending.item();
            if item != self.item {
                return Err(Error::NextNpy { expected: self.item.clone(), got: item });
            }
        }
    }
}

impl Pending {
    fn open(source: &mut Source) -> Result<Pending> {
        let mut bytes = Vec::new();
        let prefix = source.peek(Header::PREFIX)?;
        let len = Header::whole_len(prefix)?;
        source.read_into(&mut bytes, len)?;
        let header = Header::parse(&bytes)?;
        if header.shape.is_empty() {
            return Err(npy::scalar());
        }
        if header.shape[1..].contains(&0) {
            return Err(npy::bad("items that hold numbers", format_args!("shape {:?}", header.shape)));
        }
        if !header.fortran {
            let left = header.shape[0];
            return Ok(Pending::Rows { header, left });
        }
        if header.data_len() > MAX_FRAME {
            return Err(Error::FortranTooLarge { bytes: header.data_len() });
        }
        let mut data = Vec::new();
        source.read_into(&mut data, header.data_len())?;
        Ok(Pending::Whole { tensor: Tensor::normalised(&header, &data)?, given: 0 })
    }

    /// The shape of the array.
    fn shape(&self) -> &[usize] {
        match self {
            Pending::Rows { header, .. } => &header.shape,
            Pending::Whole { tensor, .. } => tensor.shape(),
        }
    }

    fn item(&self) -> TensorSpec {
        match self {
            Pending::Rows { header, .. } => TensorSpec::new(header.dtype, &header.shape[1..]),
            Pending::Whole { tensor, .. } => TensorSpec::of(tensor),
        }
    }

    /// Makes one item of all. None has been given yet.
    fn join_items(&mut self) {
        match self {
            Pending::Rows { header, left } => {
                *left = 1;
                header.shape.insert(0, 1);
            }
            Pending::Whole { tensor, .. } => {
                let shape: Vec<usize> = [1].iter().chain(tensor.shape()).copied().collect();
                *tensor = Tensor::from_bytes(tensor.dtype(), &shape, tensor.data());
            }
        }
    }

    fn next(&mut self, source: &mut Source) -> Result<Option<Tensor>> {
        match self {
            Pending::Rows { left: 0, .. } => Ok(None),
            Pending::Rows { header, left } => {
                let item = npy::data_len(header.dtype, &header.shape[1..]).unwrap_or(usize::MAX);
                if item > MAX_FRAME {
                    return Err(npy::bad(format_args!("items of at most {MAX_FRAME} bytes"), item));
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
