//! The model that latents are for, named in the head of the output, so that vae-decode finds it.

use common::model::{ModelFile, Stored};
use common::stream::{Data, Head, ModelRef, Reader};
use common::{Error, Result};
use std::path::Path;

/// What there is to know of it.
pub struct Named {
    /// Its file.
    pub file: ModelFile,
    /// The frame that sends it along, to be written first, if `head` announces one that is not in the input.
    pub frame: Option<Data>,
}

/// The model that is `given`, else the one that the input names; `embed`: to be sent along.
///
/// # Errors
/// None that can be found; one that is given, while the input names another.
pub fn find(input: Option<&mut Reader>, given: Option<&Path>, head: &mut Head, embed: bool) -> Result<Named> {
    match (given, input) {
        (Some(path), _) => at(path, head, embed),
        (None, Some(input)) => of(input, head, embed),
        (None, None) => Err(Error::Usage("no model: expected -m MODEL".into())),
    }
}

fn at(path: &Path, head: &mut Head, embed: bool) -> Result<Named> {
    let stored = Stored::open(path)?;
    let recorded = head.model();
    let frame = stored.describe(head, embed);
    match (recorded, head.model()) {
        (Some(recorded), Some(got)) if recorded.sha256() != got.sha256() => Err(Error::Data(format!(
            "{} is not the model that made these latents: expected sha256 {}, got {}; leave out -m, or send bare latents: \
             vae-cat --npy z",
            path.display(),
            recorded.sha256(),
            got.sha256()
        ))),
        _ => Ok(Named { file: stored.file, frame }),
    }
}

fn of(input: &mut Reader, head: &mut Head, embed: bool) -> Result<Named> {
    let file = Stored::find(input, None)?;
    match head.model() {
        Some(ModelRef::File { sha256, .. }) if embed => {
            head.set_model(Some(&ModelRef::Embedded { sha256 }));
            let frame = Some(Data::model(file.bytes()));
            Ok(Named { file, frame })
        }
        _ => Ok(Named { file, frame: None }),
    }
}
