"""The golden shards, whose content format/tests/golden writes down too."""

from pathlib import Path
from typing import Any

import nightshard
import pytest

SMALL_MONTH = bytes(
    [2, 0b100, 0, 0, 0, 2, 0xAA, 0x1B, 0x85, 0xDB, 0xF7, 0x01, 0xF3, 0x03, 0xC9, 0x11]
    + [1, 0xFA, 0x01, 0, 1, 1, 5, 3, 4, 0xF3, 0x03, 0xC9, 0x11, 1, 1, 18]
    + [7, 0b100, 0, 0, 0, 1, 9, 1]
)


def test_a_small_month_is_these_bytes(golden: Path) -> None:
    stores = nightshard.open_shard(golden / "stores-2018-03.shard")
    assert (stores.name, stores.span, len(stores)) == ("stores", "2018-03", 2)
    assert stores[b"bar"] == stores["bar"] == stores.get("bar") == SMALL_MONTH
    assert repr(stores) == "<nightshard.Dataset stores 2018-03, 2 keys>"


def test_every_golden_shard_is_read_whole(golden: Path) -> None:
    paths = sorted(golden.glob("*.shard"))
    assert len(paths) == 10
    for path in paths:
        dataset = nightshard.open_shard(str(path))
        pairs = dict(dataset.items())
        assert len(pairs) == len(dataset)
        assert list(dataset) == list(dataset.keys()) == list(pairs)
        assert dataset.get_many(pairs) == list(pairs.values())
        assert {key: dataset[key] for key in dataset} == pairs


def test_compressed_values_are_read_as_they_were_packed(golden: Path) -> None:
    prices = nightshard.open_shard(golden / "prices-current.shard")
    tea = b'{"sku":"sku-0","name":"tea","price":"0.00","stock":0}'
    assert prices["sku-0"] == prices.get("sku-0") == dict(prices.items())[b"sku-0"] == tea
    assert prices.get_many(["sku-0", "nothing", "none"]) == [tea, None, b""]


def test_terms_are_scanned_in_their_order(golden: Path) -> None:
    search = nightshard.open_shard(golden / "search-current.shard")
    word = "wb\u00e4r".encode()
    assert [key for key, _ in search.scan()] == [b"ibar", word, word, word]
    assert [key for key, _ in search.scan("wb")] == [word]
    assert [key for key, _ in search.scan(b"i")] == [b"ibar"]
    assert list(search.scan("x")) == []
    assert next(search.scan("w")) == (word, search[word])


def test_no_ordered_index_is_an_error(golden: Path) -> None:
    stores = nightshard.open_shard(golden / "stores-2018-03.shard")
    with pytest.raises(nightshard.NightshardError, match="stores 2018-03 has no ordered index"):
        stores.scan("b")


def test_absence_and_wrong_types_are_told_apart(golden: Path) -> None:
    stores = nightshard.open_shard(golden / "stores-2018-03.shard")
    assert stores.get("nobody") is None
    assert stores.get("nobody", 7) == 7
    assert "nobody" not in stores and "bar" in stores and b"bar" in stores
    with pytest.raises(KeyError) as missing:
        stores["nobody"]
    assert missing.value.args == ("nobody",)
    assert stores.get_many(["bar", b"nobody", "busy"])[1] is None
    assert stores.get_many([]) == []
    assert len(stores.get_many(iter(["bar"] * 100))) == 100
    untyped: Any = stores
    for no_key in (7, None, ["bar"]):
        for refuses in (untyped.get, untyped.__getitem__, untyped.__contains__):
            with pytest.raises(TypeError, match="a key is bytes or str, not") as wrong:
                refuses(no_key)
            assert "\n" not in str(wrong.value)
    for no_keys in ("bar", b"bar", 7, [7]):
        with pytest.raises(TypeError):
            untyped.get_many(no_keys)


def test_damage_is_an_error_of_one_line(golden: Path, tmp_path: Path) -> None:
    right = (golden / "stores-2018-03.shard").read_bytes()
    path = tmp_path / "damaged"
    for at in range(0, len(right), 7):
        damaged = bytearray(right)
        damaged[at] ^= 0x20
        path.write_bytes(damaged)
        with pytest.raises(nightshard.NightshardError) as error:
            nightshard.open_shard(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)
    for length in range(0, len(right), 11):
        path.unlink()
        path.write_bytes(right[:length])
        with pytest.raises(nightshard.NightshardError):
            nightshard.open_shard(path)
    with pytest.raises(nightshard.NightshardError, match="No such file"):
        nightshard.open_shard(tmp_path / "absent")


def test_unverified_lookups_find_damage_or_another_value(golden: Path, tmp_path: Path) -> None:
    right = (golden / "stores-2018-03.shard").read_bytes()
    at = right.index(SMALL_MONTH)
    path = tmp_path / "damaged"
    path.write_bytes(right[:at] + b"\xff" + right[at + 1 :])
    value = nightshard.open_shard(path, verify=False)["bar"]
    assert value == b"\xff" + SMALL_MONTH[1:]
