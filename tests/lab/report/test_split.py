from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import partial
from xml.etree import ElementTree

import numpy as np
import pytest

from lab.distribution.judgement import Analysis, analyse
from lab.records.observations import Observations, SequenceCounter
from lab.report.pictures import INK
from lab.report.pictures.split import analysis_figure, convergence_svgs, deviations_svgs
from lab.report.split_words import convergence_title, deviations_title, evidence, split, split_numbers
from lab.report.words import percent


def analysis_of(hosts: int, requests: int, run_length: int = 1) -> Analysis:
    answers = np.repeat(np.random.default_rng(1).integers(0, hosts, requests // run_length), run_length)
    counter = SequenceCounter(timed=False)
    counter.add(answers)
    names = [f"ip-10-0-0-{number}.eu-west-2.compute.internal" for number in range(hosts)]
    windows, sequence = counter.result(names)
    counts = dict(zip(names, np.bincount(answers, minlength=hosts).tolist(), strict=True))
    return analyse(Observations("raw", "raw", requests, counts, windows=windows, sequence=sequence))


def texts(svg: str) -> str:
    return " ".join(
        element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")
    )


def test_the_deviations_are_an_svg_element_that_names_the_hosts() -> None:
    (svg,) = deviations_svgs({"": analysis_of(3, 2_000).shares})
    assert svg.startswith("<svg")
    assert "measured, and 95 % interval for all hosts at once" in texts(svg)
    assert all(f"ip-10-0-0-{number}" in texts(svg) for number in range(3))
    assert "compute.internal" not in texts(svg)


def test_before_and_after_are_in_one_picture_round_a_line_that_says_even() -> None:
    before, after = analysis_of(3, 2_000), analysis_of(4, 3_000)
    (svg,) = deviations_svgs({"before": before.shares, "after": after.shares}, {"ip-10-0-0-3": "new"})
    words = texts(svg)

    assert "before: measured" in words
    assert "after: measured" in words
    assert " even " in words
    assert all(words.count(f"ip-10-0-0-{number}") == 1 for number in range(4))


def test_convergence_shows_the_envelope_and_stays_small() -> None:
    (svg,) = convergence_svgs(analysis_of(60, 50_000))
    assert "95 % of chance, at any one point" in texts(svg)
    assert len(svg) < 400_000


def test_without_time_or_order_there_is_nothing_to_converge() -> None:
    assert convergence_svgs(analyse(Observations("counts", "counts", 2, {"a": 10, "b": 12}))) == []
    assert convergence_svgs(analysis_of(3, 10)) == []


def test_pictures_are_reproducible_and_each_width_is_as_if_it_were_the_only_one() -> None:
    analysis = analysis_of(3, 500)
    for draw in (partial(deviations_svgs, {"": analysis.shares}), partial(convergence_svgs, analysis)):
        broad, narrow = draw(widths=[9.2, 3.9])
        assert [broad] == draw(widths=[9.2])
        assert [narrow] == draw(widths=[3.9])
        assert broad != narrow


def test_many_hosts_are_cut_to_those_furthest_off() -> None:
    analysis = analysis_of(100, 5_000)
    assert (
        deviations_title({"": analysis.shares})
        == "How far each host is off its share: the 30 of 100 that are furthest off"
    )
    (svg,) = deviations_svgs({"": analysis.shares})
    written = texts(svg).split()
    assert sum(f"ip-10-0-0-{number}" in written for number in range(100)) == 30


def test_titles_are_in_files_alone() -> None:
    """A page has them as captions."""
    analysis = analysis_of(3, 2_000)
    figure = io.StringIO()
    analysis_figure(analysis).savefig(figure, format="svg", metadata={"Date": None})
    with_titles = figure.getvalue()
    for title, (picture,) in (
        (deviations_title({"": analysis.shares}), deviations_svgs({"": analysis.shares})),
        (convergence_title(analysis), convergence_svgs(analysis)),
    ):
        assert title not in picture
        assert title in with_titles


@pytest.mark.parametrize("requests", [300, 700, 4_000, 50_000])
def test_convergence_has_ticks_on_both_axes(requests: int) -> None:
    (svg,) = convergence_svgs(analysis_of(3, requests))
    names = texts(svg)
    assert len(re.findall(r"(?:^| )[\d.]+k?(?= |$)(?! %)", names)) >= 3
    assert names.count(" %") >= 4


def test_text_has_the_contrast_of_small_text_on_white_and_on_black() -> None:
    """At least 4.5:1 (WCAG 2, success criterion 1.4.3)."""
    channel = int(INK[1:3], 16) / 255
    luminance = ((channel + 0.055) / 1.055) ** 2.4
    assert 1.05 / (luminance + 0.05) >= 4.5
    assert (luminance + 0.05) / 0.05 >= 4.5


def test_a_hostname_with_dollars_is_no_formula() -> None:
    counts = {"a$x$": 10, "b<c>": 12}
    (svg,) = deviations_svgs({"": analyse(Observations("counts", "counts", 2, counts)).shares})
    assert "a$x$" in texts(svg)


def test_a_bound_that_shows_but_how_few_the_requests_are_is_none() -> None:
    few, many = analysis_of(3, 90).judgement, analysis_of(3, 20_000).judgement
    assert few.bound is not None
    assert few.bound > 0.25

    both = split({"before": few, "after": many}, {"before": 1.0, "after": 1.0})
    assert f"No host is more than {percent(many.bound or 0)} off its share after (95 % confidence" in both
    assert "Too few requests to say that no host is more than 25 % off its share: 90 before." in both
    assert split({"before": few}, {"before": 1.0}).startswith(
        "Too few requests to say that no host is more than 25 % off its share: 90 before."
    )
    assert split({"before": few}, {"before": 0.05}).startswith(
        f"No host is more than {percent(few.bound)} off its share"
    )
    assert "Too few" not in split({"after": many}, {"after": 1.0})


def test_a_split_whose_answers_come_in_runs_is_said_to_be_spread_by_them() -> None:
    before, after = analysis_of(3, 4_000).judgement, analysis_of(3, 4_000, run_length=20).judgement
    assert after.dispersion_seen is not None

    text = split({"before": before, "after": after}, {"before": 1.0, "after": 0.051})

    assert "Uneven" not in text
    assert "seldom be spread so much after (p" in text
    assert f"seen to be spread {after.dispersion_seen:.3g} times as much." in text
    assert "so much before" not in text
    assert f"given an overdispersion of {after.dispersion_seen:.3g}; of " in split_numbers("after", after, 0.051)
    assert "overdispersion" not in split_numbers("counts", replace(before, p_value=before.p_value_independent), 1.0)


def test_what_would_be_seen_is_said_with_the_number_of_tests_that_it_is_one_of() -> None:
    alone = analysis_of(3, 4_000).judgement
    alone = alone.one_of(1)
    one = alone.one_of(8)
    assert alone.skew_visible is not None
    assert one.skew_visible is not None
    assert one.skew_visible > alone.skew_visible
    assert one.requests_needed > alone.requests_needed

    seen = f" A host {percent(alone.skew_visible)} off its share would be seen in four runs of five."
    assert seen in split({"whole run": alone}, {"whole run": 0.3})
    assert (
        f" A host {percent(one.skew_visible)} off its share would be seen in four runs of five (as one of 8 tests)."
        in split({"whole run": one}, {"whole run": 0.3})
    )
    assert f"of {alone.requests_needed:,} requests a host 5 % off would be seen in four runs of five." in split_numbers(
        "whole run", alone, 0.3
    )
    assert (
        f"{one.requests_needed:,} requests a host 5 % off would be seen in four runs of five (as one of 8 tests)."
        in (split_numbers("whole run", one, 0.3))
    )


def test_a_p_value_stands_beside_what_it_is_for_all_tests_of_the_page() -> None:
    own = replace(analysis_of(3, 4_000).judgement.one_of(7), p_value=0.047)
    alone = own.one_of(1)

    assert evidence(own, 0.329).startswith(
        "Not shown to be uneven (p = 0.047; 0.33 as one of 7 tests). So tested, a host "
    )
    assert evidence(replace(own, p_value=0.00001), 0.00007).endswith("(p < 0.0001; p < 0.0001 as one of 7 tests).")
    assert evidence(alone, 0.051).startswith("Not shown to be uneven (p = 0.047). A host ")
    assert evidence(alone, 0.047).endswith(" than its share (p = 0.047).")
    assert "(p = 0.047; 0.049 as one of 7 tests)." in split({"whole run": own}, {"whole run": 0.049})
    assert "Uneven" not in split({"whole run": own}, {"whole run": 0.051})
    assert ", p = 0.047; 0.33 as one of 7 tests given an overdispersion" in split_numbers("whole run", own, 0.329)
