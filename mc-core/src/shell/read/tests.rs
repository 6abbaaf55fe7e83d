use super::*;
use crate::shell::simple::{Glob, Input, Quotes};

const KNOWN: Known<'_> = Known { home: Some("/home/agent"), depth: 0 };

/// The words of all commands, `[` around a pattern, `?` for what is not known.
fn words(command: &str) -> Vec<Vec<String>> {
    let script = read(command, KNOWN).unwrap_or_else(|finding| panic!("{command}: {finding:?}"));
    let show = |word: &crate::shell::simple::Word| match (word.glob, word.unknown) {
        (_, Some(_)) => format!("?{}", word.text),
        (Some(_), _) => format!("[{}]", word.text),
        _ => word.text.clone(),
    };
    script.commands.iter().map(|one| one.words.iter().map(show).collect()).collect()
}

fn rule(command: &str) -> &'static str {
    match read(command, KNOWN) {
        Ok(script) => panic!("{command} was read as {script:?}"),
        Err(finding) => finding.rule,
    }
}

#[test]
fn words_are_what_the_program_gets() {
    for (command, expected) in [
        ("ls -la", &[&["ls", "-la"][..]][..]),
        ("echo \"a && b\" 'c; d' e\\ f g''h", &[&["echo", "a && b", "c; d", "e f", "gh"]]),
        ("echo \"\\$x \\n \\\" \\\\\" $ \"a$\"", &[&["echo", "$x \\n \" \\", "$", "a$"]]),
        ("a; b && c || d | e", &[&["a"], &["b"], &["c"], &["d"], &["e"]]),
        ("ls # quiet ' \" $(\nrm -rf x", &[&["ls"], &["rm", "-rf", "x"]]),
        ("cat ~/a a~b HEAD~1 ~", &[&["cat", "/home/agent/a", "a~b", "HEAD~1", "/home/agent"]]),
        (
            "f=README.md; cat \"$f\" ${f} x$f",
            &[&[], &["cat", "README.md", "README.md", "xREADME.md"]],
        ),
        ("ls * a/*.rs 'b*' -x*", &[&["ls", "[*]", "[a/*.rs]", "b*", "[-x*]"]]),
        (
            "find . -name '*.rs' -exec grep x {} +",
            &[&["find", ".", "-name", "*.rs", "-exec", "grep", "x", "{}", "+"]],
        ),
        ("git show stash@{0} a[1", &[&["git", "show", "stash@{0}", "a[1"]]),
        ("echo \"$(git rev-parse HEAD)\"", &[&["git", "rev-parse", "HEAD"], &["echo", "?"]]),
        ("echo $? $HOME/x", &[&["echo", "?", "/home/agent/x"]]),
        ("for f in a 'b c'; do wc \"$f\"; done", &[&["wc", "a"], &["wc", "b c"]]),
        ("for f in src/*.rs; do wc \"$f\"; done", &[&["wc", "[src/*.rs]"]]),
        (
            "if test -f a; then cat a; elif b; then c; else d; fi",
            &[&["test", "-f", "a"], &["cat", "a"], &["b"], &["c"], &["d"]],
        ),
        ("while a; do b; done", &[&["a"], &["b"]]),
        ("case x in (a|b*) c;; *) d;; esac", &[&["c"], &["d"]]),
        ("( a; b ) | { c; }", &[&["a"], &["b"], &["c"]]),
        ("! a && time -p b", &[&["a"], &["-p", "b"]]),
        ("[ -f x ] && [[ -f 'y z' ]]", &[&["[", "-f", "x", "]"], &["test", "-f", "y z"]]),
        ("A=1 B='2 3' c d=e", &[&["c", "d=e"]]),
        ("ls >out 2>&1 <in 2>/dev/null", &[&["ls"]]),
    ] {
        assert_eq!(words(command), expected, "{command}");
    }
}

