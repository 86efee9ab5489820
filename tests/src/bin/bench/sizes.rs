//! Bytes of each program.

use crate::place::Place;
use common::{Error, Result};
use serde_json::{Map, Value};

pub fn measure(place: &Place) -> Result<Value> {
    println!("\nprograms, MB");
    let mut sizes = Map::new();
    for tool in [
        "mnist-dump",
        "vae-train",
        "vae-encode",
        "vae-decode",
        "vae-sample",
        "vae-eval",
        "vae-cat",
        "vae-watch",
        "vae-plot",
        "grid-png",
    ] {
        let path = place.tools.join(tool);
        let file = std::fs::metadata(&path);
        let size =
            file.map_err(|e| Error::io(format!("cannot see {} (`make build` makes it)", path.display()), e))?.len();
        println!("    {tool:<12} {:.1}", size as f64 / 1e6);
        sizes.insert(tool.into(), size.into());
    }
    Ok(sizes.into())
}
