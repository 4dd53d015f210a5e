"""A repository as a newcomer reads it."""

import gc
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import nightshard
import pytest


DATASETS = ["atoms", "before_after", "benchmarks", "catalog", "demographics", "loyalty", "origins", "place_demographics",
            "rankings", "search", "settlements", "stores"]


def test_the_selected_generation_is_opened(repository: Path) -> None:
    generation = nightshard.open(repository)
    assert generation.id.startswith(generation.as_of + "-")
    assert repr(generation) == f"<nightshard.Generation {generation.id}>"
    datasets = generation.datasets()
    assert sorted(datasets) == DATASETS
    assert datasets["rankings"] == ["current"]
    assert "2018-03" in datasets["stores"] and "current" in datasets["stores"]
    assert "stores" in generation and "nothing" not in generation
    # Benchmarks are of months alone, so they are not to be had by name alone.
    assert "benchmarks" not in generation
    assert list(generation) == [name for name in DATASETS if name != "benchmarks"]
    assert generation["stores"].span == "current"
    assert generation.dataset("stores", span="2018-03").span == "2018-03"


def test_an_older_generation_is_opened_by_its_id(repository: Path) -> None:
    ids = sorted(path.name for path in (repository / "generations").iterdir())
    assert len(ids) == 2
    older = nightshard.open(str(repository), generation=ids[0])
    assert (older.id, older.as_of) == (ids[0], "2018-11-30")
    assert nightshard.open(repository).id == ids[1]


def test_many_and_all_are_what_single_lookups_are(repository: Path) -> None:
    stores = nightshard.open(repository)["stores"]
    pairs = dict(stores.items())
    assert len(pairs) == len(stores) == 20
    keys = [*pairs, b"nobody"] * 10
    assert stores.get_many(keys) == [stores.get(key) for key in keys]
    assert dict(stores) == pairs


def test_a_dataset_is_a_mapping(repository: Path) -> None:
    stores: Mapping[bytes | str, bytes] = nightshard.open(repository)["stores"]
    assert isinstance(stores, Mapping)
    pairs = dict(stores)
    assert list(stores.items()) == list(pairs.items())
    assert list(stores.values()) == list(pairs.values())
    assert stores.keys() == pairs.keys() and stores.items() == pairs.items()
    key, value = next(iter(pairs.items()))
    assert (key, value) in stores.items() and (key, b"") not in stores.items()
    assert value in stores.values() and b"none" not in stores.values()
    assert len(stores.values()) == len(pairs) and stores.keys() - {key} == pairs.keys() - {key}


def test_terms_of_all_shards_are_scanned_in_one_order(repository: Path) -> None:
    search = nightshard.open(repository)["search"]
    keys = [key for key, _ in search.scan("i")]
    assert keys == sorted(key for key in search if key.startswith(b"i"))
    assert len(keys) > 20
    for key, value in search.scan("w"):
        assert search[key] == value
    # More terms than are read at once.
    assert sum(1 for _ in search.scan()) > len(search)


def test_verified_and_unverified_read_alike(repository: Path) -> None:
    verified = nightshard.open(repository)
    unverified = nightshard.open(repository, verify=False)
    for name, spans in verified.datasets().items():
        for span in spans:
            left, right = verified.dataset(name, span), unverified.dataset(name, span)
            assert dict(left) == dict(right)


@pytest.mark.parametrize("records", ["normal", "random"])
@pytest.mark.parametrize("indexes", ["on-demand", "read-ahead", "prefault", "lock"])
@pytest.mark.parametrize("huge_pages", ["none", "indexes", "all"])
def test_every_policy_of_memory_reads_alike(
    repository: Path, records: str, indexes: str, huge_pages: str
) -> None:
    expected = dict(nightshard.open(repository)["stores"].items())
    for verify in [True, False]:
        generation = nightshard.open(
            repository, verify=verify, records=records, indexes=indexes, huge_pages=huge_pages
        )
        assert dict(generation["stores"].items()) == expected
    blob = next((repository / "blobs").iterdir())
    shard = nightshard.open_shard(
        blob, records=records, indexes=indexes, huge_pages=huge_pages
    )
    assert dict(shard.items()) == dict(nightshard.open_shard(blob).items())


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """An ordered, compressed dataset in one shard; returns its file."""
    rows = [f"sku-{number},tea of the kind {number * number}" for number in range(500)]
    (tmp_path / "prices.csv").write_text("sku,name\n" + "\n".join(rows) + "\n")
    pack = ["pack", "--input", "prices.csv", "--key", "sku", "--dataset", "prices", "--ordered"]
    options = ["--compression", "zstd", "--shards", "1", "--output", "tables"]
    command = [os.environ["NIGHTSHARD_BINARY"], *pack, *options]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (blob,) = (tmp_path / "tables/blobs").iterdir()
    return blob


