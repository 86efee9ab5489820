//! What every error must be. That it is printed as one line is vae_cli's part.

/// Checks that an error of the input has exit code 65 and a message, which it gives.
pub fn bad_input(error: impl Into<vae_cli::Error>) -> String {
    is_clear(error.into(), 65)
}

/// The same of the first bytes of an input, whose format is named by as many as have come.
pub fn bad_start(error: vae_stream::Error) -> String {
    let is_format = matches!(error.cause(), vae_stream::Error::Format { .. });
    let message = bad_input(error);
    if is_format { "another format".to_owned() } else { message }
}

/// Checks that an error of the command line has exit code 2 and a message, which it gives.
pub fn bad_usage(error: vae_cli::Error) -> String {
    is_clear(error, 2)
}

fn is_clear(error: vae_cli::Error, code: u8) -> String {
    let line = error.to_string();
    assert_eq!(error.exit_code(), code, "{line}");
    assert!(!line.trim().is_empty());
    line
}
