"""Who pays in places and in the market: shares of their rows by docs/definitions.md, "Who pays in places", and what hides
in them, by SQL."""

import csv
import datetime
import subprocess
import urllib.parse
from collections import defaultdict
from fractions import Fraction

import pytest
from conftest import BINARY, Subject, birmingham, complete_journey, configured
from test_demographics import ATTRIBUTES, MERGED, changing, half_up, label_of, served_labels
from test_payment_mix import first_of, periods_of

OTHERS = 5
ABOVE = "all together"
REST = (MERGED,) * 3

# What cards say on the last day of a month on which their rows at a store say something, rows of stores that say nothing
# in a month left out.
WHO = """
    CREATE TABLE who AS
    WITH said AS (
        SELECT store, year(day) * 12 + month(day) - 1 AS month, card, day, amount, {attributes}
        FROM payments
        QUALIFY bool_or(coalesce(age_band, gender, segment) IS NOT NULL) OVER (PARTITION BY store, month)
    ),
    of_cards AS (
        SELECT store, month, card, {latest} FROM said WHERE card IS NOT NULL GROUP BY ALL
    )
    SELECT said.store, said.month, said.card, amount, {known}
    FROM said LEFT JOIN of_cards USING (store, month, card)
"""

# Rows, once for each place that their store is in; `above`: regions and those that they are parts of.
IN_PLACES = """
    CREATE TABLE in_places AS
    WITH regions AS (
        SELECT store, region AS own, region FROM stores WHERE region IS NOT NULL
        UNION ALL SELECT store, region, above.id FROM stores JOIN above USING (region)
    ),
    places AS (
        SELECT store, 'markets/all' AS place FROM stores
        UNION ALL SELECT store, 'categories/' || category FROM stores WHERE category IS NOT NULL
        UNION ALL SELECT store, 'regions/' || region FROM regions
        UNION ALL SELECT store, 'regions/' || regions.region || '/categories/' || category
        FROM regions JOIN stores USING (store) WHERE category IS NOT NULL
    )
    SELECT place, month, dense_rank() OVER (ORDER BY age_band, gender, segment) AS cell, age_band, gender, segment,
        coalesce('merchant ' || merchant, 'store ' || store) AS merchant, card, amount
    FROM who JOIN places USING (store) JOIN stores USING (store)
"""

# How many rows there are, and whether, whichever merchant is taken out, k cards and five merchants are left, none with
# more than half. The two largest leave the least.
HIDES = """
    WITH by_merchant AS (
        SELECT place, month, cell, merchant, count(*) AS rows, sum(greatest(amount, 0)) AS sales
        FROM {rows} GROUP BY ALL
    ),
    by_card AS (
        SELECT place, month, cell, card, min(merchant) AS merchant, count(DISTINCT merchant) AS merchants
        FROM {rows} WHERE card IS NOT NULL GROUP BY ALL
    ),
    of_one AS (
        SELECT place, month, cell, merchant, count(*) AS cards FROM by_card WHERE merchants = 1 GROUP BY ALL
    ),
    of_all AS (SELECT place, month, cell, count(*) AS cards FROM by_card GROUP BY ALL),
    parts AS (
        SELECT by_merchant.*, coalesce(of_all.cards, 0) - coalesce(of_one.cards, 0) AS cards_left
        FROM by_merchant LEFT JOIN of_one USING (place, month, cell, merchant)
        LEFT JOIN of_all USING (place, month, cell)
    ),
    cells AS (
        SELECT place, month, cell, sum(rows)::BIGINT AS count, min(cards_left) AS cards_left,
            coalesce(list_reverse_sort(list(sales) FILTER (sales > 0)), []) AS sales,
            coalesce(list_reverse_sort(list(rows) FILTER (sales > 0)), []) AS rows
        FROM parts GROUP BY ALL
    )
    SELECT place, month, cell, count,
        cards_left >= $k AND len(sales) > $others
            AND 2 * sales[1] + sales[2] <= list_sum(sales) AND 2 * rows[1] + rows[2] <= list_sum(rows) AS hides
    FROM cells
"""


