//! The dialogs of the everyday acts: what they ask for and how much confirmation they need.

use mc_core::{
    actor::ActorKind,
    agent::{Agent, AgentName, AgentStatus},
    id::{AlertId, RuleId, ScheduleId, TaskId},
    squad::RuntimeProcess,
    task::{
        TaskState,
        law::{Guard, MOVES, Move},
    },
};
use mc_proto::method::task::Detail;

use super::{
    Overlay,
    form::{Confirm, Form, Purpose},
    menu::{Choice, Menu},
    stopped,
};
use crate::{
    request::{AgentVerb, ScheduleVerb},
    scene::{Intent, Scene},
    story,
    text::{self, Clean},
    theme::Token,
    widgets::{Field, Line, Manner},
};

fn show(overlay: Overlay) -> Intent {
    Intent::Show(Box::new(overlay))
}

fn dim(words: impl Into<String>) -> Line {
    Line::new().own(Token::Dim, words.into())
}

/// A new task.
pub fn new_task() -> Intent {
    let fields = vec![
        Field::needed("title"),
        Field::optional("type"),
        Field::optional("priority"),
        Field::optional("agent"),
        Field::optional("about"),
    ];
    let form = Form::new(Purpose::Create, "New task", fields, Confirm::Enter)
        .says(dim(format!("types: {}", mc_core::task::TASK_TYPES.join(" "))));
    show(Overlay::Form(form))
}

/// A comment in the thread of `task`.
pub fn comment(task: TaskId) -> Intent {
    let fields = vec![Field::needed("text")];
    let form =
        Form::new(Purpose::Comment(task), format!("Comment on {task}"), fields, Confirm::Enter)
            .says(dim("@name tells an agent or operator; the draft stays when you close"));
    show(Overlay::Form(form))
}

/// The moves of a task that are open to a person.
pub fn move_task(task: TaskId, scene: &Scene) -> Intent {
    move_task_known(task, None, scene)
}

/// The moves of a task that are open to a person, as the daemon said where it did.
pub fn move_task_known(task: TaskId, detail: Option<&Detail>, scene: &Scene) -> Intent {
    let Some(card) = scene.world.tasks.get(&task) else {
        return Intent::Say(format!("{task} is not here any more"));
    };
    let known = detail.filter(|detail| detail.task.rev == card.rev).map(|detail| &detail.moves);
    let rows =
        MOVES.iter().filter(|row| row.from == card.state && row.by.contains(&ActorKind::Human));
    let rows = rows.filter(|row| known.is_none_or(|moves| moves.contains(&row.to)));
    let choices: Vec<Choice> =
        rows.map(|row| move_choice(task, row, card.assignees.is_empty())).collect();
    if choices.is_empty() {
        return Intent::Say(format!(
            "no move of {task} is open to you: it is {}",
            card.state.title()
        ));
    }
    show(Overlay::Menu(Menu::new(format!("Move {task} from {} to", card.state.title()), choices)))
}

fn move_choice(task: TaskId, row: &Move, is_unassigned: bool) -> Choice {
    let to = row.to;
    let needs = |guard: Guard| row.guards.contains(&guard);
    let label = Line::new().own(Token::Fg, to.title());
    if needs(Guard::SelfReviewComplete) {
        let words = format!("  with its checklist: `mcctl task submit {task}`");
        return Choice { label: label.own(Token::Dim, words), opens: None };
    }
    let mut fields = Vec::new();
    if needs(Guard::HasAssignee) && is_unassigned {
        fields.push(Field::needed("agent"));
    }
    if needs(Guard::HasWorkPlan) {
        fields.push(Field::optional("plan"));
    }
    if needs(Guard::HasFeedback) {
        fields.push(Field::needed("feedback"));
    }
    if needs(Guard::HasNote) {
        fields.push(Field::needed("note"));
    }
    fields.push(if needs(Guard::HasReason) {
        Field::needed("reason")
    } else {
        Field::optional("reason")
    });
    if to == TaskState::Done {
        fields.retain(|field| field.label == "note");
    }
    let purpose =
        if to == TaskState::Done { Purpose::Complete(task) } else { Purpose::Move(task, to) };
    let confirm = if to == TaskState::Canceled { Confirm::Yes } else { Confirm::Enter };
    let mut form = Form::new(purpose, format!("{task} to {}", to.title()), fields, confirm);
    if needs(Guard::HasWorkPlan) {
        form =
            form.says(dim("plan: 3 to 6 steps with `;` between them; empty keeps the one it has"));
    }
    Choice { label, opens: Some(show(Overlay::Form(form))) }
}

