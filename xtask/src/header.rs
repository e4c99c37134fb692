//! `include/oe_process.h`: the manual, then the sections.
//!
//! cbindgen writes the declarations of one file of `src/` at a time, so that types, constants and
//! functions of a section stand together. What it has no words for is added here: plain enumerators
//! instead of `#define`, `OE_X_INIT` macros, the calling convention of callbacks, and the statuses,
//! which come from the one status table.

use oe_core::error::{Actor, TABLE};

use crate::generated::{read, root, write_or_check};

/// The sections of the header, which are files of `src/`.
const SECTIONS: &[&str] = &[
    "version", "status", "options", "client", "context", "process", "monitor", "log",
];

/// The handles, declared before everything that takes one.
const HANDLES: &[&str] = &["oe_options", "oe_client", "oe_context", "oe_monitor"];

/// The widest line.
const COLUMNS: usize = 100;

/// How the names of constants begin, and what they are for.
type Group = (&'static str, &'static str);

/// Constants that belong together: how their names begin, and what they are for.
const ENUMS: &[Group] = &[
    ("OE_FEATURE_", "What a build may have, for oe_has()."),
    (
        "OE_BACKEND_",
        "The judge of the pictures, for oe_options_set_backend().",
    ),
    (
        "OE_TRUST_",
        "Trusted certificates, for oe_options_set_trust().",
    ),
    (
        "OE_LEVEL_",
        "How good a print looks, by oe_quality_level().",
    ),
    ("OE_PRINT_", "Bits of oe_print_options.flags."),
    ("OE_RESULT_", "Bits of oe_result.flags."),
    ("OE_EVENT_", "Kinds of oe_event."),
    ("OE_LOG_", "Levels of log lines."),
];

/// Writes or checks the header.
pub fn run(check: bool) -> Result<(), String> {
    write_or_check("include/oe_process.h", "header", &header()?, check)
}

fn header() -> Result<String, String> {
    let program = read("examples-c/minimal.c")?;
    let program: String = program
        .lines()
        .map(|line| quoted(&format!("  {line}")))
        .collect();
    let manual = read("src/manual.txt")?;
    let manual: String = manual
        .lines()
        .map(|line| {
            if line == "@PROGRAM@" {
                program.clone()
            } else {
                quoted(line)
            }
        })
        .collect();
    let mut text = format!("/*\n{manual} */\n{}", opening());
    for handle in HANDLES {
        text += &declarations("handle", &[handle])?;
        text.push('\n');
    }
    for (number, name) in (1..).zip(SECTIONS) {
        text += &section(number, name)?;
    }
    text += "#ifdef __cplusplus\n}\n#endif\n\n#endif /* OE_PROCESS_H */\n";
    Ok(text)
}

/// A line inside a comment.
fn quoted(line: &str) -> String {
    format!("{}\n", format!(" * {line}").trim_end())
}

fn opening() -> String {
    format!(
        "\
#ifndef OE_PROCESS_H
#define OE_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/* Written by `cargo xtask header`. Do not edit. */

#define OE_VERSION_MAJOR {}
#define OE_VERSION_MINOR {}
#define OE_VERSION_PATCH {}
#define OE_VERSION ((OE_VERSION_MAJOR << 16) | (OE_VERSION_MINOR << 8) | OE_VERSION_PATCH)
#define OE_VERSION_STRING \"{}\"

/** Never; no deadline. */
#define OE_NEVER 0xFFFFFFFFu

/* Windows: define OE_SHARED to link with the DLL. Callbacks are cdecl, as OE_CALL spells out. */
#ifdef _WIN32
#define OE_CALL __cdecl
#else
#define OE_CALL
#endif
#if defined(_WIN32) && defined(OE_SHARED)
#define OE_API __declspec(dllimport)
#else
#define OE_API
#endif

#ifdef __cplusplus
extern \"C\" {{
#endif

",
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
        env!("CARGO_PKG_VERSION"),
    )
}

