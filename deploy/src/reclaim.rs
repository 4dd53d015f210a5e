//! Reclaiming: deleting the generations and blobs that nobody needs any more.
//!
//! What goes is condemned first, then everything that could need it is read again, and only what is
//! still not needed is deleted (see [`crate::intent`]). A generation's manifest goes before its
//! blobs, so that a manifest never names what was reclaimed.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, SystemTime},
};

use nightshard_format::manifest::{GenerationId, Manifest};
use nightshard_storage::{Listed, ObjectName};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    Error, Mark, Repository, Result, Verdict, bounded,
    intent::{CONDEMNED_AGE_MAX, Claim, INTENT_AGE_MAX, RECLAIM_MAX},
    names,
};

/// What is kept whatever else is reclaimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reclaim {
    /// So many of the newest generations; the current one, the one before it, and the one that a
    /// rollback would go back to stay in any case.
    pub keep: usize,
    /// What is younger than this, by the clock of the storage.
    pub floor: Duration,
    /// How long to wait between condemning and looking again.
    pub wait: Duration,
    /// Whether only to say what would go.
    pub is_dry_run: bool,
}

impl Default for Reclaim {
    fn default() -> Self {
        Self {
            keep: 3,
            floor: Duration::from_secs(7 * 24 * 60 * 60),
            wait: Duration::from_secs(1),
            is_dry_run: false,
        }
    }
}

/// What was reclaimed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reclaimed {
    /// Whether nothing was deleted, only looked at.
    pub is_dry_run: bool,
    /// Generations, ascending.
    pub generations: Vec<GenerationId>,
    /// Blobs that no generation left needs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Other things: records of publishers that died, what is left of generations that are gone.
    pub litter: u64,
    /// What was condemned and then spared, since somebody needs it now.
    pub spared: u64,
}

/// What storage holds at one time, read in the order that the protocol asks for.
struct Seen {
    /// What publishers are about to reference.
    intents: Vec<Claim>,
    /// Intents of publishers that are no more.
    void_intents: Vec<ObjectName>,
    /// Generations that stay because they are or were current.
    selected: BTreeSet<GenerationId>,
    /// When each manifest was created.
    manifests: BTreeMap<GenerationId, SystemTime>,
    /// What else is in the folders of generations.
    beside: Vec<Listed>,
}

/// What counts as old, by the clock of the storage.
struct Age {
    now: SystemTime,
    floor: Duration,
}

impl Age {
    fn is_old(&self, modified: SystemTime) -> bool {
        self.exceeds(modified, self.floor)
    }

    fn exceeds(&self, modified: SystemTime, age: Duration) -> bool {
        // What is dated in the future has no age.
        let its = self.now.duration_since(modified);
        its.is_ok_and(|its| its > age)
    }
}

/// How long what was condemned may be deleted: by the clock that never jumps, and by that of the day,
/// which goes on while a machine is suspended.
#[derive(Clone, Copy)]
struct Term {
    ends: Instant,
    begun_at: SystemTime,
}

impl Term {
    fn begin(now: SystemTime) -> Self {
        Self {
            ends: Instant::now() + RECLAIM_MAX,
            begun_at: now,
        }
    }

    fn is_over_at(self, now: SystemTime) -> bool {
        let taken = now.duration_since(self.begun_at).unwrap_or_default();
        taken >= RECLAIM_MAX || Instant::now() >= self.ends
    }
}

/// What is about to go.
#[derive(Default)]
struct Condemned {
    generations: BTreeSet<GenerationId>,
    blobs: BTreeMap<String, u64>,
    litter: Vec<ObjectName>,
}

impl Repository {
    /// Deletes what nobody needs, and returns what that was.
    ///
    /// What takes longer than a condemnation holds is done in several rounds.
    ///
    /// # Errors
    /// [`Error::Unusable`] if a selection, intent or manifest cannot be read: what it needs is not
    /// known, so nothing goes. [`Error::Storage`] if storage fails; the next time goes on.
    /// [`Error::TooSlow`] if nothing can be deleted while a condemnation holds.
    pub async fn reclaim(&self, rules: &Reclaim) -> Result<Reclaimed> {
        let mut reclaimed = Reclaimed {
            is_dry_run: rules.is_dry_run,
            ..Reclaimed::default()
        };
        let mut before = reclaimed.deleted();
        while let Some(left) = self.reclaim_round(rules, &mut reclaimed).await? {
            if reclaimed.deleted() == before {
                return Err(Error::TooSlow {
                    what: left,
                    location: self.location().to_owned(),
                });
            }
            before = reclaimed.deleted();
        }
        Ok(reclaimed)
    }

