//! What every error must be.

/// Checks that an error of the input is one line with exit code 65, which it gives.
pub fn bad_input(error: impl Into<vae_cli::Error>) -> String {
    is_clear(error.into(), 65)
}

/// Checks that an error of the command line is one line with exit code 2, which it gives.
pub fn bad_usage(error: vae_cli::Error) -> String {
    is_clear(error, 2)
}

fn is_clear(error: vae_cli::Error, code: u8) -> String {
    let line = match error {
        // What another program said, which is made one line where it is printed.
        vae_cli::Error::Upstream { .. } => vae_stream::one_line(&error.to_string()),
        _ => error.to_string(),
    };
    assert_eq!(error.exit_code(), code, "{line}");
    assert!(!line.is_empty() && !line.contains('\n'), "expected one line, got {line:?}");
    line
}