/// The agents that a task can be given to.
pub fn assign(task: TaskId, scene: &Scene) -> Intent {
    let mut choices = Vec::new();
    for view in scene.world.agents.values() {
        let agent = &view.agent;
        let name = text::line(&agent.name);
        let label = Line::new().says(Token::Fg, &name).own(
            Token::Dim,
            format!("  {} · {}", story::word(&agent.autonomy), story::word(&agent.status)),
        );
        let fields = vec![Field::optional("reason")];
        let form = Form::new(
            Purpose::Assign(task, agent.name.clone()),
            format!("Give {task} to {}", name.as_str()),
            fields,
            Confirm::Enter,
        );
        let opens = (agent.status == AgentStatus::Active).then(|| show(Overlay::Form(form)));
        choices.push(Choice { label, opens });
    }
    if choices.is_empty() {
        return Intent::Say("no agent is registered: `mcctl agent register`".to_owned());
    }
    show(Overlay::Menu(Menu::new(format!("Give {task} to"), choices)))
}

/// Says that an alert was seen.
pub fn ack(alert: AlertId) -> Intent {
    let fields = vec![Field::optional("note")];
    show(Overlay::Form(Form::new(
        Purpose::Ack(alert),
        format!("Acknowledge {alert}"),
        fields,
        Confirm::Enter,
    )))
}

/// Says that an alert is over.
pub fn resolve(alert: AlertId) -> Intent {
    let fields = vec![Field::optional("note")];
    show(Overlay::Form(Form::new(
        Purpose::Resolve(alert),
        format!("Resolve {alert}"),
        fields,
        Confirm::Enter,
    )))
}

/// The dialog that ends a standing rule; `passes` is what it lets pass.
pub fn revoke(rule: RuleId, passes: &Clean) -> Form {
    let fields = vec![Field::optional("reason")];
    Form::new(Purpose::Revoke(rule), format!("Revoke {rule}"), fields, Confirm::Yes)
        .says(
            Line::new()
                .own(Token::Fg, "From now on this is asked again: ")
                .says(Token::Strong, passes),
        )
        .says(dim("What it has let pass stays done. It goes on record in your name."))
}

/// The dialog that holds a schedule back or has it go on; `creates` is the title of its tasks.
pub fn schedule(verb: ScheduleVerb, id: ScheduleId, creates: &Clean) -> Form {
    let (title, effect) = match verb {
        ScheduleVerb::Pause => {
            ("Pause", "It creates nothing until it is resumed; what comes meanwhile is left out.")
        }
        ScheduleVerb::Resume => ("Resume", "It creates tasks again, from now on."),
    };
    let fields = vec![Field::optional("reason")];
    Form::new(Purpose::Schedule(verb, id), format!("{title} {id}"), fields, Confirm::Enter)
        .says(Line::new().own(Token::Fg, "Creates: ").says(Token::Strong, creates))
        .says(dim(effect))
}

/// What can be done to an agent.
pub fn agent_menu(agent: &Agent) -> Intent {
    let verbs = [
        (AgentVerb::Pause, "no run, no call; a running turn is cut off"),
        (AgentVerb::Resume, "works again"),
        (AgentVerb::Drain, "finishes its task, then pauses"),
        (AgentVerb::Quarantine, "stopped at once, token refused, its tasks blocked"),
    ];
    let is_active = agent.status == AgentStatus::Active;
    let choices = verbs.into_iter().map(|(verb, effect)| {
        let is_open = match verb {
            AgentVerb::Resume => !is_active,
            AgentVerb::Pause | AgentVerb::Drain => is_active,
            AgentVerb::Quarantine => agent.status != AgentStatus::Quarantined,
        };
        let status = story::word(&agent.status);
        let words = if is_open { effect.to_owned() } else { format!("it is {status}") };
        let label =
            Line::new().own(Token::Fg, format!("{:<11}", verb.word())).own(Token::Dim, words);
        Choice { label, opens: is_open.then(|| show(Overlay::Form(agent_form(verb, &agent.name)))) }
    });
    let name = text::line(&agent.name);
    show(Overlay::Menu(Menu::new(format!("Agent {}", name.as_str()), choices.collect())))
}

