// SPDX-License-Identifier: MIT OR Apache-2.0
//! Consents: a new owner without the old one.

use comptoir_protocol::evidence::ContextConsent;

use super::*;

fn foreign(fault: &CommitFault) -> &'static str {
    match fault {
        CommitFault::ForeignEvidence { what } => what,
        other => panic!("refused for another reason: {other}"),
    }
}

///
/// The owner is gone. Two of the three accounts agree to a new one; one alone cannot, nor can consents to other things.
#[test]
fn two_thirds_of_the_accounts_make_a_new_owner_without_the_old_one() {
    let owner = Person::new(93_000).account.keys.account();
    let mut context = ComptoirContext::new(thread_id(93), ThreadKind::Group);
    context.roles = vec![RoleEntry {
        account: owner,
        role: Role::Owner,
    }];
    let mut nodes = group_in(context.clone(), 4, 93);
    let bob = nodes[1].person.account.keys.account();
    let wanted = ComptoirContext {
        roles: vec![RoleEntry {
            account: bob,
            role: Role::Owner,
        }],
        ..context.clone()
    };
    let of_carol = nodes[2].thread.consent(&wanted);
    let of_dave = nodes[3].thread.consent(&wanted);
    let refused = |nodes: &mut Vec<Node>, consents: Vec<_>, context: &ComptoirContext| {
        let seed = nodes[1].person.seed();
        let tried = nodes[1]
            .thread
            .change_context_agreed(context, consents, seed);
        nodes[1].restarts();
        match tried {
            Err(CommitError::Fault(fault)) => fault,
            other => panic!("{other:?}"),
        }
    };
    for consents in [vec![], vec![of_carol.clone()], vec![of_carol.clone(); 5]] {
        assert!(matches!(
            refused(&mut nodes, consents, &wanted),
            CommitFault::NotAllowed {
                what: "change roles"
            }
        ));
    }
    let theirs = nodes[2].thread.consent(&context);
    assert_eq!(
        foreign(&refused(&mut nodes, vec![theirs, of_dave.clone()], &wanted)),
        "a consent to something else"
    );
    let stranger = Person::new(94).account.device_key.sign(&ContextConsent {
        thread: context.thread,
        incarnation: 1,
        parent: nodes[1].thread.parent(),
        context: {
            use sha2::Digest as _;
            sha2::Sha256::digest(comptoir_protocol::Wire::to_bytes(&wanted)).into()
        },
    });
    assert_eq!(
        foreign(&refused(
            &mut nodes,
            vec![of_carol.clone(), stranger],
            &wanted
        )),
        "the consent of somebody who is no member"
    );
    // What is agreed is the roles: a title needs a role all the same.
    let titled = ComptoirContext {
        title: Some("ours".to_owned()),
        ..wanted.clone()
    };
    let consents: Vec<_> = (0..4).map(|at| nodes[at].thread.consent(&titled)).collect();
    assert!(matches!(
        refused(&mut nodes, consents, &titled),
        CommitFault::NotAllowed {
            what: "change the thread"
        }
    ));
    let seed = nodes[1].person.seed();
    let commit = nodes[1]
        .thread
        .change_context_agreed(&wanted, vec![of_carol.clone(), of_dave.clone()], seed)
        .unwrap();
    nodes[1].stores(Ratchet::Defer);
    for at in [0, 2, 3] {
        assert!(nodes[at].follows(&commit.commit).context_changed);
        nodes[at].restarts();
        assert_eq!(nodes[at].thread.context(), &wanted);
    }
    // The consents were for that state: they do not carry a second change.
    assert_eq!(
        foreign(&refused(&mut nodes, vec![of_carol, of_dave], &context)),
        "a consent to something else"
    );
}
