"""Zeta, eta, Hardy's Z and the zeros, against mpmath, FLINT and published numbers."""

import math
from fractions import Fraction

import distributed
import flint
import joblib
import mpmath
import numpy as np
import pytest
from flint import acb, arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from runproof import validation
from runproof import zeta as package
from runproof.zeta import balls, count_zeros, eta, hardy_z, isolate_zeros, zeros, zeta
from runproof.zeta.panels import _haselgrove, _psi_series, make_panel, turns, two_product, two_sum
from runproof.zeta.riemann_siegel import scattered, terms_at

# Haselgrove's table: C_k as series in z = 2 x, and the powers of z of the numbers given.
HASELGROVE = [
    (0, [0.38268343236508977173, 0.43724046807752044936, 0.13237657548034352332]),
    (1, [-0.02682510262837534703, 0.01378477342635185305, 0.03849125048223508223]),
    (0, [0.00518854283029316849, 0.00030946583880634746, -0.01133594107822937338]),
    (1, [-0.00133971609071945690, 0.00374421513637939370, -0.00133031789193214681]),
    (0, [0.00046483389361763382, -0.00100566073653404708, 0.00024044856573725793]),
]


def flint_z(t, bits=140):
    """Hardy's Z at a Fraction or float, far more exact than any double."""
    with ctx.workprec(bits):
        t = Fraction(t)
        point = acb(arb(flint.fmpq(t.numerator, t.denominator)))
        return flint.dirichlet_char(1, 1).hardy_z(point).real


def misses(t, values, errors):
    """Which values are provably farther from Z than their error says."""
    found = []
    for point, value, error in zip(t, values, errors, strict=True):
        with ctx.workprec(140):
            if not abs(flint_z(point) - arb(float(value))) <= arb(float(error)):
                found.append(point)
    return found


# --- eta and zeta


@pytest.mark.parametrize("t", [0.0, 14.0, -400003.7, 400011.25, 1e8])
@pytest.mark.parametrize("sigma", [0.5, 0.75, 2.0])
def test_eta_and_zeta_agree_with_mpmath(sigma, t):
    with mpmath.workdps(30):
        s = mpmath.mpc(sigma, t)
        reference = mpmath.zeta(s)
        assert abs(zeta(sigma, t) - reference) < 1e-12
        assert abs(eta(sigma, t) - (1 - 2 ** (1 - s)) * reference) < 1e-12


def test_errors_bound_and_stay_small():
    rng = np.random.default_rng(3)
    t = np.r_[rng.uniform(4e5, 4e5 + 20, 10), 10 ** rng.uniform(0, 8, 20)]
    sigma = np.r_[np.full(15, 0.5), rng.uniform(0, 10, 15)]
    for function, reference in ((eta, acb.dirichlet_eta), (zeta, acb.zeta)):
        values, errors = function(sigma, t, return_error=True)
        for s, height, value, error in zip(sigma, t, values, errors, strict=True):
            with ctx.workprec(100):
                assert abs(reference(acb(s, height)) - acb(value)) <= arb(error)
        assert (errors <= np.maximum(1e-12, 2.0**-51 * np.abs(values))).all()
        assert (errors[sigma >= 0.5] < 1e-12).all()


def test_arrays_broadcast_and_scalars_stay_scalar():
    values, errors = eta([[0.5], [2.0]], [1.0, 2.0, 400000.0], return_error=True)
    assert values.shape == errors.shape == (2, 3)
    assert values.dtype == np.complex128
    assert errors.dtype == np.float64
    assert values[1, 2] == eta(2.0, 400000.0)
    assert np.ndim(eta(0.5, 1)) == np.ndim(zeta(2, np.float32(1.5))) == 0
    assert zeta(0.5, []).shape == (0,)
    np.testing.assert_array_equal(eta(0.5, [-3.0, -1e6]), np.conj(eta(0.5, [3.0, 1e6])))


def test_known_values():
    assert eta(1, 0).real == pytest.approx(math.log(2), abs=1e-15)
    assert zeta(2, 0).real == pytest.approx(math.pi**2 / 6, abs=1e-15)
    assert zeta(0, 0) == -0.5
    s = 2 * math.pi / math.log(2)  # here 1 - 2^(1-s) is zero, nearly
    with mpmath.workdps(40):
        assert abs(eta(1.0, s) - mpmath.altzeta(mpmath.mpc(1, s))) < 1e-15
    assert abs(zeta(1.0, 1e-9) * 1e-9 + 1j) < 1e-8
    with pytest.raises(ValueError, match="pole at sigma = 1, t = 0"):
        zeta([0.5, 1.0], 0)


