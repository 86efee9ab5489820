//! Main memory.

use crate::{Error, Result};

/// Checks that the machine has `needed` bytes of memory.
///
/// # Errors
/// [`Error::Unavailable`], with the remedy, if it has less.
pub fn expect_memory(needed: u64, remedy: &str) -> Result<()> {
    let total = total();
    if needed <= total {
        return Ok(());
    }
    Err(Error::Unavailable(format!(
        "this needs {} MB of memory: expected at most the {} MB of this machine; {remedy}",
        needed >> 20,
        total >> 20
    )))
}

/// Bytes of main memory; u64::MAX, unknown, outside Linux.
pub fn total() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let info = rustix::system::sysinfo();
        info.totalram as u64 * info.mem_unit as u64
    }
    #[cfg(not(target_os = "linux"))]
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_no_machine_has_is_refused_with_a_remedy() {
        assert!(expect_memory(1 << 20, "").is_ok());
        let error = expect_memory(u64::MAX, "make it smaller").unwrap_err();
        assert_eq!(error.exit_code(), 69);
        assert!(error.to_string().ends_with("MB of this machine; make it smaller"), "{error}");
    }
}
