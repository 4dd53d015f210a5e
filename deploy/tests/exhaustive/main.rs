//! Every sequence of steps in the life of a few generations, compared with a model, and every step
//! cut short at every change that it makes.
//!
//! States that are alike are looked at once, so that the search ends though sequences have no end:
//! only selections are limited in number.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../repository/support.rs"]
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest")]
mod support;

#[path = "../simulation/blobs.rs"]
mod blobs;
mod model;
mod world;

use std::collections::HashSet;

use rayon::prelude::*;

use crate::{
    model::{State, Step},
    world::{Objects, World},
};

/// A state that was reached, what storage then holds, and how it was reached.
#[derive(Clone)]
struct Reached {
    state: State,
    objects: Objects,
    path: Vec<Step>,
}

/// Takes every step from every state with at most so many selections, the states in order of how
/// many steps lead there, and returns how many there are.
fn explore(
    world: &World,
    selections_max: usize,
    step: impl Fn(&Reached, Step) -> Reached + Sync,
) -> usize {
    let mut frontier = vec![Reached {
        state: State::default(),
        objects: Objects::new(),
        path: Vec::new(),
    }];
    let mut seen = HashSet::from([State::default()]);
    while !frontier.is_empty() {
        let reached: Vec<Reached> = frontier
            .par_iter()
            .flat_map_iter(|from| {
                let steps = Step::all(world.generations());
                let steps = steps.filter(|next| !from.state.is_alike_to_another(*next));
                steps.map(|next| step(from, next))
            })
            .filter(|reached| reached.state.history.len() <= selections_max)
            .collect();
        frontier = reached
            .into_iter()
            .filter(|reached| seen.insert(reached.state.clone()))
            .collect();
    }
    seen.len()
}

#[test]
fn every_sequence_of_steps_does_what_the_model_does() {
    let world = World::new(3);
    let states = explore(&world, 4, |from, step| {
        let expected = from.state.after(step);
        let (done, objects) = world.run(&from.objects, &from.state, step);
        let path = [&from.path[..], &[step]].concat();
        let state = world.state_of(&objects);
        assert_eq!(
            (done, &state),
            (expected.is_done, &expected.state),
            "{path:?}"
        );
        world.check(&objects, &path);
        if let (Step::Reclaim { .. }, true) = (step, done) {
            world.check_nothing_is_left_over(&objects, &path);
            let target = state.rollback_target();
            assert_eq!(target, from.state.rollback_target(), "{path:?}");
        }
        Reached {
            state,
            objects: objects.all,
            path,
        }
    });
    println!("{states} states");
    assert!(states > 1_000, "{states}");
}

#[test]
fn a_step_that_is_cut_short_anywhere_harms_nothing_and_can_be_done_again() {
    let world = World::new(2);
    let states = explore(&world, 3, |from, step| {
        let path = [&from.path[..], &[step]].concat();
        for changes in 0.. {
            let (is_cut, objects) = world.cut_short(&from.objects, &from.state, step, changes);
            world.check(&objects, &path);
            let between = world.state_of(&objects);
            assert!(
                from.state.may_become(&between, step),
                "{path:?} after {changes}: {between:?}"
            );
            let expected = between.after(step);
            let (done, again) = world.run(&objects.all, &between, step);
            let state = world.state_of(&again);
            let found = (done, &state);
            assert_eq!(
                found,
                (expected.is_done, &expected.state),
                "{path:?} after {changes}"
            );
            world.check(&again, &path);
            if !is_cut {
                break;
            }
        }
        let (_, objects) = world.run(&from.objects, &from.state, step);
        Reached {
            state: from.state.after(step).state,
            objects: objects.all,
            path,
        }
    });
    println!("{states} states");
    assert!(states > 50, "{states}");
}
