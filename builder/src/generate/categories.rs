//! What stores sell: how often, at which hours, weekdays and months, to whom, at which prices.

/// A category of stores. Profiles are relative weights; only their proportions matter.
pub(super) struct Category {
    pub(super) name: &'static str,
    /// Share of all payments, in thousandths before the profiles below.
    pub(super) share: u32,
    /// Weight of each hour of the clock; zero when closed.
    pub(super) hours: &'static [u8; 24],
    /// Weight of each weekday, Monday first.
    pub(super) weekdays: &'static [u8; 7],
    /// Weight of each month, January first.
    pub(super) months: &'static [u8; 12],
    /// How many payments in a thousand are made by cards in a favourite store near their home.
    pub(super) loyal: u32,
    /// How readily women and men pay here, in percent.
    pub(super) women_men: [u8; 2],
    /// How readily each age band pays here, in percent.
    pub(super) ages: &'static [u8; 7],
    /// How many payments in a thousand are made online.
    pub(super) online: u32,
    /// The mixture that prices are drawn from.
    pub(super) prices: &'static [Price],
    /// What such a shop calls itself in English, French and Korean.
    pub(super) nouns: [&'static str; 3],
}

/// One component of a price mixture: `low + (high - low) * u^power`, rounded to `step`, less
/// `below` (prices like 9.99), where u is uniform in [0, 1).
///
/// Units: hundredths of a euro, or tens of won.
pub(super) struct Price {
    pub(super) weight: u32,
    pub(super) low: u32,
    pub(super) high: u32,
    pub(super) power: u32,
    pub(super) step: u32,
    pub(super) below: u32,
}

const fn price(weight: u32, low: u32, high: u32, power: u32, step: u32) -> Price {
    Price {
        weight,
        low,
        high,
        power,
        step,
        below: 0,
    }
}

const fn just_below(weight: u32, low: u32, high: u32, power: u32, step: u32) -> Price {
    Price {
        weight,
        low,
        high,
        power,
        step,
        below: 1,
    }
}

const ROUND_THE_CLOCK: &[u8; 24] = &[
    12, 8, 5, 3, 3, 5, 15, 35, 50, 40, 40, 45, 60, 50, 40, 40, 42, 50, 60, 55, 50, 45, 35, 22,
];
const MEALS: &[u8; 24] = &[
    0, 0, 0, 0, 0, 0, 0, 3, 5, 4, 10, 60, 100, 60, 15, 8, 10, 40, 90, 85, 50, 25, 8, 2,
];
const COFFEE: &[u8; 24] = &[
    0, 0, 0, 0, 0, 0, 0, 30, 55, 45, 45, 40, 90, 100, 60, 55, 45, 35, 30, 30, 25, 15, 5, 0,
];
const MORNING: &[u8; 24] = &[
    0, 0, 0, 0, 0, 0, 20, 70, 90, 60, 50, 50, 60, 50, 45, 45, 50, 60, 60, 40, 20, 5, 0, 0,
];
const SHOPPING: &[u8; 24] = &[
    0, 0, 0, 0, 0, 0, 0, 0, 2, 10, 40, 55, 60, 65, 70, 75, 75, 80, 85, 80, 55, 20, 2, 0,
];
const OFFICE: &[u8; 24] = &[
    0, 0, 0, 0, 0, 0, 0, 0, 15, 90, 100, 85, 30, 40, 90, 85, 80, 50, 20, 5, 0, 0, 0, 0,
];
const NIGHT: &[u8; 24] = &[
    60, 45, 25, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 10, 35, 60, 80, 95, 100, 85,
];
const TRAVEL: &[u8; 24] = &[
    45, 30, 18, 10, 8, 12, 30, 75, 85, 45, 35, 35, 40, 40, 38, 40, 45, 65, 80, 60, 50, 55, 65, 60,
];
const ONLINE: &[u8; 24] = &[
    45, 25, 12, 6, 4, 5, 10, 20, 35, 50, 60, 60, 60, 55, 55, 55, 50, 45, 45, 50, 60, 75, 85, 70,
];
const EVENING: &[u8; 24] = &[
    0, 0, 0, 0, 0, 0, 15, 20, 15, 15, 20, 20, 25, 25, 25, 25, 30, 45, 75, 85, 70, 40, 15, 0,
];

const EVEN_WEEK: &[u8; 7] = &[98, 98, 100, 100, 106, 102, 96];
const WORKING_WEEK: &[u8; 7] = &[110, 104, 102, 104, 112, 60, 25];
const WEEKEND: &[u8; 7] = &[78, 78, 82, 86, 108, 145, 128];
const GOING_OUT: &[u8; 7] = &[62, 68, 80, 95, 155, 165, 75];

const EVEN_YEAR: &[u8; 12] = &[97, 94, 99, 100, 102, 100, 100, 100, 99, 102, 101, 106];
const SUMMER: &[u8; 12] = &[80, 80, 90, 96, 104, 112, 128, 126, 104, 98, 88, 90];
const GIFTS: &[u8; 12] = &[96, 92, 98, 96, 104, 92, 92, 90, 100, 100, 112, 140];
const SCHOOL: &[u8; 12] = &[110, 130, 150, 90, 85, 88, 95, 105, 120, 85, 82, 90];
const WINTER: &[u8; 12] = &[122, 116, 108, 100, 94, 88, 84, 84, 92, 100, 108, 118];

const ANY_AGE: &[u8; 7] = &[60, 95, 100, 100, 95, 85, 70];
const YOUNG: &[u8; 7] = &[90, 100, 85, 60, 40, 25, 12];
const MIDDLE: &[u8; 7] = &[12, 45, 90, 100, 90, 60, 30];
const OLD: &[u8; 7] = &[20, 30, 45, 60, 80, 95, 100];

/// How many categories there are.
pub(super) const CATEGORY_COUNT: u32 = 20;

/// Every category, in the order in which a small plan gets them: the first `n` stores cover the
/// first `n` categories.
pub(super) const CATEGORIES: [Category; CATEGORY_COUNT as usize] = [
    Category {
        name: "convenience",
        share: 180,
        hours: ROUND_THE_CLOCK,
        weekdays: EVEN_WEEK,
        months: SUMMER,
        loyal: 700,
        women_men: [80, 100],
        ages: ANY_AGE,
        online: 0,
        prices: &[
            price(55, 100, 600, 1, 10),
            price(25, 450, 460, 1, 50),
            price(20, 400, 3000, 3, 10),
        ],
        nouns: ["Corner Shop", "Épicerie", "편의점"],
    },
    Category {
        name: "restaurant",
        share: 150,
        hours: MEALS,
        weekdays: EVEN_WEEK,
        months: EVEN_YEAR,
        loyal: 500,
        women_men: [95, 100],
        ages: ANY_AGE,
        online: 20,
        prices: &[
            price(60, 700, 1500, 1, 50),
            price(30, 1500, 6000, 2, 100),
            price(10, 5000, 20_000, 3, 500),
        ],
        nouns: ["Kitchen", "Brasserie", "식당"],
    },
    Category {
        name: "cafe",
        share: 110,
        hours: COFFEE,
        weekdays: EVEN_WEEK,
        months: EVEN_YEAR,
        loyal: 600,
        women_men: [100, 75],
        ages: YOUNG,
        online: 10,
        prices: &[
            price(50, 300, 550, 1, 50),
            price(30, 600, 1300, 1, 50),
            price(20, 800, 3500, 2, 50),
        ],
        nouns: ["Coffee", "Café", "카페"],
    },
    Category {
        name: "supermarket",
        share: 105,
        hours: SHOPPING,
        weekdays: WEEKEND,
        months: EVEN_YEAR,
        loyal: 750,
        women_men: [100, 70],
        ages: MIDDLE,
        online: 60,
        prices: &[
            just_below(30, 200, 1500, 1, 10),
            price(50, 800, 12_000, 2, 1),
            price(20, 4000, 30_000, 3, 1),
        ],
        nouns: ["Market", "Marché", "마트"],
    },
    Category {
        name: "transport",
        share: 80,
        hours: TRAVEL,
        weekdays: GOING_OUT,
        months: WINTER,
        loyal: 50,
        women_men: [95, 100],
        ages: ANY_AGE,
        online: 350,
        prices: &[
            price(30, 380, 390, 1, 10),
            price(60, 400, 2500, 2, 10),
            price(10, 2000, 9000, 3, 10),
        ],
        nouns: ["Taxi", "Taxis Réunis", "택시"],
    },
    Category {
        name: "marketplace",
        share: 60,
        hours: ONLINE,
        weekdays: EVEN_WEEK,
        months: GIFTS,
        loyal: 400,
        women_men: [100, 80],
        ages: MIDDLE,
        online: 1000,
        prices: &[
            just_below(50, 500, 4000, 2, 100),
            price(35, 900, 15_000, 2, 10),
            just_below(15, 5000, 90_000, 3, 100),
        ],
        nouns: ["Online", "Boutique en ligne", "온라인몰"],
    },
    Category {
        name: "fast_food",
        share: 60,
        hours: MEALS,
        weekdays: WEEKEND,
        months: EVEN_YEAR,
        loyal: 550,
        women_men: [85, 100],
        ages: YOUNG,
        online: 150,
        prices: &[price(70, 450, 1100, 1, 10), price(30, 1000, 3500, 2, 10)],
        nouns: ["Burgers", "Friterie", "분식"],
    },
    Category {
        name: "bakery",
        share: 35,
        hours: MORNING,
        weekdays: WEEKEND,
        months: GIFTS,
        loyal: 700,
        women_men: [100, 70],
        ages: ANY_AGE,
        online: 0,
        prices: &[
            price(60, 180, 700, 1, 10),
            price(30, 500, 2000, 1, 50),
            price(10, 2500, 4500, 1, 500),
        ],
        nouns: ["Bakery", "Pâtisserie", "빵집"],
    },
    Category {
        name: "fuel",
        share: 35,
        hours: TRAVEL,
        weekdays: EVEN_WEEK,
        months: SUMMER,
        loyal: 600,
        women_men: [60, 100],
        ages: MIDDLE,
        online: 0,
        prices: &[
            price(45, 3000, 7000, 1, 1000),
            price(55, 1500, 12_000, 2, 1),
        ],
        nouns: ["Fuel", "Station-service", "주유소"],
    },
    Category {
        name: "health",
        share: 35,
        hours: OFFICE,
        weekdays: WORKING_WEEK,
        months: WINTER,
        loyal: 750,
        women_men: [100, 80],
        ages: OLD,
        online: 0,
        prices: &[
            price(60, 300, 1500, 1, 10),
            price(30, 1000, 15_000, 2, 100),
            price(10, 10_000, 150_000, 3, 1000),
        ],
        nouns: ["Clinic", "Clinique", "의원"],
    },
    Category {
        name: "pharmacy",
        share: 30,
        hours: OFFICE,
        weekdays: WORKING_WEEK,
        months: WINTER,
        loyal: 700,
        women_men: [100, 80],
        ages: OLD,
        online: 0,
        prices: &[price(70, 200, 1200, 1, 10), price(30, 800, 6000, 2, 50)],
        nouns: ["Pharmacy", "Pharmacie", "약국"],
    },
    Category {
        name: "bar",
        share: 30,
        hours: NIGHT,
        weekdays: GOING_OUT,
        months: GIFTS,
        loyal: 350,
        women_men: [75, 100],
        ages: YOUNG,
        online: 0,
        prices: &[
            price(60, 1500, 6000, 1, 100),
            price(40, 3000, 25_000, 3, 500),
        ],
        nouns: ["Tavern", "Bar à Vins", "호프"],
    },
    Category {
        name: "clothing",
        share: 30,
        hours: SHOPPING,
        weekdays: WEEKEND,
        months: GIFTS,
        loyal: 250,
        women_men: [100, 55],
        ages: YOUNG,
        online: 250,
        prices: &[
            just_below(60, 1500, 8000, 1, 500),
            price(40, 4000, 50_000, 3, 1000),
        ],
        nouns: ["Clothing", "Prêt-à-porter", "의류"],
    },
    Category {
        name: "beauty",
        share: 20,
        hours: SHOPPING,
        weekdays: WEEKEND,
        months: EVEN_YEAR,
        loyal: 700,
        women_men: [100, 35],
        ages: ANY_AGE,
        online: 30,
        prices: &[
            price(60, 1200, 5000, 1, 100),
            price(40, 3000, 25_000, 2, 1000),
        ],
        nouns: ["Hair & Beauty", "Salon de Beauté", "미용실"],
    },
    Category {
        name: "cinema",
        share: 12,
        hours: EVENING,
        weekdays: WEEKEND,
        months: SUMMER,
        loyal: 400,
        women_men: [100, 90],
        ages: YOUNG,
        online: 400,
        prices: &[price(50, 1000, 1300, 1, 100), price(50, 2000, 5000, 1, 100)],
        nouns: ["Cinema", "Cinéma", "극장"],
    },
    Category {
        name: "books",
        share: 10,
        hours: SHOPPING,
        weekdays: EVEN_WEEK,
        months: SCHOOL,
        loyal: 400,
        women_men: [100, 85],
        ages: ANY_AGE,
        online: 200,
        prices: &[price(70, 900, 2500, 1, 50), price(30, 2000, 9000, 2, 100)],
        nouns: ["Books", "Librairie", "서점"],
    },
    Category {
        name: "gym",
        share: 8,
        hours: EVENING,
        weekdays: WORKING_WEEK,
        months: SCHOOL,
        loyal: 900,
        women_men: [95, 100],
        ages: YOUNG,
        online: 50,
        prices: &[
            price(40, 1000, 2000, 1, 500),
            price(60, 5000, 30_000, 1, 5000),
        ],
        nouns: ["Gym", "Salle de Sport", "헬스장"],
    },
    Category {
        name: "electronics",
        share: 8,
        hours: SHOPPING,
        weekdays: WEEKEND,
        months: GIFTS,
        loyal: 150,
        women_men: [60, 100],
        ages: MIDDLE,
        online: 300,
        prices: &[
            just_below(50, 2000, 20_000, 2, 1000),
            just_below(50, 15_000, 250_000, 2, 10_000),
        ],
        nouns: ["Electronics", "Électroménager", "전자"],
    },
    Category {
        name: "education",
        share: 8,
        hours: OFFICE,
        weekdays: WORKING_WEEK,
        months: SCHOOL,
        loyal: 900,
        women_men: [100, 70],
        ages: MIDDLE,
        online: 100,
        prices: &[
            price(80, 10_000, 45_000, 1, 5000),
            price(20, 2000, 9000, 1, 500),
        ],
        nouns: ["Academy", "École", "학원"],
    },
    Category {
        name: "hotel",
        share: 6,
        hours: TRAVEL,
        weekdays: GOING_OUT,
        months: SUMMER,
        loyal: 50,
        women_men: [95, 100],
        ages: MIDDLE,
        online: 500,
        prices: &[
            price(60, 5000, 15_000, 1, 1000),
            price(40, 8000, 60_000, 2, 1000),
        ],
        nouns: ["Hotel", "Hôtel", "호텔"],
    },
];

/// Which category tends to be visited a few hours after which.
pub(super) const FOLLOWS: [(&str, &str); 6] = [
    ("restaurant", "cafe"),
    ("clothing", "cafe"),
    ("health", "pharmacy"),
    ("cinema", "restaurant"),
    ("supermarket", "bakery"),
    ("beauty", "restaurant"),
];

impl Category {
    /// Whether such stores take payments in `hour` of the clock.
    pub(super) fn is_open_at(&self, hour: usize) -> bool {
        self.hours[hour] > 0
    }
}
