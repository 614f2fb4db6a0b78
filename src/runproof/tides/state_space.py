"""Weather as a sum of simple random processes, filtered and smoothed in linear time.

Every process has a state of two numbers whose stationary covariance is the variance times the
identity. Over a time step its transition is a 2 x 2 matrix F, and the noise that comes in has
covariance variance (I - F F'). Two kinds are enough: Matern's process of order 3/2, and a
damped rotation, which is an Ornstein-Uhlenbeck process at speed 0 and a broadened tidal line
elsewhere. A level adds the first number of each state, and white noise.
"""

import numpy as np
from numba import njit

MATERN, ROTATION = 0.0, 1.0
NOTHING = np.empty((0, 0, 0))  # given where covariances are not to be kept


@njit(cache=True)
def _transition(processes, step, f):
    """Fill f, shape (processes, 4), with the 2 x 2 transitions over a step, row by row."""
    for k in range(len(processes)):
        kind, _, rate, speed = processes[k]
        decay, turn = np.exp(-rate * step), rate * step
        if kind == MATERN:
            f[k, 0], f[k, 1] = decay * (1 + turn), decay * turn
            f[k, 2], f[k, 3] = -decay * turn, decay * (1 - turn)
        else:
            cos, sin = decay * np.cos(speed * step), decay * np.sin(speed * step)
            f[k, 0], f[k, 1], f[k, 2], f[k, 3] = cos, sin, -sin, cos


@njit(cache=True)
def _advance(processes, f, p, work):
    """Replace the covariance p by F p F' + Q."""
    m = len(processes)
    for a in range(m):  # work = F p
        for j in range(2 * m):
            x, y = p[2 * a, j], p[2 * a + 1, j]
            work[2 * a, j] = f[a, 0] * x + f[a, 1] * y
            work[2 * a + 1, j] = f[a, 2] * x + f[a, 3] * y
    for b in range(m):  # p = work F'
        for i in range(2 * m):
            x, y = work[i, 2 * b], work[i, 2 * b + 1]
            p[i, 2 * b] = x * f[b, 0] + y * f[b, 1]
            p[i, 2 * b + 1] = x * f[b, 2] + y * f[b, 3]
    for k in range(m):
        variance = processes[k, 1]
        f0, f1, f2, f3 = f[k]
        cross = variance * (f0 * f2 + f1 * f3)
        p[2 * k, 2 * k] += variance * (1 - f0 * f0 - f1 * f1)
        p[2 * k + 1, 2 * k + 1] += variance * (1 - f2 * f2 - f3 * f3)
        p[2 * k, 2 * k + 1] -= cross
        p[2 * k + 1, 2 * k] -= cross