/// Commands and the rule that refuses to follow them.
const REFUSED: &[(&str, &str)] = &[
    ("echo 'unbalanced", "K0"),
    ("echo \"x", "K0"),
    ("ls \\", "K0"),
    ("ls \\\n-la", "K0"),
    ("ls )", "K0"),
    ("( ls", "K0"),
    ("ls &&", "K0"),
    ("; ls", "K0"),
    ("ls ;; a", "K0"),
    ("if a; then b", "K0"),
    ("fi", "K0"),
    ("cat <<E\nx\n", "K0"),
    ("cat <<E", "K0"),
    ("r\\m x", "K3"),
    ("'rm' x", "K3"),
    ("X=rm; $X -rf y", "K3"),
    ("{rm,-rf,x}", "K3"),
    ("~/bin/x", "K3"),
    ("*x a", "K3"),
    ("\"ls\"", "K3"),
    ("$'\\x72m' x", "K3"),
    ("eval ls", "K4"),
    ("source ./x", "K4"),
    (". ./x", "K4"),
    ("f() { ls; }", "K4"),
    ("exec ls", "K4"),
    ("set -x", "K4"),
    ("alias a=b", "K4"),
    ("function f { ls; }", "K4"),
    ("select x in a; do b; done", "K4"),
    ("[[ a =~ b ]]", "K5"),
    ("[[ 'a[$(id)]' -eq 0 ]]", "K4"),
    ("[[ -f a && -f b ]]", "K4"),
    ("for ((;;)); do a; done", "K4"),
    ("export A=b", "K4"),
    ("echo $X", "K5"),
    ("echo `id`", "K5"),
    ("diff <(a) <(b)", "K5"),
    ("echo $((1+1))", "K5"),
    ("echo $'a'", "K5"),
    ("echo {a,b}", "K5"),
    ("echo {1..3}", "K5"),
    ("echo ~root", "K5"),
    ("echo ${x:-y}", "K5"),
    ("echo !!", "K5"),
    ("echo $(id)", "K5"),
    ("f='a b'; cat $f", "K5"),
    ("f=; cat $f", "K5"),
    ("f='*'; cat $f", "K5"),
    ("a=(b c)", "K5"),
    ("a+=b", "K5"),
    ("true || f=x; cat $f", "K5"),
    ("(f=x); cat $f", "K5"),
    ("f=x | true; cat $f", "K5"),
    ("f=x & cat $f", "K5"),
    ("if a; then f=x; fi; cat $f", "K5"),
    ("f=x cat $f", "K5"),
    ("f=a; while b; do cat $f; f=/etc/shadow; done", "K5"),
    ("f=a; f=\"$g\"; cat $f", "K5"),
    ("make p=~/x", "K5"),
    ("((1))", "K5"),
    ("> x", "K9"),
    ("a 3>x", "K9"),
    ("a {f}>x", "K9"),
    ("cat <<E\n$x\nE\n", "K9"),
    ("cat <<~\nx\n~\n", "K9"),
    ("cat <<$V\nx\n$V\n", "K5"),
    ("cat <<'a b'\nx\na b\n", "K9"),
    ("a <> b", "K9"),
    ("a |& b", "K9"),
    ("a > *", "K9"),
    ("a >&f", "K9"),
    ("сat x", "K2"),
    ("ls é", "K2"),
];

#[test]
fn what_can_not_be_followed_names_its_rule() {
    for (command, expected) in REFUSED {
        assert_eq!(rule(command), *expected, "{command}");
    }
    let bomb = read(":(){ :|:& };:", KNOWN).unwrap_err();
    assert!(bomb.denied && bomb.rule == "K4", "{bomb:?}");
}

#[test]
fn size_and_nesting_end_at_their_limits() {
    let nested = |n: usize| format!("{}ls{}", "( ".repeat(n), " )".repeat(n));
    assert!(read(&nested(DEPTH), KNOWN).is_ok());
    assert_eq!(rule(&nested(DEPTH + 1)), "K1");
    assert!(read(&vec!["ls"; COMMANDS].join(";"), KNOWN).is_ok());
    assert_eq!(rule(&vec!["ls"; COMMANDS + 1].join(";")), "K1");
    let all = vec!["x"; COMMANDS + 1].join(" ");
    assert_eq!(rule(&format!("for f in {all}; do ls $f; done")), "K1");
}

#[test]
fn pipes_and_texts_are_the_input_of_their_command() {
    let script = read("a | b | c <<'E'\n$x\nE\nd <<< 'y'", KNOWN).unwrap();
    let inputs: Vec<&Input> = script.commands.iter().map(|one| &one.input).collect();
    assert_eq!(inputs[0], &Input::Inherited);
    assert_eq!(inputs[1], &Input::Pipe(vec!["a".into()]));
    assert_eq!(inputs[2], &Input::Text("$x\n".into()));
    assert_eq!(inputs[3], &Input::Text("y".into()));
}

#[test]
fn quotes_and_globs_keep_their_kind() {
    let script = read("sh 'a' \"b\" c'd' e* f/*.x /g*", KNOWN).unwrap();
    let kinds: Vec<(Quotes, Option<Glob>)> =
        script.commands[0].words.iter().map(|word| (word.quotes, word.glob)).collect();
    assert_eq!(
        kinds,
        [
            (Quotes::Bare, None),
            (Quotes::Single, None),
            (Quotes::Other, None),
            (Quotes::Other, None),
            (Quotes::Bare, Some(Glob::Other)),
            (Quotes::Bare, Some(Glob::Relative)),
            (Quotes::Bare, Some(Glob::Other)),
        ]
    );
}
