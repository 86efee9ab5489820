//! Loss curves: the numbers of the epoch records, by name.

use serde_json::{Map, Value, json};
use vae_stream::record::{Epoch, TEST, TRAIN};

use crate::history::History;

/// Most epochs of a curve.
const MAX_EPOCHS: usize = 1000;
/// Most names; later ones are left out.
const MAX_NAMES: usize = 16;
/// Most bytes of a name.
const MAX_NAME: usize = 64;

/// The numbers of an epoch over training and test images, by index of the name.
type Point = [[Option<f32>; MAX_NAMES]; 2];

/// The curves of a run.
#[derive(Clone, Default)]
pub struct Curves {
    /// In the order of the records.
    names: Vec<String>,
    points: History<Point>,
}

impl Curves {
    /// Appends the numbers of an epoch; those that are not finite are left out.
    pub fn push(&mut self, epoch: &Epoch) {
        let mut point = Point::default();
        for (values, (_, terms)) in point.iter_mut().zip(epoch.losses()) {
            for (name, value) in terms.into_iter().flat_map(|terms| terms.iter()) {
                if let Some(index) = self.index(name) {
                    values[index] = Some(value as f32).filter(|value| value.is_finite());
                }
            }
        }
        *self.points.entry(epoch.epoch, MAX_EPOCHS) = point;
    }

    fn index(&mut self, name: &str) -> Option<usize> {
        let known = self.names.iter().position(|known| known == name);
        known.or_else(|| {
            let index = self.names.len();
            (index < MAX_NAMES && name.len() <= MAX_NAME).then(|| self.names.push(name.to_owned()))?;
            Some(index)
        })
    }

    /// `{"loss":{"train":[..],"test":[..]},..,"epochs":[1,2]}`, without curves that are empty or 0 throughout, as the
    /// KL of a plain autoencoder.
    pub fn to_json(&self) -> Value {
        let mut curves = Map::new();
        for (index, name) in self.names.iter().enumerate() {
            let mut curve = Map::new();
            for (images, key) in [TRAIN, TEST].into_iter().enumerate() {
                let values: Vec<_> = self.points.entries().iter().map(|(_, point)| point[images][index]).collect();
                if values.iter().flatten().any(|value| *value != 0.0) {
                    curve.insert(key.to_owned(), json!(values));
                }
            }
            if !curve.is_empty() {
                curves.insert(name.clone(), curve.into());
            }
        }
        let epochs = self.points.entries().iter().map(|(epoch, _)| *epoch);
        curves.insert("epochs".to_owned(), epochs.collect());
        curves.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vae_stream::record::{Number, Terms};

    fn epoch(epoch: u64, values: &[(&str, f64)]) -> Epoch {
        let mut terms = Terms::default();
        values.iter().for_each(|(name, value)| terms.insert(name, Number::rounded(*value, 4)));
        Epoch { epoch, test: Some(terms), ..Epoch::default() }
    }

    #[test]
    fn terms_are_curves_by_their_names_in_the_order_of_the_records() {
        let mut curves = Curves::default();
        curves.push(&epoch(1, &[("loss", 3.0), ("tc", 2.0), ("kl", 0.0)]));
        curves.push(&epoch(2, &[("loss", 2.5), ("tc", f64::NAN), ("kl", 0.0), ("late", 0.5)]));
        let expected = concat!(
            r#"{"loss":{"test":[3.0,2.5]},"tc":{"test":[2.0,null]},"late":{"test":[null,0.5]},"#,
            r#""epochs":[1,2]}"#
        );
        assert_eq!(curves.to_json().to_string(), expected);
    }

    #[test]
    fn names_are_bounded_and_none_replaces_the_epochs() {
        let mut curves = Curves::default();
        let names: Vec<String> = (0..100).map(|n| n.to_string()).chain(["n".repeat(1000)]).collect();
        let values: Vec<(&str, f64)> = names.iter().rev().map(|name| (&name[..], 1.0)).collect();
        curves.push(&epoch(1, &values));
        assert_eq!(curves.to_json().as_object().map(Map::len), Some(MAX_NAMES + 1));
        curves = Curves::default();
        curves.push(&epoch(7, &[("epochs", 1.0)]));
        assert_eq!(curves.to_json(), json!({"epochs": [7]}));
    }
}
