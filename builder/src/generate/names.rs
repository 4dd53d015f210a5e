//! What stores are called: English, French and Korean names, plain and accented.

use super::{
    categories::CATEGORIES,
    places::PLACES,
    random::{Rng, Stream},
    stores::Store,
};

const ENGLISH: [&str; 24] = [
    "Golden",
    "Blue Harbor",
    "Old Mill",
    "Sunny",
    "Maple",
    "Riverside",
    "Lucky",
    "Corner",
    "Green Hill",
    "Silver",
    "Morning",
    "Lighthouse",
    "Oak",
    "Happy",
    "Northern",
    "Little",
    "Grand",
    "Daily",
    "Moonlight",
    "Seven",
    "Royal",
    "Urban",
    "Cherry",
    "Fresh",
];
const FRENCH: [&str; 20] = [
    "Élodie",
    "François",
    "de la Gare",
    "Étoile",
    "Noël",
    "Hélène",
    "du Marché",
    "Zoé",
    "Benoît",
    "Chloé",
    "Anaïs",
    "du Théâtre",
    "Gaëlle",
    "Rémi",
    "de l’Île",
    "Jérôme",
    "Mélanie",
    "du Château",
    "Thérèse",
    "Sœurs Lefèvre",
];
const KOREAN: [&str; 20] = [
    "하늘",
    "바다",
    "한강",
    "서울",
    "우리",
    "행복한",
    "달빛",
    "푸른",
    "큰나무",
    "새벽",
    "가온",
    "다솜",
    "별빛",
    "소나무",
    "은하수",
    "햇살",
    "고향",
    "나루",
    "미소",
    "아름",
];
const BRANDS: [&str; 16] = [
    "Nova",
    "Théa",
    "Marchand",
    "온누리",
    "Kestrel",
    "Lumière",
    "Bluebird",
    "하나로",
    "Pinnacle",
    "Orchidée",
    "Tandem",
    "모아",
    "Juniper",
    "Éclat",
    "Vertex",
    "으뜸",
];

/// The store's name; the stores of a chain share all but their district.
pub(super) fn name(store: &Store, seed: u64) -> String {
    let nouns = &CATEGORIES[store.category].nouns;
    if store.in_chain {
        let mut rng = Rng::new(seed, Stream::Chain, u64::from(store.merchant));
        let (brand, noun) = (choose(&BRANDS, &mut rng), choose(nouns, &mut rng));
        return format!("{brand} {noun} {}", PLACES[store.place].district);
    }
    let mut rng = Rng::new(seed, Stream::Store, u64::from(store.id) << 32);
    match rng.below(3) {
        0 => format!("{} {}", choose(&ENGLISH, &mut rng), nouns[0]),
        1 => format!("{} {}", nouns[1], choose(&FRENCH, &mut rng)),
        _ => format!("{} {}", choose(&KOREAN, &mut rng), nouns[2]),
    }
}

fn choose(words: &'static [&'static str], rng: &mut Rng) -> &'static str {
    let count = u32::try_from(words.len()).unwrap_or(u32::MAX);
    words[rng.below(count) as usize]
}
