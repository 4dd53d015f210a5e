"""Statistics and histograms of stores and of the market, over any range."""

from conftest import QUESTIONS
from ranges import check_histograms, check_statistics


def test_statistics_of_stores_over_any_range_are_those_of_the_rows(subject, dice):
    assert check_statistics(subject, dice, QUESTIONS, subject.stores) > QUESTIONS / 8


def test_statistics_of_the_market_over_any_range_are_those_of_the_rows(subject, dice):
    assert check_statistics(subject, dice, QUESTIONS // 20, [None]) > QUESTIONS / 40


def test_histograms_of_stores_count_the_rows_of_any_range(subject, dice):
    assert check_histograms(subject, dice, QUESTIONS, subject.stores) > QUESTIONS / 10


def test_histograms_of_the_market_count_the_rows_of_any_range(subject, dice):
    assert check_histograms(subject, dice, QUESTIONS // 20, [None]) > QUESTIONS / 100
