//! Paths: where a call reads and writes, worked out without touching a disk.

/// Where relative paths begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base<'a> {
    /// The agent's workspace.
    pub(crate) workspace: Option<&'a str>,
    /// The directory that the call runs in.
    pub(crate) cwd: Option<&'a str>,
    /// The home directory.
    pub(crate) home: Option<&'a str>,
}

/// A path without `.`, `..` and `~`, in the forms that a rule may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// From the root.
    pub(crate) absolute: String,
    /// Within the workspace; empty for the workspace itself.
    pub(crate) inside: Option<String>,
    /// Below the home directory, as `~/...`.
    pub(crate) at_home: Option<String>,
}

/// Returns where `raw` leads; `None` when that can't be known without a shell or a disk.
pub(crate) fn resolve(raw: &str, base: Base<'_>) -> Option<Resolved> {
    let is_odd = |c: char| c.is_control() || matches!(c, '$' | '`');
    // A leading `@` is a mark that some runtimes take off: what is behind it is another path.
    if raw.is_empty() || raw.contains(is_odd) || raw.contains("://") || raw.starts_with('@') {
        return None;
    }
    let workspace = base.workspace.and_then(normal).filter(|path| path != "/");
    let home = base.home.and_then(normal).filter(|path| path != "/");
    let absolute = if raw.starts_with('/') {
        normal(raw)?
    } else if let Some(rest) = raw.strip_prefix('~') {
        if !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        normal(&format!("{}/{rest}", home.as_deref()?))?
    } else {
        let start = base.cwd.or(workspace.as_deref())?;
        normal(&format!("{start}/{raw}"))?
    };
    let inside = workspace.and_then(|top| below(&absolute, &top).map(str::to_owned));
    let at_home = home.and_then(|top| below(&absolute, &top).map(|rest| format!("~/{rest}")));
    Some(Resolved { absolute, inside, at_home })
}

/// Returns an absolute path without `.`, `..` and double slashes.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.strip_prefix('/')?.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// Returns what is left of `path` below `top`.
fn below<'p>(path: &'p str, top: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(top)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Base<'_> =
        Base { workspace: Some("/home/k/.openclaw/ws/"), cwd: None, home: Some("/home/k") };

    #[test]
    fn paths_are_worked_out_without_a_disk() {
        for (raw, absolute, inside) in [
            ("a/./b//c", "/home/k/.openclaw/ws/a/b/c", Some("a/b/c")),
            ("../x", "/home/k/.openclaw/x", None),
            ("~/x", "/home/k/x", None),
            ("/../../etc/passwd", "/etc/passwd", None),
            (".", "/home/k/.openclaw/ws", Some("")),
            ("/home/k/.openclaw/wsx", "/home/k/.openclaw/wsx", None),
        ] {
            let found = resolve(raw, BASE).unwrap();
            assert_eq!((found.absolute.as_str(), found.inside.as_deref()), (absolute, inside));
        }
        for raw in ["", "~root/x", "$HOME/x", "a\0b", "`pwd`", "file:///etc"] {
            assert_eq!(resolve(raw, BASE), None, "{raw}");
        }
        let nowhere = Base { workspace: None, cwd: None, home: None };
        assert_eq!(resolve("a", nowhere), None);
    }
}
