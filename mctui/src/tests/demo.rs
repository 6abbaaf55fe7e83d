//! The demo: a real daemon, real sockets, a squad in every state.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use mc_core::{approval::ApprovalStatus, policy::Risk};
use mc_proto::{
    client::{Client, hello},
    method::{approval::RuleList, feed::SnapshotGet, replay::PolicyReplay},
};

use crate::demo::Demo;

#[test]
fn the_demo_answers_with_a_squad_in_motion_and_leaves_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (demo, address) = Demo::start();
    let address = runtime.block_on(async {
        let started = tokio::time::timeout(Duration::from_mins(1), address).await;
        started.expect("in time").expect("told").expect("started")
    });
    let no_push = "[[rule]]\nname = \"no-push\"\nthen = \"deny\"\ncommand = [\"git\", \"push\"]\n";
    let replay = PolicyReplay { toml: no_push.to_owned(), ..PolicyReplay::default() };
    let (snapshot, rules, replayed) = runtime.block_on(async {
        let program = hello("test", "0");
        let (client, _unasked) = Client::connect(&address.socket, &program).await.unwrap();
        let rules = client.call(&RuleList::default()).await.unwrap();
        (client.call(&SnapshotGet {}).await.unwrap(), rules, client.call(&replay).await.unwrap())
    });
    // What the squad did so far, judged by a changed rule: its pushes and nothing else.
    assert!(replayed.changed >= 2 && replayed.unchanged >= 10, "{replayed:?}");
    let is_push = |group: &mc_proto::method::replay::Group| {
        group.to.rule == "rule.no-push"
            && group.examples.iter().all(|one| one.preview.contains("git push"))
    };
    assert!(replayed.groups.iter().all(is_push), "{replayed:?}");
    assert!(snapshot.tasks.len() >= 12 && snapshot.agents.len() >= 6);
    let waits = |one: &&mc_core::approval::Approval| one.status == ApprovalStatus::Pending;
    assert!(snapshot.approvals.iter().filter(waits).count() >= 3);
    let markable = |one: &&mc_core::approval::Approval| waits(one) && one.risk != Risk::Red;
    assert!(snapshot.approvals.iter().filter(markable).count() >= 2, "something to mark");
    assert!(rules.items.iter().any(|rule| rule.used == 1), "a standing rule that was used");
    assert!(snapshot.approvals.iter().any(|one| one.edited.is_some()), "an edited request");
    for approval in &snapshot.approvals {
        assert_eq!(approval.statement.digest(), approval.digest);
    }
    let home = address.socket.ancestors().nth(3).unwrap().to_path_buf();
    assert_eq!(std::fs::metadata(&home).unwrap().permissions().mode() & 0o077, 0);
    drop(demo);
    assert!(!home.exists(), "{} was left behind", home.display());
}
