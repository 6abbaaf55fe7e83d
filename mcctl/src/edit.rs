//! `mcctl approval edit`: other arguments for a call that waits, bound to what was read.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;
use mc_core::clean;
use mc_proto::method::approval::{Edit, Get};
use serde_json::Value;

use crate::{
    approval::receipt,
    cli::OfApproval,
    context::Context,
    decide::still_that,
    environment,
    failure::{Exit, Failure},
};

/// Other arguments. Without any, the editor of `$VISUAL` or `$EDITOR` is opened with them.
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    of: OfApproval,
    /// Sets one argument: a text, or JSON after `:=`. Repeatable.
    #[arg(long = "arg", value_name = "NAME=TEXT|NAME:=JSON", value_parser = argument,
          conflicts_with = "file")]
    arguments: Vec<(String, Value)>,
    /// Takes all arguments from a file of JSON; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Why; it stands beside the change.
    #[arg(long)]
    note: Option<String>,
    /// The digest of the evidence that was read, in hex; another one is refused.
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,
}

fn argument(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=TEXT or NAME:=JSON")?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => {
            (name, serde_json::from_str(value).map_err(|error| format!("no JSON: {error}"))?)
        }
        None => (name, Value::String(value.to_owned())),
    };
    if name.is_empty() {
        Err("the name is missing".to_owned())
    } else {
        Ok((name.to_owned(), value))
    }
}

/// Changes the arguments; the changed call then waits for a decision.
///
/// # Errors
///
/// When it is no longer open, differs from the digest given, or is refused.
pub(crate) fn run(args: EditArgs, cx: &mut Context) -> Result<Exit, Failure> {
    let asked = cx.call(&Get { approval: args.of.approval })?.approval;
    still_that(&asked, args.digest.as_deref())?;
    let arguments = match &args.file {
        Some(file) => read(file)?,
        None if args.arguments.is_empty() => by_editor(&asked.statement.arguments)?,
        None => with(asked.statement.arguments, args.arguments)?,
    };
    let edit = Edit {
        approval: asked.id,
        rev: asked.rev,
        digest: asked.digest,
        arguments,
        note: args.note,
    };
    cx.show(&edit, |done, _| {
        let next = format!(
            "read it with `mcctl approval show {}`, then approve or deny it\n",
            done.approval.id
        );
        receipt(done) + &next
    })
}

/// Returns `arguments` with some of them set.
fn with(mut arguments: Value, set: Vec<(String, Value)>) -> Result<Value, Failure> {
    let Some(map) = arguments.as_object_mut() else {
        return Err(Failure::Usage("the call has no named arguments: use --file".to_owned()));
    };
    map.extend(set);
    Ok(arguments)
}

fn read(file: &Path) -> Result<Value, Failure> {
    let mut text = String::new();
    let done = if file == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|whole| text = whole)
    };
    done.map_err(|error| Failure::Failed(format!("can't read {}: {error}", file.display())))?;
    parse(&text, &file.display().to_string())
}

fn parse(text: &str, from: &str) -> Result<Value, Failure> {
    // What two readers could read differently is not sent at all.
    let checked = mc_proto::strict::check(text.trim().as_bytes());
    checked.map_err(|error| Failure::Failed(format!("{from}: {error}; nothing was changed")))?;
    serde_json::from_str(text)
        .map_err(|error| Failure::Failed(format!("{from}: {error}; nothing was changed")))
}

/// Has the operator's editor change the arguments; what it leaves unchanged is no change.
fn by_editor(arguments: &Value) -> Result<Value, Failure> {
    let Some(editor) = environment::editor() else {
        let text = "name the arguments with --arg or --file, or set EDITOR";
        return Err(Failure::Usage(text.to_owned()));
    };
    let failed = |error: std::io::Error| Failure::Failed(format!("can't edit: {error}"));
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().map_err(failed)?;
    let before = serde_json::to_string_pretty(arguments).unwrap_or_default() + "\n";
    // What an editor would not show is spelled.
    let before = clean::json(&before).into_owned();
    file.write_all(before.as_bytes()).map_err(failed)?;
    // As the shell does it: an editor may be given with options.
    let status = Command::new("/bin/sh")
        .args(["-c", "exec $0 \"$1\""])
        .arg(editor)
        .arg(file.path())
        .status()
        .map_err(failed)?;
    let after = std::fs::read_to_string(file.path()).map_err(failed)?;
    if !status.success() || after == before {
        return Err(Failure::Failed("nothing was changed".to_owned()));
    }
    parse(&after, "what was edited")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_argument_is_a_text_or_json() {
        assert_eq!(argument("command=ls -l a=b"), Ok(("command".into(), json!("ls -l a=b"))));
        assert_eq!(argument("depth:=3"), Ok(("depth".into(), json!(3))));
        assert!(argument("depth:=x").is_err() && argument("x").is_err() && argument("=x").is_err());
    }

    #[test]
    fn arguments_that_are_not_named_stay() {
        let set = vec![("a".to_owned(), json!(2))];
        assert_eq!(with(json!({"a": 1, "b": 1}), set.clone()).unwrap(), json!({"a": 2, "b": 1}));
        assert!(with(json!("text"), set).is_err());
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_sent() {
        assert!(parse(r#"{"a": 1}"#, "x").is_ok());
        assert!(parse(r#"{"a": 1, "a": 2}"#, "x").is_err());
    }
}
