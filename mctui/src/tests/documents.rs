//! The document of the console is made from its keymap.

use std::fmt::Write as _;

use crate::keymap::{BINDINGS, Context};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CONSOLE.md");
const START: &str = "<!-- keys -->\n";
const END: &str = "<!-- end -->";

fn table() -> String {
    let mut table = String::from("| where | keys | what they do |\n|---|---|---|\n");
    for row in BINDINGS {
        let place = match row.context {
            Context::All => "everywhere",
            Context::Board => "board",
            Context::Task => "task",
            Context::Approvals => "approvals",
            Context::Fleet => "fleet",
            Context::Alerts => "alerts",
            Context::Cost => "cost",
        };
        let keys: Vec<String> = row.keys.iter().map(|key| format!("`{}`", key.name())).collect();
        writeln!(table, "| {place} | {} | {} |", keys.join(" "), row.help).unwrap();
    }
    table
}

#[test]
fn the_document_lists_the_keys_as_they_are() {
    let text = std::fs::read_to_string(PATH).unwrap();
    let (head, rest) = text.split_once(START).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let wanted = format!("{head}{START}{}{END}{tail}", table());
    if text != wanted {
        std::fs::write(PATH, wanted).unwrap();
        panic!("docs/CONSOLE.md was out of date; it is written anew, look at it and commit it");
    }
}
