//! Who pays: cards, each a pure function of its number, so that any number of cards costs no
//! memory.

use super::{
    categories::Category,
    places::PLACES,
    random::{AliasTable, Rng, Shuffle, Stream, Zipf, mix, scale},
};

/// Age bands, the youngest first; the empty one is unknown.
pub(super) const AGE_BANDS: [&str; 8] = [
    "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+", "",
];
/// Genders; the empty one is unknown.
pub(super) const GENDERS: [&str; 3] = ["F", "M", ""];
/// Segments of card holders.
pub(super) const SEGMENTS: [&str; 5] = ["student", "single", "family", "business", "retired"];
/// Issuers of cards.
pub(super) const COMPANIES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

const AGE_WEIGHTS: [u64; 8] = [40, 190, 210, 200, 170, 110, 50, 30];
const GENDER_WEIGHTS: [u64; 3] = [500, 480, 20];
const COMPANY_WEIGHTS: [u64; 8] = [260, 200, 160, 130, 100, 70, 50, 30];
/// For each age band, weights of the segments.
const SEGMENT_WEIGHTS: [[u64; 5]; 8] = [
    [95, 5, 0, 0, 0],
    [35, 50, 10, 5, 0],
    [3, 40, 42, 15, 0],
    [0, 20, 60, 20, 0],
    [0, 18, 58, 22, 2],
    [0, 12, 40, 13, 35],
    [0, 6, 14, 2, 78],
    [15, 30, 35, 10, 10],
];

/// A card and its holder.
#[derive(Clone, Copy)]
pub(super) struct Card {
    pub(super) id: u32,
    /// Index into `PLACES` of the home.
    pub(super) home: usize,
    /// Index into [`AGE_BANDS`].
    pub(super) age: usize,
    /// Index into [`GENDERS`].
    pub(super) gender: usize,
    /// Index into [`SEGMENTS`].
    pub(super) segment: usize,
    /// Index into [`COMPANIES`].
    pub(super) company: usize,
    /// Random bits that are the card's own.
    pub(super) bits: u64,
}

/// All cards of a plan.
pub(super) struct Cards {
    seed: u64,
    activity: Zipf,
    shuffle: Shuffle,
    homes: AliasTable,
    ages: AliasTable,
    genders: AliasTable,
    companies: AliasTable,
    segments: Vec<AliasTable>,
}

/// How many cards are looked at before one is taken that rarely pays in such stores.
const ATTEMPTS: u32 = 4;

impl Cards {
    pub(super) fn new(count: u32, seed: u64) -> Self {
        let populations: Vec<u64> = PLACES
            .iter()
            .map(|place| u64::from(place.population))
            .collect();
        Self {
            seed,
            // The most active card pays some forty times as often as the average one.
            activity: Zipf::new(count, u64::from(count / 200).max(1)),
            shuffle: Shuffle::new(count, mix(seed)),
            homes: AliasTable::new(&populations),
            ages: AliasTable::new(&AGE_WEIGHTS),
            genders: AliasTable::new(&GENDER_WEIGHTS),
            companies: AliasTable::new(&COMPANY_WEIGHTS),
            segments: SEGMENT_WEIGHTS
                .iter()
                .map(|weights| AliasTable::new(weights))
                .collect(),
        }
    }

    /// Draws a card that pays in `category`: active ones more often, and by age and sex.
    pub(super) fn pick(&self, category: &Category, rng: &mut Rng) -> Card {
        let mut card = self.card(self.shuffle.at(self.activity.pick(rng)));
        for _ in 1..ATTEMPTS {
            if scale(rng.bits(), 10_000) < readiness(&card, category) {
                break;
            }
            card = self.card(self.shuffle.at(self.activity.pick(rng)));
        }
        card
    }

    /// The card with number `id`.
    pub(super) fn card(&self, id: u32) -> Card {
        let mut rng = Rng::new(self.seed, Stream::Card, u64::from(id));
        let age = self.ages.pick(rng.bits());
        Card {
            id,
            home: self.homes.pick(rng.bits()),
            age,
            gender: self.genders.pick(rng.bits()),
            segment: self.segments[age].pick(rng.bits()),
            company: self.companies.pick(rng.bits()),
            bits: rng.bits(),
        }
    }
}

/// How readily the holder pays in `category`, out of 10,000.
fn readiness(card: &Card, category: &Category) -> u32 {
    let age = category.ages.get(card.age).copied().unwrap_or(70);
    let gender = category.women_men.get(card.gender).copied().unwrap_or(90);
    u32::from(age) * u32::from(gender)
}
