//! One tensor: a complete .npy file whose header has been checked.

use std::fmt;
use std::ops::Range;

use ndarray::{ArrayD, ArrayRef, Dimension, IxDyn};
use ndarray_npy::{ReadNpyExt, ReadableElement, WritableElement};

use crate::npy::{self, Header};
use crate::{Dtype, Error, MAX_FRAME, Result};

/// An array of numbers as the bytes of its .npy: C order, little endian, one dimension or more.
///
/// The bytes are kept as they came, so that passing a tensor on copies nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Tensor {
    bytes: Vec<u8>,
    start: usize,
    dtype: Dtype,
    shape: Vec<usize>,
}

impl Tensor {
    /// Checks a complete .npy: its header, its size, and that it is C order and little endian.
    ///
    /// # Errors
    /// [`Error::Data`] for anything else.
    pub fn parse(bytes: Vec<u8>) -> Result<Tensor> {
        let header = whole(&bytes)?;
        if header.fortran || header.big_endian || header.shape.is_empty() {
            return Err(Error::Data(
                "bad .npy in a frame: expected C order, little endian and at least one dimension; vae-cat takes any .npy \
                 and makes a stream of it"
                    .to_owned(),
            ));
        }
        Ok(Tensor { bytes, start: header.len, dtype: header.dtype, shape: header.shape })
    }

    /// The tensor of a complete .npy of any kind: big endian and Fortran order too, as NumPy saves them.
    ///
    /// # Errors
    /// [`Error::Data`] for what is no whole .npy, a lone number, or a kind of numbers that streams do not have.
    pub fn from_npy(bytes: &[u8]) -> Result<Tensor> {
        let header = whole(bytes)?;
        if header.shape.is_empty() {
            return Err(Error::Data("bad .npy: expected an array, got a single number".to_owned()));
        }
        Tensor::normalised(&header, &bytes[header.len..])
    }

    /// The tensor with the elements of `array`, whatever its layout.
    pub fn from_array<A: Element, D: Dimension>(array: &ArrayRef<A, D>) -> Tensor {
        let mut bytes = npy::header(A::DTYPE.name(), false, array.shape());
        let start = bytes.len();
        bytes.reserve_exact(array.len() * A::DTYPE.size());
        // Neither a vector nor an array in standard layout can fail here.
        if let Some(values) = array.as_standard_layout().as_slice() {
            let _ = A::write_slice(values, &mut bytes);
        }
        Tensor { bytes, start, dtype: A::DTYPE, shape: array.shape().to_vec() }
    }

    /// The tensor with the elements that `data` holds, little endian and in C order.
    ///
    /// # Panics
    /// If `data` has another length than `shape` asks for.
    pub fn from_bytes(dtype: Dtype, shape: &[usize], data: &[u8]) -> Tensor {
        assert_eq!(Some(data.len()), npy::data_len(dtype, shape), "{dtype} of shape {shape:?}");
        let mut bytes = npy::header(dtype.name(), false, shape);
        let start = bytes.len();
        bytes.reserve_exact(data.len());
        bytes.extend_from_slice(data);
        Tensor { bytes, start, dtype, shape: shape.to_vec() }
    }

    /// The tensor of a bare .npy, which may also be big endian or in Fortran order: `data` are the elements that follow
    /// `header`.
    pub(crate) fn normalised(header: &Header, data: &[u8]) -> Result<Tensor> {
        if !header.big_endian && !header.fortran {
            return Ok(Tensor::from_bytes(header.dtype, &header.shape, data));
        }
        // ndarray-npy puts any bytes in order as unsigned numbers of the same width.
        fn reorder<A: Element + ReadableElement>(header: &Header, data: &[u8]) -> Result<Tensor> {
            let order = if header.big_endian { '>' } else { '<' };
            let order = if header.dtype.size() == 1 { '|' } else { order };
            let descr = format!("{order}u{}", header.dtype.size());
            let mut bytes = npy::header(&descr, header.fortran, &header.shape);
            bytes.extend_from_slice(data);
            Ok(Tensor::from_array(&read::<A>(&bytes)?))
        }
        let ordered = match header.dtype.size() {
            1 => reorder::<u8>(header, data),
            2 => reorder::<u16>(header, data),
            4 => reorder::<u32>(header, data),
            _ => reorder::<u64>(header, data),
        }?;
        Ok(Tensor::from_bytes(header.dtype, &header.shape, ordered.data()))
    }

    /// The kind of its elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Its dimensions, the items' first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many items it holds: its first dimension.
    pub fn items(&self) -> usize {
        self.shape[0]
    }

