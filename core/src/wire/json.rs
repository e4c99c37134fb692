//! Reading a few named members of a JSON object, and nothing else of it.
//!
//! Answers come from servers of every age and from proxies on the way. What is not used must
//! never cost what is: unknown members may hold broken UTF-8, lone surrogates or nesting of any
//! depth. What is used must be beyond doubt: the same name twice with two values is a conflict.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members that were looked for, as raw JSON text.
#[derive(Debug)]
pub(crate) struct Members<'a, const N: usize> {
    names: [&'static str; N],
    values: [Option<&'a RawValue>; N],
    conflicts: [bool; N],
    /// Whether the text was one JSON object and nothing after it but white space.
    pub(crate) whole: bool,
}

impl<'a, const N: usize> Members<'a, N> {
    /// Reads an object. After a syntax error, what stood before it is kept and `whole` is false.
    pub(crate) fn read(text: &'a [u8], names: [&'static str; N]) -> Members<'a, N> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let mut members = Members {
            names,
            values: [None; N],
            conflicts: [false; N],
            whole: false,
        };
        let mut reader = serde_json::Deserializer::from_slice(text);
        let object = Object {
            members: &mut members,
        }
        .deserialize(&mut reader);
        members.whole = object.is_ok() && reader.end().is_ok();
        members
    }

    /// The member at this place of `names`; `None` when missing or in conflict.
    pub(crate) fn get(&self, index: usize) -> Option<&'a str> {
        if self.conflicts[index] {
            None
        } else {
            self.values[index].map(RawValue::get)
        }
    }

    /// Whether any member came twice with different values.
    pub(crate) fn has_conflict(&self) -> bool {
        self.conflicts.contains(&true)
    }

    fn put(&mut self, index: usize, value: &'a RawValue) {
        match self.values[index] {
            Some(before) if !same(before.get(), value.get()) => self.conflicts[index] = true,
            Some(_) => {}
            None => self.values[index] = Some(value),
        }
    }
}

/// Whether two raw values mean the same: the same text, or the same number.
fn same(a: &str, b: &str) -> bool {
    a == b || matches!((number(a), number(b)), (Some(a), Some(b)) if a == b)
}

/// The value of a raw JSON number; infinite when it is too large for a double.
pub(crate) fn number(raw: &str) -> Option<f64> {
    let first = raw.bytes().next()?;
    if first == b'-' || first.is_ascii_digit() {
        raw.parse().ok()
    } else {
        None
    }
}

/// The value of a raw JSON boolean.
pub(crate) fn boolean(raw: &str) -> Option<bool> {
    match raw {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The value of a raw JSON string.
pub(crate) fn string(raw: &str) -> Option<String> {
    if raw.starts_with('"') {
        serde_json::from_str(raw).ok()
    } else {
        None
    }
}

struct Object<'m, 'a, const N: usize> {
    members: &'m mut Members<'a, N>,
}

impl<'a, const N: usize> DeserializeSeed<'a> for Object<'_, 'a, N> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'a, const N: usize> Visitor<'a> for Object<'_, 'a, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(index) = map.next_key_seed(Name {
            names: &self.members.names,
        })? {
            match index {
                Some(index) => {
                    let value = map.next_value::<&'a RawValue>()?;
                    self.members.put(index, value);
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// A member's name as bytes: names need not be UTF-8 to be passed over.
struct Name<'n> {
    names: &'n [&'static str],
}

impl<'a> DeserializeSeed<'a> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
        Ok(self
            .names
            .iter()
            .position(|wanted| wanted.as_bytes() == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> (Option<&str>, bool, bool) {
        let members = Members::read(text, ["A"]);
        (members.get(0), members.has_conflict(), members.whole)
    }

    #[test]
    fn what_is_not_used_costs_nothing() {
        let deep = format!(
            "{{\"x\":{}1{},\"A\":1}}",
            "[".repeat(30_000),
            "]".repeat(30_000)
        );
        let cases: &[&[u8]] = &[
            b"{\"A\":1}",
            b"\xEF\xBB\xBF{\"A\":1}",
            b" {\"x\":\"\xff\xfe\",\"A\":1} \r\n",
            b"{\"x\":\"\\ud800\",\"A\":1}",
            b"{\"\\ud800\":0,\"A\":1}",
            b"{\"\xff\":0,\"A\":1}",
            b"{\"x\":1e999,\"A\":1}",
            b"{\"\\u0041\":1}",
            deep.as_bytes(),
        ];
        for case in cases {
            assert_eq!(
                read(case),
                (Some("1"), false, true),
                "{:?}",
                &case[..case.len().min(40)]
            );
        }
    }

    #[test]
    fn names_match_exactly_and_twice_is_a_conflict() {
        assert_eq!(read(b"{\"a\":1}"), (None, false, true));
        assert_eq!(read(b"{\"A\":1,\"A\":1.0}"), (Some("1"), false, true));
        assert_eq!(read(b"{\"A\":1,\"A\":2}"), (None, true, true));
        assert_eq!(read(b"{\"A\":true,\"A\":\"true\"}"), (None, true, true));
    }

    #[test]
    fn broken_text_keeps_what_came_before_and_is_not_whole() {
        assert_eq!(read(b"{\"A\":1,\"x\":"), (Some("1"), false, false));
        assert_eq!(read(b"{\"A\":1}}"), (Some("1"), false, false));
        assert_eq!(read(b"{\"A\":1}\0"), (Some("1"), false, false));
        assert_eq!(
            read(b"\xEF\xBB\xBF\xEF\xBB\xBF{\"A\":1}"),
            (None, false, false)
        );
        assert_eq!(read(b"[1]"), (None, false, false));
        assert_eq!(read(b""), (None, false, false));
        assert_eq!(read("[".repeat(200_000).as_bytes()), (None, false, false));
        assert_eq!(
            read("{\"x\":".repeat(12_000).as_bytes()),
            (None, false, false)
        );
    }
}