    /// Deletes what can be deleted while one condemnation holds; returns what would have been next.
    async fn reclaim_round(
        &self,
        rules: &Reclaim,
        reclaimed: &mut Reclaimed,
    ) -> Result<Option<String>> {
        let now = match rules.is_dry_run {
            true => self.environment.now(),
            false => self.storage_time().await?,
        };
        let age = Age {
            now,
            floor: rules.floor,
        };
        let condemned = self.condemnable(rules, &age).await?;
        let orphans = condemned.litter.iter().filter_map(names::generation_of);
        let orphans: BTreeSet<GenerationId> = orphans.collect();
        if rules.is_dry_run {
            reclaimed.add(&condemned);
            return Ok(None);
        }
        let _litter = self.storage.clear_unfinished(now).await;
        let of_generations = [&condemned.generations, &orphans];
        if of_generations.iter().all(|ids| ids.is_empty()) && condemned.blobs.is_empty() {
            self.delete_litter(condemned.litter, reclaimed).await?;
            return Ok(None);
        }
        // Begun before it is condemned: the answer may be late.
        let term = Term::begin(self.environment.now());
        let blobs = condemned.blobs.keys().cloned().collect();
        let standing = self
            .condemn(&condemned.generations | &orphans, blobs)
            .await?;
        let deleted = self
            .delete_condemned(rules, &age, condemned, term, reclaimed)
            .await;
        // A deletion without an answer may still arrive: until then the condemnation stands.
        if let Ok(None) = deleted {
            self.withdraw(standing).await;
        }
        deleted
    }

    /// Returns the time by the clock of the storage, which dates all that is there: that of this
    /// machine may differ from it by anything.
    async fn storage_time(&self) -> Result<SystemTime> {
        let standing = self.condemn(BTreeSet::new(), BTreeSet::new()).await?;
        let listed = self.storage.list(&names::condemnations()?).await;
        let name = standing.name.clone();
        self.withdraw(standing).await;
        let own = listed?.into_iter().find(|object| object.name == name);
        let own = own.map(|object| object.modified);
        own.ok_or_else(|| self.unusable(name, "it was there and is gone"))
    }

    /// Deletes what is still not needed, and returns what there was no time for.
    async fn delete_condemned(
        &self,
        rules: &Reclaim,
        age: &Age,
        mut condemned: Condemned,
        term: Term,
        reclaimed: &mut Reclaimed,
    ) -> Result<Option<String>> {
        tokio::time::sleep(rules.wait).await;
        reclaimed.spared += self.spare(&mut condemned, age).await?;
        let marks = self.marks().await?;
        for id in &condemned.generations {
            if self
                .within(term, self.retire(id, marks.get(id)))
                .await?
                .is_none()
            {
                return Ok(Some(id.to_string()));
            }
            reclaimed.generations.push(id.clone());
        }
        let deleted = bounded::run(condemned.blobs, |(digest, len_bytes)| {
            let repository = self.clone();
            async move {
                let name = names::blob(&digest)?;
                let deletion = repository.storage.delete(&name);
                let deletion = async { Ok(deletion.await?) };
                let is_deleted = repository.within(term, deletion).await?;
                Ok((name, len_bytes, is_deleted))
            }
        });
        let mut left = None;
        for (name, len_bytes, is_deleted) in deleted.await? {
            match is_deleted {
                Some(true) => {
                    reclaimed.blobs += 1;
                    reclaimed.bytes += len_bytes;
                }
                Some(false) => {}
                None => left = left.or(Some(name.to_string())),
            }
        }
        if left.is_none() {
            let deletion = self.delete_litter(condemned.litter, reclaimed);
            let is_done = self.within(term, deletion).await?.is_some();
            left = (!is_done).then(|| "what others left behind".to_owned());
        }
        Ok(left)
    }

