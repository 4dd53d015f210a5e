"""What is exported of places and the market where it is protected."""

import json

from conftest import build, run


def test_protected_places_and_markets_are_exported_as_atoms(database, folder):
    build(folder, 10, "protected")
    told = json.loads(run("export", "protected", "--output", "atoms", "--json", "--quiet", cwd=folder))
    names = {file["name"] for file in told["files"]}
    assert {"atoms.csv", "atoms.parquet"} < names
    assert not any(name.startswith("market") for name in names)
    # No place has stores enough, so that the market has one atom a month, of all rows, or none.
    expected = database.sql("""
        SELECT 'markets', date_trunc('month', date)::DATE AS month, last_day(date), 1, NULL, count(*),
            sum(amount)::DECIMAL(38, 0)
        FROM used GROUP BY ALL ORDER BY month""").fetchall()
    for ending in ["parquet", "csv"]:
        found = database.sql(f"""
            SELECT dataset, min_date, max_date, atoms, cards, count, sum::DECIMAL(38, 0)
            FROM 'atoms/atoms.{ending}' ORDER BY min_date""").fetchall()
        assert found
        assert set(found) <= set(expected)