def test_processes_give_the_same():
    t = np.linspace(4e5, 4e5 + 20, 150)
    np.testing.assert_array_equal(eta(0.5, t), eta(0.5, t, n_jobs=2))


# --- what the quick path is made of


def test_corrections_are_haselgroves():
    for polynomial, (first, published) in zip(_haselgrove(), HASELGROVE, strict=True):
        for k, number in enumerate(published):
            power = first + 2 * k
            assert float(polynomial[power]) / 2**power == pytest.approx(number, abs=2e-18)
            assert abs(float(polynomial[power + 1])) < 1e-30


def test_psi_series_sums_to_psi():
    with ctx.workprec(500):
        series = _psi_series(92)
        for x in (0.0, 0.1, 0.3, 0.5):
            exact = (2 * arb.pi() * x * x + 3 * arb.pi() / 8).cos() / (2 * arb.pi() * x).cos()
            assert abs(sum(c * arb(x) ** k for k, c in enumerate(series)) - exact) < 1e-25


def test_sine_and_cosine_are_as_exact_as_the_bound_assumes():
    x = np.random.default_rng(5).uniform(-10, 10, 4000)
    x = np.r_[x, np.arange(-12, 13) * np.pi / 4]
    for name in ("sin", "cos"):
        values = getattr(np, name)(x)
        with ctx.workprec(120):
            exact = [getattr(arb(v), name)() for v in x.tolist()]
            worst = max(abs(a - b) for a, b in zip(exact, values.tolist(), strict=True))
        assert worst < 4 * 2.0**-53


def test_pairs_are_exact():
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=200) * 1e8, rng.normal(size=200)
    for operation, pair in ((two_product, "__mul__"), (two_sum, "__add__")):
        high, low = operation(a, b)
        for x, y, h, e in zip(a, b, high, low, strict=True):
            assert getattr(Fraction(x), pair)(Fraction(y)) == Fraction(h) + Fraction(e)


def test_turns_are_reduced_to_the_last_bit():
    rng = np.random.default_rng(7)
    t, rate = 10 ** rng.uniform(2, 10, 300), rng.uniform(0, 1.7, 300)
    t_low, rate_low = t * 2.0**-54 * rng.uniform(-1, 1, 300), rate * 2.0**-54
    found = turns((t, t_low), (rate, rate_low))
    assert np.abs(found).max() <= 0.51
    for row in zip(t, t_low, rate, rate_low, found, strict=True):
        x, x_low, y, y_low, v = map(Fraction, row)
        difference = (x + x_low) * (y + y_low) - v
        assert abs(difference - round(difference)) <= 0.51 * 2.0**-53 + 64 * 2.0**-106 * x * y


def test_number_of_terms_is_exact_next_to_a_jump():
    for n in (6, 252, 3989, 30000):
        with ctx.workprec(120):
            jump = 2 * arb.pi() * n * n
            below = float(jump)
            below = below if arb(below) < jump else math.nextafter(below, 0)
            assert arb(below) < jump < arb(math.nextafter(below, math.inf))
        assert terms_at(below) == n - 1
        assert terms_at(math.nextafter(below, math.inf)) == n
        t = np.array([below, math.nextafter(below, math.inf)])
        assert misses(t, *scattered(t)) == []


# --- hardy_z


@pytest.mark.parametrize("t", [200.0, 430.0, 2000.0, 4e5, 1e6, 1e8])
def test_bound_of_scattered_points_bounds(t):
    points = np.random.default_rng(int(t)).uniform(t, 1.3 * t, 40)
    values, errors = scattered(points)
    assert misses(points, values, errors) == []
    if t >= 430:
        assert errors.max() < 1e-9


@pytest.mark.parametrize(
    ("t0", "step", "count"),
    [
        (200.0, 0.01, 20000),
        (430.5, 0.37, 3000),
        (7000.1, 0.001, 10000),
        (4e5, 0.002, 30001),
        (399999.9, 1 / 3, 700),
        (1e6, 900.1, 50),
        (1e8, 1e-4, 2000),
        (99_999_000.0, 1.7, 700),
        (4e5, 1e-13, 100),
        (9.9e9, 1e-3, 200),
    ],
)
def test_bound_of_a_grid_bounds(t0, step, count):
    found = hardy_z(t0, step, count, return_error=True, max_error=math.inf)
    assert not found.certified.any()
    some = [*np.random.default_rng(count).integers(0, count, 24).tolist(), 0, count - 1]
    t = [Fraction(t0) + k * Fraction(step) for k in some]
    assert misses(t, found.values[some], found.errors[some]) == []


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    t0=st.floats(0, 1e7),
    step=st.floats(1e-6, 1e3),
    count=st.integers(1, 400),
    data=st.data(),
)
def test_any_grid(t0, step, count, data):
    found = hardy_z(max(t0, 430.0), step, count, return_error=True)
    k = data.draw(st.integers(0, count - 1))
    t = Fraction(max(t0, 430.0)) + k * Fraction(step)
    assert misses([t], found.values[[k]], found.errors[[k]]) == []
    assert found.errors.max() <= 1e-9


