//! What steps do to generations, said without storage: the oracle.

/// What is known of a generation: the last mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Known {
    Good,
    Bad,
    Retired,
}

/// A step in the life of generations, which are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Publish(usize),
    Select(usize),
    Mark(usize, Known),
    Rollback,
    Reclaim { keep: usize },
}

impl Step {
    pub(crate) fn all(generations: usize) -> impl Iterator<Item = Self> {
        let named = (0..generations).flat_map(|id| {
            [
                Self::Publish(id),
                Self::Select(id),
                Self::Mark(id, Known::Good),
                Self::Mark(id, Known::Bad),
            ]
        });
        let keep = [0, 1].map(|keep| Self::Reclaim { keep });
        named.chain([Self::Rollback]).chain(keep)
    }
}

/// What a repository says of generations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// Those that are there, in the order in which their manifests were created.
    pub(crate) created: Vec<usize>,
    /// What was selected, the current one last.
    pub(crate) history: Vec<usize>,
    /// The mark of each, by number.
    pub(crate) marks: [Option<Known>; 3],
}

/// What a step leads to.
pub(crate) struct After {
    pub(crate) state: State,
    /// Whether it could be done; otherwise all is as before.
    pub(crate) is_done: bool,
}

impl State {
    /// Returns what a step does.
    pub(crate) fn after(&self, step: Step) -> After {
        let mut state = self.clone();
        let is_done = match step {
            Step::Publish(id) => {
                if !self.is_there(id) {
                    state.created.push(id);
                }
                true
            }
            Step::Select(id) => {
                if self.is_there(id) && self.current() != Some(id) {
                    state.history.push(id);
                }
                self.is_there(id)
            }
            Step::Mark(id, known) => {
                if self.is_there(id) {
                    state.marks[id] = Some(known);
                }
                self.is_there(id)
            }
            Step::Rollback => match (self.current(), self.rollback_target()) {
                (Some(current), Some(target)) => {
                    state.marks[current] = Some(Known::Bad);
                    state.history.push(target);
                    true
                }
                _ => false,
            },
            Step::Reclaim { keep } => {
                let kept = self.kept(keep);
                for id in &self.created {
                    if !kept.contains(id) && self.marks[*id] != Some(Known::Bad) {
                        state.marks[*id] = Some(Known::Retired);
                    }
                }
                state.created.retain(|id| kept.contains(id));
                true
            }
        };
        After { state, is_done }
    }

    fn current(&self) -> Option<usize> {
        self.history.last().copied()
    }

    fn is_there(&self, id: usize) -> bool {
        self.created.contains(&id)
    }

    /// The newest one that was current before what is current first was, is there and good.
    pub(crate) fn rollback_target(&self) -> Option<usize> {
        let current = self.current()?;
        let first = self.history.iter().position(|id| *id == current)?;
        let before = self.history[..first].iter().rev();
        let mut good = before.filter(|id| self.is_good(**id) && self.is_there(**id));
        good.next().copied()
    }

    fn is_good(&self, id: usize) -> bool {
        self.marks[id] == Some(Known::Good)
    }

    /// What reclaiming leaves: what is current and was before, so many of the newest, what one may go
    /// back to, and the newest good one.
    fn kept(&self, keep: usize) -> Vec<usize> {
        let current = self.current();
        let mut earlier = self.history.iter().rev().copied();
        let previous = earlier.find(|id| Some(*id) != current);
        let newest = self.created.iter().rev().take(keep).copied();
        let good = self.history.iter().rev().copied();
        let good = good.filter(|id| self.is_good(*id)).take(1);
        let kept = newest.chain(current).chain(previous);
        kept.chain(self.rollback_target()).chain(good).collect()
    }

    /// Returns whether a step that was cut short may leave `other` of this.
    ///
    /// All or nothing of a step is there, but for two that take more than one change: what is left
    /// by going back is marked first, and reclaiming takes one generation after the other, each of which
    /// is marked before it goes.
    pub(crate) fn may_become(&self, other: &Self, step: Step) -> bool {
        let after = self.after(step).state;
        if *other == *self || *other == after {
            return true;
        }
        match step {
            Step::Rollback => other.history == self.history && other.marks == after.marks,
            Step::Reclaim { .. } => {
                let is_between = |id| {
                    let mark = other.marks[id];
                    let is_kept = after.is_there(id);
                    match other.is_there(id) {
                        true if is_kept => mark == self.marks[id],
                        true => mark == self.marks[id] || mark == Some(Known::Retired),
                        false => !is_kept && mark == after.marks[id],
                    }
                };
                other.history == self.history && (0..self.marks.len()).all(is_between)
            }
            _ => false,
        }
    }

    /// Returns whether a step leads to what is like another one but for the names of generations:
    /// one that was never published, where one of a lower number was not either.
    pub(crate) fn is_alike_to_another(&self, step: Step) -> bool {
        let is_fresh = |id: usize| !self.is_there(id) && self.marks[id].is_none();
        matches!(step, Step::Publish(id) if is_fresh(id) && (0..id).any(is_fresh))
    }
}
