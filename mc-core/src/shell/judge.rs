//! The judgement of a command line: every simple command in it, and the worst one decides.

use std::collections::BTreeSet;

use super::{
    options::{self, Form, Means, Parsed},
    programs,
    read::{Known, read},
    simple::{Finding, Glob, Input, Simple, Word, deny, red, yellow},
    tables,
};
use crate::{
    policy::{
        Risk,
        path::{self, Base},
        places::{Places, Use},
    },
    redact,
};

/// Where programs lie that count by their name alone.
const STANDARD: &[&str] = &["/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/"];

/// How many words of one command are followed through links.
const BOUND: usize = 64;

/// What a command line was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What decided.
    pub(crate) finding: Finding,
    /// The simple command that it was found in; empty where the line as a whole decided.
    pub(crate) command: String,
    /// Whether everything that it writes may be written unasked.
    pub(crate) writes_where_allowed: bool,
    /// Its words, where it is a single simple command that a standing rule may cover.
    pub(crate) words: Option<Vec<String>>,
    /// The words of every command in it, those behind wrappers and within `sh -c` too; kept where
    /// the policy has rules of its own.
    pub(crate) commands: Vec<Vec<String>>,
    /// Absolute paths that it names.
    pub(crate) paths: BTreeSet<String>,
    /// The programs that it runs, the first one first.
    pub(crate) programs: Vec<String>,
    /// Absolute paths of the scripts that it runs.
    pub(crate) scripts: BTreeSet<String>,
}

/// Judges a command line.
pub(crate) fn judge(command: &str, places: &Places<'_>) -> Verdict {
    let mut judge = Judge::new(*places, 0);
    judge.line(command);
    judge.verdict()
}

/// The judgement while it goes on.
pub(super) struct Judge<'a> {
    pub(super) places: Places<'a>,
    /// Where it may stand by now: a `cd` adds to it, and a path must be good from everywhere.
    cwds: Vec<String>,
    depth: usize,
    worst: Option<(Finding, String)>,
    count: usize,
    words: Option<Vec<String>>,
    commands: Vec<Vec<String>>,
    writes_where_allowed: bool,
    paths: BTreeSet<String>,
    programs: Vec<String>,
    pub(super) scripts: BTreeSet<String>,
}

/// Why nobody can be asked about a command.
const HIDES: &str = "would be masked, and hide from whoever is asked what would run: give the \
                     secret by a file or a variable";

/// Nothing to object to.
pub(super) fn green(rule: &'static str) -> Finding {
    Finding { risk: Risk::Green, rule, reason: "it only reads or answers".into(), denied: false }
}

impl<'a> Judge<'a> {
    fn new(places: Places<'a>, depth: usize) -> Self {
        let cwd = places.base.cwd.or(places.base.workspace);
        Self {
            places,
            cwds: cwd.map(str::to_owned).into_iter().collect(),
            depth,
            worst: None,
            count: 0,
            words: None,
            commands: Vec::new(),
            writes_where_allowed: true,
            paths: BTreeSet::new(),
            programs: Vec::new(),
            scripts: BTreeSet::new(),
        }
    }

    fn verdict(self) -> Verdict {
        let (finding, command) = self.worst.unwrap_or_else(|| (green("K10"), String::new()));
        let words = self.words.filter(|_| self.count == 1);
        Verdict {
            finding,
            command,
            writes_where_allowed: self.writes_where_allowed,
            words,
            commands: self.commands,
            paths: self.paths,
            programs: self.programs,
            scripts: self.scripts,
        }
    }

    /// Takes a finding in, if it is worse than what was found before.
    fn weigh(&mut self, finding: Finding, command: &str) {
        let weight = |one: &Finding| (one.denied, one.risk);
        if self.worst.as_ref().is_none_or(|(worst, _)| weight(worst) < weight(&finding)) {
            self.worst = Some((finding, command.to_owned()));
        }
    }

