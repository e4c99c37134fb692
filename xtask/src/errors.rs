//! `docs/errors.md`, from the status table.

use std::fmt::Write;

use oe_core::error::{Actor, Row, TABLE};

use crate::generated::write_or_check;

const INTRO: &str = "\
# Errors: what each status means and what a host does about it

Made from the status table in `core/src/error.rs` by `cargo xtask errors`; do not edit.

Every call that can fail returns a number. 0 is success. Above 0 nothing is wrong, there is just no
verdict. Below 0 something is, and the groups below say who has to act. Numbers are never reused;
treat one you do not know by its sign, and by `oe_status_is_retryable()`.

`oe_last_error()` adds the HTTP status, the service's own word and a text for people: for a request
that failed on its way it says in which phase and why (`EMBEDDING.md`, \"What an error says\").
\"Retry\" means that a loop that takes a new frame each time should go on: nobody has to change
anything, and a later call with another frame may bring a verdict. It does not mean that the same
bytes may be sent again. A loop of `oe_context_wait_due()` and `oe_process_jpeg()` already waits as
long as each failure asks for.
";

/// The groups in the order of the table: who acts, and what a host does.
const GROUPS: &[(Actor, &str, &str)] = &[
    (
        Actor::Nobody,
        "Nobody has to act",
        "Go on. After `OE_NOT_DUE` wait: `oe_context_due_in_ms()` and `oe_client_create_due_in_ms()` \
         say how long. After `OE_CANCELLED` do what you cancelled the call for. \
         `OE_BLIND`: look at the camera when it lasts; a dark room or a hand before the lens passes.",
    ),
    (
        Actor::Host,
        "The host program",
        "Nothing was sent, except where the service said 413. Without \"retry\" it is a mistake in \
         the program: log it and fix the call. `OE_ERR_BUSY`: use one thread per context. \
         `OE_ERR_NOT_JPEG`, `OE_ERR_IMAGE_TOO_LARGE` and `OE_ERR_STALE_FRAME`: take another frame, \
         a second later.",
    ),
    (
        Actor::Network,
        "The network",
        "Keep the loop going: the library backs off, 300 s at most or the service's own interval, \
         and changes to the service's fallback address by itself. Tell the user when it lasts.",
    ),
    (
        Actor::Device,
        "Whoever set up this device",
        "Keep the loop going, and show the text: the clock, or the certificates that the device \
         trusts, need attention. `oe_options_set_ca_file()` trusts your own.",
    ),
    (
        Actor::Service,
        "The service",
        "With \"retry\" keep the loop going. `OE_ERR_CONTEXT_LOST`: call `oe_context_renew()`, or \
         make a new context. `OE_ERR_REQUEST_REJECTED` and `OE_ERR_UNTRUSTED_URL`: report them, and \
         check whether a newer release of the library is out.",
    ),
    (
        Actor::Account,
        "The owner of the account",
        "Show the text to the user. All but `OE_ERR_AUTH_UNCONFIRMED` latch the client: every later call returns the same \
         status at once and sends nothing, until `oe_client_check_key()` succeeds (free; every ten \
         minutes is plenty) or `oe_client_clear_latch()` is called. `OE_ERR_AUTH_UNCONFIRMED` does \
         not latch and is retried.",
    ),
    (
        Actor::Library,
        "The library, or the system's resources",
        "`OE_ERR_RESOURCES`: keep the loop going. `OE_ERR_PANIC`: report it; handles stay usable \
         and freeable. `OE_ERR_MODEL`: install the model again.",
    ),
];

/// Writes or checks the page.
pub fn run(check: bool) -> Result<(), String> {
    write_or_check("docs/errors.md", "errors", &page()?, check)
}

fn page() -> Result<String, String> {
    let mut page = INTRO.to_owned();
    let mut rows = 0;
    for (actor, who, advice) in GROUPS {
        let group: Vec<&Row> = TABLE.iter().filter(|row| row.actor == *actor).collect();
        rows += group.len();
        let table: String = group.into_iter().map(line).collect();
        write!(
            page,
            "\n## {who}\n\n{advice}\n\n| value | name | meaning | retry |\n| ---: | --- | --- | --- |\n{table}"
        )
        .map_err(|why| why.to_string())?;
    }
    if rows != TABLE.len() {
        return Err("a group of the status table is missing in xtask/src/errors.rs".to_owned());
    }
    Ok(page)
}

fn line(row: &Row) -> String {
    let retry = if row.retryable { "yes" } else { "no" };
    format!(
        "| {} | `{}` | {} | {retry} |\n",
        row.status.code(),
        row.name,
        row.text
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_page_is_what_would_be_written() {
        super::run(true).unwrap();
    }
}
