//! `mcctl artifact`: things made for tasks.

use std::path::PathBuf;

use clap::Subcommand;
use mc_core::message::Artifact;
use mc_proto::method::thread::{ArtifactGet, ArtifactPut};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output,
    table::Sheet,
    task::{OfTask, text_of},
    text,
};

/// What can be done with artifacts.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Store a text; its content is kept by hash.
    Put {
        #[command(flatten)]
        of: OfTask,
        /// Unique within the task: no `/`, at most 128 bytes.
        name: String,
        /// The file; `-` is standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        file: PathBuf,
        /// Its media type [default: text/plain].
        #[arg(long = "media-type", value_name = "TYPE")]
        media_type: Option<String>,
    },
    /// Print an artifact's content as it is stored (on a terminal: made visible).
    Get {
        #[command(flatten)]
        of: OfTask,
        /// Its name.
        name: String,
    },
}

/// Carries a verb out.
///
/// # Errors
///
/// Why it was not carried out.
pub(crate) fn run(verb: Verb, cx: &mut Context) -> Result<Exit, Failure> {
    match verb {
        Verb::Put { of, name, file, media_type } => {
            let text = text_of(None, Some(&file))?.unwrap_or_default();
            let put = ArtifactPut { task: of.task, name, media_type, text };
            cx.show(&put, |artifact, _| sheet(artifact))
        }
        Verb::Get { of, name } => get(&ArtifactGet { task: of.task, name }, cx),
    }
}

fn get(get: &ArtifactGet, cx: &mut Context) -> Result<Exit, Failure> {
    use std::io::IsTerminal as _;

    let content = cx.call(get)?;
    if cx.is_json() {
        output::json(&content)?;
    } else if std::io::stdout().is_terminal() {
        output::text(&format!("{}\n", text::block(content.text.trim_end())))?;
    } else {
        output::raw(content.text.as_bytes())?;
    }
    Ok(Exit::Done)
}

fn sheet(artifact: &Artifact) -> String {
    let mut sheet = Sheet::default();
    sheet.line("artifact", format!("{} of {}", artifact.name, artifact.task));
    sheet.line("type", &artifact.media_type).line("bytes", artifact.size_bytes);
    sheet.line("sha256", &artifact.sha256);
    sheet.to_string()
}
