//! Format strings of grid-png: headlines and file names.

use std::path::Path;

use vae_stream::record::Epoch;

use crate::check;
use crate::filename::Pattern;
use crate::template::{Template, Values};

/// A first line that is a headline or a file name is filled from the record after it, and grows no more than its fields say.
pub fn templates(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, record) = text.split_once('\n').unwrap_or((text, ""));
    let epoch = serde_json::from_str(record).ok().and_then(|json| Epoch::parse(&json).ok().flatten());
    let values = Values::new("recon", Some(u64::MAX), epoch.as_ref());
    if let Ok(template) = Template::parse(text) {
        let fields = template.fields().count();
        match template.fill(&values) {
            // A number has up to 309 digits and 99 decimals.
            Ok(filled) => assert!(filled.len() <= text.len() + fields * (512 + record.len())),
            Err(e) => drop(check::bad_usage(e)),
        }
    }
    match Pattern::parse(Path::new(text)).map(|pattern| pattern.map(|p| p.fill("recon", Some(7)))) {
        Ok(Some(Ok(name))) => {
            assert_eq!(name.to_string_lossy().matches('/').count(), text.matches('/').count(), "a field adds no folder")
        }
        Ok(None) => {}
        Ok(Some(Err(e))) | Err(e) => drop(check::bad_usage(e)),
    }
}