    /// Judges a line of text; the line of a `sh -c` lies one level deeper.
    fn line(&mut self, command: &str) {
        let shown = redact::text(command);
        let is_masked = redact::is_masked(&shown);
        if redact::hides_commands(command, &shown) {
            self.weigh(deny("K13", format!("a secret in it {HIDES}")), "");
        } else if is_masked {
            self.weigh(red("K13", "it holds what looks like a secret"), "");
        }
        let known = Known { home: self.places.base.home, depth: self.depth };
        match read(command, known) {
            Ok(script) => {
                for (finding, text) in script.findings {
                    self.weigh(finding, &text);
                }
                for simple in &script.commands {
                    let program = simple.words.first().map_or("", |word| &word.text);
                    if is_masked && !shown.contains(program) {
                        self.weigh(deny("K13", format!("its program {HIDES}")), &simple.text);
                    }
                    let finding = self.simple(simple);
                    self.weigh(finding, &simple.text);
                }
            }
            Err(finding) => {
                // What can't be followed is asked, but what names a closed place is not.
                if let Some(place) = self.places.policy.closed_place(command, self.places.base) {
                    self.weigh(
                        deny("K8", format!("it names `{place}`, which nobody may touch")),
                        "",
                    );
                }
                let apart = |c: char| c.is_whitespace() || r#""'`;|&<>()="#.contains(c);
                self.bind(command.split(apart).filter(|part| part.contains('/')));
                if let Some(finding) = programs::steers_runtime(std::iter::once(command)) {
                    self.weigh(finding, "");
                }
                self.weigh(finding, "");
            }
        }
    }

    /// Judges the line that a shell is given, one level deeper.
    pub(super) fn inner(&mut self, command: &str) -> Finding {
        let mut inner = Judge { depth: self.depth + 1, ..Judge::new(self.places, 0) };
        inner.cwds.clone_from(&self.cwds);
        inner.line(command);
        self.paths.append(&mut inner.paths);
        self.commands.append(&mut inner.commands);
        self.scripts.append(&mut inner.scripts);
        self.programs.append(&mut inner.programs);
        self.writes_where_allowed &= inner.writes_where_allowed;
        inner.worst.map_or_else(|| green("K10"), |(finding, _)| finding)
    }

    fn simple(&mut self, simple: &Simple) -> Finding {
        self.count += 1;
        let mut worst = green("K10");
        let mut take = |finding: Finding| {
            if (finding.denied, finding.risk) > (worst.denied, worst.risk) {
                worst = finding;
            }
        };
        for (name, word) in &simple.env {
            if let Some(finding) = programs::environment(name, word, simple.words.is_empty()) {
                take(finding);
            }
        }
        for redirect in simple.redirects.iter().filter(|one| one.file.text != "/dev/null") {
            let how = if redirect.writes { Use::Write } else { Use::Read };
            let found = self.uses("K9", &redirect.file, how);
            take(found.unwrap_or_else(|finding| finding));
        }
        if !simple.words.is_empty() {
            let found = self.command(&simple.words, &simple.input);
            take(found.unwrap_or_else(|finding| finding));
            self.remember(simple);
        }
        if worst.risk == Risk::Red {
            self.bind(simple.words.iter().map(|word| word.text.as_str()));
        }
        if simple.is_substituted && worst.risk != Risk::Green && !worst.denied {
            return red("K5", "what it prints is used, and it does more than read");
        }
        worst
    }

