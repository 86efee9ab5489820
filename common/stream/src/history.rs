//! The history of a stream: the programs that it went through, each with its arguments, of bounded length.

use serde_json::{Value, json};

/// Characters of an argument.
const MAX_ARGUMENT: usize = 256;
/// Arguments of a program.
const MAX_ARGUMENTS: usize = 64;
/// Programs.
const MAX_PROGRAMS: usize = 128;
/// Bytes of all as JSON.
const MAX_BYTES: usize = 1 << 18;
/// The key of the entry that counts the programs left out, and bytes for that entry.
const OMITTED: &str = "omitted";
const MARKER: usize = 64;

/// A program. Of long arguments, and of many, the middle is left out.
pub(crate) fn entry(tool: &str, args: &[String]) -> Value {
    let short = |arg: &String| {
        let chars: Vec<char> = arg.chars().collect();
        let [start, end] = ends(&chars, MAX_ARGUMENT);
        let middle = if chars.len() > MAX_ARGUMENT { "…" } else { "" };
        start.iter().collect::<String>() + middle + &end.iter().collect::<String>()
    };
    let [start, end] = ends(args, MAX_ARGUMENTS);
    let omitted = args.len() - start.len() - end.len();
    let middle = (omitted > 0).then(|| format!("… {omitted} more …"));
    let args: Vec<String> = start.iter().map(short).chain(middle).chain(end.iter().map(short)).collect();
    json!({"tool": tool, "args": args})
}

/// All of a list that is short enough, else its start and its end.
fn ends<T>(list: &[T], most: usize) -> [&[T]; 2] {
    match list.len() > most {
        true => [&list[..most / 2], &list[list.len() - (most - most / 2)..]],
        false => [list, &[]],
    }
}

/// The history in at most so many bytes of JSON: the last program, and as many before it as fit, with the first. An entry
/// between them counts the programs that are left out.
pub(crate) fn shorten(mut history: Vec<Value>, bytes: usize) -> Vec<Value> {
    let count = |entry: &Value| entry.get(OMITTED).map_or(Some(1), Value::as_u64).unwrap_or(1);
    let length = |entry: &Value| entry.to_string().len() + 1;
    let most = bytes.min(MAX_BYTES).saturating_sub(MARKER);
    let at = usize::from(history.first().is_some_and(|first| length(first) <= most / 2));
    let (mut total, mut omitted) = (history.iter().map(length).sum::<usize>(), 0);
    while history.len() > at + 1 && (history[at].get(OMITTED).is_some() || history.len() > MAX_PROGRAMS || total > most)
    {
        let entry = history.remove(at);
        total -= length(&entry);
        omitted = count(&entry).saturating_add(omitted);
    }
    if omitted > 0 {
        history.insert(at, json!({"tool": "…", "args": [], OMITTED: omitted}));
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_long_arguments_and_of_many_is_left_out() {
        let args: Vec<String> =
            (0..18_000).map(|n| format!("{n}{}", "ä".repeat(if n == 0 { 5000 } else { 0 }))).collect();
        let entry = entry("vae-cat 0.1.0", &args);
        let args = entry["args"].as_array().unwrap();
        assert_eq!(args.len(), MAX_ARGUMENTS + 1);
        assert_eq!(args[0].as_str().unwrap().chars().count(), MAX_ARGUMENT + 1);
        assert_eq!((&args[1], &args[32], &args[64]), (&json!("1"), &json!("… 17936 more …"), &json!("17999")));
        assert_eq!(super::entry("t", &["a".into()]), json!({"tool": "t", "args": ["a"]}));
    }

    #[test]
    fn of_a_long_chain_the_first_and_the_last_programs_are_kept() {
        let mut history = Vec::new();
        for n in 0..1000 {
            history.push(entry(&format!("tool {n}"), &vec!["\0".repeat(300); 100]));
            history = shorten(history, usize::MAX);
            assert!(Value::from(history.clone()).to_string().len() <= MAX_BYTES + 2);
        }
        let omitted = history[1]["omitted"].as_u64().unwrap() as usize;
        assert_eq!(omitted + history.len() - 1, 1000);
        let tools = [&history[0], &history[history.len() - 1]].map(|entry| entry["tool"].clone());
        assert_eq!(tools, ["tool 0", "tool 999"]);
    }

    #[test]
    fn a_long_history_of_another_program_leaves_room_for_this_one() {
        let long = || json!({"tool": "theirs", "args": ["a".repeat(MAX_BYTES)]});
        let history = shorten(vec![long(), long(), entry("ours", &[])], 1000);
        assert_eq!(history, [json!({"tool": "…", "args": [], "omitted": 2}), entry("ours", &[])]);
    }
}
