//! What belongs to epochs, of which a long run has more than can be kept.

/// Values by epoch, at most so many: every one, else every second, every fourth, and so on, and always the newest.
pub struct Thin<T> {
    kept: Vec<(u64, T)>,
    stride: u64,
}

impl<T> Thin<T> {
    pub fn new() -> Thin<T> {
        Thin { kept: Vec::new(), stride: 1 }
    }

    /// What is kept, by epoch.
    pub fn kept(&self) -> &[(u64, T)] {
        &self.kept
    }

    /// The value of this epoch, which is now the newest: those of later ones were of a run before this one.
    pub fn at(&mut self, epoch: u64, most: usize) -> &mut T
    where
        T: Default,
    {
        self.kept.retain(|(kept, _)| *kept <= epoch);
        if self.kept.len() < 2 {
            self.stride = 1;
        }
        if self.kept.last().is_none_or(|(last, _)| *last < epoch) {
            self.drop_passing();
            self.kept.push((epoch, T::default()));
        }
        while self.kept.len() > most.max(2) {
            self.stride *= 2;
            let (first, newest, stride) = (self.first(), epoch, self.stride);
            self.kept.retain(|(kept, _)| (kept - first).is_multiple_of(stride) || *kept == newest);
        }
        let newest = self.kept.len() - 1;
        &mut self.kept[newest].1
    }

    fn first(&self) -> u64 {
        self.kept.first().map_or(0, |(epoch, _)| *epoch)
    }

    /// Drops what was kept only because it was the newest.
    fn drop_passing(&mut self) {
        let first = self.first();
        if self.kept.last().is_some_and(|(last, _)| !(last - first).is_multiple_of(self.stride)) {
            self.kept.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(thin: &Thin<u64>) -> Vec<u64> {
        thin.kept().iter().map(|(epoch, _)| *epoch).collect()
    }

    fn with(epochs: impl IntoIterator<Item = u64>, most: usize) -> Thin<u64> {
        let mut thin = Thin::new();
        epochs.into_iter().for_each(|epoch| *thin.at(epoch, most) = epoch);
        thin
    }

    #[test]
    fn a_short_run_is_kept_whole() {
        assert_eq!(epochs(&with(1..=8, 8)), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn of_a_long_run_every_second_is_kept_and_the_newest() {
        assert_eq!(epochs(&with(1..=9, 8)), [1, 3, 5, 7, 9]);
        assert_eq!(epochs(&with(1..=10, 8)), [1, 3, 5, 7, 9, 10]);
        assert_eq!(epochs(&with(1..=12, 8)), [1, 3, 5, 7, 9, 11, 12]);
        let thin = with(1..=1_000_000, 8);
        assert!(thin.kept().len() <= 8 && thin.kept().len() >= 4);
        assert_eq!(thin.kept().last(), Some(&(1_000_000, 1_000_000)));
    }

    #[test]
    fn epochs_that_come_in_steps_are_thinned_too() {
        let thin = with((0..1000).map(|k| 1024 * k), 10);
        assert!((5..=10).contains(&thin.kept().len()), "{:?}", epochs(&thin));
    }

    #[test]
    fn an_epoch_that_comes_again_replaces_itself_and_what_came_after() {
        assert_eq!(epochs(&with([1, 2, 3, 4, 3], 8)), [1, 2, 3]);
        assert_eq!(epochs(&with([5, 6, 7, 1, 2], 8)), [1, 2]);
        let mut again = with([1, 2, 3], 8);
        assert_eq!(*again.at(3, 8), 3, "its value stays until it is set");
    }

    #[test]
    fn a_new_run_is_not_thinned_for_the_length_of_the_one_before() {
        assert_eq!(epochs(&with((1..=1000).chain(1..=5), 8)), [1, 2, 3, 4, 5]);
    }
}
