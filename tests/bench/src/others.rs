//! How much of the machine other programs took while something was measured: figures of a busy machine are slow ones.

use crate::machine;
use nix::sys::resource::{UsageWho, getrusage};
use std::time::Instant;

/// A stretch of time that is measured.
pub struct Stretch {
    begun: Instant,
    /// CPU seconds of the machine, and of this program and those that it has waited for.
    all: f64,
    own: f64,
}

impl Stretch {
    pub fn begin() -> Stretch {
        Stretch { begun: Instant::now(), all: machine_seconds(), own: own_seconds() }
    }
    /// Percent of the CPU time of this stretch that others took, the hypervisor's share too; none where it is too short to
    /// tell, or where Linux does not tell.
    pub fn others(&self) -> Option<f64> {
        let wall = self.begun.elapsed().as_secs_f64();
        let (all, own) = (machine_seconds() - self.all, own_seconds() - self.own);
        let share = 100.0 * (all - own).max(0.0) / (wall * machine::threads() as f64);
        // Linux counts hundredths of a second on each CPU.
        Some(share).filter(|share| wall > 0.5 && share.is_finite())
    }
}

/// NaN if it is not told.
fn machine_seconds() -> f64 {
    std::fs::read_to_string("/proc/stat").ok().and_then(|stat| parse(&stat)).unwrap_or(f64::NAN)
}

/// Seconds that all CPUs together were busy, from the text of `/proc/stat`.
fn parse(stat: &str) -> Option<f64> {
    let ticks: Vec<f64> = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal; what guests take is in user.
    let busy = ticks.iter().take(8).enumerate().filter(|(at, _)| ![3, 4].contains(at));
    Some(busy.map(|(_, ticks)| ticks).sum::<f64>() / 100.0)
}

fn own_seconds() -> f64 {
    let seconds = |who| {
        let usage = getrusage(who).ok()?;
        let of = [usage.user_time(), usage.system_time()];
        Some(of.iter().map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6).sum::<f64>())
    };
    [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].into_iter().filter_map(seconds).sum()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn busy_seconds_are_all_but_idle_and_waiting_ones() {
        assert_eq!(parse("cpu  100 200 300 40000 5000 10 20 70 9 9\ncpu0 1 2 3\n"), Some(7.0));
        assert_eq!(parse("intr 1"), None);
    }
}