def test_grid_agrees_with_mpmath():
    z = hardy_z(4e5, 1 / 512, 20000)
    for k in (0, 777, 19999):
        with mpmath.workdps(25):
            assert abs(z[k] - mpmath.siegelz(mpmath.mpf(4e5) + mpmath.mpf(k) / 512)) < 1e-12
    assert z.dtype == np.float64


def test_error_at_the_height_of_the_chapter():
    found = hardy_z(4e5, 0.002, 10**5, return_error=True)
    assert found.errors.max() < 1e-11
    assert not found.certified.any()


def test_grid_is_cut_where_the_number_of_terms_changes():
    jump = 2 * math.pi * 252**2
    found = hardy_z(jump - 5, 1 / 128, 1280, return_error=True)
    k = range(560, 720, 3)  # both sides of the jump
    assert (
        misses([Fraction(jump - 5) + Fraction(i, 128) for i in k], *[a[k] for a in found[:2]]) == []
    )
    assert make_panel(251).n_terms == 251
    assert found.errors[0] != found.errors[-1]  # two panels, two bounds


def test_certified_path_below_200_and_where_the_bound_is_too_wide():
    found = hardy_z(0.0, 5.0, 101, return_error=True)
    t = np.arange(101) * 5.0
    assert found.certified[t < 200].all()
    np.testing.assert_array_equal(found.certified, t < t[~found.certified][0])
    assert 400 < t[~found.certified][0] < 440
    assert found.errors.max() <= 1e-9
    assert misses(t.tolist(), found.values, found.errors) == []
    np.testing.assert_array_equal(hardy_z(0.0, 5.0, 101), found.values)
    assert found.values[0] == pytest.approx(-1.4603545088095868, abs=1e-15)
    assert hardy_z(4e5, 0.5, 3, True, max_error=1e-15).certified.all()
    assert not hardy_z(190.0, 1.0, 20, True, max_error=math.inf).certified[10:].any()


def test_parts_of_a_grid_agree():
    whole = hardy_z(4e5, 1 / 64, 5000, return_error=True)
    part = hardy_z(4e5 + 1000 / 64, 1 / 64, 70)
    assert np.abs(whole.values[1000:1070] - part).max() < 2 * whole.errors.max()


# --- counting and isolating


def test_counts():
    assert count_zeros(0, 4e5) == 640_526
    assert count_zeros(400000, 400020) == 35
    assert count_zeros(0, 1000) == 649
    assert count_zeros(0, 14) == 0
    assert count_zeros(14.134725141734693, 14.134725141734695) == 1  # neighbors around zero 1
    assert count_zeros(0, 14.134725141734693) == 0


def contains(found, number=None):
    """Check intervals against FLINT's own zeros, from the first one or a few of them."""
    picks = range(len(found.intervals)) if number is None else number
    for k in picks:
        with ctx.workprec(100):
            zero = acb.zeta_zero(found.first + k).imag
            low, high = map(arb, found.intervals[k].tolist())
            assert low < zero < high
            assert flint_z(Fraction(float(low))) * flint_z(Fraction(float(high))) < 0


def test_the_35_zeros_of_the_published_window():
    found = isolate_zeros(400000, 400020)
    assert found.intervals.shape == (35, 2)
    assert found.first == 640_527
    assert (np.diff(found.intervals) <= 1e-9).all()
    assert (found.intervals[1:, 0] > found.intervals[:-1, 1]).all()
    contains(found)


@pytest.mark.parametrize("t0", [2 * math.pi * 252**2 - 8, 1e6, 1e8])
def test_zeros_elsewhere(t0):
    found = isolate_zeros(t0, t0 + 12)
    assert len(found.intervals) == count_zeros(t0, t0 + 12)
    assert (np.diff(found.intervals) <= max(1e-9, np.spacing(t0))).all()
    contains(found, range(0, len(found.intervals), 5))


@pytest.mark.parametrize("tiny", [5e-324, 1e-30, 1e-20, 1e-5])
def test_tiny_heights(tiny):
    found = hardy_z(tiny, 0.1, 3, return_error=True)
    assert misses([Fraction(tiny) + k * Fraction(0.1) for k in range(3)], *found[:2]) == []
    assert count_zeros(tiny, 20) == count_zeros(0, 20) == 1
    assert isolate_zeros(0, tiny).intervals.shape == (0, 2)
    one = isolate_zeros(tiny, 20)
    assert one.first == 1
    contains(one)