@njit(cache=True)
def gains(processes, noise, steps, seen, covariances):
    """Run the part of the Kalman filter that does not depend on the levels.

    Parameters
    ----------
    processes : ndarray, shape (m, 4)
        Kind, variance, rate and speed (per unit of time) of each process.
    noise : float
        The variance of the white noise.
    steps : ndarray, shape (n,)
        The time since the sample before; the first is not used.
    seen : ndarray of bool, shape (n,)
        Where there is a level.
    covariances : ndarray, shape (n, 2 m, 2 m), or `NOTHING`
        Filled with the covariance of the state, given the levels before.

    Returns
    -------
    gain : ndarray, shape (n, 2 m)
        The covariance of the state with the signal, given the levels before.
    variance : ndarray, shape (n,)
        That of a level, given those before.

    Notes
    -----
    While nothing changes from one level to the next, the covariance is not computed anew.
    """
    m, n = len(processes), len(steps)
    gain, variance = np.empty((n, 2 * m)), np.empty(n)
    p, work, f = np.zeros((2 * m, 2 * m)), np.empty((2 * m, 2 * m)), np.empty((m, 4))
    for k in range(m):
        p[2 * k, 2 * k] = p[2 * k + 1, 2 * k + 1] = processes[k, 1]
    last, settled = -1.0, False
    for i in range(n):
        if i and settled and steps[i] == last and seen[i]:
            gain[i], variance[i] = gain[i - 1], variance[i - 1]
            if len(covariances):
                covariances[i] = covariances[i - 1]
            continue
        if i:
            if steps[i] != last:
                _transition(processes, steps[i], f)
                last = steps[i]
            settled = False
            _advance(processes, f, p, work)
        if len(covariances):
            covariances[i] = p
        signal = 0.0
        for j in range(2 * m):
            g = 0.0
            for k in range(m):
                g += p[j, 2 * k]
            gain[i, j] = g
            if j % 2 == 0:
                signal += g
        variance[i] = signal + noise
        if seen[i]:
            for j in range(2 * m):
                scaled = gain[i, j] / variance[i]
                for k in range(2 * m):
                    p[j, k] -= scaled * gain[i, k]
            if i and seen[i - 1]:
                change = 0.0
                for j in range(2 * m):
                    change = max(change, abs(gain[i, j] - gain[i - 1, j]))
                settled = change <= 1e-10 * variance[i]
    return gain, variance


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def forward(processes, steps, seen, gain, variance, columns, x, errors, signals):
    """Filter many columns at once, with the gains of all.

    Parameters
    ----------
    processes, steps, seen, gain, variance
        As for `gains`, for the samples of a block.
    columns : ndarray, shape (n, columns)
        What is filtered; rows not seen are not used.
    x : ndarray, shape (2 m, columns)
        The state after the block before; changed to that after this one.
    errors, signals : ndarray, shape (n, columns)
        Filled with what the filter could not foresee (0 where nothing is seen), and with
        the signal that it foresaw.
    """
    m, width = len(processes), columns.shape[1]
    f, last = np.empty((m, 4)), -1.0
    for i in range(len(steps)):
        if steps[i] != last:
            _transition(processes, steps[i], f)
            last = steps[i]
        signal, error = signals[i], errors[i]
        for c in range(width):
            signal[c] = 0.0
        for k in range(m):
            f0, f1, f2, f3 = f[k, 0], f[k, 1], f[k, 2], f[k, 3]
            even, odd = x[2 * k], x[2 * k + 1]
            for c in range(width):
                a, b = even[c], odd[c]
                even[c] = f0 * a + f1 * b
                odd[c] = f2 * a + f3 * b
                signal[c] += even[c]
        if seen[i]:
            column = columns[i]
            for c in range(width):
                error[c] = column[c] - signal[c]
            for j in range(2 * m):
                weight, state = gain[i, j] / variance[i], x[j]
                for c in range(width):
                    state[c] += weight * error[c]
        else:
            for c in range(width):
                error[c] = 0.0


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def backward(processes, steps, seen, gain, variance, errors, signals, r):
    """Turn the foreseen signals of a block into smoothed ones, from its end to its start.

    `steps[i]` is the time from sample i to the next; r, of shape (2 m, columns), comes from
    the block after this one and is changed to what the block before needs. Other arguments
    are as for `forward`.
    """
    m, width = len(processes), signals.shape[1]
    f, last = np.empty((m, 4)), -1.0
    inner = np.empty(width)
    for i in range(len(steps) - 1, -1, -1):
        if steps[i] != last:
            _transition(processes, steps[i], f)
            last = steps[i]
        for k in range(m):
            f0, f1, f2, f3 = f[k, 0], f[k, 1], f[k, 2], f[k, 3]
            even, odd = r[2 * k], r[2 * k + 1]
            for c in range(width):
                a, b = even[c], odd[c]
                even[c] = f0 * a + f2 * b
                odd[c] = f1 * a + f3 * b
        if seen[i]:
            error = errors[i]
            for c in range(width):
                inner[c] = error[c]
            for j in range(2 * m):
                g, row = gain[i, j], r[j]
                for c in range(width):
                    inner[c] -= g * row[c]
            for k in range(m):
                row = r[2 * k]
                for c in range(width):
                    row[c] += inner[c] / variance[i]
        signal = signals[i]
        for j in range(2 * m):
            g, row = gain[i, j], r[j]
            for c in range(width):
                signal[c] += g * row[c]


