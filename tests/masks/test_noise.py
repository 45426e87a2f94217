from __future__ import annotations

import math
import random
import statistics
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import BindError, MaskError, PolicyError
from dbmask.masks._gauss import CENTRE, Scale, analytic_sigma, classic_sigma, secure_gauss, total_of
from dbmask.masks.build import build_mask
from dbmask.masks.noise import Noise
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_duckdb, in_postgres, in_python, numbers, one

if TYPE_CHECKING:
    import psycopg

INT = ColumnType(Kind.INTEGER, "integer", bits=32)
BIG = ColumnType(Kind.INTEGER, "bigint", bits=64)
MONEY = ColumnType(Kind.DECIMAL, "numeric(12,2)", precision=12, scale=2)
LOOSE = ColumnType(Kind.DECIMAL, "numeric")
FLOAT = ColumnType(Kind.FLOAT, "double precision")
TEXT = ColumnType(Kind.TEXT, "text")
NUMBER = ColumnType(Kind.OTHER, "number")

# From the original program (MaskMe 0.1.0): rules, input, output.
SEEDED = [
    ({"sigma": 2, "seed": "reproducible-2026"}, 45, 44.59639914709703),
    ({"sigma": 2.0, "seed": "reproducible-2026"}, 45, 43.2154634739093),
    (
        {"sigma": 5000, "precision": 0, "min_val": 20000, "max_val": 500000, "seed": "reproducible-2026"},
        95000,
        94360,
    ),
    (
        {
            "epsilon": 1.0,
            "sensitivity": 10000,
            "delta": 1e-05,
            "min_val": 20000,
            "max_val": 500000,
            "seed": "reproducible-2026",
        },
        95000,
        85811.05487262733,
    ),
    ({"epsilon": 1.0, "sensitivity": 1, "seed": 42, "precision": 2}, 100, 97.59),
    ({"sigma": 5, "seed": 42, "precision": 2}, 100.0, 96.78),
]


@pytest.mark.parametrize(("params", "given", "expected"), SEEDED)
def test_seeded_noise_is_the_tutorials(params: dict[str, Any], given: float, expected: float) -> None:
    spec = {"mask": "noise", **params}
    if "epsilon" in params:
        spec |= {"calibration": "classic", "seed_voids_privacy": True}
    made = one(spec, NUMBER, given)
    assert made == expected
    assert type(made) is type(expected)
    text = one({**spec, "on_invalid": "error"}, TEXT, str(given))
    assert text == str(expected)


