//! The counts of a verified stream.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};
use vae_cli::output::{Format, Output};
use vae_cli::{OutputArgs, Result};
use vae_stream::Frame;

use crate::input::Input;

/// Reads to the end. Counts all frames, the items of the main group, the frames of each other group, records and bytes.
pub(crate) fn counts(input: &mut Input) -> Result<Value> {
    let (mut frames, mut items, mut records) = (0, 0, 0);
    let mut groups: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(frame) = input.next_frame()? {
        frames += 1;
        match frame {
            Frame::Json(_) => records += 1,
            Frame::Data(data) => match data.group {
                Some(group) => *groups.entry(group).or_default() += 1,
                None => items += data.items(),
            },
        }
    }
    Ok(json!({"frames": frames, "items": items, "groups": groups, "records": records, "bytes": input.bytes()}))
}

/// Writes a text to the output.
pub(crate) fn print(args: &OutputArgs, text: &str) -> Result<()> {
    let mut output = Output::open(args.output.as_deref(), Format::Json)?;
    writeln!(output, "{text}").map_err(|e| output.error(e))?;
    output.commit()
}
