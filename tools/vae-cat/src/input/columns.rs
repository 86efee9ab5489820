//! Tensors of several files, side by side, as one stream.

use std::path::Path;

use vae_cli::{Error, Result};
use vae_stream::{Data, Dtype, Frame, Head, Reader, Tensor, TensorSpec};

/// The files, and the index of the next item.
pub(crate) struct Columns {
    columns: Vec<Column>,
    next: usize,
}

/// The tensor of one file.
struct Column {
    name: String,
    file: String,
    spec: TensorSpec,
    reader: Reader,
    /// The rest of the last frame.
    rest: Option<Tensor>,
}

/// The name of the items' indices.
const INDEX: &str = "i";

impl Columns {
    pub(crate) fn open(named: &[(&str, &Path)]) -> Result<Columns> {
        for (at, (name, _)) in named.iter().enumerate() {
            if named[..at].iter().any(|(n, _)| n == name) {
                return Err(Error::Usage(format!("expected each tensor once, got {name}= twice")));
            }
        }
        let columns = named.iter().map(|(name, file)| Column::open(name, file)).collect::<Result<_>>()?;
        Ok(Columns { columns, next: 0 })
    }

    /// The head of all tensors.
    pub(crate) fn head(&self) -> Head {
        let mut head = Head::new();
        for column in &self.columns {
            head.set_tensor(&column.name, column.spec.clone());
        }
        if self.adds_indices() {
            head.set_tensor(INDEX, TensorSpec::new(Dtype::I64, &[]));
        }
        head
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.columns.iter().map(|c| c.reader.bytes()).sum()
    }

    /// The next frame, with as many items as a frame of the first file.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
        let [first, others @ ..] = &mut self.columns[..] else { return Ok(None) };
        let tensor = first.next()?;
        let items = tensor.as_ref().map_or(0, Tensor::items);
        let mut data = Data::new(tensor.map(|tensor| (first.name.clone(), tensor)));
        for column in others {
            // At the end of the first file, the others must have no further item.
            let found = column.items(items.max(1))?;
            let got = found.as_ref().map_or(0, Tensor::items);
            if got != items {
                let (expected, got) = match got {
                    1.. if items == 0 => (self.next, "more".to_owned()),
                    _ => (self.next + items, (self.next + got).to_string()),
                };
                return Err(Error::Data(format!(
                    "{}: expected {expected} items as in {}, got {got}",
                    column.file, first.file
                )));
            }
            data.tensors.extend(found.map(|tensor| (column.name.clone(), tensor)));
        }
        if items == 0 {
            return Ok(None);
        }
        let indices = self.next..self.next + items;
        self.next = indices.end;
        if self.adds_indices() {
            let indices: Vec<u8> = indices.flat_map(|n| (n as i64).to_le_bytes()).collect();
            data.set(INDEX, Tensor::from_bytes(Dtype::I64, &[items], &indices));
        }
        Ok(Some(Frame::Data(data)))
    }

    /// Whether no file has indices of its own.
    fn adds_indices(&self) -> bool {
        self.columns.iter().all(|c| c.name != INDEX)
    }
}

impl Column {
    fn open(name: &str, file: &Path) -> Result<Column> {
        let reader = super::open(file, name)?;
        let file = file.display().to_string();
        let Some(spec) = reader.head().tensor(name) else {
            let names: Vec<String> = reader.head().tensors().into_iter().map(|(name, _)| name).collect();
            return Err(Error::Data(format!("{file}: expected a tensor {name} in it, got {}", names.join(", "))));
        };
        Ok(Column { name: name.to_owned(), file, spec, reader, rest: None })
    }

    /// The next `wanted` items; fewer at the end of the file.
    fn items(&mut self, wanted: usize) -> Result<Option<Tensor>> {
        let (mut parts, mut missing) = (Vec::new(), wanted);
        while missing > 0
            && let Some(tensor) = self.next()?
        {
            let end = tensor.items().min(missing);
            missing -= end;
            if end < tensor.items() {
                self.rest = Some(tensor.slice(end..tensor.items()));
                parts.push(tensor.slice(0..end));
            } else {
                parts.push(tensor);
            }
        }
        if parts.is_empty() { Ok(None) } else { Ok(Some(Tensor::concat(&parts)?)) }
    }

    /// The rest of the last frame, or the next frame.
    fn next(&mut self) -> Result<Option<Tensor>> {
        if let Some(tensor) = self.rest.take() {
            return Ok(Some(tensor));
        }
        while let Some(frame) = self.reader.next_frame()? {
            if let Frame::Data(mut data) = frame
                && data.is_main()
            {
                data.need(&self.name)?;
                return Ok(data.take(&self.name));
            }
        }
        Ok(None)
    }
}
