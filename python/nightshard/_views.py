"""The keys, values and items of a Dataset, as those of any mapping.

Iterating reads record after record: the classes of collections.abc would look every key up.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Keys = KeysView[bytes]
    _Items = ItemsView[bytes, bytes]
    _Values = ValuesView[bytes]
else:
    Keys, _Items, _Values = KeysView, ItemsView, ValuesView


class Items(_Items):
    _mapping: Any

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        pairs: Iterator[tuple[bytes, bytes]] = self._mapping._pairs()
        return pairs


class Values(_Values):
    _mapping: Any

    def __iter__(self) -> Iterator[bytes]:
        return (value for _, value in self._mapping._pairs())

    def __contains__(self, value: object) -> bool:
        return any(value == known for known in self)