def test_seeds_tell_2_from_2_point_0() -> None:
    assert one({"mask": "noise", "sigma": 2, "seed": "s"}, FLOAT, 45.0) != one(
        {"mask": "noise", "sigma": 2.0, "seed": "s"}, FLOAT, 45.0
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sigma": 1, "epsilon": 1}, "either sigma"),
        ({"epsilon": 1}, "needs sensitivity"),
        ({"sensitivity": 1}, "belong to epsilon"),
        ({"epsilon": 1, "sensitivity": 1, "delta": 0}, "delta"),
        ({"epsilon": 1, "sensitivity": 1, "delta": 1}, "delta"),
        ({"epsilon": 0, "sensitivity": 1}, "epsilon"),
        ({"sigma": 0}, "sigma"),
        ({"sigma": -1}, "sigma"),
        ({"min_val": 5, "max_val": 1}, "min_val"),
        ({"epsilon": 1, "sensitivity": 1, "seed": 7}, "a seed leaves nothing"),
        ({"seed": 7, "random": True}, "seeded or random"),
        ({"sigma": "x"}, "sigma"),
        ({"precision": -1}, "precision"),
    ],
)
def test_parameters_are_checked(params: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        build_mask({"mask": "noise", **params})


def test_sums_are_made_of_sixteen_numbers() -> None:
    assert total_of("0" * 64) == 0
    assert total_of("f" * 64) == 2 * CENTRE
    word = 3 << 45 | 5 << 30 | 7 << 15 | 11
    assert total_of(f"{word:015x}" * 4 + "0000") == 4 * (3 + 5 + 7 + 11)


@given(st.floats(1e-9, 1e25))
def test_scales_hit_the_wanted_deviation(deviation: float) -> None:
    scale = Scale.of(deviation)
    assert scale.units(CENTRE) == 0
    assert abs(scale.units(CENTRE + 1000) - 1000 * deviation / 37837.227) <= 0.51 + deviation * 1e-6
    if deviation > 1e-6:
        assert scale.constant >= 0
    assert scale.fits == (2 * CENTRE * scale.factor + scale.constant < 2**63)


def test_keyed_noise_is_gaussian_and_belongs_to_the_row() -> None:
    rows = {"v": [1000] * 4000, "id": list(range(4000))}
    bound = bind({"mask": "noise", "sigma": 100}, INT, {"id": INT}, ("id",))
    made = in_python(bound, rows)
    assert made == in_python(bound, rows)
    assert abs(statistics.fmean(made) - 1000) < 8
    assert abs(statistics.stdev(made) - 100) < 5
    inside = sum(abs(m - 1000) <= 100 for m in made) / len(made)
    assert abs(inside - 0.683) < 0.03
    assert not bound.promises.value_only


def test_without_a_row_key_equal_values_get_equal_noise_and_the_plan_says_so() -> None:
    bound = bind({"mask": "noise", "sigma": 10}, INT)
    assert len(set(in_python(bound, {"v": [50] * 20}))) == 1
    assert "no primary key" in bound.promises.warnings[0]


def test_random_noise_is_fresh_and_never_in_a_view() -> None:
    for params in ({"sigma": 5, "random": True}, {"epsilon": 1, "sensitivity": 3}):
        mask = build_mask({"mask": "noise", **params})
        assert "view" not in mask.profiles
        assert "clone" in mask.profiles
        bound = bind(mask, FLOAT)
        assert len(set(in_python(bound, {"v": [1.0] * 50}))) == 50
        assert not bound.promises.value_only
    assert "view" in build_mask("noise").profiles


def test_budget_is_reported() -> None:
    gauss = bind({"mask": "noise", "epsilon": 0.5, "sensitivity": 2}, FLOAT)
    assert gauss.promises.budget == (0.5, 1e-5)
    laplace = bind({"mask": "noise", "epsilon": 0.5, "sensitivity": 2, "mechanism": "laplace"}, FLOAT)
    assert laplace.promises.budget == (0.5, 0.0)
    assert bind("noise", FLOAT).promises.budget is None


def _spent(epsilon: float, sigma: float) -> float:
    """Theorem 8 of Balle and Wang 2018, evaluated as it stands."""
    phi = statistics.NormalDist().cdf
    return phi(1 / (2 * sigma) - epsilon * sigma) - math.exp(epsilon) * phi(-1 / (2 * sigma) - epsilon * sigma)


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("delta", [1e-3, 1e-5])
def test_the_analytic_gaussian_spends_delta_and_no_more(epsilon: float, delta: float) -> None:
    sigma = analytic_sigma(epsilon, delta, 1.0)
    assert _spent(epsilon, sigma) == pytest.approx(delta, rel=1e-4)
    assert _spent(epsilon, sigma * 0.99) > delta
    if epsilon < 1:
        assert sigma < classic_sigma(epsilon, delta, 1.0)
    assert analytic_sigma(epsilon, delta, 10.0) == pytest.approx(10 * sigma)


def test_the_classic_calibration_is_not_private_for_large_epsilon_and_the_analytic_one_is() -> None:
    # At epsilon 20 the classic formula's sigma spends more than delta; the analytic one never does.
    assert _spent(20.0, classic_sigma(20.0, 1e-5, 1.0)) > 1e-5
    for epsilon in (20.0, 300.0, 2000.0):
        assert 0 < analytic_sigma(epsilon, 1e-5, 1.0) < classic_sigma(epsilon, 1e-5, 1.0) * 10


def test_laplace_has_its_scale() -> None:
    bound = bind({"mask": "noise", "epsilon": 0.5, "sensitivity": 2, "mechanism": "laplace"}, FLOAT)
    made = in_python(bound, {"v": [0.0] * 20_000})
    assert abs(statistics.fmean(map(abs, made)) - 4) < 0.25  # the mean distance of Laplace(b) is b


def test_dp_gaussian_has_its_deviation() -> None:
    mask = build_mask({"mask": "noise", "epsilon": 1, "sensitivity": 1})
    assert isinstance(mask, Noise)
    made = in_python(bind(mask, FLOAT), {"v": [0.0] * 20_000})
    assert abs(statistics.stdev(made) / mask.deviation - 1) < 0.05


def test_order_is_add_clip_round() -> None:
    spec = {"mask": "noise", "sigma": 1000, "seed": 1, "min_val": 0.456, "max_val": 0.456, "precision": 2}
    assert one(spec, FLOAT, 5.0) == 0.46
    assert one({**spec, "precision": 0}, MONEY, Decimal(5)) == Decimal("0")


@pytest.mark.parametrize(("low", "rounded"), [(0.5, 0), (1.5, 2), (2.5, 2)])
def test_ties_go_to_the_even_neighbour(low: float, rounded: int) -> None:
    spec = {"mask": "noise", "sigma": 1, "min_val": low, "max_val": low, "precision": 0}
    assert one(spec, MONEY, Decimal(7)) == rounded
    assert one(spec, INT, 7) == rounded
    assert one(spec, FLOAT, 7.0) == rounded


@given(st.integers(-(2**63), 2**63 - 1))
def test_results_fit_the_type(value: int) -> None:
    made = one({"mask": "noise", "sigma": 10**12}, BIG, value)
    assert -(2**63) <= made <= 2**63 - 1
    assert isinstance(made, int)


def test_large_integers_keep_every_digit() -> None:
    made = one({"mask": "noise", "sigma": 1}, BIG, 2**62 + 1)
    assert 0 <= abs(made - (2**62 + 1)) < 8


@pytest.mark.parametrize("value", ["SSN-123", "", " ", "nan", "inf", "1_000", "1,5", True, float("nan"), float("inf")])
def test_what_is_no_number_is_never_passed_through(value: Any) -> None:
    if value == "":
        assert one({"mask": "noise", "on_invalid": "error"}, TEXT, "") == ""
        return
    assert one({"mask": "noise", "on_invalid": "null"}, TEXT, value) is None
    with pytest.raises(MaskError) as raised:
        one({"mask": "noise", "on_invalid": "error"}, TEXT, value)
    assert "SSN" not in str(raised.value)


def test_other_columns_are_refused() -> None:
    with pytest.raises(BindError, match="on_invalid"):
        bind("noise", TEXT)
    with pytest.raises(BindError, match="date_shift"):
        bind("noise", ColumnType(Kind.DATE, "date"))


def test_warnings_say_what_a_seed_and_a_large_epsilon_mean() -> None:
    seeded = bind({"mask": "noise", "sigma": 1, "seed": 1}, FLOAT).promises
    assert "taken away" in seeded.warnings[0]
    assert seeded.value_only
    classic = {"mask": "noise", "epsilon": 3, "sensitivity": 1, "calibration": "classic"}
    assert "proven for epsilon below 1" in bind(classic, FLOAT).promises.warnings[0]
    rules = {**classic, "epsilon": 0.5, "seed": 1, "seed_voids_privacy": True}
    assert "no privacy guarantee" in bind(rules, FLOAT).promises.warnings[0]


SPECS = [
    ({"sigma": 5}, INT, "integer"),
    ({"sigma": 0.001}, INT, "integer"),
    ({"sigma": 1e6, "min_val": 0, "max_val": 1000.5}, INT, "integer"),
    ({"sigma": 1e9}, BIG, "bigint"),
    ({"sigma": 500}, MONEY, "numeric(12,2)"),
    ({"sigma": 500, "precision": 0, "min_val": 0.125}, MONEY, "numeric(12,2)"),
    ({"sigma": 0.3, "precision": 1}, MONEY, "numeric(12,2)"),
    ({"sigma": 3, "min_val": 10.005, "max_val": 10.005}, MONEY, "numeric(12,2)"),
]


def _rows(type_: ColumnType) -> dict[str, list[Any]]:
    low, high = (-(10**9), 10**9) if type_ is MONEY else type_.int_range
    values: list[Any] = [low, high, 0, 1, -1, None, *(low + n for n in numbers(60, high - low))]
    if type_ is MONEY:
        values = [None if v is None else Decimal(v).scaleb(-2) for v in values]
    ids = [*range(len(values) - 2), 2**62, -5]
    return {"v": values, "id": ids, "part": [f"a'{i}:,~é" for i in range(len(values))]}


@pytest.mark.parametrize(("params", "type_", "sql"), SPECS)
def test_engines_agree_to_the_bit(
    params: dict[str, Any], type_: ColumnType, sql: str, pg: psycopg.Connection[Any]
) -> None:
    rows = _rows(type_)
    bound = bind({"mask": "noise", **params}, type_, {"id": BIG, "part": TEXT}, ("id", "part"))
    expected = in_python(bound, rows)
    types = {"v": sql, "id": "bigint", "part": "text", "": sql}
    assert in_postgres(bound, types, rows, pg) == expected
    assert in_duckdb(bound, types, rows) == expected


@pytest.mark.parametrize("params", [{"sigma": 2.5}, {"sigma": 0.004}, {"sigma": 20, "precision": 1, "min_val": -3}])
def test_postgres_agrees_on_numerics_of_any_scale(params: dict[str, Any], pg: psycopg.Connection[Any]) -> None:
    bound = bind({"mask": "noise", **params}, LOOSE)
    values = [Decimal(v) for v in ("0", "-1.5", "2.25", "1e20", "0.00000000000000000001", "12345678901234567890.5")]
    assert in_postgres(bound, {"v": "numeric"}, {"v": values}, pg) == in_python(bound, {"v": values})


@given(st.decimals(-(10**9), 10**9, places=4))
def test_rounding_is_half_even_after_the_noise(value: Decimal) -> None:
    type_ = ColumnType(Kind.DECIMAL, "numeric(16,4)", precision=16, scale=4)
    fine = one({"mask": "noise", "sigma": 3}, type_, value)
    assert one({"mask": "noise", "sigma": 3, "precision": 2}, type_, value) == fine.quantize(
        Decimal("0.01"), ROUND_HALF_EVEN
    )


def test_secure_gauss_is_half_the_sum_of_four() -> None:
    plain, quick = random.Random(5), random.Random(5)  # noqa: S311 - two equal ones
    for _ in range(100):
        assert secure_gauss(3.7, quick) == 3.7 * sum(plain.gauss(0, 1) for _ in range(4)) / 2