@njit(cache=True)
def smoothed_variance(processes, noise, steps, seen, gain, variance):
    """Return the variance of the signal given all levels, shape (n,).

    `steps[i]` is the time since the sample before.
    """
    m, n = len(processes), len(steps)
    result = np.empty(n)
    big, work, f = np.zeros((2 * m, 2 * m)), np.empty((2 * m, 2 * m)), np.empty((m, 4))
    g, before, last, settled = np.empty(2 * m), np.zeros(2 * m), -1.0, False
    for i in range(n - 1, -1, -1):
        steady = False
        if i + 1 < n:
            steady = settled and seen[i] and steps[i + 1] == last and seen[i + 1]
            steady = steady and gain[i, 0] == gain[i + 1, 0] and variance[i] == variance[i + 1]
            if not steady:
                if steps[i + 1] != last:
                    _transition(processes, steps[i + 1], f)
                    last = steps[i + 1]
                for a in range(m):  # work = F' big
                    for j in range(2 * m):
                        x, y = big[2 * a, j], big[2 * a + 1, j]
                        work[2 * a, j] = f[a, 0] * x + f[a, 2] * y
                        work[2 * a + 1, j] = f[a, 1] * x + f[a, 3] * y
                for b in range(m):  # big = work F
                    for k in range(2 * m):
                        x, y = work[k, 2 * b], work[k, 2 * b + 1]
                        big[k, 2 * b] = x * f[b, 0] + y * f[b, 2]
                        big[k, 2 * b + 1] = x * f[b, 1] + y * f[b, 3]
        if steady:
            result[i] = result[i + 1]
            continue
        if seen[i]:  # big = H H' / S + (I - K H')' big (I - K H')
            square = 0.0
            for j in range(2 * m):
                g[j] = 0.0
                for k in range(2 * m):
                    g[j] += big[j, k] * gain[i, k]
            for j in range(2 * m):
                square += g[j] * gain[i, j]
            s = variance[i]
            for a in range(m):
                for j in range(2 * m):
                    big[2 * a, j] -= g[j] / s
            for b in range(m):
                for j in range(2 * m):
                    big[j, 2 * b] -= g[j] / s
            for a in range(m):
                for b in range(m):
                    big[2 * a, 2 * b] += square / s**2 + 1 / s
        reduction, change = 0.0, 0.0
        for j in range(2 * m):
            product = 0.0
            for k in range(2 * m):
                product += big[j, k] * gain[i, k]
            reduction += gain[i, j] * product
            change = max(change, abs(product - before[j]))
            before[j] = product
        result[i] = max(variance[i] - noise - reduction, 0.0)
        settled = change <= 1e-10
    return result


# The derivatives of the likelihood


