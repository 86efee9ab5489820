//! PTX text to entries with their declarations and statements, by lines, as NVRTC writes it.

use super::PtxError;
use std::collections::HashMap;

/// An entry (kernel) as text.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) params: Vec<Variable<'a>>,
    pub(super) max_threads: Option<u32>,
    pub(super) registers: Vec<Registers<'a>>,
    pub(super) shared: Vec<Variable<'a>>,
    pub(super) statements: Vec<Statement<'a>>,
    /// The index of the next statement.
    pub(super) labels: HashMap<&'a str, usize>,
}

/// A parameter, or an array in shared memory.
#[derive(Clone, Copy)]
pub(super) struct Variable<'a> {
    pub(super) name: &'a str,
    pub(super) size: usize,
    pub(super) align: usize,
}

/// `.reg .f32 %f<9>`: nine registers of a type.
pub(super) struct Registers<'a> {
    pub(super) kind: &'a str,
    pub(super) prefix: &'a str,
    pub(super) count: u32,
}

/// An instruction as text.
pub(super) struct Statement<'a> {
    pub(super) line: usize,
    /// The predicate, and the value with which a lane executes.
    pub(super) guard: Option<(&'a str, bool)>,
    pub(super) opcode: &'a str,
    pub(super) operands: Vec<&'a str>,
}

/// Directives of a module without effect on what the interpreter computes. (Variables in global memory are constants of
/// NVRTC's headers; a kernel that names one is refused, since the name is unknown.)
const IGNORED: [&str; 4] = [".version", ".address_size", ".global", ".minnctapersm"];

/// The target (75 of `sm_75`) and the entries of a module.
pub(super) fn parse(text: &str) -> Result<(u32, Vec<Entry<'_>>), PtxError> {
    let mut parser = Parser::default();
    for (i, line) in text.lines().enumerate() {
        let line = line.split_once("//").map_or(line, |(code, _)| code).trim();
        if !line.is_empty() {
            parser.line(i + 1, line).map_err(|what| PtxError { line: i + 1, what })?;
        }
    }
    let last = text.lines().count();
    if parser.entry.is_some() {
        return Err(PtxError { line: last, what: "expected the end of an entry, got that of the text".into() });
    }
    let target = parser.target.ok_or(PtxError { line: last, what: "expected a .target, got none".into() })?;
    for entry in &mut parser.entries {
        // An array of the module belongs to the entries that name it.
        let names =
            |name: &str| entry.statements.iter().any(|s| s.operands.iter().any(|operand| operand.contains(name)));
        entry.shared.extend(parser.shared.iter().filter(|array| names(array.name)));
    }
    Ok((target, parser.entries))
}

#[derive(Default)]
struct Parser<'a> {
    target: Option<u32>,
    shared: Vec<Variable<'a>>,
    entries: Vec<Entry<'a>>,
    entry: Option<Entry<'a>>,
    in_body: bool,
}

impl<'a> Parser<'a> {
    fn line(&mut self, number: usize, line: &'a str) -> Result<(), String> {
        let (first, rest) = split_word(line);
        let Some(entry) = &mut self.entry else {
            match first {
                ".target" => self.target = Some(digits(rest.strip_prefix("sm_").unwrap_or(rest))? as u32),
                ".shared" => self.shared.push(array(rest)?),
                ".visible" => {
                    let name = rest.strip_prefix(".entry").map(|name| name.trim().trim_end_matches('('));
                    let name = name.ok_or_else(|| format!("expected .visible .entry, got {line}"))?;
                    self.entry = Some(Entry { name, ..Entry::default() });
                }
                _ if IGNORED.contains(&first) => {}
                _ => return Err(format!("expected a directive, got {line}")),
            }
            return Ok(());
        };
        match (self.in_body, first) {
            (false, ".param") => entry.params.push(param(rest.trim_end_matches(','))?),
            (false, ".maxntid") => {
                let sizes = rest.split(',').map(|size| digits(size.trim())).collect::<Result<Vec<_>, _>>()?;
                entry.max_threads = Some(sizes.iter().product::<usize>() as u32);
            }
            (false, "{") => self.in_body = true,
            (false, ")" | ".minnctapersm") => {}
            (true, "}") => {
                self.in_body = false;
                self.entries.extend(self.entry.take());
            }
            (true, ".reg") => entry.registers.push(registers(rest)?),
            (true, ".shared") => entry.shared.push(array(rest)?),
            (true, ".pragma") => {}
            (true, _) if line.ends_with(':') => {
                entry.labels.insert(line.trim_end_matches(':'), entry.statements.len());
            }
            (true, _) => entry.statements.push(statement(number, line)?),
            (false, _) => return Err(format!("expected a directive of an entry, got {line}")),
        }
        Ok(())
    }
}

fn split_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

fn digits(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("expected a number, got {text}"))
}

/// `.align 4 .b8 name[32];`
fn array(text: &str) -> Result<Variable<'_>, String> {
    let wrong = || format!("expected an aligned array of bytes, got {text}");
    let (align, rest) = split_word(text.strip_prefix(".align").ok_or_else(wrong)?.trim());
    let (name, rest) = rest.strip_prefix(".b8").and_then(|rest| rest.split_once('[')).ok_or_else(wrong)?;
    let size = rest.split(']').next().expect("the part before a delimiter");
    Ok(Variable { name: name.trim(), size: digits(size)?, align: digits(align)? })
}

/// `.u64 name`, `.u32 name`, `.f32 name`, or an array.
fn param(text: &str) -> Result<Variable<'_>, String> {
    let size = match split_word(text) {
        (".align", _) => return array(text),
        (".u64" | ".b64", _) => 8,
        (".u32" | ".b32" | ".f32", _) => 4,
        (other, _) => return Err(format!("expected the type of a parameter, got {other}")),
    };
    Ok(Variable { name: split_word(text).1, size, align: size })
}

/// `.f32 %f<9>;`
fn registers(text: &str) -> Result<Registers<'_>, String> {
    let (kind, rest) = split_word(text);
    let (prefix, count) = rest.split_once('<').ok_or_else(|| format!("expected registers, got {text}"))?;
    Ok(Registers { kind, prefix, count: digits(count.trim_end_matches([';', '>']))? as u32 })
}

/// `@!%p1 bra $L__BB0_2;`
fn statement(line: usize, text: &str) -> Result<Statement<'_>, String> {
    let text = text.strip_suffix(';').ok_or_else(|| format!("expected a statement on one line, got {text}"))?;
    let (guard, text) = match text.strip_prefix('@') {
        Some(rest) => {
            let (predicate, rest) = split_word(rest);
            (Some((predicate.trim_start_matches('!'), !predicate.starts_with('!'))), rest)
        }
        None => (None, text),
    };
    let (opcode, rest) = split_word(text);
    Ok(Statement { line, guard, opcode, operands: operands(rest) })
}

/// Splits at the commas outside braces and brackets.
fn operands(text: &str) -> Vec<&str> {
    let (mut all, mut depth, mut start) = (vec![], 0, 0);
    for (i, c) in text.bytes().enumerate() {
        match c {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                all.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    if !text[start..].trim().is_empty() {
        all.push(text[start..].trim());
    }
    all
}
