//! Random orders of selections, preparations, failures and delays.

use std::{collections::HashMap, sync::Arc};

use nightshard_format::manifest::GenerationId;
use nightshard_server::Config;

use crate::{
    client::Client,
    fixture::{Fixture, Random},
    harness::{Harness, config},
    scripted::Scripted,
    swap::write,
};

const SCHEDULES: u64 = 200;
const STEPS: u64 = 30;

/// What was selected, and how far the server was when it was last looked at.
struct Run {
    source: Arc<Scripted>,
    harness: Harness,
    client: Client,
    selected: HashMap<u64, GenerationId>,
    number: u64,
    serving: u64,
}

impl Run {
    fn select(&mut self, id: &GenerationId) {
        self.number += 1;
        self.selected.insert(self.number, id.clone());
        self.source.fixture.select(self.number, id);
    }

    /// Does something.
    fn step(&mut self, random: &mut Random, ids: &[GenerationId], missing: &GenerationId) {
        let id = &ids[random.below(ids.len() as u64) as usize];
        match random.below(9) {
            0 | 1 => self.select(id),
            2 | 3 => drop(self.harness.prepare(id)),
            4 => drop(self.harness.prepare(missing)),
            5 => self.source.set_broken(random.below(2) == 0),
            6 if random.below(2) == 0 => self.source.opens.close(),
            6 => self.source.opens.open(),
            7 if random.below(2) == 0 => self.source.looks.close(),
            7 => self.source.looks.open(),
            _ => self.harness.switch().wake(),
        }
    }

    /// Checks what a client and an operator see.
    fn check(&mut self) {
        let reply = self.client.get("/v1/stores/a");
        assert_eq!(reply.status, 200);
        let selection = reply.header("nightshard-selection").unwrap();
        let selection: u64 = selection.parse().unwrap();
        assert!(selection >= self.serving);
        self.serving = selection;
        let generation = reply.json()["generation"].as_str().unwrap().to_owned();
        assert_eq!(generation, self.selected[&selection].as_str());
        let state = self.harness.state();
        let prepared = state["prepared"].as_array().unwrap();
        assert!(prepared.len() <= 2 && !prepared.contains(&state["serving"]["generation"]));
        assert!(state["kept"].as_array().unwrap().len() <= 2);
    }
}

#[test]
fn whatever_fails_or_hangs_in_between_only_what_was_selected_is_served_and_at_last_the_last() {
    let fixture = Arc::new(Fixture::new());
    let ids = [10, 20, 30, 40].map(|rows| write(&fixture, rows));
    let missing: GenerationId = "2018-01-01-0123456789ab".parse().unwrap();
    for seed in 0..SCHEDULES {
        println!("seed {seed}");
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        fixture.select(1, &ids[0]);
        let source = Scripted::over(Arc::clone(&fixture));
        let config = Config {
            poll_ms: 1.try_into().unwrap(),
            ..config()
        };
        let harness = Harness::ready(config, source.clone(), 1);
        let mut run = Run {
            client: harness.connect(),
            source,
            harness,
            selected: HashMap::from([(1, ids[0].clone())]),
            number: 1,
            serving: 1,
        };
        for _ in 0..STEPS {
            run.step(&mut random, &ids, &missing);
            run.check();
        }
        run.source.set_broken(false);
        run.source.looks.open();
        run.source.opens.open();
        run.select(&ids[random.below(4) as usize]);
        assert_eq!(run.harness.wait_for(run.number), run.selected[&run.number]);
        run.check();
        let state = run
            .harness
            .state_until(|state| state["preparing"].is_null());
        assert_eq!(state["source"], "repository");
        assert_eq!(state["serving"]["selection"], run.number);
        assert_eq!(state["repository"]["selection"], run.number);
    }
}