@njit(cache=True)
def score(processes, steps, gain, variance, covariances, errors):
    """Differentiate the Gaussian log-likelihood of columns, all levels seen.

    With V the covariance of the levels and w = inverse(V) column, the derivative is the sum
    over columns of w' dV w / 2, less trace(inverse(V) dV) / 2. It comes from one pass of the
    smoother, whatever the number of processes.

    Parameters
    ----------
    processes, steps, gain, variance, covariances
        As for `gains`.
    errors
        As for `forward`.

    Returns
    -------
    d_variance, d_rate : ndarray, shape (m,)
        By the variance and by the rate of each process.
    d_noise : float
        By the variance of the noise.

    Notes
    -----
    While nothing changes from one level to the next, the trace's share is not computed anew.

    References
    ----------
    S. J. Koopman and N. Shephard, "Exact score for time series models in state space form",
    Biometrika 79 (1992), 823-826.
    """
    m, n, width = len(processes), len(steps), errors.shape[1]
    total, share, d_noise, precision = np.zeros((2, m)), np.zeros((2, m)), 0.0, 0.0
    r, rest, after = np.zeros((2 * m, width)), np.empty(width), np.empty((n, 2 * m, width))
    big, work = np.zeros((2 * m, 2 * m)), np.zeros((2 * m, 2 * m))
    g, before = np.zeros(2 * m), np.zeros(2 * m)
    f, df, last, settled = np.empty((m, 4)), np.empty((m, 4)), -1.0, False
    for i in range(n - 1, -1, -1):
        steady = False
        if i + 1 < n:
            steady = settled and steps[i + 1] == last
            steady = steady and gain[i, 0] == gain[i + 1, 0] and variance[i] == variance[i + 1]
            if steps[i + 1] != last:
                last = steps[i + 1]
                _transition(processes, last, f)
                _slope(processes, last, f, df)
            if not steady:
                share[:] = 0.0
                _incoming(processes, f, df, -1.0, big, share)
                _back(f, df, covariances[i], gain[i], variance[i], big, work, g, share)
            total += share
            after[i] = r
            for k in range(m):
                for c in range(width):
                    a, b = r[2 * k, c], r[2 * k + 1, c]
                    r[2 * k, c] = f[k, 0] * a + f[k, 2] * b
                    r[2 * k + 1, c] = f[k, 1] * a + f[k, 3] * b
        if not steady:
            precision, change = _update(gain[i], variance[i], big, g, before)
            settled = change <= 1e-12
        d_noise += _renew(gain[i], variance[i], errors[i], r, rest) - 0.5 * precision
    _states(processes, steps, r, after, total)
    for k in range(m):
        total[0, k] -= 0.5 * (big[2 * k, 2 * k] + big[2 * k + 1, 2 * k + 1])
    return total[0], total[1], d_noise


@njit(cache=True)
def _slope(processes, step, f, df):
    """Fill df with the derivatives of the transitions f by the rates."""
    for k in range(len(processes)):
        if processes[k, 0] == MATERN:
            turn = processes[k, 2] * step
            scale = step * np.exp(-turn)
            df[k, 0], df[k, 1] = -turn * scale, (1 - turn) * scale
            df[k, 2], df[k, 3] = (turn - 1) * scale, (turn - 2) * scale
        else:
            df[k] = -step * f[k]