/// The dialog that changes an agent's status.
pub fn agent_form(verb: AgentVerb, name: &AgentName) -> Form {
    let clean = text::line(name);
    let title = format!("{} {}", verb.word(), clean.as_str());
    let mut fields = vec![Field::needed("reason")];
    let mut confirm = Confirm::Yes;
    let effect = match verb {
        AgentVerb::Pause => "Its running turn is cut off; it starts nothing until it is resumed.",
        AgentVerb::Resume => "It may start runs and call tools again.",
        AgentVerb::Drain => "It finishes the task it holds, takes nothing new, then pauses.",
        AgentVerb::Quarantine => {
            fields.push(Field::needed("its name").with(Manner::Typed));
            confirm = Confirm::Word(name.to_string());
            "It is cut off at once, its token is refused, its approvals are canceled, its tasks are blocked."
        }
    };
    Form::new(Purpose::Agent(verb, name.clone()), title, fields, confirm)
        .says(Line::new().own(Token::Fg, effect))
        .says(dim("The reason goes on record in your name; everybody sees it."))
}

/// The dialog that ends an emergency stop, for all that it blocked.
pub fn emergency_resume() -> Form {
    let says = "Agents may work again. Tasks that the stop had blocked go back to where they were; canceled approvals stay canceled.";
    resume(Purpose::Resume(None), "Resume after the emergency stop", says.to_owned())
        .says(dim("Only some of them: Esc, then ! and 5."))
}

/// The dialog that ends an emergency stop for these tasks; `left` others wait.
pub fn resume_some(tasks: Vec<TaskId>, left: usize) -> Form {
    let count = tasks.len();
    let shown: Vec<String> = tasks.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if count > SHOWN { format!(" and {} more", count - SHOWN) } else { String::new() };
    let says = format!(
        "Agents may work again. Back to where they were go {}{more}; {left} others stay blocked until a later resume. Canceled approvals stay canceled.",
        shown.join(" ")
    );
    resume(Purpose::Resume(Some(tasks)), &format!("Resume {count} tasks"), says)
}

/// How many tasks a dialog names.
const SHOWN: usize = 12;

fn resume(purpose: Purpose, title: &str, says: String) -> Form {
    let fields = vec![Field::needed("reason"), Field::needed("confirm").with(Manner::Typed)];
    Form::new(purpose, title, fields, Confirm::Word("RESUME".to_owned()))
        .says(Line::new().own(Token::Fg, says))
}

/// The dialog that ends a runtime that does not stop, or the menu of them; `None` where the stop in
/// force offers none.
pub fn end_runtime(scene: &Scene) -> Option<Overlay> {
    let mut all = stopped::endable(scene);
    if all.len() == 1 {
        return all.pop().map(|one| Overlay::Form(end_process(one)));
    }
    let choice = |one: &&RuntimeProcess| {
        let label = Line::new()
            .own(Token::Fg, format!("{:<8} ", one.pid))
            .says(Token::Fg, &text::line(&one.runtime));
        Choice { label, opens: Some(show(Overlay::Form(end_process(one)))) }
    };
    let choices: Vec<Choice> = all.iter().map(choice).collect();
    (!choices.is_empty()).then(|| Overlay::Menu(Menu::new("End the process", choices)))
}

fn end_process(one: &RuntimeProcess) -> Form {
    let pid = one.pid.to_string();
    let names: Vec<&str> = one.agents.iter().map(AgentName::as_str).collect();
    let fields = vec![Field::needed("reason"), Field::needed("its number").with(Manner::Typed)];
    let title = format!("End process {pid}");
    Form::new(Purpose::EndRuntime(one.pid), title, fields, Confirm::Word(pid))
        .says(
            Line::new()
                .says(Token::Strong, &text::line(&one.runtime))
                .own(Token::Fg, format!(" and the sessions of all {} agents that it runs end: ", names.len()))
                .says(Token::Strong, &text::line(&names.join(" "))),
        )
        .says(dim("SIGTERM, and SIGKILL to what is left after 5 s. No undo. It goes on record in your name."))
}