    /// Keeps what may be a path in a command that is asked for whatever its paths are: a yes to it
    /// is bound to where they lead.
    fn bind<'w>(&mut self, words: impl Iterator<Item = &'w str>) {
        let named = words.filter_map(|word| match word.split_once('=') {
            Some((_, value)) => Some(value),
            None => (!word.starts_with('-')).then_some(word),
        });
        for raw in named.filter(|raw| !raw.is_empty()).take(BOUND) {
            for cwd in &self.cwds {
                let base = Base { cwd: Some(cwd.as_str()), ..self.places.base };
                let found = path::resolve(raw, base).map(|found| found.absolute);
                self.paths.extend(found);
            }
        }
    }

    /// Keeps the words of a command that a standing rule may cover.
    fn remember(&mut self, simple: &Simple) {
        let name = simple.words.first().map_or("", |word| word.text.as_str());
        let is_plain = simple.env.is_empty()
            && simple.redirects.is_empty()
            && simple.input == Input::Inherited
            && !programs::runs_others(name)
            && simple.words.iter().all(|word| word.glob.is_none() && word.unknown.is_none());
        self.words = is_plain.then(|| simple.words.iter().map(|word| word.text.clone()).collect());
    }

    /// Judges a command by its words.
    pub(super) fn command(&mut self, words: &[Word], input: &Input) -> Result<Finding, Finding> {
        let Some((command, arguments)) = words.split_first() else {
            return Err(red("K7", "a wrapper without a command"));
        };
        if self.places.policy.has_rules() {
            self.commands.push(words.iter().map(|word| word.text.clone()).collect());
        }
        if let Some(finding) = programs::denied_by_path(&command.text, arguments) {
            return Err(finding);
        }
        let name = self.name(command, arguments)?;
        let Some(name) = name else {
            return Ok(yellow("K3", format!("`{}` runs code of the workspace", command.text)));
        };
        self.programs.push(name.to_owned());
        if let Some(finding) = programs::denied(name, arguments) {
            return Err(finding);
        }
        if let Some(finding) = programs::apart(self, name, arguments, input) {
            return finding;
        }
        if let Some(program) = tables::program(name) {
            let is_version = matches!(arguments, [only] if only.text == "--version");
            if is_version {
                return Ok(green("K10"));
            }
            return self.by_table(program, arguments);
        }
        if tables::is_known(name) && matches!(arguments, [only] if only.text == "--version") {
            return Ok(green("K10"));
        }
        self.nothing_closed(arguments)?;
        Err(red("K12", format!("`{name}` is on no list")))
    }

    /// Returns the name that a program counts by; `None` for a script of the workspace.
    fn name<'w>(
        &mut self,
        command: &'w Word,
        arguments: &[Word],
    ) -> Result<Option<&'w str>, Finding> {
        let text = command.text.as_str();
        if text.contains('=') {
            return Err(red("K3", format!("`{text}` is no name of a program")));
        }
        if !text.contains('/') {
            return Ok(Some(text));
        }
        let standard = STANDARD.iter().find_map(|dir| text.strip_prefix(dir));
        if let Some(name) = standard.filter(|name| !name.contains('/') && !name.is_empty()) {
            return Ok(Some(name));
        }
        if text.starts_with('/') {
            self.runs(text);
            self.nothing_closed(arguments)?;
            return Err(red("K3", format!("`{text}` lies in no standard directory")));
        }
        arguments.iter().try_for_each(options::known)?;
        self.nothing_closed(arguments)?;
        self.script(text)?;
        Ok(None)
    }

    /// A script of the workspace that is run.
    pub(super) fn script(&mut self, raw: &str) -> Result<(), Finding> {
        self.runs(raw);
        self.at("K3", raw, Use::Run)
    }

    /// Keeps what a file is that is run, wherever it lies: a yes is bound to it.
    fn runs(&mut self, raw: &str) {
        for cwd in &self.cwds {
            let base = Base { cwd: Some(cwd.as_str()), ..self.places.base };
            self.scripts.extend(path::resolve(raw, base).map(|found| found.absolute));
        }
    }

    /// Refuses outright words that name a closed place, also behind `=`, `@` or a letter.
    pub(super) fn nothing_closed(&self, words: &[Word]) -> Result<(), Finding> {
        let named = |word: &Word| self.places.policy.closed_place(&word.text, self.places.base);
        match words.iter().find_map(named) {
            None => Ok(()),
            Some(place) => Err(deny("K8", format!("it names `{place}`, which nobody may touch"))),
        }
    }

    fn by_table(
        &mut self,
        program: &tables::Program,
        arguments: &[Word],
    ) -> Result<Finding, Finding> {
        let rule = if program.risk == Risk::Green { "K10" } else { "K11" };
        let parsed = self.form(rule, &program.form, arguments)?;
        let follows = program.name == "tail" && parsed.has(&["-f", "-F"]);
        let globbed = arguments.iter().any(|word| word.glob == Some(Glob::Leading));
        let writes = parsed.operands.iter().any(|(means, _)| *means == Means::Write)
            || parsed.values.iter().any(|(means, ..)| *means == Means::Write);
        if program.risk == Risk::Yellow && arguments.iter().any(|word| word.glob.is_some()) {
            return Err(red("K5", "which files it changes is only known when it runs"));
        }
        if matches!(program.name, "patch" | "unzip") {
            // Which files they write stands in what they read.
            self.at("K8", ".", Use::Write)?;
        }
        Ok(match program.risk {
            Risk::Green if globbed => yellow("K5", "a file's name may look like an option"),
            Risk::Green if follows => yellow("K10", "it goes on until it is ended"),
            Risk::Green if writes => yellow("K10", format!("`{}` writes a file", program.name)),
            Risk::Green => green("K10"),
            Risk::Yellow | Risk::Red => yellow("K11", format!("`{}` changes files", program.name)),
        })
    }

    /// Takes a program's words apart and judges every path among them.
    pub(super) fn form<'w>(
        &mut self,
        rule: &'static str,
        form: &Form,
        words: &'w [Word],
    ) -> Result<Parsed<'w>, Finding> {
        let parsed = match options::parse(rule, form, words) {
            Ok(parsed) => parsed,
            Err(finding) => {
                self.nothing_closed(words)?;
                return Err(finding);
            }
        };
        for (means, value, word) in &parsed.values {
            match means {
                Means::Text => {}
                Means::Read | Means::Write if word.text.starts_with('-') => {
                    self.value(*means, value)?;
                }
                Means::Read | Means::Write => self.operand(*means, word)?,
            }
        }
        for (means, word) in &parsed.operands {
            self.operand(*means, word)?;
        }
        Ok(parsed)
    }

    fn value(&mut self, means: Means, raw: &str) -> Result<(), Finding> {
        let how = if means == Means::Write { Use::Write } else { Use::Read };
        self.at("K8", raw, how)
    }

    fn operand(&mut self, means: Means, word: &Word) -> Result<(), Finding> {
        let how = match means {
            Means::Text => return Ok(()),
            Means::Read if word.text == "-" => return Ok(()),
            Means::Read => Use::Read,
            Means::Write => Use::Write,
        };
        self.uses("K8", word, how).map(|_| ())
    }

    /// Judges a word that is a path.
    pub(super) fn uses(
        &mut self,
        rule: &'static str,
        word: &Word,
        how: Use,
    ) -> Result<Finding, Finding> {
        options::known(word)?;
        let last = word.text.rsplit('/').next().unwrap_or_default();
        if word.glob.is_some() && last.starts_with('.') {
            return Err(red("K5", format!("`{}` may mean hidden files", word.text)));
        }
        self.at(rule, &word.text, how)?;
        Ok(match how {
            Use::Write => yellow(rule, format!("it writes `{}`", word.text)),
            Use::Read | Use::Run => green(rule),
        })
    }

    /// Judges a path from wherever the command may stand.
    pub(super) fn at(&mut self, rule: &'static str, raw: &str, how: Use) -> Result<(), Finding> {
        let rule = if rule == "K3" { "K3" } else { "K8" };
        if raw.starts_with('@')
            && path::resolve(raw.trim_start_matches('@'), self.places.base).is_some()
        {
            // A file may be called so; `resolve` refuses it for tools that take the mark off.
            return self.at(rule, &format!("./{raw}"), how);
        }
        if self.cwds.is_empty() {
            return self.from(rule, None, (raw, how));
        }
        for cwd in self.cwds.clone() {
            self.from(rule, Some(&cwd), (raw, how))?;
        }
        Ok(())
    }

    fn from(
        &mut self,
        rule: &'static str,
        cwd: Option<&str>,
        (raw, how): (&str, Use),
    ) -> Result<(), Finding> {
        let base = Base { cwd: cwd.or(self.places.base.cwd), ..self.places.base };
        let places = Places { base, ..self.places };
        if let Some(found) = places.resolve(raw) {
            self.paths.insert(found.absolute);
        }
        if let Some(objection) = places.objection(raw, how) {
            let make = if objection.denied { deny } else { red };
            return Err(make(rule, objection.reason));
        }
        if how == Use::Write && raw != "/dev/null" && !places.may_write(raw) {
            self.writes_where_allowed = false;
        }
        Ok(())
    }

    /// Goes to another directory, from wherever it may stand.
    pub(super) fn go(&mut self, raw: &str) -> Result<(), Finding> {
        self.at("K8", raw, Use::Read)?;
        let bases = self.cwds.clone();
        for cwd in bases {
            let base = Base { cwd: Some(&cwd), ..self.places.base };
            if let Some(found) = path::resolve(raw, base).map(|found| found.absolute)
                && !self.cwds.contains(&found)
            {
                self.cwds.push(found);
            }
        }
        Ok(())
    }
}
