//! Main memory.

use crate::{Error, Result};

/// Checks that the machine has so many bytes of memory.
///
/// # Errors
/// [`Error::Unavailable`] with this remedy, where it has not.
pub fn expect_memory(needed: u64, remedy: &str) -> Result<()> {
    let there = memory_of_machine();
    if needed <= there {
        return Ok(());
    }
    Err(Error::Unavailable(format!(
        "this needs {} MB of memory: expected at most the {} MB of this machine; {remedy}",
        needed >> 20,
        there >> 20
    )))
}

/// Bytes of main memory.
pub fn memory_of_machine() -> u64 {
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