class WhoPays(Subject):
    """A build in which `k` cards hide each other, and the cells of its places."""

    def __init__(self, folder, source, k):
        super().__init__(folder, *source(folder), "--config", configured(folder, k))
        self.k = k
        columns = {row["name"] for row in self.query("SELECT name FROM pragma_table_info('payments')")}
        attributes = [name if name in columns else f"NULL::TEXT AS {name}" for name in ATTRIBUTES]
        # Days are of eight digits, so that texts come in their order, and what is said on one by its bytes.
        latest = [f"substr(max(strftime(day, '%Y%m%d') || {name}), 9) AS {name}" for name in ATTRIBUTES]
        known = [f"CASE WHEN said.card IS NULL THEN said.{name} ELSE of_cards.{name} END AS {name}"
                 for name in ATTRIBUTES]
        self.rows.execute(WHO.format(attributes=", ".join(attributes), latest=", ".join(latest),
                                     known=", ".join(known)))
        self.rows.execute("CREATE TABLE above (region TEXT, id TEXT)")
        for region in self.parts:
            self.rows.execute("INSERT INTO above VALUES (?, ?)", [region, ABOVE])
        self.rows.execute(IN_PLACES)
        self.labels = {row["cell"]: tuple(label_of(row[name]) for name in ATTRIBUTES) for row in self.query(
            "SELECT DISTINCT cell, age_band, gender, segment FROM in_places")}
        self.cells = defaultdict(lambda: defaultdict(dict))
        for row in self.query(HIDES.format(rows="in_places"), k=k, others=OTHERS):
            cell = self.labels[row["cell"]]
            self.cells[row["place"]][row["month"]][cell] = (row["count"], row["hides"])
        self.places = sorted(self.cells)

    def build_options(self):
        """A file of regions, in which every other one is a part of one region."""
        regions = [row["region"] for row in self.query(
            "SELECT DISTINCT region FROM stores WHERE region IS NOT NULL ORDER BY region")]
        self.parts = regions[::2]
        if not regions:
            return []
        path = self.folder / "regions.csv"
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows([("region", "parent"), (ABOVE, ""), *((part, ABOVE) for part in self.parts)])
        return ["--regions", path]

    def is_told(self, month):
        """Whether a month is told of: all are where nothing is hidden, else those that have ended."""
        return self.k == 1 or first_of(month + 1) <= self.last + datetime.timedelta(days=1)

    def who_pays(self, place, **parameters):
        kind, *ids = place.split("/", 1)
        [ids] = ids
        names = ids.split("/categories/") if kind == "regions" else [ids]
        path = "/categories/".join(urllib.parse.quote(name, safe="") for name in names)
        return self.ask(f"/v1/{kind}/{path}/demographics", **parameters)

    def rest_hides(self, place, month, told):
        """Whether what is not told of a month hides what is in it."""
        numbers = [number for number, labels in self.labels.items() if labels in told]
        rows = f"""(SELECT * REPLACE (0 AS cell) FROM in_places WHERE place = $place AND month = $month
            AND NOT list_contains({numbers}::BIGINT[], cell))"""
        [found] = self.query(HIDES.format(rows=rows), k=self.k, others=OTHERS, place=place, month=month)
        return found["hides"]


def check_exact(served, counts, total):
    order = sorted(counts, key=lambda labels: (-counts[labels], labels))
    assert [served_labels(row) for row in served["rows"]] == order
    for row, labels in zip(served["rows"], order):
        assert (row["count"], row["count_share"]) == (counts[labels], counts[labels] / total)
        assert "suppressed" not in row


