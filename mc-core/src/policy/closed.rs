//! Closed places: what no call may name, approval or not.

use memchr::memmem::Finder;

use super::{path::Base, tools::DENIED};

/// The closed places of a policy, each ready to be looked for.
#[derive(Debug, Clone)]
pub(crate) struct Closed(Vec<Place>);

#[derive(Debug, Clone)]
struct Place {
    /// As it is written in the list.
    name: String,
    /// In lower case.
    finder: Finder<'static>,
}

impl Closed {
    /// Returns the places that are always closed, and `more`.
    pub(super) fn new(more: &[String]) -> Self {
        let mut closed = Self(Vec::new());
        closed.extend(DENIED.iter().copied());
        closed.extend(more.iter().map(String::as_str));
        closed
    }

    /// Closes `more` places.
    pub(super) fn extend<'m>(&mut self, more: impl Iterator<Item = &'m str>) {
        self.0.extend(more.map(|name| Place {
            name: name.to_owned(),
            finder: Finder::new(&name.to_lowercase()).into_owned(),
        }));
    }

    /// Returns the closed place that `text` names, if any.
    ///
    /// This is coarse on purpose: quotes and backslashes are taken out, and a name counts wherever
    /// it stands as a whole piece. The agent's own workspace may lie in such a place and doesn't
    /// count.
    pub(crate) fn named(&self, text: &str, base: Base<'_>) -> Option<&str> {
        let mut plain = text.replace(['\'', '"', '\\'], "");
        let spelled = base.workspace.map(|workspace| workspace.trim_end_matches('/'));
        if let Some(workspace) = spelled.filter(|workspace| !workspace.is_empty()) {
            plain = without(&plain, workspace);
            let short =
                base.home.and_then(|home| workspace.strip_prefix(home.trim_end_matches('/')));
            if let Some(rest) = short.filter(|rest| rest.starts_with('/')) {
                plain = without(&plain, &format!("~{rest}"));
            }
        }
        let plain = plain.to_lowercase();
        let place = self.0.iter().find(|place| mentions(&plain, &place.finder))?;
        Some(&place.name)
    }
}

/// Returns `text` without the mentions of `workspace` that a slash, a space or the end follows. A
/// path that climbs out of it again stays whole.
fn without(text: &str, workspace: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(workspace) {
        out.push_str(before);
        let word = after.split(char::is_whitespace).next().unwrap_or_default();
        let ends = after.is_empty() || after.starts_with(['/', ' ', ';', '&', '|']);
        if !ends || word.contains("..") {
            out.push_str(workspace);
        }
        rest = after;
    }
    out + rest
}

/// Says whether a name stands in `text` as a whole piece of a path.
fn mentions(text: &str, name: &Finder<'_>) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let needle = name.needle();
    name.find_iter(text.as_bytes()).any(|at| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at + needle.len()..).and_then(|tail| tail.chars().next());
        let opens = needle.starts_with(b"/") || !before.is_some_and(part);
        let closes = needle.ends_with(b"/") || !after.is_some_and(|c| part(c) && c != '.');
        opens && closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Base<'_> =
        Base { workspace: Some("/home/k/.openclaw/ws/"), cwd: None, home: Some("/home/k") };

    fn denied<'c>(text: &str, closed: &'c Closed) -> Option<&'c str> {
        closed.named(text, BASE)
    }

    #[test]
    fn denied_places_are_found_however_they_are_quoted() {
        let none = Closed::new(&[]);
        for text in [
            "cat ~/.ssh/id_rsa",
            "cat ~/.s''sh/id_rsa",
            "tar c $HOME/.aws",
            "cat /etc/shadow",
            "nc -U /x/mcd.sock",
            "cat ~/.openclaw/openclaw.json",
            "cat ~/.openclaw/ws/../openclaw.json",
            "ls /home/k/.openclaw",
            "cat /home/k/.SSH/x",
            "git config core.sshCommand 'ssh -i /root/.ssh/k'",
        ] {
            assert!(denied(text, &none).is_some(), "{text}");
        }
        let more = Closed::new(&["/srv/Vault".to_owned()]);
        assert_eq!(denied("ls /srv/vault/x", &more), Some("/srv/Vault"));
        for text in [
            "cat /home/k/.openclaw/ws/notes.md",
            "ls ~/.openclaw/ws",
            "vim .sshrc",
            "echo a.awsome",
            "cat docs/shadow",
            "ls /srv/vaults",
        ] {
            assert_eq!(denied(text, &more), None, "{text}");
        }
    }
}