def test_zeros_below_200_take_the_certified_path():
    found = isolate_zeros(0, 60)
    assert found.first == 1
    assert found.slow > 13
    contains(found)
    with mpmath.workdps(20):
        assert found.intervals[0, 0] < mpmath.zetazero(1).imag < found.intervals[0, 1]


@pytest.mark.parametrize(
    ("t0", "t1", "gap"), [(7005.0, 7005.2, 0.0377), (71732.8, 71733.0, 0.0148)]
)
def test_close_pairs(t0, t1, gap):
    found = isolate_zeros(t0, t1)
    assert len(found.intervals) == 2
    assert found.intervals[1, 0] - found.intervals[0, 0] == pytest.approx(gap, abs=1e-4)
    contains(found)


def test_close_pairs_in_a_wide_window():
    found = isolate_zeros(71500, 71900)
    assert len(found.intervals) == count_zeros(71500, 71900)
    assert np.diff(found.intervals[:, 0]).min() == pytest.approx(0.0148, abs=1e-4)


def test_a_sparse_first_grid_is_refined(monkeypatch):
    monkeypatch.setattr(zeros, "_PER_ZERO", 0.4)
    sparse = isolate_zeros(7000, 7050)
    monkeypatch.undo()
    np.testing.assert_array_equal(sparse.intervals, isolate_zeros(7000, 7050).intervals)


def test_windows_join(monkeypatch):
    whole = isolate_zeros(400000, 400100)
    left, right = isolate_zeros(400000, 400033.3), isolate_zeros(400033.3, 400100)
    np.testing.assert_array_equal(whole.intervals, np.r_[left.intervals, right.intervals])
    assert right.first == left.first + len(left.intervals)
    monkeypatch.setattr(zeros, "_ZEROS", 20)
    np.testing.assert_array_equal(whole.intervals, isolate_zeros(400000, 400100).intervals)


def test_window_without_zeros_and_window_of_one():
    empty = isolate_zeros(15, 16)
    assert empty.intervals.shape == (0, 2)
    assert empty.first == 2
    one = isolate_zeros(14.134725141734693, 14.134725141734695)
    assert one.intervals.tolist() == [[14.134725141734693, 14.134725141734695]]
    assert one.first == 1
    assert isolate_zeros(400000.2, 400000.4).intervals.shape == (1, 2)


@pytest.mark.parametrize("tol", [1e10, 0.3, 1e-3, 1e-300])
def test_tolerances(tol):
    found = isolate_zeros(400000, 400010, tol=tol)
    assert len(found.intervals) == count_zeros(400000, 400010)
    assert (np.diff(found.intervals) <= max(tol, np.spacing(4e5))).all()
    contains(found, [0, 5, 11])


def test_doubtful_signs_are_decided_by_balls(monkeypatch):
    quick = isolate_zeros(400000, 400020)
    original = zeros.scattered
    monkeypatch.setattr(zeros, "scattered", lambda t: (original(t)[0], np.full(t.size, 0.1)))
    careful = isolate_zeros(400000, 400020)
    np.testing.assert_array_equal(careful.intervals, quick.intervals)
    assert careful.slow > 35 + quick.slow


@pytest.mark.parametrize("surplus", [2, -1])
def test_a_count_that_cannot_be_met_is_an_error(monkeypatch, surplus):
    def wrong(t):
        return balls.zeros_up_to(t) + (surplus if t > 400000 else 0)

    monkeypatch.setattr(zeros, "zeros_up_to", wrong)
    monkeypatch.setattr(zeros, "_MOST_POINTS", 1 << 12)
    with pytest.raises(ArithmeticError, match=r"changes of sign (for|but) \d+ zeros"):
        isolate_zeros(400000, 400001)


def test_processes_and_threads_give_the_same_zeros(monkeypatch):
    monkeypatch.setattr(zeros, "_ZEROS", 30)
    alone = isolate_zeros(400000, 400040)
    for backend in ("loky", "threading"):
        with joblib.parallel_config(backend=backend, n_jobs=2):
            other = isolate_zeros(400000, 400040)
        np.testing.assert_array_equal(alone.intervals, other.intervals)
        assert alone.first == other.first


def test_dask_gives_the_same_zeros():
    alone = isolate_zeros(400000, 400600)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        other = isolate_zeros(400000, 400600)
    np.testing.assert_array_equal(alone.intervals, other.intervals)
    assert alone.first == other.first


