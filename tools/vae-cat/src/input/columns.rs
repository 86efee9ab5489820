//! Tensors from a file each, side by side, as one stream.

use vae_cli::{Error, Result};
use vae_stream::{Data, Dtype, Frame, Head, Reader, Spec, Tensor};

/// The files, and the item that comes next.
pub(crate) struct Columns {
    columns: Vec<Column>,
    next: usize,
}

/// One tensor, item by item.
struct Column {
    name: String,
    file: String,
    spec: Spec,
    reader: Reader,
    /// What was read of it and not given yet.
    held: Option<Tensor>,
}

/// The tensor of source indices.
const INDEX: &str = "i";

impl Columns {
    pub(crate) fn open(named: &[(&str, &str)]) -> Result<Columns> {
        for (at, (name, _)) in named.iter().enumerate() {
            if named[..at].iter().any(|(n, _)| n == name) {
                return Err(Error::Usage(format!("expected each tensor once, got {name}= twice")));
            }
        }
        let columns = named.iter().map(|(name, file)| Column::open(name, file)).collect::<Result<_>>()?;
        Ok(Columns { columns, next: 0 })
    }

    /// The head of the stream of all.
    pub(crate) fn head(&self) -> Head {
        let mut head = Head::new();
        for column in &self.columns {
            head.set_tensor(&column.name, column.spec.clone());
        }
        if self.numbers_items() {
            head.set_tensor(INDEX, Spec::new(Dtype::I64, &[]));
        }
        head
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.columns.iter().map(|c| c.reader.bytes()).sum()
    }

    /// As many items as the first file gives at a time.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
        let [leader, others @ ..] = &mut self.columns[..] else { return Ok(None) };
        let first = leader.next()?;
        let items = first.as_ref().map_or(0, Tensor::items);
        let mut data = Data::new(first.map(|tensor| (leader.name.clone(), tensor)));
        for column in others {
            // At the end of the first file, one item more is asked for, and there must be none.
            let found = column.items(items.max(1))?;
            let got = found.as_ref().map_or(0, Tensor::items);
            if got != items {
                let (expected, got) = match got {
                    1.. if items == 0 => (self.next, "more".to_owned()),
                    _ => (self.next + items, (self.next + got).to_string()),
                };
                return Err(Error::Data(format!(
                    "{}: expected {expected} items as in {}, got {got}",
                    column.file, leader.file
                )));
            }
            data.tensors.extend(found.map(|tensor| (column.name.clone(), tensor)));
        }
        if items == 0 {
            return Ok(None);
        }
        let numbers = self.next..self.next + items;
        self.next = numbers.end;
        if self.numbers_items() {
            let numbers: Vec<u8> = numbers.flat_map(|n| (n as i64).to_le_bytes()).collect();
            data.set(INDEX, Tensor::from_bytes(Dtype::I64, &[items], &numbers));
        }
        Ok(Some(Frame::Data(data)))
    }

    /// Whether the files do not number the items themselves.
    fn numbers_items(&self) -> bool {
        self.columns.iter().all(|c| c.name != INDEX)
    }
}

impl Column {
    fn open(name: &str, file: &str) -> Result<Column> {
        let reader = super::open(file, name)?;
        let Some(spec) = reader.head().tensor(name) else {
            let names: Vec<String> = reader.head().tensors().into_iter().map(|(name, _)| name).collect();
            return Err(Error::Data(format!("{file}: expected a tensor {name} in it, got {}", names.join(", "))));
        };
        Ok(Column { name: name.to_owned(), file: file.to_owned(), spec, reader, held: None })
    }

    /// The next `wanted` items, or fewer at the end of the file.
    fn items(&mut self, wanted: usize) -> Result<Option<Tensor>> {
        let (mut parts, mut missing) = (Vec::new(), wanted);
        while missing > 0
            && let Some(tensor) = self.next()?
        {
            let end = tensor.items().min(missing);
            missing -= end;
            if end < tensor.items() {
                self.held = Some(tensor.slice(end..tensor.items()));
                parts.push(tensor.slice(0..end));
            } else {
                parts.push(tensor);
            }
        }
        if parts.is_empty() { Ok(None) } else { Ok(Some(Tensor::concat(&parts)?)) }
    }

    /// The rest of the frame at hand, or the next one.
    fn next(&mut self) -> Result<Option<Tensor>> {
        if let Some(tensor) = self.held.take() {
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