    /// The complete .npy.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The elements alone, little endian, C order.
    pub fn data(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Some of the items, in order.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn slice(&self, items: Range<usize>) -> Tensor {
        let item = self.data().len() / self.items().max(1);
        let mut shape = self.shape.clone();
        shape[0] = items.len();
        Tensor::from_bytes(self.dtype, &shape, &self.data()[items.start * item..items.end * item])
    }

    /// The items of all `parts`, in order; they must agree in all but their number.
    ///
    /// # Errors
    /// [`Error::Data`] where they do not, or are beyond a frame's limit together; [`Error::Failed`] for none.
    pub fn concat(parts: &[Tensor]) -> Result<Tensor> {
        let [first, ..] = parts else { return Err(Error::Failed("no tensors to join".to_owned())) };
        if let Some(odd) = parts.iter().find(|t| t.dtype != first.dtype || t.shape[1..] != first.shape[1..]) {
            let (a, b) = (describe(first.dtype, &first.shape[1..]), describe(odd.dtype, &odd.shape[1..]));
            return Err(Error::Data(format!("tensors differ: expected items of {a}, got {b}")));
        }
        if let [only] = parts {
            return Ok(only.clone());
        }
        let mut shape = first.shape.clone();
        shape[0] = parts.iter().map(Tensor::items).sum();
        let data: Vec<&[u8]> = parts.iter().map(Tensor::data).collect();
        if data.iter().map(|d| d.len()).sum::<usize>() > MAX_FRAME {
            return Err(Error::Data(format!("tensors joined pass the limit of {MAX_FRAME} bytes")));
        }
        Ok(Tensor::from_bytes(first.dtype, &shape, &data.concat()))
    }

    /// The elements as an array of their own kind; [`to_f32`](Tensor::to_f32) and its like take any kind.
    ///
    /// # Errors
    /// [`Error::Data`] for elements of another kind.
    pub fn to_array<A: Element + ReadableElement>(&self) -> Result<ArrayD<A>> {
        if A::DTYPE != self.dtype {
            return Err(Error::Data(format!("expected numbers of kind {}, got {}", A::DTYPE, self.dtype)));
        }
        let bad = |e: &dyn fmt::Display| Error::Data(format!("bad .npy: {e}"));
        // The header, which has been checked, takes `ndarray-npy` longer to read than a small tensor.
        let values = A::read_to_end_exact_vec(self.data(), &A::type_descriptor(), self.shape.iter().product());
        ArrayD::from_shape_vec(IxDyn(&self.shape), values.map_err(|e| bad(&e))?).map_err(|e| bad(&e))
    }

    /// The elements of an f2 tensor, which `ndarray-npy` does not know.
    pub(crate) fn halves(&self) -> Result<ArrayD<half::f16>> {
        let halves = self.data().chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]])).collect();
        ArrayD::from_shape_vec(IxDyn(&self.shape), halves).map_err(|e| Error::Data(format!("bad .npy: {e}")))
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({})", describe(self.dtype, &self.shape))
    }
}

/// The header of a .npy that is as long as it says.
fn whole(bytes: &[u8]) -> Result<Header> {
    let header = Header::parse(bytes)?;
    let (got, expected) = (bytes.len() - header.len, header.data_len());
    if got != expected {
        let shape = header.shape;
        return Err(Error::Data(format!("bad .npy: expected {expected} bytes for shape {shape:?}, got {got}")));
    }
    Ok(header)
}

/// An array of the .npy in `bytes`, whose header and size have been checked.
pub(crate) fn read<A: ReadableElement>(bytes: &[u8]) -> Result<ArrayD<A>> {
    ArrayD::read_npy(bytes).map_err(|e| Error::Data(format!("bad .npy: {e}")))
}

/// `<f4 [28, 28]`, for messages.
pub(crate) fn describe(dtype: Dtype, shape: &[usize]) -> String {
    format!("{dtype} {shape:?}")
}

/// The Rust types that a tensor can be made of.
pub trait Element: WritableElement + Copy {
    /// Their name in a stream.
    const DTYPE: Dtype;
}

macro_rules! elements {
    ($($type:ty = $dtype:ident),*) => {
        $(impl Element for $type {
            const DTYPE: Dtype = Dtype::$dtype;
        })*
    };
}
elements!(
    bool = Bool,
    i8 = I8,
    u8 = U8,
    i16 = I16,
    u16 = U16,
    i32 = I32,
    u32 = U32,
    f32 = F32,
    i64 = I64,
    u64 = U64,
    f64 = F64
);