def test_progress_is_shown_on_request(capfd):
    hardy_z(4e5, 0.01, 100, progress=True)
    isolate_zeros(400000, 400002, progress=True)
    eta(0.5, [1.0, 2.0], progress=True)
    shown = capfd.readouterr().err
    assert all(unit in shown for unit in ("point", "window", "x64"))
    hardy_z(4e5, 0.01, 100)
    assert capfd.readouterr().err == ""


# --- bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: eta(-0.1, 1), ValueError, r"sigma must be in \[0, 10\], got -0.1"),
        (lambda: eta(65, 1), ValueError, r"sigma must be in \[0, 10\], got 65"),
        (lambda: zeta(0.5, math.nan), ValueError, r"t must be in .*, got nan"),
        (lambda: zeta(0.5, [1, math.inf]), ValueError, r"t must be in .*, got inf"),
        (lambda: eta(0.5, 2e10), ValueError, r"t must be in"),
        (lambda: eta(True, 1), TypeError, "sigma must hold real numbers"),
        (lambda: eta(0.5, "1"), TypeError, "t must hold real numbers"),
        (lambda: eta(0.5, 1j), TypeError, "t must hold real numbers"),
        (lambda: eta([1, 2], [1, 2, 3]), ValueError, r"must broadcast, got shapes \(2,\) and"),
        (lambda: hardy_z(math.nan, 1, 1), ValueError, "t0 must be from 0 to 10000000000, got nan"),
        (lambda: hardy_z(-1, 1, 1), ValueError, "t0 must be from 0"),
        (lambda: hardy_z("1", 1, 1), TypeError, "t0 must be a number, got '1' of type str"),
        (lambda: hardy_z(True, 1, 1), TypeError, "t0 must be a number"),
        (lambda: hardy_z(Fraction(1, 3), 1, 1), ValueError, "exactly representable"),
        (
            lambda: hardy_z(1, 0, 1),
            ValueError,
            "step must be above 0 and at most",
        ),
        (lambda: hardy_z(1, -0.5, 1), ValueError, "step must be above 0"),
        (lambda: hardy_z(1, 1, 0), ValueError, "count must be at least 1, got 0"),
        (lambda: hardy_z(1, 1, 2.0), TypeError, "count must be a whole number"),
        (lambda: hardy_z(1, 1, True), TypeError, "count must be a whole number"),
        (lambda: hardy_z(1e9, 1e9, 11), ValueError, "last point .* must be at most 1e"),
        (lambda: hardy_z(1, 1, 1, max_error=-1), ValueError, "max_error must be at least 0"),
        (lambda: hardy_z(4e5, 1e-9, 10**12), MemoryError, "GB of memory"),
        (lambda: count_zeros(5, 5), ValueError, "t1 must be greater than t0, got t0=5.0, t1=5.0"),
        (lambda: count_zeros(5, math.inf), ValueError, "t1 must be from 0"),
        (lambda: isolate_zeros(5, 4), ValueError, "t1 must be greater than t0"),
        (lambda: isolate_zeros(math.nan, 4), ValueError, "t0 must be from 0"),
        (lambda: isolate_zeros(10**400, 4), ValueError, "t0 must be from 0"),
        (lambda: isolate_zeros(1, 4, tol=0), ValueError, "tol must be above 0"),
        (lambda: isolate_zeros(1, 4, tol=None), TypeError, "tol must be a number"),
        (lambda: isolate_zeros(0, 1e10), MemoryError, "zeros would take about"),
    ],
)
def test_bad_input(call, error, message, monkeypatch):
    monkeypatch.setattr(validation, "available_memory", lambda: 2 * 10**9)
    with pytest.raises(error, match=message):
        call()


def test_memory_is_estimated_before_work(monkeypatch):
    assert validation.available_memory() > 0
    monkeypatch.setattr(validation, "available_memory", lambda: 1000)
    for call in (lambda: eta(0.5, np.ones(100)), lambda: hardy_z(4e5, 1, 10)):
        with pytest.raises(MemoryError, match=r"but only 0\.00 GB are available"):
            call()


def test_an_end_that_no_precision_decides_is_an_error(monkeypatch):
    monkeypatch.setattr(balls, "hardy_z_ball", lambda t, bits: arb(0, 1))
    with pytest.raises(ArithmeticError, match="may be a zero itself"):
        balls.certified_sign(14.0)
    with pytest.raises(ArithmeticError, match="do not decide the value"):
        balls.certified_z(14.0)


def test_public_names_are_documented():
    for name in package.__all__:
        assert getattr(package, name).__doc__
