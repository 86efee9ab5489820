//! A bounded history by epoch, downsampled.

/// Values by epoch: every epoch, or of a long run every second, every fourth and so on, and always the newest.
#[derive(Clone)]
pub struct History<T> {
    entries: Vec<(u64, T)>,
    stride: u64,
}

impl<T> Default for History<T> {
    fn default() -> History<T> {
        History { entries: Vec::new(), stride: 1 }
    }
}

impl<T> History<T> {
    /// By ascending epoch.
    pub fn entries(&self) -> &[(u64, T)] {
        &self.entries
    }

    /// The value of the newest epoch. Later epochs, which are of an earlier run, are dropped; then at most `capacity`
    /// are kept.
    pub fn entry(&mut self, epoch: u64, capacity: usize) -> &mut T
    where
        T: Default,
    {
        self.entries.retain(|(kept, _)| *kept <= epoch);
        if self.entries.len() < 2 {
            self.stride = 1;
        }
        if self.entries.last().is_none_or(|(last, _)| *last < epoch) {
            self.drop_off_stride();
            self.entries.push((epoch, T::default()));
        }
        while self.entries.len() > capacity.max(2) {
            self.stride *= 2;
            let (first, newest, stride) = (self.first(), epoch, self.stride);
            self.entries.retain(|(kept, _)| (kept - first).is_multiple_of(stride) || *kept == newest);
        }
        let newest = self.entries.len() - 1;
        &mut self.entries[newest].1
    }

    fn first(&self) -> u64 {
        self.entries.first().map_or(0, |(epoch, _)| *epoch)
    }

    /// Drops the last entry if it was kept only as the newest.
    fn drop_off_stride(&mut self) {
        let first = self.first();
        if self.entries.last().is_some_and(|(last, _)| !(last - first).is_multiple_of(self.stride)) {
            self.entries.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(history: &History<u64>) -> Vec<u64> {
        history.entries().iter().map(|(epoch, _)| *epoch).collect()
    }

    fn with(epochs: impl IntoIterator<Item = u64>, capacity: usize) -> History<u64> {
        let mut history = History::default();
        epochs.into_iter().for_each(|epoch| *history.entry(epoch, capacity) = epoch);
        history
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
        let history = with(1..=1_000_000, 8);
        assert!(history.entries().len() <= 8 && history.entries().len() >= 4);
        assert_eq!(history.entries().last(), Some(&(1_000_000, 1_000_000)));
    }

    #[test]
    fn epochs_that_come_in_steps_are_thinned_too() {
        let history = with((0..1000).map(|k| 1024 * k), 10);
        assert!((5..=10).contains(&history.entries().len()), "{:?}", epochs(&history));
    }

    #[test]
    fn an_epoch_that_comes_again_replaces_itself_and_what_came_after() {
        assert_eq!(epochs(&with([1, 2, 3, 4, 3], 8)), [1, 2, 3]);
        assert_eq!(epochs(&with([5, 6, 7, 1, 2], 8)), [1, 2]);
        let mut again = with([1, 2, 3], 8);
        assert_eq!(*again.entry(3, 8), 3, "its value stays until it is set");
    }

    #[test]
    fn a_new_run_is_not_thinned_for_the_length_of_the_one_before() {
        assert_eq!(epochs(&with((1..=1000).chain(1..=5), 8)), [1, 2, 3, 4, 5]);
    }
}
