//! Suggestions for mistyped names, where clap does not know the names.

/// Least similarity of a suggestion, as in clap.
const SIMILARITY: f64 = 0.7;

/// `; did you mean cuda?`, or nothing if no name is similar.
pub fn meant(text: &str, names: &[&str]) -> String {
    let closest = names.iter().map(|name| (strsim::jaro(text, name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    closest.filter(|(by, _)| *by > SIMILARITY).map(|(_, name)| format!("; did you mean {name}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_suggested() {
        assert_eq!(meant("rleu", &["none", "relu", "leaky-relu"]), "; did you mean relu?");
        assert_eq!(meant("leaky-rule", &["none", "relu", "leaky-relu"]), "; did you mean leaky-relu?");
    }

    #[test]
    fn a_name_like_no_other_gets_no_suggestion() {
        assert_eq!(meant("7", &["none", "relu"]), "");
        assert_eq!(meant("", &["none"]), "");
        assert_eq!(meant("none", &[]), "");
    }
}
