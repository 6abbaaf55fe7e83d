//! The policy file: read, checked as a whole, brought into force or refused with its findings.

mod file;

use std::path::Path;

use mc_core::policy::{Policy, PolicyDoc};
use mc_proto::{
    home::Home,
    method::admin::{Finding, Findings},
};

pub use file::PolicyFile;

use crate::findings;

/// The largest policy file that is read.
const POLICY_BYTES: usize = 1024 * 1024;

/// Reads a policy and checks it as a whole.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(text: &str) -> Result<Policy, Vec<Finding>> {
    if text.len() > POLICY_BYTES {
        let message = format!("the file is {} bytes long, limit is {POLICY_BYTES}", text.len());
        return Err(vec![Finding { line: 0, column: 0, message }]);
    }
    let doc: PolicyDoc = findings::read(text).map_err(|finding| vec![finding])?;
    Policy::compile(doc)
        .map_err(|errors| errors.iter().map(|error| findings::located(text, error)).collect())
}

/// Says what is wrong with a policy.
pub fn validate(text: &str) -> Findings {
    let findings = parse(text).err().unwrap_or_default();
    Findings { valid: findings.is_empty(), findings }
}

/// Returns where the daemon keeps its own files and sockets: closed to all agents.
pub fn own_places(home: &Home) -> Vec<String> {
    let dirs = [&home.config, &home.state, &home.run].into_iter();
    dirs.map(|dir| real(dir).display().to_string()).collect()
}

/// Returns the path as agents would write it; as it stands where it does not exist yet.
fn real(path: &Path) -> std::path::PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default_policy() {
        assert!(validate("").valid);
    }

    #[test]
    fn a_typing_error_is_shown_with_line_column_and_nearest_key() {
        let findings = validate("[tools]\nalow = [\"read\"]\n").findings;
        assert_eq!((findings[0].line, findings[0].column), (2, 1));
        assert!(findings[0].message.contains("did you mean `allow`?"), "{}", findings[0].message);
    }

    #[test]
    fn a_wrong_value_is_shown_where_it_stands() {
        let text = "[paths]\nwrite = [\"src/**\", \"../x\"]\n";
        let findings = validate(text).findings;
        assert_eq!(findings[0].line, 2);
        assert!(findings[0].message.starts_with("paths.write[1]"), "{}", findings[0].message);
    }

    #[test]
    fn a_bad_file_is_refused_with_its_place_and_what_was_meant() {
        for (text, place, says) in [
            ("[tools]\nallow = []\nallow = []\n", (3, 1), "duplicate key"),
            ("[approvals]\nhold = \"5min\"\n", (2, 8), "did you mean `5m`?"),
            ("[approvals]\nhold = \"9h\"\n", (2, 1), "approvals.hold: is 9h"),
            ("[agent.wren.tols]\n", (1, 13), "did you mean `tools`?"),
            ("[agent.wren.limits]\nlease = \"1s\"\n", (1, 13), "unknown field `limits`"),
            ("[task_type.enginering.deny]\n", (1, 12), "did you mean `engineering`?"),
            ("[profile.a]\nextends = \"b\"\n[profile.b]\nextends = \"a\"\n", (2, 1), "a → b → a"),
            ("[project.x]\nextends = \"y\"\n", (2, 1), "there is no profile `y`"),
            ("[[rule]]\nname = \"a\"\ntool = \"x\"\nthen = \"denny\"\n", (4, 8), "`deny`?"),
            ("[[rule]]\nname = \"a\"\ntool = \"x\"\n", (1, 1), "missing field `then`"),
            (
                "[[rule]]\nname = \"a\"\ncommand = [\"make\"]\nthen = \"ask\"\n\
                 examples = { allow = [\"ls\"], deny = [\"make all\"] }\n",
                (5, 38),
                "is to get deny and gets ask by `rule.a`",
            ),
            ("[quiet_hours]\nfrom = \"25:00\"\n", (2, 8), "no time of day"),
        ] {
            let findings = validate(text).findings;
            let Some(first) = findings.first() else { panic!("{text}\nis taken") };
            assert!(first.message.contains(says), "{text}\n{first:?}");
            assert_eq!((first.line, first.column), place, "{text}\n{first:?}");
        }
    }

    #[test]
    fn what_the_documents_show_is_taken() {
        let text = include_str!("../../../docs/POLICY.md");
        let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let mut count = 0;
        for block in blocks {
            let said = validate(block);
            assert!(said.valid, "{block}\n{:?}", said.findings);
            count += 1;
        }
        assert!(count >= 3, "{count} blocks");
    }
}