/// A banner from the file's own words, then its declarations.
fn section(number: usize, name: &str) -> Result<String, String> {
    let source = read(&format!("src/{name}.rs"))?;
    let mut words = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    let title = words
        .next()
        .ok_or_else(|| format!("src/{name}.rs has no title"))?;
    let rule = "=".repeat(94);
    let about: String = words.skip(1).map(quoted).collect();
    let mut text = format!("/* {rule}\n * {number}. {title}\n *\n{about} * {rule} */\n\n");
    if name == "status" {
        text += &statuses()?;
    }
    Ok(text + &declarations(name, &[])? + "\n")
}

/// The status table, group by group.
fn statuses() -> Result<String, String> {
    let mut lines = Vec::new();
    let mut last = None;
    for row in TABLE {
        if last.replace(row.actor) != Some(row.actor) {
            lines.push(Line::Comment(who(row.actor).to_owned()));
        }
        let code = format!("{} = {},", row.name, row.status.code());
        lines.push(Line::Code(code, row.text.to_owned()));
    }
    Ok(format!("enum {{\n{}}};\n\n", aligned(lines, true)))
}

fn who(actor: Actor) -> &'static str {
    match actor {
        Actor::Nobody => "Nobody has to act.",
        Actor::Host => {
            "The host program: nothing was sent. The service may say OE_ERR_IMAGE_TOO_LARGE too."
        }
        Actor::Network => "The network: retrying helps, and is paced by the library.",
        Actor::Device => "The device's owner: its clock, its certificates.",
        Actor::Service => "The service: wait; after OE_ERR_CONTEXT_LOST call oe_context_renew().",
        Actor::Account => "The account's owner: all but OE_ERR_AUTH_UNCONFIRMED latch the client.",
        Actor::Library => "The library, or the system's resources.",
    }
}

/// A line between braces.
enum Line {
    Comment(String),
    /// Code and the words on it.
    Code(String, String),
}

/// Lines between braces, the words in one column. The last enumerator ends without a comma.
fn aligned(mut lines: Vec<Line>, enumerators: bool) -> String {
    if let Some(Line::Code(code, _)) = lines.last_mut().filter(|_| enumerators) {
        code.pop();
    }
    let code = |line: &Line| match line {
        Line::Code(code, _) => code.len(),
        Line::Comment(_) => 0,
    };
    let width = lines.iter().map(code).max().unwrap_or(0);
    let line = |line: &Line| match line {
        Line::Comment(words) => format!("    /* {words} */\n"),
        Line::Code(code, words) => {
            // The end of the comment stays with the last word.
            let words = wrapped(&format!("/**< {words}\u{a0}*/"), COLUMNS - width - 5);
            let words = words.join(&format!("\n{}", " ".repeat(width + 10)));
            format!("    {code:width$} {}\n", words.replace('\u{a0}', " "))
        }
    };
    lines.iter().map(line).collect()
}