    /// Deletes something unless the condemnation may not hold any more before it is done.
    async fn within<T>(
        &self,
        term: Term,
        deletion: impl Future<Output = Result<T>>,
    ) -> Result<Option<T>> {
        let mut deletion = pin!(deletion);
        // A process that was asleep looks at the time first.
        let deletion = poll_fn(|context| match term.is_over_at(self.environment.now()) {
            true => Poll::Ready(Ok(None)),
            false => deletion.as_mut().poll(context).map(|done| done.map(Some)),
        });
        let in_time = tokio::time::timeout_at(term.ends, deletion).await;
        in_time.unwrap_or(Ok(None))
    }

    /// Deletes what is in a generation's folder, its manifest first. What is bad stays marked so: the same
    /// input makes the same generation again.
    async fn retire(&self, id: &GenerationId, mark: Option<&Mark>) -> Result<()> {
        if !mark.is_some_and(Mark::is_bad) {
            self.append_mark(id, Verdict::Retired, "reclaimed").await?;
        }
        self.storage.delete(&names::manifest(id)?).await?;
        for object in self.storage.list(&names::generation(id)?).await? {
            self.storage.delete(&object.name).await?;
        }
        Ok(())
    }

    async fn delete_litter(
        &self,
        litter: Vec<ObjectName>,
        reclaimed: &mut Reclaimed,
    ) -> Result<()> {
        for name in litter {
            reclaimed.litter += u64::from(self.storage.delete(&name).await?);
        }
        Ok(())
    }

    /// Takes out what is needed after all; returns how much that is.
    async fn spare(&self, condemned: &mut Condemned, age: &Age) -> Result<u64> {
        let before = condemned.generations.len() + condemned.blobs.len();
        let seen = self.see(age).await?;
        let intended = seen.intents.iter().flat_map(|claim| &claim.generations);
        let intended: BTreeSet<&GenerationId> = intended.collect();
        let is_needed = |id: &GenerationId| intended.contains(id) || seen.selected.contains(id);
        condemned.generations.retain(|id| !is_needed(id));
        // Including those that were published meanwhile.
        let left = seen.manifests.keys();
        let left = left.filter(|id| !condemned.generations.contains(*id));
        let blobs = self.blobs_of(left.cloned()).await?;
        let intended_blobs = seen.intents.iter().flat_map(|claim| &claim.blobs);
        let needed: BTreeSet<&String> = intended_blobs.chain(&blobs).collect();
        condemned.blobs.retain(|digest, _| !needed.contains(digest));
        let is_there = |id: &GenerationId| intended.contains(id) || seen.manifests.contains_key(id);
        let litter = &mut condemned.litter;
        litter.retain(|name| !names::generation_of(name).is_some_and(|id| is_there(&id)));
        Ok((before - condemned.generations.len() - condemned.blobs.len()) as u64)
    }

    /// Returns what may go.
    async fn condemnable(&self, rules: &Reclaim, age: &Age) -> Result<Condemned> {
        let seen = self.see(age).await?;
        let mut condemned = Condemned {
            litter: seen.void_intents.clone(),
            ..Condemned::default()
        };
        let intended = seen.intents.iter().flat_map(|claim| &claim.generations);
        let mut kept: BTreeSet<GenerationId> = intended.chain(&seen.selected).cloned().collect();
        kept.extend(newest(&seen.manifests, rules.keep));
        let marks = self.marks().await?;
        kept.extend(self.last_good(&marks).await?);
        for (id, created) in &seen.manifests {
            if !kept.contains(id) && age.is_old(*created) {
                condemned.generations.insert(id.clone());
            }
        }
        let left = seen.manifests.keys();
        let left = left.filter(|id| !condemned.generations.contains(*id));
        let mut needed = self.blobs_of(left.cloned()).await?;
        needed.extend(seen.intents.iter().flat_map(|claim| claim.blobs.clone()));
        for object in self.storage.list(&names::blobs()?).await? {
            let digest = object.name.last_part();
            if !needed.contains(digest) && age.is_old(object.modified) {
                condemned.blobs.insert(digest.to_owned(), object.len_bytes);
            }
        }
        let orphans = seen.beside.into_iter().filter(|object| {
            let id = names::generation_of(&object.name);
            id.is_some_and(|id| !seen.manifests.contains_key(&id) && !kept.contains(&id))
                && age.is_old(object.modified)
        });
        condemned.litter.extend(orphans.map(|object| object.name));
        let condemnations = self.storage.list(&names::condemnations()?).await?;
        let void = condemnations
            .into_iter()
            .filter(|object| age.exceeds(object.modified, CONDEMNED_AGE_MAX));
        condemned.litter.extend(void.map(|object| object.name));
        Ok(condemned)
    }

