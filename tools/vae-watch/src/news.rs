//! What a page does not have yet, as JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::points::{NUMBERS, PARTS, Point};
use crate::shown::{Entry, Shown, Stage, State};

/// How long a page waits for news before it hears that there are none.
const PATIENCE: Duration = Duration::from_secs(15);
/// A fast run tells a page no more often than this.
const BEAT: Duration = Duration::from_millis(100);
/// Bytes of pictures in one answer, about.
const PORTION: usize = 1 << 20;

/// What there is since the change that a page saw last, of this session; waits for some.
pub async fn wait(shown: &Shown, session: &str, since: u64) -> String {
    let since = if session == shown.session { since } else { 0 };
    let mut changes = shown.changes();
    // Only a shown that is gone sends no more, and it is borrowed here.
    let news = timeout(PATIENCE, changes.wait_for(|told| told.serial > since)).await.is_ok();
    if since > 0 && news {
        let _ = timeout(BEAT, changes.wait_for(|told| told.over)).await;
    }
    now(shown, since)
}

/// What there is since then.
pub fn now(shown: &Shown, since: u64) -> String {
    // The pipe waits for this lock: it is held for no more than to copy.
    let state = shown.state();
    let album = state.album.kept();
    let kept: Vec<u64> = album.iter().map(|(epoch, _)| *epoch).collect();
    let news: Vec<(u64, Entry)> = portion(album.iter().filter(|(_, entry)| entry.serial > since));
    let points: Option<Vec<(u64, Point)>> = (state.drawn > since).then(|| state.points.kept().to_vec());
    let more = album.last().map(|(epoch, _)| epoch) != news.last().map(|(epoch, _)| epoch) && !news.is_empty();
    let serial = news.last().filter(|_| more).map_or(state.serial, |(_, entry)| entry.serial);
    let mut answer = facts(&state);
    drop(state);

    answer["session"] = shown.session.as_str().into();
    answer["serial"] = serial.into();
    answer["more"] = more.into();
    answer["kept"] = kept.into();
    answer["pictures"] = news.iter().map(|(epoch, entry)| pictures(*epoch, entry)).collect();
    if let Some(points) = points {
        answer["curves"] = curves(&points);
    }
    answer.to_string()
}

/// As many as fit into an answer, and at least one.
fn portion<'a>(news: impl Iterator<Item = &'a (u64, Entry)>) -> Vec<(u64, Entry)> {
    let mut bytes = 0;
    let fits = |(_, entry): &&(u64, Entry)| {
        let before = bytes;
        bytes += [&entry.recon, &entry.sample].into_iter().flatten().map(|set| set.bytes()).sum::<usize>();
        before == 0 || bytes <= PORTION
    };
    news.take_while(fits).cloned().collect()
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

fn pictures(epoch: u64, entry: &Entry) -> Value {
    let [recon, sample] = [&entry.recon, &entry.sample].map(|set| set.as_ref().map(|set| set.to_json()));
    json!({"epoch": epoch, "recon": recon, "sample": sample})
}

/// By number, then by whose it is: `{"epochs":[1,2],"loss":{"train":[..],"test":[..]},..}`, without what is nowhere told or
/// always 0, as the KL of what has none.
fn curves(points: &[(u64, Point)]) -> Value {
    let mut curves = Map::new();
    curves.insert("epochs".into(), points.iter().map(|(epoch, _)| *epoch).collect());
    for (k, number) in NUMBERS.into_iter().enumerate() {
        let mut of = Map::new();
        for (p, part) in PARTS.into_iter().enumerate() {
            let values: Vec<Option<f32>> = points.iter().map(|(_, point)| point.get(p, k)).collect();
            if values.iter().flatten().any(|value| *value != 0.0) {
                of.insert(part.into(), json!(values));
            }
        }
        if !of.is_empty() {
            curves.insert(number.into(), Value::Object(of));
        }
    }
    Value::Object(curves)
}
