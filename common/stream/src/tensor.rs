//! A tensor: a complete .npy file with a checked header.

use std::fmt;
use std::ops::Range;

use ndarray::{ArrayD, ArrayRef, Dimension, IxDyn};
use ndarray_npy::{ReadNpyExt, ReadableElement, WritableElement};

use crate::npy::{self, Header};
use crate::{Dtype, Error, MAX_FRAME, Result, TensorSpec};

/// An array, as the bytes of its .npy: C order, little endian, at least one dimension.
///
/// The bytes stay as they came, so that passing a tensor on copies nothing.
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
    /// [`Error::Npy`], and [`Error::Layout`] for another order.
    pub fn parse(bytes: Vec<u8>) -> Result<Tensor> {
        let header = whole(&bytes)?;
        if header.fortran || header.big_endian || header.shape.is_empty() {
            return Err(Error::Layout);
        }
        Ok(Tensor { bytes, start: header.len, dtype: header.dtype, shape: header.shape })
    }

    /// The tensor of a complete .npy as NumPy saves it, big endian and Fortran order included.
    ///
    /// # Errors
    /// [`Error::Npy`] for what is no .npy, no array, or of a type that streams do not have.
    pub fn from_npy(bytes: &[u8]) -> Result<Tensor> {
        let header = whole(bytes)?;
        if header.shape.is_empty() {
            return Err(npy::scalar());
        }
        Tensor::normalised(&header, &bytes[header.len..])
    }

    /// The type and the whole shape of a complete .npy as NumPy saves it, also of a single number.
    ///
    /// # Errors
    /// [`Error::Npy`] for what is no .npy, or of a type that streams do not have.
    pub fn spec_of_npy(bytes: &[u8]) -> Result<TensorSpec> {
        let header = whole(bytes)?;
        Ok(TensorSpec::new(header.dtype, &header.shape))
    }

    /// A tensor with the elements of `array`, in any layout.
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

    /// A tensor with the elements in `data`, little endian and in C order.
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

    /// The tensor of a bare .npy, which may be big endian or in Fortran order: `data` are the elements after `header`.
    pub(crate) fn normalised(header: &Header, data: &[u8]) -> Result<Tensor> {
        if !header.big_endian && !header.fortran {
            return Ok(Tensor::from_bytes(header.dtype, &header.shape, data));
        }
        // As unsigned integers of the same width, any elements are reordered by ndarray-npy.
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

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Its shape, the dimension of the items first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of items: its first dimension.
    pub fn items(&self) -> usize {
        self.shape[0]
    }

    /// The complete .npy.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The elements, little endian and in C order.
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

    /// The items of all `parts`, in order, which must be of one type and shape.
    ///
    /// # Errors
    /// [`Error::NoTensors`], [`Error::Concat`] and [`Error::FrameTooLarge`].
    pub fn concat(parts: &[Tensor]) -> Result<Tensor> {
        let [first, ..] = parts else { return Err(Error::NoTensors) };
        if let Some(odd) = parts.iter().find(|t| t.dtype != first.dtype || t.shape[1..] != first.shape[1..]) {
            return Err(Error::Concat { expected: TensorSpec::of(first), got: TensorSpec::of(odd) });
        }
        if let [only] = parts {
            return Ok(only.clone());
        }
        let mut shape = first.shape.clone();
        shape[0] = parts.iter().map(Tensor::items).sum();
        let data: Vec<&[u8]> = parts.iter().map(Tensor::data).collect();
        if data.iter().map(|d| d.len()).sum::<usize>() > MAX_FRAME {
            return Err(Error::FrameTooLarge);
        }
        Ok(Tensor::from_bytes(first.dtype, &shape, &data.concat()))
    }

    /// The elements as an array of their own type; [`to_f32`](Tensor::to_f32) and its like convert any type.
    ///
    /// # Errors
    /// [`Error::Type`], and [`Error::Elements`] for a bool that is neither 0 nor 1.
    pub fn to_array<A: Element + ReadableElement>(&self) -> Result<ArrayD<A>> {
        if A::DTYPE != self.dtype {
            return Err(Error::Type { expected: A::DTYPE, got: self.dtype });
        }
        // The elements alone: `ndarray-npy` takes longer to read a header, which is checked, than a small tensor.
        let values = A::read_to_end_exact_vec(self.data(), &A::type_descriptor(), self.shape.iter().product());
        Ok(self.shaped(values.map_err(|e| Error::Elements { reason: e.to_string() })?))
    }

    /// The elements of an f2 tensor, a type that `ndarray-npy` lacks.
    pub(crate) fn halves(&self) -> ArrayD<half::f16> {
        self.shaped(self.data().chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]])).collect())
    }

    /// An array of this tensor's shape.
    pub(crate) fn shaped<A>(&self, values: Vec<A>) -> ArrayD<A> {
        ArrayD::from_shape_vec(IxDyn(&self.shape), values).expect("as many elements as the header says")
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?})", self.dtype, self.shape)
    }
}

/// The header of a complete .npy, whose length is checked.
fn whole(bytes: &[u8]) -> Result<Header> {
    let header = Header::parse(bytes)?;
    let (got, expected) = (bytes.len() - header.len, header.data_len());
    if got != expected {
        return Err(npy::bad(format_args!("{expected} bytes for shape {:?}", header.shape), got));
    }
    Ok(header)
}

/// The array of a .npy with a checked header and size.
fn read<A: ReadableElement>(bytes: &[u8]) -> Result<ArrayD<A>> {
    ArrayD::read_npy(bytes).map_err(|e| Error::Elements { reason: e.to_string() })
}

/// The Rust types of elements.
pub trait Element: WritableElement + Copy {
    /// The type in a stream.
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
