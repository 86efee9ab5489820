//! The response to a poll: the changes since a version of the state, as JSON.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::state::{Previews, Shared, Stage, State};

/// A poll without changes is answered after this.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Least time between responses to one page.
const INTERVAL: Duration = Duration::from_millis(100);
/// Bytes of previews in a response, about.
const MAX_BYTES: usize = 1 << 20;

/// The changes since a version of this session; waits for some (long polling).
pub async fn wait(shared: &Shared, session: &str, since: u64) -> String {
    let since = if session == shared.session { since } else { 0 };
    let mut versions = shared.versions();
    // The channel closes with `shared`, which is borrowed here.
    let has_changed = timeout(TIMEOUT, versions.wait_for(|version| version.number > since)).await.is_ok();
    if since > 0 && has_changed {
        let _ = timeout(INTERVAL, versions.wait_for(|version| version.is_last)).await;
    }
    changes(shared, since)
}

/// The changes since a version.
pub fn changes(shared: &Shared, since: u64) -> String {
    // The pipe waits for this lock: it is held for copies only.
    let state = shared.state();
    let previews = state.previews.entries();
    let kept: Vec<u64> = previews.iter().map(|(epoch, _)| *epoch).collect();
    let new = first_bytes(previews.iter().filter(|(_, previews)| previews.version > since));
    let curves = (state.curves_version > since).then(|| state.curves.clone());
    let more = kept.last() != new.last().map(|(epoch, _)| epoch) && !new.is_empty();
    let version = new.last().filter(|_| more).map_or(state.version, |(_, previews)| previews.version);
    let mut response = facts(&state);
    drop(state);

    response["session"] = shared.session.as_str().into();
    response["serial"] = version.into();
    response["more"] = more.into();
    response["kept"] = kept.into();
    response["pictures"] = new.iter().map(|(epoch, previews)| to_json(*epoch, previews)).collect();
    if let Some(curves) = curves {
        response["curves"] = curves.to_json();
    }
    response.to_string()
}

/// As many previews as fit into a response, and at least one.
fn first_bytes<'a>(previews: impl Iterator<Item = &'a (u64, Previews)>) -> Vec<(u64, Previews)> {
    let mut bytes = 0;
    let fits = |(_, previews): &&(u64, Previews)| {
        let before = bytes;
        bytes +=
            [&previews.recon, &previews.sample].into_iter().flatten().map(|preview| preview.bytes()).sum::<usize>();
        before == 0 || bytes <= MAX_BYTES
    };
    previews.take_while(fits).cloned().collect()
}

fn facts(state: &State) -> Value {
    let (stage, message) = match &state.stage {
        Stage::Waiting => ("waiting", None),
        Stage::Live => ("live", None),
        Stage::Finished => ("finished", None),
        Stage::Failed(message) => ("failed", Some(message)),
    };
    json!({
        "stage": stage,
        "message": message,
        "note": state.note,
        "run": state.run,
        "epoch": state.epoch,
        "epochs": state.epochs,
    })
}

fn to_json(epoch: u64, previews: &Previews) -> Value {
    let [recon, sample] = [&previews.recon, &previews.sample].map(|preview| preview.as_ref().map(|p| p.to_json()));
    json!({"epoch": epoch, "recon": recon, "sample": sample})
}