    /// Reads what decides about what is needed: intents before selections and manifests, so that
    /// an intent that is withdrawn meanwhile has left what it was about.
    async fn see(&self, age: &Age) -> Result<Seen> {
        let mut seen = Seen {
            intents: Vec::new(),
            void_intents: Vec::new(),
            selected: BTreeSet::new(),
            manifests: BTreeMap::new(),
            beside: Vec::new(),
        };
        for object in self.storage.list(&names::intents()?).await? {
            if age.exceeds(object.modified, age.floor.max(INTENT_AGE_MAX)) {
                seen.void_intents.push(object.name);
            // One that is gone was withdrawn.
            } else if let Some(claim) = self.read_record(&object.name).await? {
                seen.intents.push(claim);
            }
        }
        seen.selected = self.current_and_previous().await?;
        for object in self.storage.list(&names::generations()?).await? {
            match names::generation_of_manifest(&object.name) {
                Some(id) => drop(seen.manifests.insert(id, object.modified)),
                None => seen.beside.push(object),
            }
        }
        Ok(seen)
    }

    /// Returns the current generation and the one that was current before it, as far as earlier
    /// selections can be read.
    ///
    /// # Errors
    /// [`Error::Unusable`] if the highest selection cannot be read: somebody has to decide.
    async fn current_and_previous(&self) -> Result<BTreeSet<GenerationId>> {
        let mut found = BTreeSet::new();
        let last = self.last_number().await?.unwrap_or_default();
        let mut number = last;
        while found.len() < 2 && number.0 > 0 {
            match self.selection(number).await {
                Ok(selection) => found.extend(selection.map(|selection| selection.generation)),
                Err(Error::Unusable { .. }) if number != last => {}
                Err(error) => return Err(error),
            }
            number.0 -= 1;
        }
        Ok(found)
    }

    /// Returns the blobs of generations.
    async fn blobs_of(&self, ids: impl Iterator<Item = GenerationId>) -> Result<BTreeSet<String>> {
        let read = bounded::run(ids, |id| {
            let repository = self.clone();
            async move { repository.find_manifest(&id).await }
        });
        // One that is gone was retired by somebody else.
        let manifests: Vec<Manifest> = read.await?.into_iter().flatten().collect();
        let shards = manifests.into_iter().flat_map(|manifest| manifest.shards);
        Ok(shards.map(|entry| entry.blob).collect())
    }

    /// Returns what a rollback would go back to, and the newest good generation of all.
    async fn last_good(
        &self,
        marks: &BTreeMap<GenerationId, Mark>,
    ) -> Result<BTreeSet<GenerationId>> {
        let history = self.selections().await?;
        let is_good =
            |id: &GenerationId| marks.get(id).is_some_and(|mark| mark.mark == Verdict::Good);
        let newest = history.iter().rev().filter_map(|(_, id)| id.clone());
        let mut found: BTreeSet<GenerationId> = newest.filter(is_good).take(1).collect();
        match self.rollback_target().await {
            Ok(id) => found.extend([id]),
            Err(Error::NothingGood { .. } | Error::NothingSelected { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(found)
    }
}

/// Returns the newest generations, by when their manifests were created.
fn newest(
    manifests: &BTreeMap<GenerationId, SystemTime>,
    keep: usize,
) -> impl Iterator<Item = GenerationId> {
    let mut by_age: Vec<_> = manifests.iter().collect();
    by_age.sort_by(|left, right| right.1.cmp(left.1).then(right.0.cmp(left.0)));
    by_age.into_iter().take(keep).map(|(id, _)| id.clone())
}

impl Reclaimed {
    /// Returns how many generations and blobs were deleted.
    fn deleted(&self) -> u64 {
        self.generations.len() as u64 + self.blobs
    }

    fn add(&mut self, condemned: &Condemned) {
        self.generations = condemned.generations.iter().cloned().collect();
        self.blobs = condemned.blobs.len() as u64;
        self.bytes = condemned.blobs.values().sum();
        self.litter = condemned.litter.len() as u64;
    }
}
