//! Bytes of each program.

use crate::setup::Setup;
use crate::table::Table;
use serde_json::json;
use vae_cli::{Error, Result};

pub const TITLE: &str = "Programs";
const ABOUT: &str = "Size, stripped. Once.";

pub fn measure(setup: &Setup) -> Result<Vec<Table>> {
    let mut table = Table::new(TITLE, ABOUT, ["MB"]);
    let folder = setup.repo.join("tools");
    let entries = std::fs::read_dir(&folder).map_err(|e| Error::io(format!("cannot list {}", folder.display()), e))?;
    let mut tools: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    tools.sort();
    for tool in tools {
        let path = setup.tools.join(&tool);
        let file = std::fs::metadata(&path);
        let size =
            file.map_err(|e| Error::io(format!("cannot see {} (`make build` makes it)", path.display()), e))?.len();
        table.push_all(&tool, [format!("{:.1}", size as f64 / 1e6)], json!({"bytes": size}));
    }
    Ok(vec![table])
}
