"""What may be told of the hours and weekdays of a place, by docs/definitions.md, "Consumption pattern", Protected."""

from collections import defaultdict

OTHERS = 5


class Slots:
    """The rows of some atoms by hour or weekday, and whose they are: in each month of a leaf, and in each atom of
    several leaves."""

    def __init__(self, cells, numbers, number_of, leaf_of):
        self.numbers = numbers
        parts = defaultdict(lambda: defaultdict(int))
        for cell in cells:
            for row in cell.rows:
                part = (cell,) if cell.is_folded else (row["day"].replace(day=1), leaf_of(row))
                parts[number_of(row), part][row["merchant"]] += 1
        self.parts = defaultdict(list)
        for (number, _), merchants in parts.items():
            self.parts[number].append(sorted(merchants.values(), reverse=True))

    def rows(self, numbers):
        return sum(sum(merchants) for number in numbers for merchants in self.parts[number])

    def largest(self, numbers, place=0):
        merchants = (merchants[place:place + 1] for number in numbers for merchants in self.parts[number])
        return sum(map(sum, merchants))

    def is_enough(self, numbers):
        merchants = max((len(part) for number in numbers for part in self.parts[number]), default=0)
        of_three = 2 * self.largest(numbers) + self.largest(numbers, 1)
        return merchants > OTHERS and of_three <= self.rows(numbers)

    def alone(self):
        """The numbers that are told by themselves."""
        alone = [number for number in self.numbers if self.is_enough([number])]
        while alone:
            others = [number for number in self.numbers if number not in alone]
            if not self.rows(others) or self.is_enough(others):
                break
            alone.remove(min(alone, key=lambda number: (self.rows([number]), number)))
        return alone

    def shares(self, k):
        """The share of each number that is told by itself, and that of all others; None if nothing is told."""
        alone = self.alone()
        if not alone:
            return None
        others = [number for number in self.numbers if number not in alone]
        groups = [[number] for number in alone] + ([others] if others else [])
        whole = self.rows(self.numbers)
        percents = [(200 * self.rows(group) + whole) // (2 * whole) for group in groups]
        # The whole numbers that round to so many percents.
        least = [max(-(-(2 * of - 1) * whole // 200), self.largest(group), 0) for of, group in zip(percents, groups)]
        most = [-(-(2 * of + 1) * whole // 200) - 1 for of in percents]
        for low, high in zip(least, most):
            low, high = max(low, whole - (sum(most) - high)), min(high, whole - (sum(least) - low))
            if high - low < k:
                return None
        return dict(zip(alone, percents)), percents[-1] if others else 0