@njit(cache=True)
def _incoming(processes, f, df, sign, w, total):
    """Add what the noise that comes in over a step, variance (I - F F'), contributes.

    Its covariance is weighted with w / 2; total holds the derivatives by variance and rate.
    """
    for k in range(len(processes)):
        aa, ab = sign * w[2 * k, 2 * k], sign * w[2 * k, 2 * k + 1]
        bb = sign * w[2 * k + 1, 2 * k + 1]
        f0, f1, f2, f3 = f[k]
        e0, e1, e2, e3 = df[k]
        left = aa * (1 - f0 * f0 - f1 * f1) + bb * (1 - f2 * f2 - f3 * f3)
        total[0, k] += 0.5 * left - ab * (f0 * f2 + f1 * f3)
        cross = e0 * f2 + e1 * f3 + f0 * e2 + f1 * e3
        right = aa * (f0 * e0 + f1 * e1) + bb * (f2 * e2 + f3 * e3) + ab * cross
        total[1, k] -= processes[k, 1] * right


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def _back(f, df, p, gain, variance, big, work, g, total):
    """Bring big from after a step to before it, and add what the state before it contributes."""
    m, inverse = len(f), 1 / variance
    g[:] = 0.0
    for k in range(m):  # work = F' big
        f0, f1, f2, f3 = f[k]
        left, right = gain[2 * k], gain[2 * k + 1]
        for j in range(2 * m):
            a, b = big[2 * k, j], big[2 * k + 1, j]
            work[2 * k, j], work[2 * k + 1, j] = f0 * a + f2 * b, f1 * a + f3 * b
            g[j] += left * work[2 * k, j] + right * work[2 * k + 1, j]
    for k in range(m):
        a, b = 2 * k, 2 * k + 1
        aa, ab = -gain[a] * g[a] * inverse, -gain[a] * g[b] * inverse
        ba, bb = -gain[b] * g[a] * inverse, -gain[b] * g[b] * inverse
        for q in range(2 * m):
            left, right = work[q, a], work[q, b]
            aa, ab = aa + p[q, a] * left, ab + p[q, a] * right
            ba, bb = ba + p[q, b] * left, bb + p[q, b] * right
        total[1, k] -= df[k, 0] * aa + df[k, 1] * ba + df[k, 2] * ab + df[k, 3] * bb
        f0, f1, f2, f3 = f[k]
        for j in range(2 * m):  # big = work F
            left, right = work[j, a], work[j, b]
            big[j, a], big[j, b] = left * f0 + right * f2, left * f1 + right * f3


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def _update(gain, variance, big, g, before):
    """Bring big from after a level to before it; return the level's precision, and a change."""
    size, square, change, inverse = len(gain), 0.0, 0.0, 1 / variance
    for j in range(size):
        product = 0.0
        for k in range(size):
            product += big[j, k] * gain[k]
        change = max(change, abs(product - before[j]))
        before[j] = product
        g[j] = product * inverse
        square += g[j] * gain[j] * inverse
    precision = inverse + square
    for a in range(0, size, 2):
        for j in range(size):
            big[a, j] -= g[j]
            big[j, a] -= g[j]
        for b in range(0, size, 2):
            big[a, b] += precision
    return precision, change


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def _renew(gain, variance, error, r, rest):
    """Bring r from after a level to before it; return the columns' derivative by the noise."""
    size, width, noise, inverse = len(gain), r.shape[1], 0.0, 1 / variance
    rest[:] = error
    for j in range(size):
        for c in range(width):
            rest[c] -= gain[j] * r[j, c]
    for c in range(width):
        rest[c] *= inverse
        noise += 0.5 * rest[c] * rest[c]
    for j in range(0, size, 2):
        for c in range(width):
            r[j, c] += rest[c]
    return noise


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def _states(processes, steps, r, after, total):
    """Add what the smoothed states and the noise between them contribute, from start to end."""
    n, size, width = after.shape
    m = size // 2
    x, w = np.empty((size, width)), np.zeros((size, size))
    f, df, last = np.empty((m, 4)), np.empty((m, 4)), -1.0
    for k in range(m):
        for j in (2 * k, 2 * k + 1):
            for c in range(width):
                x[j, c] = processes[k, 1] * r[j, c]
                total[0, k] += 0.5 * r[j, c] * r[j, c]
    for i in range(n - 1):
        if steps[i + 1] != last:
            last = steps[i + 1]
            _transition(processes, last, f)
            _slope(processes, last, f, df)
        for k in range(m):
            variance = processes[k, 1]
            f0, f1, f2, f3 = f[k]
            e0, e1, e2, e3 = df[k]
            q0, q1, q2 = 1 - f0 * f0 - f1 * f1, -f0 * f2 - f1 * f3, 1 - f2 * f2 - f3 * f3
            q0, q1, q2 = variance * q0, variance * q1, variance * q2
            aa = ab = bb = rate = 0.0
            for c in range(width):
                u, v = after[i, 2 * k, c], after[i, 2 * k + 1, c]
                a, b = x[2 * k, c], x[2 * k + 1, c]
                aa, ab, bb = aa + u * u, ab + u * v, bb + v * v
                rate += u * (e0 * a + e1 * b) + v * (e2 * a + e3 * b)
                x[2 * k, c] = f0 * a + f1 * b + q0 * u + q1 * v
                x[2 * k + 1, c] = f2 * a + f3 * b + q1 * u + q2 * v
            w[2 * k, 2 * k], w[2 * k, 2 * k + 1], w[2 * k + 1, 2 * k + 1] = aa, ab, bb
            total[1, k] += rate
        _incoming(processes, f, df, 1.0, w, total)
