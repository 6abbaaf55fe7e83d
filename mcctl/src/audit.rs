//! `mcctl audit`: the record, proven and exported.

use clap::{Args, Subcommand};
use mc_core::id::{Seq, TaskId};
use mc_proto::method::admin::{AuditExport, AuditVerify, Remembered, Verified};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output,
    table::{Sheet, Tone},
};

/// What can be done with the record.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Check the hash chain; exit code 1 when something was changed or cut out.
    Verify {
        /// A head that you remember, `SEQUENCE:HASH`, to notice a cut tail.
        #[arg(long, value_name = "SEQ:HASH", value_parser = remembered)]
        remembered: Option<Remembered>,
    },
    /// Print the journal as JSON Lines, oldest first.
    Export(ExportArgs),
}

/// Which part of the journal.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Only what came after this event.
    #[arg(long, value_name = "SEQ")]
    since: Option<Seq>,
    /// Only of this task.
    #[arg(long, value_name = "T-n")]
    task: Option<TaskId>,
}

fn remembered(text: &str) -> Result<Remembered, String> {
    let parsed = text
        .split_once(':')
        .and_then(|(seq, hash)| Some((seq.parse::<Seq>().ok()?, hash)))
        .filter(|(_, hash)| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    match parsed {
        Some((seq, hash)) => Ok(Remembered { seq, hash: hash.to_ascii_lowercase() }),
        None => Err(format!("`{text}` is no head: write SEQUENCE:HASH, the hash with 64 digits")),
    }
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Verify { remembered } => {
            let verified = cx.call(&AuditVerify { remembered })?;
            cx.print(&verified, view)?;
            Ok(if verified.clean { Exit::Done } else { Exit::Unwell })
        }
        Verb::Export(args) => export(&args, cx),
    }
}

fn export(args: &ExportArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let mut ask =
        AuditExport { since: args.since, task: args.task, limit: Some(200), cursor: None };
    loop {
        let page = cx.call(&ask)?;
        page.items.iter().try_for_each(output::json)?;
        match page.next_cursor {
            Some(cursor) => ask.cursor = Some(cursor),
            None => return Ok(Exit::Done),
        }
    }
}

fn view(verified: &Verified) -> String {
    let mut sheet = Sheet::default();
    let (text, tone) = if verified.clean {
        ("clean: nothing was changed or cut out", Tone::Good)
    } else {
        ("NOT CLEAN", Tone::Bad)
    };
    sheet.toned("journal", text, tone).line("events", verified.events);
    sheet.line("head", format!("{}:{}", verified.head, verified.head_hash));
    for finding in &verified.findings {
        sheet.toned("finding", finding, Tone::Bad);
    }
    sheet.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_head_is_what_verify_prints() {
        let hash = "ab".repeat(32);
        let head = remembered(&format!("12:{hash}")).unwrap();
        assert_eq!((head.seq, head.hash.as_str()), (12, hash.as_str()));
        for text in ["12", "x:ab", "12:zz", "12:ab"] {
            assert!(remembered(text).is_err(), "{text}");
        }
    }
}