def is_vague(counts, k):
    """Whether shares of these rows, in whole percents, leave each number of them open by k, whoever knows all together."""
    total = sum(counts)
    ranges = []
    for count in counts:
        percent = (200 * count + total) // (2 * total)
        ranges.append((max(0, -(-(2 * percent - 1) * total // 200)), -(-(2 * percent + 1) * total // 200) - 1))
    least, most = (sum(ends) for ends in zip(*ranges))
    return all(min(to, total - (least - start)) >= max(start, total - (most - to)) + k for start, to in ranges)


def check_hidden(subject, place, served, months):
    """Compares rounded shares of some months with what each of them tells; returns the labels."""
    told = {served_labels(row): row["count_share"] for row in served["rows"]}
    assert len(told) == len(served["rows"])
    order = sorted(told, key=lambda labels: (-told[labels], labels))
    assert list(told) == order
    for row in served["rows"]:
        assert (row["count"], row["suppressed"]) == (None, ["count"])
    cells = [subject.cells[place][month] for month in months]
    total = sum(count for of_month in cells for count, _ in of_month.values())
    for labels in told.keys() - {REST}:
        assert all(of_month[labels][1] for of_month in cells), (place, months, labels)
        assert told[labels] == half_up(Fraction(sum(of_month[labels][0] for of_month in cells), total))
    if len(months) == 1 and told:
        [of_month], [month] = cells, months
        hidden = of_month.keys() - told.keys()
        assert len(hidden) != 1
        if REST in told:
            assert told[REST] == half_up(Fraction(sum(of_month[labels][0] for labels in hidden), total))
            assert subject.rest_hides(place, month, told.keys())
    if told and (len(months) == 1 or REST not in told):
        assert is_vague(rows_of(cells, told.keys() - {REST}, total), subject.k)
    return set(told)


def rows_of(cells, told, total):
    """The rows of each of some labels in some months, and of all others together, if there are any."""
    counts = [sum(of_month[labels][0] for of_month in cells) for labels in told]
    return [count for count in [*counts, total - sum(counts)] if count]


def check(subject, place, first, last, period):
    """Compares a period; returns how many labels are told."""
    served = subject.who_pays(place, period=period)
    months = [month for month in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
              if month in subject.cells[place] and subject.is_told(month)]
    is_above = place.split("/")[:2] == ["regions", ABOVE]
    if not months or subject.k > 1 and is_above:
        assert (served["rows"], served["covered"]) == ([], None)
        return 0
    covered = first_of(months[0]), first_of(months[-1] + 1) - datetime.timedelta(days=1)
    assert served["covered"] == dict(zip(["min_date", "max_date"], map(str, covered)))
    if subject.k == 1:
        counts = defaultdict(int)
        for month in months:
            for labels, (count, _) in subject.cells[place][month].items():
                counts[labels] += count
        check_exact(served, counts, sum(counts.values()))
        return len(counts)
    labels = check_hidden(subject, place, served, months)
    if len(months) > 1:
        each = [{served_labels(row) for row in subject.who_pays(place, period=f"{first_of(month):%Y-%m}")["rows"]}
                for month in months]
        # A month of which nothing is told by itself, since that would not be vague, may be told with others.
        assert all(labels <= of_month for of_month in each if of_month)
        of_all = set.intersection(*each)
        cells = [subject.cells[place][month] for month in months]
        total = sum(count for of_month in cells for count, _ in of_month.values())
        if of_all and REST not in of_all:
            assert labels == (of_all if is_vague(rows_of(cells, of_all, total), subject.k) else set())
    return len(labels)


@pytest.fixture(scope="module", params=[(changing, 1), (changing, 10), (complete_journey, 1), (complete_journey, 10),
                                        (birmingham, 10)], ids=lambda it: f"{it[0].__name__}-{it[1]}")
def subject(request, tmp_path_factory):
    source, k = request.param
    subject = WhoPays(tmp_path_factory.mktemp(source.__name__), source, k)
    yield subject
    subject.stop()


def test_who_pays_in_places_is_what_their_rows_say(subject, dice):
    days = (subject.last - subject.first).days
    told = 0
    for place in [*subject.places[:1], *dice.choices(subject.places or ["markets/all"], k=40)]:
        day = subject.first + datetime.timedelta(days=dice.randrange(-40, days + 40))
        for first, last, period in periods_of(day):
            told += check(subject, place, first, last, period)
    assert told or not subject.places


def test_each_month_of_the_market_and_of_what_is_above_is_what_its_rows_say(subject):
    above = [place for place in subject.places if place.split("/")[:2] == ["regions", ABOVE]]
    months = range(subject.first.year * 12 + subject.first.month - 1, subject.last.year * 12 + subject.last.month)
    for place in ["markets/all", *above]:
        for month in months:
            [(first, last, period), *_] = periods_of(first_of(month))
            check(subject, place, first, last, period)


def test_periods_that_cut_months_and_tiles_are_refused(subject):
    day = (subject.first + datetime.timedelta(days=70)).replace(day=9)
    week = "{}-W{:02}".format(*day.isocalendar()[:2])
    for parameter, value in [("period", day), ("period", week), ("min_date", day), ("fill", "zero")]:
        status, body = subject.answer("/v1/markets/all/demographics", **{parameter: value})
        assert (status, body["parameter"]) == (400, parameter)
    for path in ["/v1/tiles/1/1", "/v1/merchants/m", "/v1/regions/nowhere"]:
        assert subject.answer(f"{path}/demographics")[0] == 404


def test_a_generation_with_who_pays_in_places_is_whole(subject):
    subprocess.run([BINARY, "verify", "--quiet", subject.folder / "repository"], check=True,
                   stdout=subprocess.DEVNULL)