def test_keys_are_searched(prices: Path) -> None:
    dataset = nightshard.open_shard(prices)
    found = dataset.search(fuzzy="sku-77")
    assert (b"sku-7", dataset["sku-7"]) in found and (b"sku-277", dataset["sku-277"]) in found
    assert found == sorted(found) and dataset.search(fuzzy="sku-77", limit=2) == found[:2]
    assert [key for key, _ in dataset.search(fuzzy="sku-77", distance=0)] == [b"sku-77"]
    found = dataset.search(regex="sku-.?7")
    assert [key for key, _ in found][:3] == [b"sku-17", b"sku-27", b"sku-37"]
    with pytest.raises(nightshard.NightshardError, match="allow more than work=20"):
        dataset.search(regex=".*", work=20)
    with pytest.raises(nightshard.NightshardError, match="4 edits are more than 3"):
        dataset.search(fuzzy="sku", distance=4)
    with pytest.raises(TypeError, match="one of fuzzy and regex"):
        dataset.search()


def test_iteration_ends_at_what_cannot_be_read(prices: Path) -> None:
    right = prices.read_bytes()
    expected = list(nightshard.open_shard(prices).scan())
    errors = 0
    # Records come first, and take about half.
    for at in range(200, len(right) // 2, 97):
        damaged = bytearray(right)
        damaged[at] ^= 0x55
        path = prices.with_name("damaged")
        path.write_bytes(damaged)
        dataset = nightshard.open_shard(path, verify=False)
        for pairs in (dataset.scan(), iter(dataset.items())):
            read = []
            try:
                for pair in pairs:
                    read.append(pair)
            except nightshard.NightshardError:
                errors += 1
                assert list(pairs) == []
                assert len(read) < len(expected)
    assert errors > 10


def test_what_is_no_policy_of_memory_is_named(repository: Path) -> None:
    with pytest.raises(ValueError, match="indexes: .*`always`.*`prefault`"):
        nightshard.open(repository, indexes="always")


def test_iterators_outlive_what_they_came_from(repository: Path) -> None:
    expected = dict(nightshard.open(repository)["stores"].items())
    generation = nightshard.open(repository)
    stores, search = generation["stores"], generation["search"]
    pairs, terms = iter(stores.items()), search.scan("i")
    first = next(pairs)
    del generation, stores, search
    gc.collect()
    assert dict([first, *pairs]) == expected
    assert all(key.startswith(b"i") for key, _ in terms)


def test_files_that_are_removed_stay_readable_while_open(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy)
    stores = nightshard.open(copy)["stores"]
    expected = dict(stores)
    for blob in (copy / "blobs").iterdir():
        blob.unlink()
    assert dict(stores) == expected
    with pytest.raises(nightshard.NightshardError, match="blob .* is missing"):
        nightshard.open(copy)


def test_threads_look_up_at_once(repository: Path) -> None:
    stores = nightshard.open(repository)["stores"]
    expected = dict(stores)
    wrong: list[bytes] = []

    def look_up() -> None:
        for _ in range(200):
            for key, value in zip(expected, stores.get_many(expected)):
                if value != expected[key] or stores[key] != value:
                    wrong.append(key)

    threads = [threading.Thread(target=look_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_opens_and_reads(repository: Path) -> None:
    stores = nightshard.open(repository)["stores"]
    child = os.fork()
    if child == 0:
        again = nightshard.open(repository)["stores"]
        os._exit(0 if dict(again) == dict(stores) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_is_not_there_is_named(repository: Path, tmp_path: Path) -> None:
    generation = nightshard.open(repository)
    for name, span in [("nothing", "current"), ("stores", "1999-01")]:
        with pytest.raises(KeyError):
            generation.dataset(name, span)
    with pytest.raises(KeyError):
        generation["nothing"]
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: nightshard.open(tmp_path / "absent"), "absent"),
        (lambda: nightshard.open(repository, generation="tomorrow"), "tomorrow"),
        (lambda: nightshard.open(repository, generation="2018-12-31-000000000000"), "is not in"),
        (lambda: generation.dataset("stores", span="march"), "march"),
    ]
    for fails, said in wrong:
        with pytest.raises(nightshard.NightshardError, match=said) as error:
            fails()
        assert "\n" not in str(error.value)