/// Words in lines of at most `columns`; those after the first are indented by 5.
fn wrapped(words: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split(' ') {
        let room = columns - if lines.len() > 1 { 5 } else { 0 };
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What cbindgen writes for one file, in the header's manner.
fn declarations(name: &str, include: &[&str]) -> Result<String, String> {
    let config = root().join("cbindgen.toml");
    let mut config = cbindgen::Config::from_file(config)?;
    config.export.include = include.iter().map(|&name| name.to_owned()).collect();
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(root().join(format!("src/{name}.rs")))
        .generate()
        .map_err(|why| format!("src/{name}.rs: {why}"))?;
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    let text = String::from_utf8(bytes).map_err(|why| why.to_string())?;
    Ok(with_structures(&with_enumerators(&compact(&text))))
}

/// Comments without lines of their own for their ends, callbacks with their convention, functions
/// on as few lines as fit, and types by the names they are declared under.
fn compact(text: &str) -> String {
    let text = text.replace("/**\n *", "/**").replace("/**\n     *", "/**");
    let text = text.replace("\n */", " */").replace("\n     */", " */");
    let text = text
        .replace("(*", "(OE_CALL *")
        .replace("(void*)", "(void *)");
    let text = text
        .replace("struct oe_", "oe_")
        .replace("typedef oe_", "typedef struct oe_");
    // The only isize is a descriptor, or on Windows a handle.
    let text = text.replace("ptrdiff_t", "intptr_t");
    // `typedef int32_t oe_status` has no `struct` to lose, and function types name their own.
    let wrap = |line: &str| match line.starts_with("OE_API") {
        true => wrapped(line, COLUMNS - 4).join("\n    "),
        false => line.to_owned(),
    };
    // An empty line of a comment before the five lines would cost more than it gives.
    let kept = text.trim().lines().filter(|line| line.trim() != "*");
    kept.map(wrap).collect::<Vec<_>>().join("\n") + "\n"
}

/// Turns the `#define NAME number` of each group into one anonymous enumeration.
fn with_enumerators(text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut open: Option<(&Group, Vec<Line>)> = None;
    for part in text.split("\n\n") {
        let constant = enumerator(part);
        let group = constant.as_ref().map(|(group, _)| group.0);
        if let Some((_, lines)) = open.take_if(|(now, _)| Some(now.0) != group) {
            close(&mut parts, lines);
        }
        match (constant, &mut open) {
            (Some((_, line)), Some((_, lines))) => lines.push(line),
            (Some((group, line)), None) => {
                parts.push(format!("/** {} */\nenum {{\n", group.1));
                open = Some((group, vec![line]));
            }
            (None, _) => parts.push(part.trim_end().to_owned()),
        }
    }
    if let Some((_, lines)) = open {
        close(&mut parts, lines);
    }
    parts.join("\n\n") + "\n"
}

fn close(parts: &mut [String], lines: Vec<Line>) {
    if let Some(part) = parts.last_mut() {
        *part += &(aligned(lines, true) + "};");
    }
}

/// A constant with its comment, as an enumerator of its group.
fn enumerator(part: &str) -> Option<(&'static Group, Line)> {
    let (comment, define) = part.rsplit_once("#define ")?;
    let (name, value) = define.trim().split_once(' ')?;
    let group = ENUMS.iter().find(|(prefix, _)| name.starts_with(prefix))?;
    let words = uncommented(comment)?;
    Some((group, Line::Code(format!("{name} = {value},"), words)))
}

/// The words of a comment, which may be on several lines.
fn uncommented(comment: &str) -> Option<String> {
    let words = comment.trim().strip_prefix("/** ")?.strip_suffix(" */")?;
    let lines = words.lines().map(str::trim);
    let lines: Vec<_> = lines
        .map(|line| line.strip_prefix("* ").unwrap_or(line))
        .collect();
    Some(lines.join(" "))
}

/// Puts the words on a member beside it, and adds `OE_X_INIT`, which names every member.
fn with_structures(text: &str) -> String {
    let mut out = String::new();
    let mut members: Vec<Line> = Vec::new();
    let mut comment = String::new();
    let mut inside = false;
    for line in text.lines() {
        match line
            .strip_prefix("} ")
            .map(|name| name.trim_end_matches(';'))
        {
            Some(name) if inside => {
                inside = false;
                // A part of others, which say how large they are.
                let init = match members.first() {
                    Some(Line::Code(code, _)) if code == "uint32_t struct_size;" => {
                        initialiser(name, &members) + "\n"
                    }
                    _ => String::new(),
                };
                out += &format!(
                    "{}{line}\n{init}",
                    aligned(std::mem::take(&mut members), false)
                );
            }
            _ if inside && line.ends_with(';') => {
                let code = line.trim().to_owned();
                let words = uncommented(&std::mem::take(&mut comment));
                members.push(Line::Code(code, words.unwrap_or_default()));
            }
            _ if inside => comment += &format!("{line}\n"),
            _ => {
                inside = line.starts_with("typedef struct") && line.ends_with('{');
                out += &format!("{line}\n");
            }
        }
    }
    out
}

fn initialiser(name: &str, members: &[Line]) -> String {
    let zero = |member: &Line| match member {
        Line::Code(code, _) if code.starts_with("oe_region ") && code.contains('[') => {
            ", { { 0, 0, 0, 0 } }"
        }
        Line::Code(code, _) if code.starts_with("oe_region ") => ", { 0, 0, 0, 0 }",
        Line::Code(code, _) if code.contains('[') => ", { 0 }",
        Line::Code(..) => ", 0",
        Line::Comment(_) => "",
    };
    let zeros: String = members.iter().skip(1).map(zero).collect();
    let short = name.trim_start_matches("oe_").to_uppercase();
    format!("#define OE_{short}_INIT {{ sizeof({name}){zeros} }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_header_is_what_would_be_written() {
        run(true).unwrap();
    }

    #[test]
    fn the_header_is_short_and_narrow() {
        let header = header().unwrap();
        assert!(header.lines().count() < 1_000);
        let wide: Vec<_> = header.lines().filter(|line| line.len() > COLUMNS).collect();
        assert!(wide.is_empty(), "{wide:#?}");
        let program = read("examples-c/minimal.c").unwrap();
        assert!(program.lines().count() <= 25);
    }

    #[test]
    fn every_member_has_its_words() {
        let text = "typedef struct oe_x {\n    /** One. */\n    int a;\n    /** Two\n     * lines. */\n    int b;\n} oe_x;\n";
        let text = with_structures(text);
        assert!(text.contains("int a; /**< One. */\n    int b; /**< Two lines. */"));
        assert!(!header().unwrap().contains("/**<  */"));
    }

    /// The five facts: the manual states their defaults once, and a comment has only those lines
    /// that differ, each at most once and in this order.
    #[test]
    fn comments_say_what_differs_from_the_default() {
        const MARKS: [&str; 5] = ["Blocks: ", "Threads: ", "Owns: ", "Returns: ", "Since: "];
        const DEFAULTS: [&str; 7] = [
            "Blocks: no.",
            "Threads: any.",
            "Owns: nothing.",
            "Returns: OE_OK.",
            "Returns: nothing.",
            "Returns: OE_OK; OE_ERR_ARGUMENT.",
            "Since: 0.1.0.",
        ];
        let header = header().unwrap();
        assert!(header.contains("Unless noted, a function does not block"));
        let (mut facts, mut functions, mut told) = (Vec::<usize>::new(), 0, 0);
        for line in header.lines() {
            let words = line
                .trim_start_matches("/**")
                .trim_start_matches(" *")
                .trim();
            let words = words.trim_end_matches("*/").trim();
            if line.starts_with("/**") {
                facts.clear();
            }
            assert!(!DEFAULTS.contains(&words), "the manual says so: {line}");
            if let Some(mark) = MARKS.iter().position(|mark| words.starts_with(mark)) {
                facts.push(mark);
                told += 1;
            }
            if line.starts_with("OE_API") {
                functions += 1;
                let in_order = facts.windows(2).all(|pair| pair[0] < pair[1]);
                assert!(in_order, "{line}: {facts:?}");
            }
        }
        assert!(functions > 40 && told > functions, "{functions} {told}");
    }

    #[test]
    fn long_words_wrap_and_the_last_enumerator_has_no_comma() {
        let line = |code: &str| Line::Code(code.to_owned(), "words ".repeat(20).trim().to_owned());
        let text = aligned(vec![line("A = 1,"), line("B = 2,")], true);
        assert!(text.contains("A = 1, /**<") && text.contains("B = 2  /**<"));
        assert!(text.lines().all(|line| line.len() <= COLUMNS), "{text}");
    }
}
